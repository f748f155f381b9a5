"""When sync stops rather than spread a loss, and the way on. Pure: never stops anything itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from devcfg.runtime.sync.modes import Mode, Side
from devcfg.runtime.sync.planner import SyncPlan
from devcfg.runtime.sync.tree import Tree

FEW_DELETIONS = 100
"""So many deletions may reach the laptop in one plan whatever the tree's size."""
SHARE = 4
"""One in so many of the tracked paths may be deleted on the laptop in one plan."""
TOP_ENTRIES = 2
"""A root that had fewer entries than this may lose them all without a word."""


class Cause(Enum):
    """What sync stopped for."""

    ROOT_GONE = "root-gone"
    EMPTIED = "emptied"
    DELETIONS = "deletions"
    DISK_FULL = "disk-full"


@dataclass(frozen=True, slots=True)
class Halt:
    """Why nothing is synced, on which side, and what ends it."""

    cause: Cause
    side: Side
    reason: str
    hint: str

    @property
    def decidable(self) -> bool:
        """Whether saying which side is right ends it; else it ends by itself when its cause has."""
        return self.cause in (Cause.EMPTIED, Cause.DELETIONS)


def root_gone(side: Side, found: str) -> Halt:
    """Return the halt for a root that is missing or is no longer the directory that was opened."""
    hint = "put the directory back; sync goes on when it is there, and nothing is deleted on the other side"
    return Halt(Cause.ROOT_GONE, side, f"the {side.word} root cannot be synced: {found}", hint)


def disk_full(side: Side) -> Halt:
    """Return the halt for a side that has no space left."""
    hint = "make room there; sync tries again by itself, and nothing was lost"
    return Halt(Cause.DISK_FULL, side, f"the disk of the {side.word} side is full", hint)


def check_halts(ancestor: Tree, local: Tree, far: Tree, mode: Mode, plan: SyncPlan) -> tuple[Halt, ...]:
    """Return what speaks against doing a plan; nothing in most cases."""
    found = []
    if len(ancestor.children("")) >= TOP_ENTRIES:
        empty = [side for side, tree in ((Side.LOCAL, local), (Side.FAR, far)) if _is_empty(tree)]
        # Where nothing travels back, an empty far side is only filled again.
        if len(empty) == 1 and not (mode.one_way and empty[0] is Side.FAR):
            found.append(_emptied(empty[0]))
    deletions = sum(step.new is None for step in plan.to_local)
    if not found and deletions > max(FEW_DELETIONS, len(ancestor) // SHARE):
        found.append(_many_deletions(deletions, len(ancestor)))
    return tuple(found)


def _is_empty(tree: Tree) -> bool:
    return all(entry is not None and entry.kind == "h" for entry in map(tree.get, tree.children("")))


def _emptied(side: Side) -> Halt:
    reason = f"everything is gone from the {side.word} side, and it would be deleted on the {side.other.word} side"
    return Halt(Cause.EMPTIED, side, reason, _choice(side.other))


def _many_deletions(count: int, tracked: int) -> Halt:
    reason = f"{count} of {tracked} paths were deleted on the remote side, and would be on the laptop"
    return Halt(Cause.DELETIONS, Side.FAR, reason, _choice(Side.LOCAL))


def _choice(full: Side) -> str:
    return f"`devcfg sync resolve . --{full.word}` brings them back, `--{full.other.word}` deletes the rest"
