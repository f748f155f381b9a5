"""How quick sync is: a real engine, agent and link between two directories, beside a peer or floor of the same run.

    python benchmarks/sync.py [--quick] [--huge] [--folder DIR]

- a save until it is in place on the other side, beside one echo through the same kind of pipe;
- the first sync of 1,000 and 10,000 files of 4 KiB (`--huge`: 100,000 as well), beside `tar | tar`, which promises
  nothing about what is there already: what must hold is held to a tar over an exec, by `session.py`;
- a new link when nothing has changed, beside one walk of both trees and one echo;
- one byte inserted into a file of 200 MB, and 20 scattered edits, beside `rsync` where there is one;
- what both processes take while nothing happens.

Wall times suffer from whatever else the machine does: a ratio is taken between neighbours of one round, and CPU time
stands beside it. Directories are in memory (/dev/shm) where they can be. Exit code 1 when a hold is not held.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Self

from table import Row, lines_of, machine
from timing import Command, measure

SIZE = 4096
LARGE = 200_000_000


class Client:
    """One client process and the agent below it."""

    def __init__(self, near: Path, far: Path, state: Path, *pod: str) -> None:
        for folder in (near, state) if pod else (near, far, state):
            folder.mkdir(parents=True, exist_ok=True)
        words = [sys.executable, str(Path(__file__).with_name("client.py")), str(near), str(far), str(state), *pod]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, word: str) -> dict[str, float]:
        """Give a command; return its answer."""
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the client ended at `{word}`")
        return json.loads(line)

    def __enter__(self) -> Self:
        self.ask("connect")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait()


class Echo:
    """A process that sends back what it gets: the floor of any round trip."""

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait()

    def trip(self) -> float:
        """Return the seconds of one round trip."""
        began = time.perf_counter()
        self.process.stdin.write(b"x" * 64)
        self.process.stdout.read(64)
        return time.perf_counter() - began


class Bench:
    """The parts of the table, in one directory."""

    def __init__(self, folder: Path, *, quick: bool, huge: bool) -> None:
        self.folder, self.quick = folder, quick
        self.sizes = (1_000, 10_000, *((100_000,) if huge else ()))
        self.number = 0

    def fresh(self) -> Path:
        """Return a directory that is not there yet."""
        self.number += 1
        return self.folder / str(self.number)

    def tree(self, count: int) -> Path:
        """Return a tree of so many files, twenty directories of fifty files to a thousand."""
        root, drawn = self.folder / f"tree-{count}", random.Random(count)
        for number in range(count if not root.exists() else 0):
            folder = root / f"package{number // 1000}" / f"part{number // 50 % 20}"
            if number % 50 == 0:
                folder.mkdir(parents=True)
            (folder / f"module{number}.py").write_bytes(drawn.randbytes(SIZE // 2).hex().encode())
        return root

    def firsts(self) -> Iterator[Row]:
        """Yield the first sync beside tar, and what one more file costs."""
        costs: dict[int, float] = {}
        for count in self.sizes:
            near, walls, cpus, ours, tars = self.tree(count), [], [], [], []
            for _ in range(1 if count == 100_000 else 3 if self.quick else 7):
                far, state = self.fresh(), self.fresh()
                tar = self.fresh()
                tar.mkdir()
                words = ("sh", "-c", f"tar cf - -C {near} . | tar xf - -C {tar}")
                began = time.perf_counter()
                peer = measure(Command(words, self.folder), dict(os.environ))
                tars.append((time.perf_counter() - began, peer.cpu))
                with Client(near, far, state) as client:
                    found = client.ask("sync")
                ours.append((found["wall"], found["cpu"] + found["agent_cpu"]))
                walls.append(ours[-1][0] / tars[-1][0])
                cpus.append(ours[-1][1] / max(tars[-1][1], 0.001))
                for each in (far, state, tar):
                    shutil.rmtree(each)
            costs[count] = median(one[1] for one in ours)
            for name, at, ratios in (("wall", 0, walls), ("CPU", 1, cpus)):
                yield Row(
                    f"first sync, {count:,} files, {name}",
                    _ms(median(one[at] for one in ours)),
                    f"tar {_ms(median(one[at] for one in tars))}",
                    f"{median(ratios):.1f} ×",
                    f"{min(ratios):.1f} to {max(ratios):.1f}",
                )
        for low, high in zip(self.sizes, self.sizes[1:], strict=False):
            each = (costs[high] - costs[low]) / (high - low)
            yield Row(f"CPU of one more file, {low:,} to {high:,}", f"{each * 1e6:.0f} µs")

    def saves(self) -> Iterator[Row]:
        """Yield how long a save takes until it is in place."""
        for count in self.sizes:
            near, far, state = self.fresh(), self.fresh(), self.fresh()
            shutil.copytree(self.tree(count), near)
            file = "package0/part0/module0.py"
            with Client(near, far, state) as client, Echo() as echo:
                client.ask("sync")
                client.ask("run")
                time.sleep(1)
                took, trips = [], []
                for number in range(30 if self.quick else 120):
                    trips.append(echo.trip())
                    took.append(save(near / file, far / file, f"save = {number}\n"))
                    time.sleep(0.03)
            over = sorted(one - median(trips) for one in took)
            for name, share, most in (("p50", 50, 0.010), ("p95", 95, 0.030)):
                value = over[min(len(over) - 1, len(over) * share // 100)]
                yield Row(
                    f"save → in place, {count:,} files, {name} over an echo",
                    f"{value * 1000:.1f} ms",
                    f"echo {median(trips) * 1000:.2f} ms",
                    spread=f"{over[0] * 1000:.1f} to {over[-1] * 1000:.1f} ms",
                    hold=f"≤ {most * 1000:.0f} ms",
                    held=value <= most,
                )
            for each in (near, far, state):
                shutil.rmtree(each)

    def calm(self) -> Iterator[Row]:
        """Yield what a new link costs when nothing has changed, and what both take while nothing happens."""
        near, far, state = self.tree(10_000), self.fresh(), self.fresh()
        with Client(near, far, state) as client, Echo() as echo:
            client.ask("sync")
            time.sleep(3)  # files of the last two seconds are read again: they might change and keep their stat
            client.ask("sync")
            took, floors, cpu = [], [], []
            for _ in range(3 if self.quick else 9):
                began = time.perf_counter()
                for root in (near, far):
                    _walk(str(root))
                floors.append(time.perf_counter() - began + echo.trip())
                found = client.ask("drop")
                took.append(found["wall"])
                cpu.append(found["cpu"] + found["agent_cpu"])
            yield Row(
                "nothing changed, new link, 10,000 files",
                _ms(median(took)),
                f"walks + echo {_ms(median(floors))}",
                f"{median(one / other for one, other in zip(took, floors, strict=True)):.1f} ×",
                f"{min(took) * 1000:,.0f} to {max(took) * 1000:,.0f} ms",
                "≤ 300 ms",
                median(took) <= 0.3,
            )
            yield Row("  the same, CPU of both", _ms(median(cpu)))
            client.ask("run")
            time.sleep(2)
            before, seconds = client.ask("usage"), 10 if self.quick else 30
            time.sleep(seconds)
            after = client.ask("usage")
        for name, cpu_name, rss, most in (("client", "cpu", "rss", 60), ("agent", "agent_cpu", "agent_rss", 30)):
            share = (after[cpu_name] - before[cpu_name]) / seconds * 100
            yield Row(
                f"idle, 10,000 files, {name}: share of a core", f"{share:.2f} %", hold="≤ 0.5 %", held=share <= 0.5
            )
            held = after[rss] <= most
            yield Row(f"idle, 10,000 files, {name}: memory", f"{after[rss]:.0f} MiB", hold=f"≤ {most} MiB", held=held)

    def large(self) -> Iterator[Row]:
        """Yield what edits of a large file cost."""
        near, far, state, mirror = self.fresh(), self.fresh(), self.fresh(), self.fresh()
        near.mkdir()
        drawn = random.Random(200)
        content = bytearray(drawn.randbytes(LARGE))
        (near / "large").write_bytes(content)
        shutil.copytree(near, mirror)
        rsync = shutil.which("rsync")
        with Client(near, far, state) as client:
            client.ask("sync")
            for name, seconds, size in (("one byte inserted", 1.0, 200_000), ("20 scattered edits", 2.0, 3_000_000)):
                ours, wire, peer, theirs = [], [], [], []
                for _ in range(2 if self.quick else 5):
                    # Until both sides are two seconds old, as those that someone works with are: younger ones are
                    # read again, because they might change and keep their stat.
                    time.sleep(2.5)
                    client.ask("sync")
                    for at in [10 << 20] if size == 200_000 else drawn.sample(range(LARGE), 20):
                        content[at:at] = drawn.randbytes(1)
                    (near / "large").write_bytes(content)
                    found = client.ask("sync")
                    ours.append(found["wall"])
                    wire.append(found["sent"] + found["received"])
                    if rsync:
                        began = time.perf_counter()
                        words = [rsync, "--no-whole-file", "--stats", "-t", str(near / "large"), str(mirror / "large")]
                        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
                        peer.append(time.perf_counter() - began)
                        lines = [line.rpartition(": ")[2].replace(",", "") for line in said.splitlines()]
                        theirs.append(
                            sum(int(lines[at]) for at, one in enumerate(said.splitlines()) if "Total bytes" in one)
                        )
                    if (far / "large").read_bytes() != content:
                        raise RuntimeError("the far side has other content")
                yield Row(
                    f"200 MB file, {name}",
                    f"{_ms(median(ours))}",
                    f"rsync {_ms(median(peer))}" if peer else "no rsync here",
                    f"{median(ours) / median(peer):.1f} ×" if peer else "",
                    f"{min(ours) * 1000:,.0f} to {max(ours) * 1000:,.0f} ms",
                    f"≤ {seconds * 1000:,.0f} ms",
                    median(ours) <= seconds,
                )
                yield Row(
                    "  on the wire",
                    f"{median(wire) / 1000:,.0f} kB",
                    f"rsync {median(theirs) / 1000:,.0f} kB" if theirs else "",
                    hold=f"≤ {size / 1000:,.0f} kB",
                    held=median(wire) <= size,
                )


def save(file: Path, there: Path, text: str) -> float:
    """Save as an editor that replaces the file; return the seconds until the other side has it."""
    new, wanted = file.with_name(".new.log"), text.encode()
    before = there.stat().st_ino
    began = time.perf_counter()
    new.write_bytes(wanted)
    new.replace(file)
    until = began + 30
    while _inode(there) in (before, 0):
        time.sleep(0.0002)
        if time.perf_counter() > until:
            raise RuntimeError("a save did not arrive within 30 s")
    took = time.perf_counter() - began
    if there.read_bytes() != wanted:
        raise RuntimeError("a save arrived with other content")
    return took


def _inode(file: Path) -> int:
    try:
        return file.stat().st_ino
    except FileNotFoundError:  # a peer may take the old one away first
        return 0


def _walk(folder: str) -> None:
    with os.scandir(folder) as found:
        for one in found:
            one.stat(follow_symlinks=False)
            if one.is_dir(follow_symlinks=False):
                _walk(one.path)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def main() -> int:
    """Measure everything, print the table, and return the exit code."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, a shorter idle time")
    parser.add_argument("--huge", action="store_true", help="100,000 files as well")
    parser.add_argument("--folder", help="where the trees are made: a disk, for example")
    parser.add_argument("--only", choices=("firsts", "saves", "calm", "large"), help="one part of the table")
    options = parser.parse_args()
    place = options.folder or ("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    with tempfile.TemporaryDirectory(prefix="devcfg-bench-", dir=place) as folder:
        bench = Bench(Path(folder), quick=options.quick, huge=options.huge)
        parts = (options.only,) if options.only else ("firsts", "saves", "calm", "large")
        rows = [row for part in parts for row in getattr(bench, part)()]
    print(machine(0))
    for line in lines_of(rows):
        print(line)
    return 1 if any(row.held is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
