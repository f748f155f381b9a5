"""Compares ancestor, local and far, and says what has to happen. Pure: never reads a disk, a clock or the link."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from devcfg.runtime.pod.agent.entries import Entry
from devcfg.runtime.sync.decisions import Below, Decide, Decision, decider, mirror
from devcfg.runtime.sync.modes import Mode, Side
from devcfg.runtime.sync.tree import DIRECTORY, Tree, depth_order, parent, prefixes


class Step(NamedTuple):
    """A path of one side that is `old` and has to become `new`; None is absence."""

    path: str
    old: Entry | None
    new: Entry | None


class Conflict(NamedTuple):
    """A path that both sides changed, each in its way. Nothing at or below it is touched."""

    path: str
    local: Entry | None
    far: Entry | None


class Problem(NamedTuple):
    """A path that is not synced, and why. Nothing at or below it is touched."""

    path: str
    side: Side
    reason: str


class SyncPlan(NamedTuple):
    """What has to happen; every part is sorted by path, parents first."""

    to_local: tuple[Step, ...]
    to_far: tuple[Step, ...]
    ancestor: dict[str, Entry | None]
    """What both sides agree on already and the ancestor does not know; None takes an entry out."""
    conflicts: tuple[Conflict, ...]
    problems: tuple[Problem, ...]
    keep: tuple[Step, ...]
    """Steps of the far side whose old content has to be kept in `.devcfg/conflicts` before they are done."""

    def steps(self, side: Side) -> tuple[Step, ...]:
        """Return what has to happen on a side."""
        return self.to_local if side is Side.LOCAL else self.to_far

    @property
    def undecided(self) -> frozenset[str]:
        """The paths that have to be looked at again although nothing changes there."""
        return frozenset(one.path for one in self.conflicts) | frozenset(one.path for one in self.problems)


def plan(
    ancestor: Tree,
    local: Tree,
    far: Tree,
    mode: Mode,
    *,
    paths: Collection[str] | None = None,
    verdicts: Mapping[str, Side] | None = None,
) -> SyncPlan:
    """Return what makes both sides agree.

    The sides may hold two kinds more than the ancestor: `h`, a directory with nothing but ignored content (absent,
    unless the other side has a directory there), and `x`, what cannot be synced (content: the reason).
    `paths` are those that changed since the last plan, with its undecided ones; None stands for all. The cost is that
    of the paths and what is below them. `verdicts` say which side is right where there is a conflict.
    """
    draft = _Draft(ancestor, local, far, mode, verdicts or {})
    if paths is None:
        draft.compare(_all_paths(ancestor, local, far))
    else:
        draft.compare(_touched(ancestor, local, far, paths))
    return draft.plan()


class _Draft:
    """A plan in the making. Paths are visited children first, so all of a directory is at the end of every list."""

    def __init__(self, ancestor: Tree, local: Tree, far: Tree, mode: Mode, verdicts: Mapping[str, Side]) -> None:
        self.ancestor, self.sides = ancestor, (local, far)
        self.mode, self.verdicts = mode, verdicts
        self.decide: Decide = decider(mode)
        self.resolving = False
        self.below: dict[str, Below] = {}
        self.steps: tuple[list[Step], list[Step]] = ([], [])
        self.notes: list[Step] = []
        self.conflicts: list[Conflict] = []
        self.problems: list[Problem] = []
        self.keep: list[Step] = []

    def compare(self, paths: Iterable[str]) -> None:
        ancestor, (local, far) = self.ancestor.entries, (self.sides[0].entries, self.sides[1].entries)
        for path in sorted(paths, key=depth_order, reverse=True):
            here, there = local.get(path), far.get(path)
            if here == there and here is not None and here.kind in "fld":
                if ancestor.get(path) != here:
                    self.notes.append(Step(path, ancestor.get(path), here))
            else:
                self.disagree(path, ancestor.get(path), here, there)

    def disagree(self, path: str, ancestor: Entry | None, local: Entry | None, far: Entry | None) -> None:
        below = self.below.pop(path, Below.NOTHING)
        if (local is not None and local.kind in "hx") or (far is not None and far.kind in "hx"):
            if blocked := _blocked(path, local, far):
                return self.block(blocked)
            local, far = _seen(local, far), _seen(far, local)
        if local == far:
            if local != ancestor:
                self.notes.append(Step(path, ancestor, local))
            return None
        match self.decide(ancestor, local, far, below):
            case Decision.TAKE_LOCAL:
                self.change(Side.FAR, Step(path, far, local), ancestor)
            case Decision.TAKE_FAR:
                self.change(Side.LOCAL, Step(path, local, far), ancestor)
            case Decision.OWN:
                if ancestor is not None:
                    self.notes.append(Step(path, ancestor, None))
                self.tell(path, Below.LIVES)
            case Decision.HOLD:
                side = Side.FAR if local is None else Side.LOCAL
                self.problems.append(Problem(path, side, "stays because it holds what cannot be synced"))
                self.tell(path, Below.BLOCKED)
            case Decision.CONFLICT:
                self.clash(Conflict(path, local, far))
        return None

    def change(self, side: Side, step: Step, ancestor: Entry | None) -> None:
        self.steps[side].append(step)
        if step.new is not None:
            self.tell(step.path, Below.LIVES)
        # A value that the ancestor knows was seen by the winner; a directory holds no value of its own.
        lost = self.resolving and side is Side.FAR and step.old not in (None, DIRECTORY, ancestor)
        if lost and self.mode is Mode.TWO_WAY_RESOLVED:
            self.keep.append(step)

    def block(self, problem: Problem) -> None:
        self.forget(problem.path)
        self.problems.append(problem)
        self.tell(problem.path, Below.BLOCKED)

    def clash(self, conflict: Conflict) -> None:
        self.forget(conflict.path)
        winner = self.verdicts.get(conflict.path)
        if winner is None and self.mode is Mode.TWO_WAY_RESOLVED:
            winner = Side.LOCAL
        if winner is not None and not self.resolving:
            self.resolving, self.decide = True, mirror(winner)
            self.compare(_subtree(conflict.path, self.ancestor, *self.sides))
            self.resolving, self.decide = False, decider(self.mode)
        else:
            self.conflicts.append(conflict)
            self.tell(conflict.path, Below.LIVES)

    def tell(self, path: str, found: Below) -> None:
        above = parent(path)
        known = self.below.setdefault(above, found)
        if known is not found:  # most often it is: joining flags is slow
            self.below[above] = known | found

    def forget(self, path: str) -> None:
        """Take back all that was decided below a path."""
        prefix = path + "/"
        for found in (*self.steps, self.notes, self.conflicts, self.problems, self.keep):
            while found and found[-1].path.startswith(prefix):
                found.pop()

    def plan(self) -> SyncPlan:
        for found in (*self.steps, self.notes, self.conflicts, self.problems, self.keep):
            found.reverse()
        return SyncPlan(
            tuple(self.steps[0]),
            tuple(self.steps[1]),
            {step.path: step.new for step in self.notes},
            tuple(self.conflicts),
            tuple(self.problems),
            tuple(self.keep),
        )


def _blocked(path: str, local: Entry | None, far: Entry | None) -> Problem | None:
    """Return what keeps a path, and all that is below it, from being synced."""
    for side, entry, other in ((Side.LOCAL, local, far), (Side.FAR, far, local)):
        if entry is not None and entry.kind == "x":
            return Problem(path, side, entry.content)
        if entry is not None and entry.kind == "h" and other is not None and other.kind in "fl":
            return Problem(path, side, "a directory with ignored content is where the other side has a file")
    return None


def _seen(entry: Entry | None, other: Entry | None) -> Entry | None:
    """Return an entry as it counts: a hollow directory is one only where the other side has one."""
    if entry is not None and entry.kind == "h":
        return DIRECTORY if other == DIRECTORY else None
    return entry


def _all_paths(*trees: Tree) -> dict[str, None]:
    # A dict, for its order: scans come sorted, and what is nearly sorted is sorted faster.
    found: dict[str, None] = {}
    for tree in trees:
        found |= dict.fromkeys(tree.entries)
    return found


def _subtree(path: str, *trees: Tree) -> set[str]:
    return {path}.union(*(tree.below(path) for tree in trees))


def _touched(ancestor: Tree, local: Tree, far: Tree, paths: Collection[str]) -> set[str]:
    """Return the paths that a change of some may concern: what is above, and what is below."""
    found: set[str] = set()
    tops: set[str] = set()
    for path in paths:
        top = path
        for above in prefixes(path):
            found.add(above)
            if local.get(above) != DIRECTORY or far.get(above) != DIRECTORY:
                # What becomes of a directory that only one side has depends on all that is below it.
                top = above
                break
        tops.add(top)
    return found.union(*(_subtree(top, ancestor, local, far) for top in tops))
