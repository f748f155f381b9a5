"""Some services of a workload leave dev mode and the others stay: compiled anew with what remains, one patch.

Never leaves a workload as a whole: that is the way back.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace

from devcfg.runtime.cluster.cluster import Cluster
from devcfg.runtime.cluster.errors import ConflictError, ForbiddenError, GuardError, MissingError, UnreachableError
from devcfg.runtime.devmode.additions import Added, add_all, owner_reference
from devcfg.runtime.devmode.errors import DevModeError, DriftError
from devcfg.runtime.devmode.kinds import BY_HAND
from devcfg.runtime.devmode.lease import Session, lease_of, stealing, this_session
from devcfg.runtime.devmode.leave import Report
from devcfg.runtime.devmode.live import State, Subject, Wish, bind_live
from devcfg.runtime.devmode.pods import POD, is_dev, pods_of
from devcfg.runtime.devmode.preferences import read_preferences
from devcfg.runtime.devmode.prepare import operations_of
from devcfg.runtime.devmode.record import Owner, owner_of
from devcfg.runtime.devmode.scalers import hold_all
from devcfg.runtime.devmode.steps import Move, Step, Tell

ATTEMPTS = 5
PAUSE = 0.5
"""Seconds before a look at what became of a request whose answer was lost."""


@dataclass(frozen=True, slots=True)
class Parting:
    """Which services of a workload leave, and which stay."""

    file: str | None
    """The config, as `-f` names it."""
    uid: str
    label: str
    leaving: tuple[str, ...]
    staying: tuple[str, ...]


async def part(cluster: Cluster, parting: Parting, tell: Tell, *, session: Session | None = None) -> Report:
    """Have the services that stay go on alone. Raises what stands in the way.

    `session` is the one that holds the lease; without it the lease is taken first, and given back.
    """
    report = Report(parting.label)
    subject = await _bind(cluster, parting)
    holder = session or this_session()
    owner = owner_reference({**subject.object, "apiVersion": subject.resource.api_version, "kind": subject.target.kind})
    lease = lease_of(cluster, holder, namespace=subject.namespace, workload=subject.id, owner=owner)
    if session is None:
        with contextlib.suppress(ForbiddenError):
            await stealing(lease).acquire(lambda _: None)
    try:
        await _patched(cluster, parting, holder)
    finally:
        await lease.release()
    words = f"{', '.join(parting.leaving)} as before; {', '.join(parting.staying)} stays in dev mode"
    report.parted = words
    tell(Step(Move.RESTORED, parting.label, words))
    return report


async def _patched(cluster: Cluster, parting: Parting, session: Session) -> None:
    made: list[Added] = []
    for _ in range(ATTEMPTS):
        subject = await _bind(cluster, parting)
        if subject.state is State.CHANGED:
            await add_all(cluster, subject, made)
            try:
                operations, _ = operations_of(subject, _owner(subject, parting, session))
                await cluster.patch(subject.resource, subject.namespace, subject.target.name, operations)
            except (GuardError, ConflictError):
                continue
            except UnreachableError:
                await asyncio.sleep(PAUSE)
                continue  # whether it was done shows when it is bound again
        await hold_all(cluster, subject, _owner(subject, parting, session))
        await replace_by_hand(cluster, subject)
        return
    raise DevModeError(f"{parting.label} changes all the time", hint="try again")


async def _bind(cluster: Cluster, parting: Parting) -> Subject:
    bound = await bind_live(cluster, Wish(parting.file, parting.staying, parting.leaving), read_preferences())
    found = next((one for one in bound.subjects if one.uid == parting.uid), None)
    if found is None:
        raise DriftError(f"{parting.label} was replaced by another object meanwhile", hint="try again")
    if found.state not in (State.OURS, State.CHANGED):
        raise DriftError(f"{parting.label} is {found.state.value} now", hint="`devcfg status` says how it is")
    return found


def _owner(subject: Subject, parting: Parting, session: Session) -> Owner:
    """Return the record as it was, for fewer services."""
    found = owner_of(subject.object) or Owner(session.holder, session.id, "")
    return replace(found, session=session.id, services=parting.staying)


async def replace_by_hand(cluster: Cluster, subject: Subject) -> None:
    """Delete the pods of a kind whose controller does not replace them."""
    if subject.resource.kind not in BY_HAND or subject.state is State.FILES:
        return
    document = await cluster.get(subject.resource, subject.namespace, subject.target.name)
    for pod in await pods_of(cluster, document):
        meta = pod["metadata"]
        if not is_dev(pod, subject.digest) and "deletionTimestamp" not in meta:
            with contextlib.suppress(MissingError):
                await cluster.delete(POD, subject.namespace, meta["name"], uid=meta["uid"])
