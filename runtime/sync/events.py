"""What the engine tells whoever runs it. Never printed here."""

from __future__ import annotations

from dataclasses import dataclass

from devcfg.runtime.sync.halts import Halt
from devcfg.runtime.sync.planner import Conflict


@dataclass(frozen=True, slots=True)
class Synced:
    """Both sides agree for the first time on this link: how many files there are, and what was sent for it."""

    files: int
    bytes: int
    ms: float


@dataclass(frozen=True, slots=True)
class Changed:
    """A batch is in place. `to_far` and `to_local` are the paths; `ms` from the first event to the last rename."""

    to_far: tuple[str, ...]
    to_local: tuple[str, ...]
    bytes: int
    ms: float


@dataclass(frozen=True, slots=True)
class Conflicted:
    """A path has become a conflict."""

    conflict: Conflict


@dataclass(frozen=True, slots=True)
class Halted:
    """Nothing is synced until someone decides, or the cause has gone."""

    halt: Halt


@dataclass(frozen=True, slots=True)
class Degraded:
    """Sync works, but later or coarser than it should; or something was set aside."""

    reason: str


@dataclass(frozen=True, slots=True)
class Connected:
    """The far side is there; `volume_is_new` where it is another one than the last time."""

    volume_is_new: bool


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The far side is out of reach; changes wait."""

    reason: str


Event = Synced | Changed | Conflicted | Halted | Degraded | Connected | Disconnected
