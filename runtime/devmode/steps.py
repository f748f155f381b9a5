"""What happens on the way into dev mode and back, as values for whoever shows it. Never printed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Move(Enum):
    """The closed set of steps."""

    NOTE = "note"
    """Something to be known; nothing was changed."""
    WAITING = "waiting"
    """For what, in words; said again when the reason changes."""
    TAKEN = "taken"
    """The workload was patched."""
    READY = "ready"
    """Its dev pod is there."""
    DRIFT = "drift"
    """Somebody else changed it; what was theirs, and who."""
    RESTORED = "restored"
    """The workload is as it was."""
    KEPT = "kept"
    """What was not restored, because somebody else changed it since."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one workload (`kind/name`; empty where it concerns all)."""

    move: Move
    workload: str
    words: str
    fields: tuple[str, ...] = ()
    """JSON Pointers, for drift and what was kept."""
    by: str = ""


Tell = Callable[[Step], None]
"""Takes each step as it happens; never waits."""
