"""What the engine knows of itself, as a value for whoever asks. Never asks anyone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from devcfg.runtime.sync.halts import Halt
from devcfg.runtime.sync.planner import Problem

KEPT = 1000


@dataclass(frozen=True, slots=True)
class Status:
    """One rule right now; times in milliseconds, None before there was a batch."""

    connected: bool
    files: int
    pending: int
    conflicts: int
    problems: tuple[Problem, ...]
    halts: tuple[Halt, ...]
    degraded: tuple[str, ...]
    last_ms: float | None
    p50_ms: float | None
    p95_ms: float | None


class Times:
    """How long the last batches took."""

    def __init__(self) -> None:
        self._ms: deque[float] = deque(maxlen=KEPT)

    def add(self, ms: float) -> None:
        """Take one more."""
        self._ms.append(ms)

    @property
    def last(self) -> float | None:
        """Return the last one."""
        return self._ms[-1] if self._ms else None

    def share(self, percent: int) -> float | None:
        """Return what so many in a hundred of them did not exceed."""
        found = sorted(self._ms)
        return found[max(0, -(-len(found) * percent // 100) - 1)] if found else None
