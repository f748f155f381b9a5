"""Steps that could not be done, and when they are tried again. Never says why a path is not planned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from devcfg.runtime.sync.modes import Side
from devcfg.runtime.sync.planner import Problem, Step, SyncPlan

FIRST, LAST = 1.0, 60.0
"""Seconds before a step is tried again, and what doubling ends at."""


class Failures:
    """The failed steps by side and path."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[tuple[Side, str], tuple[Step, str, float, float]] = {}

    def clear(self) -> None:
        """Forget them all."""
        self._failed.clear()

    def take(self, failed: Iterable[tuple[Side, Step, str]], plan: SyncPlan) -> None:
        """Take what failed in a round; what its plan no longer wants is forgotten."""
        wanted = {(side, step.path): step for side in Side for step in plan.steps(side)}
        now = self._clock()
        kept = {key: one for key, one in self._failed.items() if wanted.get(key) == one[0] and now < one[3]}
        for side, step, problem in failed:
            before = self._failed.get((side, step.path))
            delay = min(LAST, before[2] * 2) if before is not None and before[0] == step else FIRST
            kept[side, step.path] = (step, problem, delay, now + delay)
        self._failed = kept

    def waits(self, side: Side, step: Step) -> bool:
        """Tell whether a step failed so lately that it is not tried again yet."""
        found = self._failed.get((side, step.path))
        return found is not None and found[0] == step and self._clock() < found[3]

    def due(self) -> bool:
        """Tell whether a step is to be tried again."""
        return bool(self._failed) and min(one[3] for one in self._failed.values()) <= self._clock()

    def problems(self) -> tuple[Problem, ...]:
        """Return the failures in words."""
        return tuple(Problem(path, side, found[1]) for (side, path), found in sorted(self._failed.items()))
