"""How quick a session on a cluster is: `devcfg up` in a namespace of its own, beside kubectl, tar and one round trip.

    KUBECONFIG=… python benchmarks/session.py [--quick] [--only saves|firsts|calm|ways]

- a save until it is in place in the pod, and until the process runs anew: beside an echo over an open exec stream of
  our own, and beside `tar | kubectl exec` of the same file;
- the first sync of 10,000 files of 4 KiB, beside one `tar` of the tree over one exec; a new link with nothing changed;
- what client and agent take while nothing happens;
- `up` beside `kubectl rollout status` of the same patch; `down` until the API has the old spec.

Wall times: a ratio is taken between neighbours of one round. Exit code 1 when a hold is not held.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from place import AGENT, DEVCFG, Place, Up, Watcher
from sync import Bench, Client
from table import Row, lines_of, machine

from devcfg.runtime.cluster.cluster import Cluster
from devcfg.runtime.cluster.kube import open_cluster
from devcfg.runtime.devmode.leave import leave_one
from devcfg.runtime.devmode.stays import stays_in

TAR = "/devcfg/bench/tar"
TICKS = os.sysconf("SC_CLK_TCK")


def share(found: Sequence[float], percent: int) -> float:
    """Return the value that so many of a hundred do not exceed."""
    return sorted(found)[min(len(found) - 1, len(found) * percent // 100)]


def ms(seconds: float) -> str:
    """Write seconds as milliseconds."""
    return f"{seconds * 1000:,.1f} ms" if seconds < 0.1 else f"{seconds * 1000:,.0f} ms"


def spread(found: Sequence[float]) -> str:
    """Write the least and the most."""
    return f"{ms(min(found))} to {ms(max(found))}"


class Echo:
    """`cat` in the pod over an exec stream of our own port: the floor of any round trip."""

    def __init__(self, place: Place) -> None:
        self._runner = asyncio.Runner()
        self._cluster = self._runner.run(open_cluster())
        start = self._cluster.execute(place.name, place.pod(), AGENT, ["cat"], stdin=True)
        self._stream = self._runner.run(start)

    def trip(self) -> float:
        """Return the seconds of one round trip."""

        async def once() -> float:
            began, left = time.perf_counter(), 64
            await self._stream.write(b"x" * left)
            while left > 0:
                left -= len(await self._stream.read())
            return time.perf_counter() - began

        return self._runner.run(once())

    def close(self) -> None:
        """End it."""

        async def end() -> None:
            await self._stream.close()
            await self._cluster.close()

        self._runner.run(end())
        self._runner.close()


class Session:
    """The parts of the table, in one directory and one namespace."""

    def __init__(self, folder: Path, place: Place, *, quick: bool) -> None:
        self.place, self.quick = place, quick
        self.bench = Bench(folder, quick=quick, huge=False)
        self.src = place.project / "src"
        self.words = ""

    # ---- saves

    def saves(self) -> Iterator[Row]:
        """Yield how long a save takes, and what an idle session does."""
        tree, up = self.bench.tree(1_000 if self.quick else 10_000), None
        subprocess.run(["cp", "-a", f"{tree}/.", str(self.src)], check=True)
        up = Up(self.place)
        try:
            up.wait_for("restarted")
            time.sleep(3)
            yield from self._saves()
            yield from self._idle(up)
        finally:
            up.end(signal.SIGINT)
            self.place.rest()

    def _saves(self) -> Iterator[Row]:
        watcher = Watcher(self.place, "/src", "/devcfg/bench", TAR)
        echo = Echo(self.place)
        self.words = "the node is this machine: one clock" if watcher.same_clock else "with the way back of the word"
        trips, placed, started, tars = [], [], [], []
        for number in range(20 if self.quick else 120):
            trips.append(median(echo.trip() for _ in range(3)))
            new = self.src / ".new.pyc"
            new.write_text(f"save {number}\n")
            began = time.monotonic()
            new.replace(self.src / "file")
            there, runs = watcher.moments(f"save {number}", "/src/file", "/devcfg/bench/started")
            placed.append(there - began)
            started.append(runs - began)
            if number % 3 == 0:
                tars.append(self._tar(watcher, number))
            time.sleep(0.2)
        echo.close()
        watcher.close()
        over = [one - median(trips) for one in placed]
        trip, peer = median(trips), median(tars)
        for name, percent, most in (("p50", 50, 0.010), ("p95", 95, 0.030), ("max", 100, None)):
            value, whole = share(over, percent), share(placed, percent)
            yield Row(
                f"save → in place in the pod, {name}",
                f"{ms(whole)}; over an echo {ms(value)}",
                f"echo {ms(share(trips, percent))}; tar and exec {ms(share(tars, percent))}",
                f"1 / {share(tars, percent) / whole:.0f} of tar",
                spread(placed) if percent == 50 else "",
                f"≤ {most * 1000:.0f} ms over an echo" if most else "",
                value <= most if most else None,
            )
        for name, percent in (("p50", 50), ("p95", 95), ("max", 100)):
            value = share(started, percent)
            yield Row(
                f"save → new process, {name}",
                ms(value),
                f"echo {ms(trip)}; tar and exec, nothing started, {ms(peer)}",
                f"1 / {share(tars, percent) / value:.1f} of tar",
                spread(started) if percent == 50 else "",
                "≤ 60 ms" if percent == 50 else "",
                value <= 0.060 if percent == 50 else None,
            )

    def _tar(self, watcher: Watcher, number: int) -> float:
        """Return the seconds until the same file is there by tar over a fresh exec."""
        file = self.bench.folder / "file"
        file.write_text(f"tar {number}\n")
        words = f"tar cf - -C {file.parent} file | kubectl -n {self.place.name} exec -i {self.place.pod()} -c {AGENT}"
        began = time.monotonic()
        # Some versions of containerd now and then give a quick command no standard input at all: tar fails then.
        while subprocess.run(["sh", "-c", f"{words} -- tar xf - -C {TAR}"], capture_output=True).returncode:
            began = time.monotonic()
        return watcher.moments(f"tar {number}", f"{TAR}/file")[0] - began

    def _idle(self, up: Up) -> Iterator[Row]:
        time.sleep(5)
        # A whole minute: both sides look through the whole tree once in it.
        seconds, pid = 10 if self.quick else 60, up.process.pid
        before = _cpu(pid), self.place.usage()[0]
        time.sleep(seconds)
        agent, held = self.place.usage()
        after = _cpu(pid), agent
        sizes = (_resident(pid), held)
        for at, (name, most) in enumerate((("client", 60), ("agent in the pod", 30))):
            used = (after[at] - before[at]) / seconds * 100
            yield Row(f"idle, {name}: share of a core", f"{used:.2f} %", hold="≤ 0.5 %", held=used <= 0.5)
            hold = f"≤ {most} MiB"
            yield Row(f"idle, {name}: memory", f"{sizes[at]:.0f} MiB", hold=hold, held=sizes[at] <= most)

    # ---- a whole tree

    def firsts(self) -> Iterator[Row]:
        """Yield the first sync beside one tar of the tree over one exec."""
        tree = self.bench.tree(10_000)
        with self._standing() as pod:
            ours, theirs, ratios = [], [], []
            for number in range(2 if self.quick else 7):
                far, tar = Path(f"/devcfg/bench/{number}"), f"/devcfg/bench/tar-{number}"
                self.place.kubectl("exec", pod, "-c", AGENT, "--", "mkdir", "-p", str(far), tar)
                exec_ = f"kubectl -n {self.place.name} exec -i {pod} -c {AGENT} -- tar xf - -C {tar}"
                began = time.perf_counter()
                subprocess.run(["sh", "-c", f"tar cf - -C {tree} . | {exec_}"], check=True)
                theirs.append(time.perf_counter() - began)
                with Client(tree, far, self.bench.fresh(), self.place.name, pod) as client:
                    ours.append(client.ask("sync")["wall"])
                ratios.append(ours[-1] / theirs[-1])
                self.place.kubectl("exec", pod, "-c", AGENT, "--", "rm", "-rf", str(far), tar)
        yield Row(
            "first sync, 10,000 files of 4 KiB",
            ms(median(ours)),
            f"one tar over one exec {ms(median(theirs))}",
            f"{median(ratios):.1f} ×",
            f"{min(ratios):.1f} to {max(ratios):.1f} ×",
            "≤ 1.5 ×",
            median(ratios) <= 1.5,
        )

    def calm(self) -> Iterator[Row]:
        """Yield what a new link costs when nothing has changed."""
        tree = self.bench.tree(10_000)
        with self._standing() as pod:
            far = Path("/devcfg/bench/calm")
            self.place.kubectl("exec", pod, "-c", AGENT, "--", "mkdir", "-p", str(far))
            with Client(tree, far, self.bench.fresh(), self.place.name, pod) as client:
                client.ask("sync")
                time.sleep(3)  # files of the last two seconds are read again: they might change and keep their stat
                client.ask("sync")
                links, looks, execs = [], [], []
                for _ in range(3 if self.quick else 9):
                    began = time.perf_counter()
                    self.place.kubectl("exec", pod, "-c", AGENT, "--", "python3", "-S", "-c", "")
                    execs.append(time.perf_counter() - began)
                    found = client.ask("drop")
                    links.append(found["connect"])
                    looks.append(found["wall"])
        yield Row("new link: exec, agent, greeting", ms(median(links)), f"kubectl exec python3 {ms(median(execs))}")
        yield Row(
            "nothing changed, new link, 10,000 files",
            ms(median(looks)),
            spread=spread(looks),
            hold="≤ 300 ms",
            held=median(looks) <= 0.3,
        )

    def _standing(self) -> Standing:
        return Standing(self.place)

    # ---- into dev mode and back

    def ways(self) -> Iterator[Row]:
        """Yield `up` beside kubectl, and the ways back."""
        live, status, more, back, command, whole = [], [], [], [], [], []
        for number in range(2 if self.quick else 9):
            up = Up(self.place)
            patched = up.wait_for("applied")
            # The kubelet looks once a second: only of one rollout are both sides told the same.
            self.place.kubectl("rollout", "status", "deployment/web")
            status.append(time.monotonic() - patched)
            live.append(up.wait_for("restarted") - up.began)
            more.append(live[-1] - status[-1])
            if number % 2:
                up.end(signal.SIGKILL)
                began = time.monotonic()
                words = [DEVCFG, "down", "--yes"]
                subprocess.run(words, cwd=self.place.project, env=self.place.env, check=True, capture_output=True)
                whole.append(time.monotonic() - began)
            else:
                up.end(signal.SIGKILL)
                began = asyncio.run(self._leave(back))
                command.append(time.monotonic() - began)
            self.place.rest()
        yield Row(
            "`up` → in dev mode and live: more than the rollout",
            f"{ms(median(more))} of {ms(median(live))}",
            f"kubectl rollout status of the same patch {ms(median(status))}",
            f"{median(one / other for one, other in zip(live, status, strict=True)):.2f} ×",
            spread(more),
            "≤ 1,000 ms more",
            median(more) <= 1.0,
        )
        yield Row(
            "`down`: way back begun → the API has the old spec",
            ms(median(back)),
            spread=spread(back),
            hold="≤ 500 ms",
            held=median(back) <= 0.5,
        )
        yield Row("`down`, all of it, to its last line", ms(median(whole)), spread=spread(whole))

    async def _leave(self, back: list[float]) -> float:
        """Do what `down` does; take note of when a watch sees the old spec."""
        cluster = await open_cluster()
        try:
            (stay,) = await stays_in(cluster, self.place.name)
            seen = asyncio.create_task(_restored(cluster, self.place.name, stay.resource))
            await asyncio.sleep(0.5)
            began = time.monotonic()
            await leave_one(cluster, stay, lambda _: None)
            back.append(await seen - began)
        finally:
            await cluster.close()
        return began


class Standing:
    """Dev mode without a session: `up --once` leaves the pod, whose agent waits."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def __enter__(self) -> str:
        up = Up(self.place, "--once")
        if up.process.wait(120):
            raise RuntimeError((self.place.home / "log").read_text())
        return self.place.pod()

    def __exit__(self, *_: object) -> None:
        words = [DEVCFG, "down", "--yes"]
        subprocess.run(words, cwd=self.place.project, env=self.place.env, check=True, capture_output=True)
        self.place.rest()


async def _restored(cluster: Cluster, namespace: str, resource) -> float:
    async for one in cluster.watch(resource, namespace, name="web"):
        if "devcfg.dev/plan" not in str(one.object["spec"]["template"]["metadata"].get("annotations")):
            return time.monotonic()
    raise AssertionError("a watch does not end")


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def main() -> int:
    """Measure everything, print the table, and return the exit code."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", choices=("saves", "firsts", "calm", "ways"), help="one part of the table")
    options = parser.parse_args()
    if not os.environ.get("KUBECONFIG"):
        sys.exit("KUBECONFIG is not set; name the cluster that may be used")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="devcfg-bench-") as folder, Place(Path(folder)) as place:
        session = Session(Path(folder), place, quick=options.quick)
        parts = (
            (options.only,) if options.only else ("ways", "firsts", "calm", "saves")
        )  # saves fill the source: not before `up` is timed
        rows = [row for part in parts for row in getattr(session, part)()]
    print(f"{machine(0)} (at its begin {load:.1f}); {session.words}")
    for line in lines_of(rows):
        print(line)
    return 1 if any(row.held is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
