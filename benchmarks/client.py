"""One sync rule with a real engine, agent and link, driven by lines on standard input. Never measures more than itself.

    python benchmarks/client.py NEAR FAR STATE [NAMESPACE POD]

FAR is on this machine, or in a pod that has an agent: what that one takes is not told then. Each line is a command and
gets one line of JSON: `connect`, `sync` (both sides compared whole and made equal, timed), `run` (from now on it
follows changes by itself), `drop` (the link is closed, another one opened, and what follows is timed), `usage` and
`end`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sys
import time
from pathlib import Path

from devcfg.runtime.cluster.cluster import Cluster, Exec
from devcfg.runtime.cluster.kube import open_cluster
from devcfg.runtime.link.agent import Agent, hints_of
from devcfg.runtime.link.link import Link, connect
from devcfg.runtime.link.stream import LocalStream
from devcfg.runtime.pod.agent.ignore import Ignores, Layer
from devcfg.runtime.sync.engine import Engine
from devcfg.runtime.sync.modes import Mode
from devcfg.runtime.sync.rule import Rule

POD = Path(__file__).resolve().parents[1] / "runtime" / "pod"
IGNORED = [Layer("", "", "", ["__pycache__/", "*.pyc", ".venv/", "node_modules/", "/build/", "*.log"])]
TICKS = os.sysconf("SC_CLK_TCK")


class Counted(LocalStream):
    """The agent as a subprocess, with the bytes that passed."""

    sent = received = 0

    async def read(self) -> bytes:
        data = await super().read()
        self.received += len(data)
        return data

    async def write(self, data: bytes) -> None:
        self.sent += len(data)
        await super().write(data)


class CountedExec:
    """The agent in a pod, with the bytes that passed."""

    def __init__(self, inner: Exec) -> None:
        self._inner = inner
        self.close, self.words = inner.close, inner.words
        self.sent = self.received = 0

    async def read(self) -> bytes:
        data = await self._inner.read()
        self.received += len(data)
        return data

    async def write(self, data: bytes) -> None:
        self.sent += len(data)
        await self._inner.write(data)


class Client:
    """What a session is to its engine, without supervisor or display."""

    def __init__(self, near: str, far: str, state: str, *pod: str) -> None:
        self.state, self.pod = state, pod
        self.cluster: Cluster | None = None
        rule = Rule("r", near, far, Mode.TWO_WAY_SAFE, f"{state}/index", f"{state}/kept", lambda: Ignores(IGNORED))
        self.engine = Engine(rule, self._told)
        self.stream: Counted | CountedExec | None = None
        self.link: Link | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.told: list[dict[str, object]] = []

    def _told(self, event: object) -> None:
        self.told.append({"event": type(event).__name__, "ms": getattr(event, "ms", None)})

    async def connect(self) -> None:
        """Start an agent and give its link to the engine."""
        words = [sys.executable, "-S", "-m", "agent", f"{self.state}/agent"]
        environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(POD)}

        async def start() -> Counted:
            self.stream = await Counted.start(words, env=environment, log=lambda line: print(line, file=sys.stderr))
            return self.stream

        async def start_in_pod() -> CountedExec:
            self.cluster = self.cluster or await open_cluster()
            argv = ["python3", "-S", "-m", "agent", f"{self.engine.rule.far}.agent"]
            self.stream = CountedExec(await self.cluster.execute(*self.pod, "devcfg-agent", argv, stdin=True))
            return self.stream

        self.link, _ = await connect(start_in_pod if self.pod else start)
        self.engine.connected(Agent(self.link))
        self._task(self._follow(self.link))

    async def _follow(self, link: Link) -> None:
        with contextlib.suppress(Exception):
            while True:
                event = await link.events.get()
                if event["event"] == "hints":
                    self.engine.hinted(hints_of(event))

    def _task(self, work) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def sync(self) -> dict[str, object]:
        """Compare both sides whole and make them equal."""
        before, began = self.usage(), time.perf_counter()
        await self.engine.flush()
        wall, after = time.perf_counter() - began, self.usage()
        spent = {name: after[name] - before[name] for name in ("cpu", "agent_cpu", "sent", "received")}
        status = self.engine.status()
        if not status.connected or status.problems or status.halts:
            raise RuntimeError(f"sync did not do its work: {status}")
        return {"wall": wall, "files": status.files, **spent}

    async def drop(self) -> dict[str, object]:
        """Lose the link, get a new one, and look whether anything has changed."""
        self.engine.disconnected("dropped")
        await self.link.close()
        began = time.perf_counter()
        await self.connect()
        connected = time.perf_counter()
        found = await self.sync()
        return {**found, "connect": connected - began}

    def usage(self) -> dict[str, float]:
        """Return CPU seconds, MiB and bytes of both processes up to now."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found = {"cpu": time.process_time(), "rss": _resident(os.getpid()), "peak": peak}
        if self.stream is None:
            return {**found, "agent_cpu": 0.0, "agent_rss": 0.0, "sent": 0, "received": 0}
        known = isinstance(self.stream, Counted)
        spent, held = (_cpu(self.stream.pid), _resident(self.stream.pid)) if known else (0.0, 0.0)
        return {
            **found,
            "agent_cpu": spent,
            "agent_rss": held,
            "sent": self.stream.sent,
            "received": self.stream.received,
        }

    async def serve(self) -> None:
        """Do commands until `end`."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while (line := (await reader.readline()).decode().strip()) not in ("", "end"):
            answer: dict[str, object] = {}
            match line:
                case "connect":
                    await self.connect()
                case "sync":
                    answer = await self.sync()
                case "run":
                    self._task(self.engine.run())
                case "drop":
                    answer = await self.drop()
                case "usage":
                    answer = {**self.usage(), "told": self.told}
                    self.told = []
            print(json.dumps(answer), flush=True)
        if self.link is not None:
            await self.link.close()
        for task in self.tasks:
            task.cancel()
        if self.cluster is not None:
            await self.cluster.close()


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


async def _main() -> None:
    await Client(*sys.argv[1:]).serve()


if __name__ == "__main__":
    asyncio.run(_main())
