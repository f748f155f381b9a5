"""Whole processes measured in turn: the system's own account of each, and ratios round by round. Never judges.

The sides of a comparison run one after the other in every round (A B C, A B C, …), so that a machine that becomes
slower or busier does so for all of them. The figure is CPU time, user and system: waiting for others does not count.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Command:
    """A command line and where it runs; `before` runs ahead of each time, and `bound` (CPU seconds) ends it."""

    words: tuple[str, ...]
    folder: Path
    code: int = 0
    before: Callable[[], None] | None = None
    bound: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """What one process took: CPU seconds, MiB at its peak, and whether its bound ended it."""

    cpu: float
    peak: float
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many of the other's CPU times one takes: the median over the rounds, the least and the most."""

    middle: float
    least: float
    most: float


def alternate(commands: dict[str, Command], rounds: int, environment: dict[str, str]) -> dict[str, list[Run]]:
    """Run all commands in turn, `rounds` times after one that does not count. A bounded one runs once, and counts."""
    kept: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, command in commands.items():
            again = not command.bound or not kept[name]
            kept[name].append(measure(command, environment) if again else kept[name][0])
    return {name: found[1:] for name, found in kept.items()}


def measure(command: Command, environment: dict[str, str]) -> Run:
    """Run a command once, its output thrown away. Raises `RuntimeError` for an exit code that is not the expected.

    The peak is never below that of this process, which must therefore stay small: a child begins as its copy.
    """
    if command.before is not None:
        command.before()
    limited = ("sh", "-c", f'ulimit -t {command.bound}; exec "$0" "$@"') if command.bound else ()
    process = subprocess.Popen(
        (*limited, *command.words),
        cwd=command.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cut = bool(command.bound) and process.returncode < 0
    if not cut and process.returncode != command.code:
        words = " ".join(command.words)
        raise RuntimeError(f"wanted exit code {command.code}, found {process.returncode}: cd {command.folder}; {words}")
    return Run(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, cut)


def ratio(runs: list[Run], others: list[Run]) -> Ratio:
    """Compare two sides round by round."""
    found = [one.cpu / other.cpu for one, other in zip(runs, others, strict=True)]
    return Ratio(median(found), min(found), max(found))


def middle(runs: list[Run]) -> float:
    """Return the median CPU seconds."""
    return median(one.cpu for one in runs)


def bend(costs: dict[int, float]) -> float:
    """Return what one more costs in the upper half of the sizes over what it costs in the lower: 1 for a line.

    The halves meet at the size nearest to half of the largest; a quadratic cost over 100 to 4,000 gives nearly 3.
    """
    sizes = sorted(costs)
    low, high = sizes[0], sizes[-1]
    half = min(sizes[1:-1], key=lambda size: abs(size - high / 2))
    upper, lower = (costs[high] - costs[half]) / (high - half), (costs[half] - costs[low]) / (half - low)
    return upper / lower


def fit(costs: dict[int, float]) -> tuple[float, float, float]:
    """Return fixed cost, cost of one more, and R² of the straight line with the least squares."""
    count, mean_x, mean_y = len(costs), sum(costs) / len(costs), sum(costs.values()) / len(costs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in costs.items()) / sum((x - mean_x) ** 2 for x in costs)
    fixed = mean_y - slope * mean_x
    left = sum((y - fixed - slope * x) ** 2 for x, y in costs.items())
    return fixed, slope, 1 - left / max(sum((y - mean_y) ** 2 for y in costs.values()), 1e-12 * count)
