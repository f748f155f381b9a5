"""The way into dev mode: lease, what is added, one guarded patch, autoscalers, rollout. Never leaves half of it.

Whatever fails before a workload's patch takes back what was added; whatever fails after it takes the workload back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from devcfg.runtime.cluster.cluster import Cluster, Object
from devcfg.runtime.cluster.errors import ConflictError, GuardError, MissingError, UnreachableError
from devcfg.runtime.devmode.additions import Added, add_all, owner_reference, undo
from devcfg.runtime.devmode.errors import DevModeError, DriftError, HeldError
from devcfg.runtime.devmode.gitops import is_paused
from devcfg.runtime.devmode.guard import Ask
from devcfg.runtime.devmode.lease import Lease, Session, lease_of, stealing, this_session
from devcfg.runtime.devmode.leave import leave_one
from devcfg.runtime.devmode.live import State, Subject, Wish, bind_live
from devcfg.runtime.devmode.parting import Parting, part, replace_by_hand
from devcfg.runtime.devmode.place import PodPlace
from devcfg.runtime.devmode.preferences import read_preferences
from devcfg.runtime.devmode.prepare import Prepared, operations_of, pauses, prepare
from devcfg.runtime.devmode.pull import pull_ahead
from devcfg.runtime.devmode.record import Owner, is_taken, owner_of
from devcfg.runtime.devmode.rollout import GiveUp, give_up, wait_ready
from devcfg.runtime.devmode.scalers import hold_all
from devcfg.runtime.devmode.stays import Stay
from devcfg.runtime.devmode.steps import Move, Step, Tell
from devcfg.schemas.errors import DevcfgError
from devcfg.schemas.patch import Operation

ATTEMPTS = 5
PAUSE = 0.5
"""Seconds before a look at what became of a request whose answer was lost."""
Agree = Callable[[Prepared], Awaitable[None]]
"""Shows the plan; raises where it shall not be done."""


async def agree(_: Prepared) -> None:
    """Go on without a word."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to go into dev mode, and how."""

    wish: Wish
    yes: bool = False
    """Accept a place that is new."""
    steal: bool = False
    ask: Ask | None = None
    """Asks about a place that is new."""
    agree: Agree = agree
    give_up: GiveUp = give_up
    session: Session = field(default_factory=this_session)


@dataclass(slots=True)
class Taken:
    """A workload that this session has."""

    subject: Subject
    lease: Lease
    inverse: tuple[Operation, ...] = ()
    """The way back, where we wrote it ourselves."""
    adopted: bool = False
    """Whether it was in dev mode before: a failure does not end that."""

    def parting(self, wish: Wish) -> Parting | None:
        """Return how the wished services leave where others were there before them; None where all leave."""
        names = tuple(one.service for one in self.subject.bindings)
        staying = tuple(name for name in names if wish.services and name not in wish.services)
        if not staying:
            return None
        leaving = tuple(name for name in names if name not in staying)
        return Parting(wish.file, self.subject.uid, self.subject.target.label, leaving, staying)

    @property
    def stay(self) -> Stay:
        """The workload as `leave_one` takes it."""
        one = self.subject
        return Stay(one.id, one.resource, one.namespace, one.target.name, one.uid, one.object, trusted=self.inverse)


@dataclass(frozen=True, slots=True)
class Entered:
    """What a session has in dev mode."""

    request: Request
    prepared: Prepared
    taken: tuple[Taken, ...]

    @property
    def places(self) -> tuple[PodPlace, ...]:
        """Where each service's dev container is."""
        return tuple(
            PodPlace(
                service=binding.service,
                namespace=one.subject.namespace,
                resource=one.subject.resource,
                name=one.subject.target.name,
                uid=one.subject.uid,
                container=binding.name,
                plan=one.subject.digest,
            )
            for one in self.taken
            for binding in one.subject.bindings
        )


async def enter(cluster: Cluster, request: Request, tell: Tell) -> Entered:
    """Take the wished services into dev mode and return when their pods are ready. Raises why not."""
    prepared = await prepare(cluster, request.wish, yes=request.yes, ask=request.ask)
    for note in prepared.notes:
        tell(Step(Move.NOTE, "", note))
    await request.agree(prepared)
    taken: list[Taken] = []
    try:
        for subject in prepared.subjects:
            taken += [await _take(cluster, subject, request, tell)]
        await asyncio.gather(*(wait_ready(cluster, one.subject, tell, request.give_up) for one in taken))
    except BaseException:
        for one in reversed(taken):
            await _given_back(cluster, one, request, tell)
        raise
    for one in taken:
        tell(Step(Move.READY, one.subject.target.label, "its dev pod is ready"))
    return Entered(request, prepared, tuple(taken))


async def _take(cluster: Cluster, subject: Subject, request: Request, tell: Tell) -> Taken:
    """Take one workload: when this returns, it is patched; when it raises, nothing of it is left."""
    label = subject.target.label
    lease = lease_of(
        cluster,
        request.session,
        namespace=subject.namespace,
        workload=subject.id,
        owner=owner_reference(subject.object),
    )
    lease = stealing(lease) if request.steal else lease
    await lease.acquire(lambda words: tell(Step(Move.WAITING, label, words)))
    adopted = subject.state is not State.BASE
    made: list[Added] = []
    one = Taken(subject, lease, adopted=adopted)
    try:
        one.subject = await _again(cluster, request, one.subject)
        if one.subject.is_new:
            await pull_ahead(cluster, one.subject, tell)
            await _patched(cluster, one, request, made)
            tell(Step(Move.TAKEN, label, "patched"))
        else:
            await add_all(cluster, one.subject, made)
            tell(Step(Move.TAKEN, label, f"it is {one.subject.state.value}: nothing is changed"))
    except BaseException:
        await _back(cluster, one, request, made, tell)
        raise
    try:
        await hold_all(cluster, one.subject, owner_for(one.subject, request))
        await replace_by_hand(cluster, one.subject)
    except BaseException:
        await _given_back(cluster, one, request, tell)
        raise
    return one


async def _given_back(cluster: Cluster, one: Taken, request: Request, tell: Tell) -> None:
    """Take a workload back whose way into dev mode failed. What fails on the way back never hides why it is taken."""
    parting = one.parting(request.wish)
    try:
        if not one.adopted:
            await leave_one(cluster, one.stay, tell, session=request.session)
        elif parting is not None and one.subject.is_new:
            await part(cluster, parting, tell, session=request.session)
        await one.lease.release()
    except DevcfgError as error:
        label = one.subject.target.label
        tell(Step(Move.NOTE, label, f"it may still be in dev mode: {error.message}; `devcfg down` takes it back"))


async def _again(cluster: Cluster, request: Request, subject: Subject) -> Subject:
    """Bind a workload as it is now. Raises where it is another object, or somebody else took it meanwhile."""
    names = tuple(one.service for one in subject.bindings)
    bound = await bind_live(cluster, replace(request.wish, services=names), read_preferences())
    found = next((one for one in bound.subjects if one.uid == subject.uid), None)
    if found is None:
        raise DriftError(f"{subject.target.label} was replaced by another object meanwhile", hint="try again")
    if found.state is not subject.state:
        raise HeldError(f"{subject.target.label} is {found.state.value} now", hint="try again")
    return found


def owner_for(subject: Subject, request: Request) -> Owner:
    """Return what is written of us on the object."""
    found = owner_of(subject.object)
    return Owner(
        holder=request.session.holder,
        session=request.session.id,
        since=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        services=tuple(one.service for one in subject.bindings),
        template=str(subject.bindings[0].template),
        workload=subject.id,
        paused=is_paused(subject.object) if found is not None and found.paused else pauses(subject),
    )


async def _patched(cluster: Cluster, one: Taken, request: Request, made: list[Added]) -> None:
    """Add what it needs and patch it: made anew as long as it changes meanwhile."""
    await add_all(cluster, one.subject, made)
    for _ in range(ATTEMPTS):
        subject = one.subject
        operations, inverse = operations_of(subject, owner_for(subject, request))
        one.inverse = inverse
        try:
            await cluster.patch(subject.resource, subject.namespace, subject.target.name, operations)
        except (GuardError, ConflictError):
            pass
        except UnreachableError:
            await asyncio.sleep(PAUSE)
        else:
            return
        now = await _eventually(cluster, subject)
        owner = owner_of(now)
        if is_taken(now) and owner is not None and owner.session == request.session.id:
            return  # it was done, only the answer was lost
        one.subject = await _again(cluster, request, subject)
    raise DevModeError(f"{one.subject.target.label} changes all the time", hint="try again")


async def _eventually(cluster: Cluster, subject: Subject) -> Object:
    """Read the object, for a while also against an unreachable cluster: what became of a patch must be known."""
    for _ in range(60):
        try:
            return await cluster.get(subject.resource, subject.namespace, subject.target.name)
        except UnreachableError:
            await asyncio.sleep(PAUSE)
    return await cluster.get(subject.resource, subject.namespace, subject.target.name)


async def _back(cluster: Cluster, one: Taken, request: Request, made: list[Added], tell: Tell) -> None:
    """Take back what was done for a workload whose patch failed, or may have failed."""
    try:
        now = await _eventually(cluster, one.subject)
    except MissingError:
        now = None
    owner = owner_of(now) if now is not None else None
    if owner is not None and owner.session == request.session.id and not one.adopted:
        await leave_one(cluster, one.stay, tell, session=request.session)
    else:
        await undo(cluster, made)
    await one.lease.release()
