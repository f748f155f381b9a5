"""The way back: a workload as it was, from what the cluster itself says. Never needs the session that took it.

The order makes each step safe to be the last one: autoscalers, then the workload's one patch, then pods and
revisions of dev mode, then what it added and the lease. A `down` that finds half of it goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field

from devcfg.runtime.cluster.cluster import Cluster, Object
from devcfg.runtime.cluster.errors import (
    ConflictError,
    ForbiddenError,
    GuardError,
    MissingError,
    RejectedError,
    UnreachableError,
)
from devcfg.runtime.devmode.additions import owner_reference, remove_all
from devcfg.runtime.devmode.errors import DevModeError, DriftError
from devcfg.runtime.devmode.gitops import PAUSE_ANNOTATION, is_paused
from devcfg.runtime.devmode.handover import hand_over
from devcfg.runtime.devmode.lease import LEASE, Session, lease_of, stealing, this_session
from devcfg.runtime.devmode.prepare import guards
from devcfg.runtime.devmode.record import (
    METADATA,
    REPLICAS,
    cleared,
    inverse_of,
    is_taken,
    owner_of,
    plan_of,
    reach,
    restoration,
    template_of,
)
from devcfg.runtime.devmode.scalers import release_all, scalers_of
from devcfg.runtime.devmode.stays import Stay
from devcfg.runtime.devmode.steps import Move, Step, Tell
from devcfg.schemas.errors import DevcfgError
from devcfg.schemas.patch import Op, Operation

ATTEMPTS = 10
LOOK = 0.3

Agree = Callable[[str, tuple[str, ...]], Awaitable[bool]]
"""Shows what a way back does beyond dev mode (workload, sentences) and asks whether it shall."""


async def refuse(_: str, __: tuple[str, ...]) -> bool:
    """Agree to nothing: what goes beyond dev mode is not done where nobody is asked."""
    return False


@dataclass(slots=True)
class Report:
    """What became of one workload."""

    workload: str
    restored: bool = False
    """Whether its spec was put back now."""
    parted: str = ""
    """Which services left and which stay, in words, where it is in dev mode still."""
    kept: list[str] = field(default_factory=list)
    """Fields that somebody else changed since: they stay."""
    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What could not be done, in sentences."""


class UnfinishedError(DevModeError):
    """Some of several ways back failed; `reports` tells of the others."""

    def __init__(self, failed: Sequence[DevcfgError], reports: tuple[Report, ...]) -> None:
        super().__init__("; ".join(one.message for one in failed), hint=failed[0].hint)
        self.exit_code = failed[0].exit_code
        self.reports = reports


async def go_back(ways: Iterable[Coroutine[None, None, Report]]) -> tuple[Report, ...]:
    """Go several ways back at once: what fails, or waits for its pods, keeps none of the others from its end.

    Raises what went wrong, an UnfinishedError where there is more to tell, once all have ended.
    """
    found = await asyncio.gather(*ways, return_exceptions=True)
    failed = [one for one in found if isinstance(one, DevcfgError)]
    for one in found:
        if isinstance(one, BaseException) and one not in failed:
            raise one
    reports = tuple(one for one in found if isinstance(one, Report))
    if len(failed) == 1 and not reports:
        raise failed[0]
    if failed:
        raise UnfinishedError(failed, reports)
    return reports


async def leave_one(
    cluster: Cluster, stay: Stay, tell: Tell, agree: Agree = refuse, *, session: Session | None = None
) -> Report:
    """Take one workload out of dev mode. Raises what stands in the way; it can be called again after anything.

    `session` is the one that holds the lease; without it the lease is taken first, so that a session that still has
    it stops, and does not take this for a revert.
    """
    report = Report(stay.label)
    if session is None:
        await _seize(cluster, stay)
    scalers = await scalers_of(cluster, stay.namespace, stay.resource.kind, stay.name)
    await release_all(
        cluster, stay.namespace, stay.id, scalers, lambda name, path: report.kept.append(f"autoscaler {name}: {path}")
    )
    document, claims = await _restore(cluster, stay, report, tell, agree, scaled=bool(scalers))
    if document is not None and plan_of(document) is not None and not report.restored:
        report.left.append(f"{stay.label} is in dev mode by files: apply its base to leave")
        return report
    if document is not None:
        handover = await hand_over(cluster, stay, document, tell)
        report.removed += handover.removed
        report.left += handover.left
    uid = document["metadata"]["uid"] if document is not None else stay.uid
    report.removed += await remove_all(cluster, stay.namespace, stay.id, uid, claims)
    await _drop_lease(cluster, stay)
    return report


async def _restore(
    cluster: Cluster, stay: Stay, report: Report, tell: Tell, agree: Agree, *, scaled: bool
) -> tuple[Object | None, tuple[str, ...]]:
    """Put the spec back. Return the object as it is then, None where it is gone, and the claims it mounted."""
    asked = False
    claims: tuple[str, ...] = ()
    for _ in range(ATTEMPTS):
        try:
            found = await cluster.get(stay.resource, stay.namespace, stay.name)
        except MissingError:
            return None, claims
        claims = claims or _claims(found)
        if not is_taken(found):
            return found, claims
        inverse = inverse_of(found)
        beyond = reach(found, inverse)
        if beyond.wild:
            raise DriftError(
                f"the way back of {stay.label} reaches `{beyond.wild[0]}`, which devcfg never writes: it is not taken",
                hint="somebody wrote it by hand; apply the workload's manifest again",
            )
        if beyond.strange and not _same(stay.trusted, inverse) and not asked:
            if not await agree(stay.label, beyond.strange):
                raise DriftError(
                    f"the way back of {stay.label} {'; '.join(beyond.strange[:4])}",
                    hint="where these are `patches` of your dev config, `devcfg down --yes` takes it",
                )
            asked = True
        back = restoration(found, inverse, (REPLICAS,) if scaled else ())
        owner = owner_of(found)
        paused = owner is not None and owner.paused and is_paused(found)
        pause = (Operation(Op.REMOVE, METADATA / PAUSE_ANNOTATION),) if paused else ()
        operations = (*guards(found), *back.operations, *cleared(found), *pause)
        try:
            after = await cluster.patch(stay.resource, stay.namespace, stay.name, operations)
        except (GuardError, ConflictError):
            continue
        except UnreachableError:
            await asyncio.sleep(LOOK)
            continue  # whether it was done shows when it is read again
        except RejectedError as error:
            raise DevModeError(
                f"{stay.label} cannot go back as it was: {error.message}", hint="apply its manifest again, then `down`"
            ) from None
        report.restored = True
        report.kept += [str(path) for path in back.kept]
        tell(Step(Move.RESTORED, stay.label, "as it was before"))
        if back.kept:
            tell(Step(Move.KEPT, stay.label, "somebody else changed these since", tuple(map(str, back.kept))))
        return after, claims
    raise DevModeError(f"{stay.label} changes all the time", hint="try `devcfg down` again")


def _same(ours: tuple[Operation, ...], read: tuple[Operation, ...]) -> bool:
    """Tell whether what was read of the object is what we wrote: where it came from was not written."""
    return [step.to_json() for step in ours] == [step.to_json() for step in read]


def _claims(document: Object) -> tuple[str, ...]:
    pod: Object = document
    for token in (*template_of(document), "spec"):
        pod = pod.get(token) or {}
    named = ((one.get("persistentVolumeClaim") or {}).get("claimName") for one in pod.get("volumes") or [])
    return tuple(name for name in named if isinstance(name, str) and name.startswith("devcfg-"))


async def _seize(cluster: Cluster, stay: Stay) -> None:
    if stay.object is None or stay.by_files or not (stay.marked or stay.held):
        return
    owner = owner_reference({**stay.object, "apiVersion": stay.resource.api_version, "kind": stay.resource.kind})
    lease = lease_of(cluster, this_session(), namespace=stay.namespace, workload=stay.id, owner=owner)
    with contextlib.suppress(ForbiddenError):
        await stealing(lease).acquire(lambda _: None)


async def _drop_lease(cluster: Cluster, stay: Stay) -> None:
    try:
        found = await cluster.get(LEASE, stay.namespace, f"devcfg-{stay.id}")
        await cluster.delete(LEASE, stay.namespace, found["metadata"]["name"], uid=found["metadata"]["uid"])
    except (MissingError, ConflictError, ForbiddenError):
        pass
