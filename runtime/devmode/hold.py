"""Keeps what a session has: renews leases, and notices who changes a workload that is in dev mode.

A revert is put right once; a second one ends the session: two that write in turns never end. Never decides to leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from devcfg.runtime.cluster.cluster import Cluster, Object
from devcfg.runtime.cluster.errors import ClusterError, ConflictError, ExpiredError, GuardError, MissingError
from devcfg.runtime.devmode.enter import Entered, Taken, owner_for
from devcfg.runtime.devmode.errors import LostError
from devcfg.runtime.devmode.gitops import advice, steward_of, writer_of
from devcfg.runtime.devmode.leave import Report, go_back, leave_one
from devcfg.runtime.devmode.live import State, Subject, bind_live
from devcfg.runtime.devmode.parting import part
from devcfg.runtime.devmode.preferences import read_preferences
from devcfg.runtime.devmode.prepare import operations_of
from devcfg.runtime.devmode.record import inverse_of, is_taken, plan_of, restoration, template_of
from devcfg.runtime.devmode.steps import Move, Step, Tell
from devcfg.schemas.patch import Pointer

AGAIN = 1.0
"""Seconds before a watch that broke is opened anew."""


async def hold(cluster: Cluster, entered: Entered, tell: Tell) -> None:
    """Hold what was entered until it is lost. Raises `LostError` with the reason; ends otherwise only by cancelling."""
    tasks = [asyncio.create_task(one.lease.keep()) for one in entered.taken]
    tasks += [asyncio.create_task(_Watch(cluster, entered, one, tell).run()) for one in entered.taken]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
    finally:
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Watch:
    """Sees one workload change."""

    def __init__(self, cluster: Cluster, entered: Entered, one: Taken, tell: Tell) -> None:
        self._cluster = cluster
        self._entered = entered
        self._one = one
        self._tell = tell
        self._said: tuple[str, ...] = ()
        self._reverts = 0

    async def run(self) -> None:
        """Watch for ever. Raises `LostError`."""
        subject = self._one.subject
        while True:
            try:
                seen = self._cluster.watch(subject.resource, subject.namespace, name=subject.target.name)
                async for change in seen:
                    if change.type == "DELETED":
                        raise self._lost("it was deleted")
                    await self._look(change.object)
            except LostError:
                raise
            except ExpiredError:
                continue
            except ClusterError:
                await asyncio.sleep(AGAIN)

    async def _look(self, found: Object) -> None:
        subject = self._one.subject
        if found["metadata"]["uid"] != subject.uid:
            raise self._lost("it was deleted and made anew")
        if subject.state is State.FILES:
            if plan_of(found) != subject.digest:
                raise self._lost(f"{_who(found)} took dev mode back")
            return
        if not is_taken(found):
            # Whoever leaves dev mode for us ends the lease, too; whoever replaces the object does not know of it.
            await self._one.lease.renew()
            await self._reverted(found, _who(found), ("/metadata/annotations",))
            return
        kept = restoration(found, inverse_of(found)).kept
        fields = tuple(map(str, kept))
        if fields == self._said:
            return
        self._said = fields
        if not fields:
            return
        who = _who(found, kept)
        self._tell(Step(Move.DRIFT, subject.target.label, f"{who} changed it", fields, who))
        if any(_is_pods(found, path) for path in kept) or plan_of(found) != subject.digest:
            await self._reverted(found, who, fields)

    async def _reverted(self, found: Object, who: str, fields: tuple[str, ...]) -> None:
        """Put dev mode there again, the first time."""
        self._reverts += 1
        if self._reverts > 1:
            steward = steward_of(found)
            said = advice(steward, self._one.subject.target.label, "") if steward is not None else ()
            raise self._lost(f"{who} took dev mode back twice ({', '.join(fields[:3])})", said[-1] if said else "")
        label = self._one.subject.target.label
        self._tell(Step(Move.DRIFT, label, f"{who} took dev mode back; it is put there again, once", fields, who))
        await self._again()

    async def _again(self) -> None:
        request, subject = self._entered.request, self._one.subject
        names = tuple(one.service for one in subject.bindings)
        for _ in range(5):
            wish = type(request.wish)(request.wish.file, names)
            bound = await bind_live(self._cluster, wish, read_preferences())
            now: Subject | None = next((one for one in bound.subjects if one.uid == subject.uid), None)
            if now is None or now.plan is None:
                raise self._lost("it is not what it was")
            operations, inverse = operations_of(now, owner_for(now, request))
            try:
                await self._cluster.patch(now.resource, now.namespace, now.target.name, operations)
            except (GuardError, ConflictError):
                continue
            except MissingError:
                raise self._lost("it was deleted") from None
            self._one.subject, self._one.inverse, self._said = now, inverse, ()
            return

    def _lost(self, why: str, hint: str = "") -> LostError:
        return LostError(f"{self._one.subject.target.label}: {why}", hint=hint or "your files here are untouched")


def _is_pods(document: Object, path: Pointer) -> bool:
    """Tell whether a place is of the pods: how many there are is another matter."""
    return template_of(document).covers(path)


def _who(document: Object, paths: tuple[Pointer, ...] = ()) -> str:
    return writer_of(document, paths) or "somebody"


async def leave(cluster: Cluster, entered: Entered, tell: Tell) -> tuple[Report, ...]:
    """Take everything that was entered back, and give the leases back. What files made stays as files made it.

    Raises UnfinishedError where that failed for some of it.
    """
    session = entered.request.session
    ways: list[Coroutine[None, None, Report]] = []
    for one in entered.taken:
        parting = one.parting(entered.request.wish)
        if one.subject.state is State.FILES:
            await one.lease.release()
        elif parting is not None:
            ways.append(part(cluster, parting, tell, session=session))
        else:
            ways.append(leave_one(cluster, one.stay, tell, session=session))
    return await go_back(ways)
