"""Carries a plan out: transfers what is needed, applies, and says what became of each step. Never plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from devcfg.runtime.pod.agent.entries import DONE, FAILED, HELD, Change, Entry, Outcome, Wanted
from devcfg.runtime.sync.endpoint import Endpoint
from devcfg.runtime.sync.intents import Intent
from devcfg.runtime.sync.modes import Side
from devcfg.runtime.sync.planner import Step
from devcfg.runtime.sync.snapshot import Hint, Snapshot


class Party(NamedTuple):
    """A side, and what is known of it."""

    endpoint: Endpoint
    snapshot: Snapshot


Parties = tuple[Party, Party]
Work = tuple[Sequence[Step], Sequence[Step]]
"""The steps of the local and of the far side."""


@dataclass(slots=True)
class Carried:
    """What became of a plan's steps."""

    ancestor: dict[str, Entry | None] = field(default_factory=dict)
    """What both sides agree on by it and nobody remembers yet."""
    done: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))
    again: tuple[list[Hint], list[Hint]] = field(default_factory=lambda: ([], []))
    """Where a side was not as it was thought to be."""
    failed: list[tuple[Side, Step, str]] = field(default_factory=list)
    bytes: int = 0


class Batch:
    """The work of one round, on both sides. `ahead` has the digests of what the far side was sent already, by path."""

    def __init__(self, parties: Parties, work: Work, ahead: Mapping[str, str]) -> None:
        self._parties = parties
        self._work = work
        self._ahead = ahead
        self._staged: tuple[list[Step], list[Step]] = ([], [])
        self.carried = Carried()

    async def transfer(self) -> None:
        """Send all that is needed to where it is needed; nothing is in place yet."""
        for side in Side:
            self._staged[side].extend(await self._transfer(side))

    def intents(self) -> list[Intent]:
        """Return what `apply` is about to do."""
        return [Intent(side, *step) for side in Side for step in self._staged[side]]

    async def apply(self, remember: Callable[[dict[str, Entry | None]], None]) -> None:
        """Bring everything into place; what was done on one side stays known when the other cannot be reached.

        `remember` gets what both sides agree on by it while more is being done; the last of it is `carried`.
        """
        for side in Side:
            steps = self._staged[side]
            if steps:
                await self._apply(side, steps, remember)

    async def _transfer(self, side: Side) -> list[Step]:
        steps = self._work[side]
        source, target = self._parties[side.other], self._parties[side]
        wanted = [
            _wanted(step, source.snapshot, target.snapshot)
            for step in steps
            if needs_content(step) and not self._is_ahead(side, step)
        ]
        staged = await target.endpoint.stage(source.endpoint.send(wanted)) if wanted else ()
        # A record that never came is none of these: whoever applies it finds no content.
        problems = {one.path: one.problem for one in staged}
        ready = []
        for step in steps:
            problem = problems.get(step.path, "") if needs_content(step) else ""
            if not problem:
                ready.append(step)
                self.carried.bytes += _size(step, source.snapshot)
            elif problem == "changed":
                self.carried.again[side.other].append((step.path, False))
            else:
                self.carried.failed.append((side, step, problem))
        return ready

    def _is_ahead(self, side: Side, step: Step) -> bool:
        return side is Side.FAR and step.new is not None and self._ahead.get(step.path) == step.new.content

    async def _apply(
        self, side: Side, steps: Sequence[Step], remember: Callable[[dict[str, Entry | None]], None]
    ) -> None:
        source, target = self._parties[side.other], self._parties[side]
        changes = [_change(step, source.snapshot, target.snapshot) for step in steps]
        heard = 0
        async for outcomes in target.endpoint.apply(changes):
            if self.carried.ancestor:
                remember(self.carried.ancestor)
                self.carried.ancestor = {}
            for outcome in outcomes:
                self._take(side, steps[heard], outcome)
                heard += 1

    def _take(self, side: Side, step: Step, outcome: Outcome) -> None:
        carried, path = self.carried, step.path
        if outcome.result == DONE:
            known = self._parties[side.other].snapshot.digests.get(path)
            self._parties[side].snapshot.applied(outcome, step.new, known.digested.chunks if known else None)
            carried.ancestor[path] = step.new
            carried.done[side].append(path)
        elif outcome.result == HELD and step.new is None:
            # Only ignored content is left of it: for sync, it is gone.
            carried.ancestor[path] = None
            carried.again[side].append((path, True))
        elif outcome.result == FAILED:
            carried.failed.append((side, step, outcome.message))
        else:
            carried.again[side].append((path, True))


def needs_content(step: Step) -> bool:
    """Tell whether a step needs bytes of the other side."""
    if step.new is None or step.new.kind != "f":
        return False
    return step.old is None or step.old.kind != "f" or step.old.content != step.new.content


def _wanted(step: Step, source: Snapshot, target: Snapshot) -> Wanted:
    known, base = source.digests.get(step.path), target.digests.get(step.path)
    digest = step.new.content if step.new else ""
    chunks = base.digested.chunks if base else None
    return Wanted(
        step.path, digest, known and known.digested.stat, base.digested.stat if base and chunks else None, chunks
    )


def _change(step: Step, source: Snapshot, target: Snapshot) -> Change:
    there, here = source.digests.get(step.path), target.digests.get(step.path)
    old_stat = here.digested.stat if here and step.old is not None and step.old.kind == "f" else None
    mtime = there.digested.stat.mtime_ns if there else 0
    return Change(step.path, step.old, old_stat, step.new, mtime)


def _size(step: Step, source: Snapshot) -> int:
    known = source.digests.get(step.path)
    return known.digested.stat.size if known and needs_content(step) else 0
