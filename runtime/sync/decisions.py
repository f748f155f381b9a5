"""What one path asks for, given its ancestor and both sides. Never looks at another path, or at a disk."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, Flag, auto

from devcfg.runtime.pod.agent.entries import Entry
from devcfg.runtime.sync.modes import Mode, Side


class Below(Flag):
    """What was found below a directory that only one side has."""

    NOTHING = 0
    LIVES = auto()
    """Something stays or arrives there, so the directory must exist."""
    BLOCKED = auto()
    """Something there cannot be synced, so the directory cannot go."""


class Decision(Enum):
    """What becomes of a path on which the sides disagree."""

    TAKE_LOCAL = auto()
    """The far side becomes as the local one."""
    TAKE_FAR = auto()
    OWN = auto()
    """The far side keeps what is its own; nothing travels."""
    HOLD = auto()
    """A deletion waits for what cannot be synced below it."""
    CONFLICT = auto()


Decide = Callable[[Entry | None, Entry | None, Entry | None, Below], Decision]
"""Takes ancestor, local, far and what is below; the two sides are never equal."""


def decider(mode: Mode) -> Decide:
    """Return the rule of a mode."""
    match mode:
        case Mode.TWO_WAY_SAFE | Mode.TWO_WAY_RESOLVED:
            return two_way
        case Mode.ONE_WAY_SAFE:
            return one_way
        case Mode.ONE_WAY_REPLICA:
            return mirror_local


def two_way(ancestor: Entry | None, local: Entry | None, far: Entry | None, below: Below) -> Decision:
    """Let the side that changed win, and an edit win over a deletion; two edits are a conflict."""
    if _same(local, ancestor, below):
        return Decision.TAKE_FAR
    if _same(far, ancestor, below):
        return Decision.TAKE_LOCAL
    if below is Below.BLOCKED and _directory(ancestor) and (local is None or far is None):
        return Decision.HOLD
    if local is None:
        return Decision.TAKE_FAR
    if far is None:
        return Decision.TAKE_LOCAL
    if _differ_by_bit(local, far):
        changed_far = ancestor is not None and ancestor.kind == "f" and ancestor.executable != far.executable
        return Decision.TAKE_FAR if changed_far else Decision.TAKE_LOCAL
    return Decision.CONFLICT


def one_way(ancestor: Entry | None, local: Entry | None, far: Entry | None, below: Below) -> Decision:
    """Let only the local side's changes travel, and keep what the far side has of its own."""
    if far is None or _same(far, ancestor, below):
        return Decision.TAKE_LOCAL
    if local is None:
        held = below is Below.BLOCKED and far == ancestor
        return Decision.HOLD if held else Decision.OWN
    if _differ_by_bit(local, far):
        return Decision.TAKE_LOCAL
    return Decision.CONFLICT


def mirror_local(_: Entry | None, local: Entry | None, far: Entry | None, below: Below) -> Decision:
    """Make the far side as the local one, whatever it has."""
    return _mirror(local, far, below) or Decision.TAKE_LOCAL


def mirror_far(_: Entry | None, local: Entry | None, far: Entry | None, below: Below) -> Decision:
    """Make the local side as the far one, whatever it has."""
    return _mirror(far, local, below) or Decision.TAKE_FAR


def mirror(source: Side) -> Decide:
    """Return the rule that makes the other side as `source`."""
    return mirror_local if source is Side.LOCAL else mirror_far


def _mirror(source: Entry | None, loser: Entry | None, below: Below) -> Decision | None:
    if Below.BLOCKED in below and _directory(loser):
        return Decision.HOLD if source is None else Decision.CONFLICT
    return None


def _same(entry: Entry | None, ancestor: Entry | None, below: Below) -> bool:
    """Tell whether a side is as it was, a directory with all that is below it."""
    return entry == ancestor and not (below and _directory(entry))


def _directory(entry: Entry | None) -> bool:
    return entry is not None and entry.kind == "d"


def _differ_by_bit(local: Entry, far: Entry) -> bool:
    return local.kind == far.kind == "f" and local.content == far.content
