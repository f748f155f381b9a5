"""The table of a benchmark: figures as lines of Markdown, and the machine that gave them. Never measures."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from timing import Run, middle, ratio


@dataclass(frozen=True, slots=True)
class Row:
    """One line; `held` is None where nothing is promised."""

    name: str
    ours: str = ""
    other: str = ""
    ratio: str = ""
    spread: str = ""
    hold: str = ""
    held: bool | None = None


HEAD = Row("what", "ours", "floor or peer", "ratio", "least to most", "hold")


def above_floor(name: str, runs: list[Run], floor: list[Run], most: float | None) -> Row:
    """Say how many floors a command takes."""
    found = ratio(runs, floor)
    hold, held = (f"≤ {most} floors", found.middle <= most) if most is not None else ("", None)
    spread = f"{found.least:.2f} to {found.most:.2f}"
    return Row(name, milliseconds(runs), milliseconds(floor), f"{found.middle:.2f} floors", spread, hold, held)


def under_peer(name: str, runs: list[Run], peer: list[Run], least: float | None) -> Row:
    """Say how much of our cost the peer takes; one that was stopped takes at least that."""
    found, more = ratio(peer, runs), "> " * peer[0].cut
    hold, held = (f"kubectl ≥ {least} ×", found.middle >= least) if least is not None else ("", None)
    spread = f"{found.least:.1f} to {found.most:.1f}"
    theirs, words = f"{more}{milliseconds(peer)}", f"kubectl {more}{found.middle:.1f} ×"
    return Row(name, milliseconds(runs), theirs, words, spread, hold, held)


def milliseconds(runs: list[Run]) -> str:
    """Write the median CPU time."""
    return f"{middle(runs) * 1000:,.0f} ms"


def machine(seed: int) -> str:
    """Say what the figures depend on."""
    said = ""
    if (kubectl := shutil.which("kubectl")) is not None:
        said = subprocess.run([kubectl, "version", "--client"], capture_output=True, text=True, check=False).stdout
    versions = [line.partition(": ")[2] for line in said.splitlines()]
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"kubectl {' with kustomize '.join(versions) or 'missing'}, seed {seed}, load {os.getloadavg()[0]:.1f}"
    )


def lines_of(rows: list[Row]) -> Iterator[str]:
    """Yield the table as Markdown, its columns aligned."""
    words = {None: "", True: "held", False: "NOT HELD"}
    cells = [(row.name, row.ours, row.other, row.ratio, row.spread, row.hold, words[row.held]) for row in (HEAD, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for number, row in enumerate(cells):
        yield "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
        if number == 0:
            yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"
