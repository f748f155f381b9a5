"""Rounds of one rule: look, plan, transfer, apply, remember. Never waits for anything to change, and prints nothing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from devcfg.runtime.pod.agent.entries import DISK_FULL, Entry
from devcfg.runtime.pod.agent.paths import HIDDEN, is_hidden
from devcfg.runtime.sync import conflicts
from devcfg.runtime.sync.batch import Batch, Carried, Parties, Party
from devcfg.runtime.sync.endpoint import Endpoint, GoneError, Unchanged
from devcfg.runtime.sync.events import Changed, Conflicted, Event, Halted, Synced
from devcfg.runtime.sync.failures import Failures
from devcfg.runtime.sync.halts import Halt, check_halts, disk_full, root_gone
from devcfg.runtime.sync.index import Index, IndexFailedError
from devcfg.runtime.sync.intents import learn
from devcfg.runtime.sync.modes import Mode, Side
from devcfg.runtime.sync.planner import Conflict, Problem, Step, SyncPlan, plan
from devcfg.runtime.sync.snapshot import UNREAD, Hint, Snapshot
from devcfg.runtime.sync.status import Times
from devcfg.runtime.sync.tree import Tree

SEVERAL = 10
"""So many deletions on the laptop are done only after the whole far side was looked at."""
ROUNDS = 20
"""So many rounds in a row may find something new to do; then whoever writes all the time has to wait a moment."""


class Rounds:
    """One rule. One call at a time."""

    def __init__(self, mode: Mode, kept: str, index: Index, local: Endpoint, tell: Callable[[Event], None]) -> None:
        self.mode = mode
        self.index = index
        self.local = Party(local, Snapshot(index.digests(Side.LOCAL)))
        self.far: Party | None = None
        self.ancestor: Tree = index.ancestor()
        self.conflicts: dict[str, Conflict] = {}
        self.problems: tuple[Problem, ...] = ()
        self.halts: tuple[Halt, ...] = ()
        self.failures = Failures()
        self.times = Times()
        self._kept = kept
        self._tell = tell
        self._far_snapshot = Snapshot(index.digests(Side.FAR), refused)
        self._hints: tuple[dict[str, bool], dict[str, bool]] = ({}, {})
        self._whole = {Side.LOCAL, Side.FAR}
        self._first = True  # nothing was planned since all was looked at
        self._synced = False
        self._seeded = False
        self._accepted = False
        self._todo: set[str] = set()
        self._verdicts: dict[str, Side] = {}
        self._since: float | None = None

    # ---- the far side

    def attach(self, far: Endpoint) -> None:
        """Take a far side that can be reached."""
        self.far = Party(far, self._far_snapshot)
        self._synced = False
        self.distrust()

    def detach(self) -> None:
        """Let go of a far side that cannot be reached any more."""
        self.far = None

    def renew(self, identity: str, *, seeded: bool) -> None:
        """Begin with a new volume: nothing is known of it, so nothing is deleted for it."""
        self.index.renew(identity)
        self.ancestor = Tree()
        self._far_snapshot = Snapshot({}, refused)
        self._seeded = seeded
        self.failures.clear()

    @property
    def begun(self) -> bool:
        """Tell whether a new volume has become what it is to be: from now on the far side is a peer."""
        return not (self._first or self._seeded)

    def lose(self, side: Side, found: str) -> None:
        """Stop because a root is gone."""
        self._halt((root_gone(side, found),))
        self.distrust()

    def lack(self, side: Side) -> None:
        """Stop because a side has no space left for what sync itself must write."""
        self._halt((disk_full(side),))
        self.distrust()

    def distrust(self) -> None:
        """Look at everything in the next round, and plan it whole."""
        self._whole = {Side.LOCAL, Side.FAR}
        self._first = True

    # ---- hints

    def hint(self, side: Side, hints: list[Hint], since: float | None = None) -> None:
        """Take where a side may have changed, and since when by the monotonic clock."""
        if hints and self._since is None:
            self._since = time.monotonic() if since is None else since
        for path, deep in hints:
            self._hints[side][path] = self._hints[side].get(path, False) or deep

    def rescan(self, side: Side) -> None:
        """Look at the whole of a side in the next round."""
        self._whole.add(side)

    @property
    def busy(self) -> bool:
        """Tell whether there is anything to look at or to do."""
        hints = self._hints[0] or self._hints[1]
        return bool(self._first or self._whole or hints or self._verdicts or self.failures.due())

    @property
    def pending(self) -> int:
        """How many paths wait to be looked at or to be done."""
        return len({*self._hints[0], *self._hints[1], *self._todo} - self.conflicts.keys())

    def decide(self, path: str, winner: Side) -> None:
        """Say which side is right where there is a conflict."""
        self._verdicts[path] = winner

    def overrule(self, winner: Side) -> bool:
        """Say which side is right where sync stopped for what one side has lost; tell whether that is an answer."""
        losers = {one.side for one in self.halts if one.decidable}
        if not losers:
            return False
        if winner in losers:
            self._accepted = True
        else:
            # What nobody remembers of both sides is new on the one that has it.
            lost = (self.local, self.far)[winner.other]
            tree = lost.snapshot.tree if lost else Tree()
            forgotten: dict[str, Entry | None] = {path: None for path in self.ancestor if path not in tree}
            for path in forgotten:
                self.ancestor.put(path, None)
            self.index.save(forgotten, {}, settled=False)
        self._first = True
        return True

    # ---- rounds

    async def settle(self) -> None:
        """Do rounds until nothing new is found. What goes wrong with the link is raised; a root that is gone halts."""
        for _ in range(ROUNDS):
            if self.far is None or not self.busy:
                return
            try:
                await self._round((self.local, self.far))
            except GoneError as exc:
                self.lose(exc.side, str(exc))
                return
            except IndexFailedError:
                self.lack(Side.LOCAL)
                return
            except BaseException:
                # What was looked at and not planned, or planned and not done, is not known to be so.
                self.distrust()
                raise
            if self.halts:
                return

    async def _round(self, parties: Parties) -> None:
        whole = Side.FAR in self._whole
        changed: set[str] = set()
        for side in Side:
            changed |= await self._look(side, parties[side])
        if self._first:
            self._remember(parties, learn(self.index.intents(), *(party.snapshot.tree for party in parties)))
        decided = self._verdicts
        found = self._plan(parties, changed)
        if not whole and sum(step.new is None for step in found.to_local) >= SEVERAL:
            # Hints come one after the other: what they say is gone may be the beginning of everything.
            self._verdicts = decided
            self._whole.add(Side.FAR)
            self._first = True
            return
        halts = check_halts(self.ancestor, parties[0].snapshot.tree, parties[1].snapshot.tree, self.mode, found)
        accepted, self._accepted = self._accepted, False
        if halts and not accepted:
            self._halt(halts)
            self._first = True
            return
        self._report(found)
        carried = await self._carry(parties, found)
        self._conclude(found, carried)

    async def _look(self, side: Side, party: Party) -> set[str]:
        endpoint, snapshot = party
        hints = sorted(self._hints[side].items())
        whole = side in self._whole
        self._hints[side].clear()
        self._whole.discard(side)
        if not whole and not hints:
            return set()
        scan = await endpoint.scan(None if whole else hints)
        if isinstance(scan, Unchanged):
            changed: set[str] = set()
            snapshot.take_same(scan.started_ns)
        else:
            changed = snapshot.take_all(scan) if whole else snapshot.take_some(scan, hints)
        if unread := snapshot.unread():
            found = snapshot.read(await endpoint.digest(unread))
            # What does not hold still is looked at once more; if it goes on so, a hint or the truth scan comes back.
            self.hint(side, [(path, False) for path in found if snapshot.tree.get(path) == UNREAD])
            changed |= found
        endpoint.settle()
        return changed

    def _plan(self, parties: Parties, changed: set[str]) -> SyncPlan:
        mode = Mode.ONE_WAY_REPLICA if self._seeded else self.mode
        local, far = (party.snapshot.tree for party in parties)
        paths = None if self._first else changed | self._todo | self._verdicts.keys()
        verdicts, self._verdicts = self._verdicts, {}
        return plan(self.ancestor, local, far, mode, paths=paths, verdicts=verdicts)

    async def _carry(self, parties: Parties, found: SyncPlan) -> Carried:
        lost = await self._keep(found.keep, parties[Side.FAR])
        work = tuple(
            [step for step in found.steps(side) if not self.failures.waits(side, step) and not _touches(step, lost)]
            for side in Side
        )
        batch = Batch(parties, (work[0], work[1]))
        await batch.transfer()
        intents = batch.intents()
        if intents:
            self.index.intend(intents)
        whole = False
        try:
            await batch.apply()
            whole = True
        finally:
            self._remember(parties, found.ancestor | batch.carried.ancestor, settled=whole)
        return batch.carried

    async def _keep(self, steps: tuple[Step, ...], far: Party) -> set[str]:
        if not steps:
            return set()
        folder = f"{self._kept}/{time.strftime('%Y-%m-%dT%H-%M-%S')}-{secrets.token_hex(2)}"
        try:
            return await conflicts.keep(folder, steps, far)
        except OSError:
            return {step.path for step in steps}

    def _remember(self, parties: Parties, ancestor: dict[str, Entry | None], *, settled: bool = True) -> None:
        for path, entry in ancestor.items():
            self.ancestor.put(path, entry)
        unsaved = {side: parties[side].snapshot.unsaved for side in Side}
        if ancestor or any(unsaved.values()) or settled:
            self.index.save(ancestor, unsaved, settled=settled)
        for party in parties:
            party.snapshot.unsaved = {}

    # ---- what is told

    def _report(self, found: SyncPlan) -> None:
        before, self.conflicts = self.conflicts, {one.path: one for one in found.conflicts}
        self.problems = found.problems
        for path, one in self.conflicts.items():
            if path not in before:
                self._tell(Conflicted(one))

    def _halt(self, halts: tuple[Halt, ...]) -> None:
        for one in halts:
            if one not in self.halts:
                self._tell(Halted(one))
        self.halts = halts

    def _conclude(self, found: SyncPlan, carried: Carried) -> None:
        self.failures.take(carried.failed, found)
        full = {side for side, _, problem in carried.failed if problem == DISK_FULL}
        self._halt(tuple(disk_full(side) for side in sorted(full)))
        for side in Side:
            self.hint(side, carried.again[side])
        done = {*carried.done[0], *carried.done[1]}
        self._todo = {step.path for side in Side for step in found.steps(side)} - done | found.undecided
        if not (carried.failed or carried.again[0] or carried.again[1]):
            self._seeded = False
        ms = (time.monotonic() - self._since) * 1000 if self._since is not None else 0.0
        if not (carried.again[0] or carried.again[1]):
            self._since = None
        self._first = False
        if not self._synced:
            self._synced = True
            files = sum(entry.kind == "f" for entry in self.ancestor.entries.values())
            self._tell(Synced(files, carried.bytes, ms))
        elif done:
            self.times.add(ms)
        if done:
            self._tell(Changed(tuple(carried.done[1]), tuple(carried.done[0]), carried.bytes, ms))


def refused(path: str) -> str:
    """Say why what the far side has at a path never comes to the laptop, empty where it may."""
    return "kept from the laptop: tools there run what stands in it" if is_hidden(path, HIDDEN) else ""


def _touches(step: Step, lost: set[str]) -> bool:
    """Tell whether a step would take away what could not be kept: at its path, or with the directory above it."""
    return any(path == step.path or path.startswith(step.path + "/") for path in lost)
