"""A rule that runs by itself, as in a session: engine, link that comes back, agent in a process. Never plans."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from pathlib import Path

from tests.runtime.sync.sites import PATIENCE, POD, Faulty, ProcessAgent, listing

from devcfg.runtime.link.agent import Agent, hints_of
from devcfg.runtime.link.errors import LinkError
from devcfg.runtime.link.reconnect import Back, Lost, Reconnecting
from devcfg.runtime.session.syncing import repository
from devcfg.runtime.sync.engine import Choice, Engine, SyncError
from devcfg.runtime.sync.ignores import load_ignores
from devcfg.runtime.sync.modes import Mode
from devcfg.runtime.sync.rule import Rule
from devcfg.schemas.blocks import SyncRule


class Live:
    """One rule between `near` and `far`, which runs in a thread of its own inside `with`."""

    def __init__(
        self,
        folder: Path,
        near: Path,
        far: Path,
        mode: Mode = Mode.TWO_WAY_SAFE,
        agent: tuple[str, ...] = (),
        **options,
    ) -> None:
        """Open it. `agent` stands before the agent's words; `options` are members of the rule."""
        self.folder, self.near, self.far = folder, near, far
        self._prefix = agent
        top, marks = repository(str(near))
        spec = SyncRule.validate({"path": "near", "target": "/far"})
        self.rule = Rule(
            name="r",
            local=str(near),
            far=str(far),
            mode=mode,
            kept=str(folder / "kept"),
            load=lambda: load_ignores(str(near), top, spec),
            marks=marks,
            **{"index": str(folder / "state" / "index"), **options},
        )
        self.told: list = []
        self.cut_after: int | None = None
        """So many bytes the next link lives."""
        self.links = 0
        self.stream: Faulty | None = None
        self._loop = asyncio.new_event_loop()
        self._ended: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._tasks: list[asyncio.Task] = []
        self.engine: Engine = self._do(self._begin())

    # ---- its life

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _begin(self) -> Engine:
        engine = Engine(self.rule, self.told.append)
        self._link = Reconnecting(self._open, self._changed, sleep=_sleep, chance=lambda: 0.0)
        self._tasks = [asyncio.create_task(self._link.run()), asyncio.create_task(engine.run())]
        self.engine = engine
        return engine

    async def _open(self):
        env = {**os.environ, "PYTHONPATH": str(POD)}
        argv = [*self._prefix, sys.executable, "-S", "-m", "agent", str(self.folder / "agent")]
        self.stream = Faulty(await ProcessAgent.start(argv, env=env))
        self.stream.left, self.stream.event = self.cut_after, self.stream.cut
        self.cut_after = None
        return self.stream

    def _changed(self, change) -> None:
        match change:
            case Back(link=link):
                self.links += 1
                self.engine.connected(Agent(link))
                self._tasks.append(asyncio.create_task(self._follow(link)))
            case Lost(reason=reason):
                self.engine.disconnected(reason.message)

    async def _follow(self, link) -> None:
        with contextlib.suppress(LinkError):
            while True:
                event = await link.events.get()
                if event["event"] == "hints":
                    self.engine.hinted(hints_of(event))
                elif event["event"] == "overflow":
                    self.engine.hinted(hints_of({"rule": "r", "paths": [], "rescan": True, "reason": ""}))

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        """End it as a session does; what the engine ran into is raised here."""
        try:
            self._do(self._leave())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(PATIENCE)
            self._loop.close()

    async def _leave(self) -> None:
        link, runs, *others = self._tasks
        failed = runs.exception() if runs.done() else None
        runs.cancel()
        await asyncio.gather(runs, return_exceptions=True)
        await self.engine.leave()
        for task in (link, *others):
            task.cancel()
        await asyncio.gather(link, *others, return_exceptions=True)
        self.engine.close()
        if failed is not None:
            raise failed

    # ---- what is asked of it

    def flush(self):
        """Flush as `devcfg sync flush` does, once there is a link."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._do(self.engine.flush())
            except SyncError:
                assert time.monotonic() < deadline, str(self.engine.status())[-700:]
                time.sleep(0.05)

    def resolve(self, path: str, choice: Choice) -> None:
        self._do(self.engine.resolve(path, choice))

    def at_once(self, work) -> None:
        """Do something that the engine sees whole or not at all."""

        async def alone() -> None:
            async with self.engine._turn:
                work()

        self._do(alone())

    @property
    def halts(self):
        return self.engine.status().halts

    @property
    def agent(self) -> int:
        """Return the agent's process id."""
        return self.stream._stream.pid

    def cut(self, after: int) -> None:
        """Cut this link, or the next one, when so many bytes have passed."""

        def arm() -> None:
            self.cut_after = after
            if self.stream is not None:
                self.stream.left, self.cut_after = after, None

        self._loop.call_soon_threadsafe(arm)

    def settle(self) -> None:
        """Flush until both sides are equal; whatever keeps them from it is shown."""
        self.wait(lambda: self.flush() is not None and not self.differences(), self.differences)

    def wait(self, look, detail=lambda: "") -> None:
        """Return when `look` is true; sync goes on meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while not look():
            assert time.monotonic() < deadline, f"{self.engine.status()}\n{str(detail())[:2000]}"
            time.sleep(0.02)

    def differences(self) -> dict[str, tuple[str | None, str | None]]:
        near, far = self.seen(self.near), self.seen(self.far)
        return {path: (near.get(path), far.get(path)) for path in near.keys() | far if near.get(path) != far.get(path)}

    @staticmethod
    def seen(root: Path) -> dict[str, str]:
        """Return what counts on a side: neither git's own nor ours."""
        found = listing(root)
        return {
            path: text for path, text in found.items() if path != ".git" and not path.startswith((".git/", ".devcfg"))
        }


async def _sleep(seconds: float) -> None:
    # Only what lies between two links is made short: with no chance in it, that is less than a ping's five seconds.
    await asyncio.sleep(seconds / 20 if seconds < 5 else seconds)


def leftovers(*roots: Path) -> list[str]:
    """Return our temporary names anywhere below some directories."""
    return [
        os.path.join(folder, name)
        for root in roots
        for folder, folders, files in os.walk(root)
        for name in (*folders, *files)
        if name.startswith(".devcfg-tmp")
    ]
