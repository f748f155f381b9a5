"""Two real directories, the real agent and a link that fails: what a session is to the engine. Never plans."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from devcfg.runtime.link.agent import Agent, Hints, hints_of
from devcfg.runtime.link.errors import LinkError
from devcfg.runtime.link.link import connect
from devcfg.runtime.link.stream import LocalStream
from devcfg.runtime.pod.agent.ignore import Ignores, Layer
from devcfg.runtime.pod.agent.outbox import Outbox
from devcfg.runtime.pod.agent.serve import Serving
from devcfg.runtime.pod.agent.verbs import Verbs
from devcfg.runtime.sync.engine import Engine, SyncError
from devcfg.runtime.sync.modes import Mode
from devcfg.runtime.sync.rule import Rule

POD = Path(__file__).resolve().parents[3] / "runtime" / "pod"
PATIENCE = 60.0
"""Seconds on a loaded machine; nothing waits this long when it works."""


class ThreadAgent:
    """The agent's serving end in a thread of this process: as the real one, but quick to start."""

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(True)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        descriptor = self._far.fileno()
        outbox = Outbox(descriptor)
        verbs = Verbs(outbox)
        hello = {"protocol": 1, "oldest": 1, "pid": 1, "python": "3", "features": {}, "clock_ns": time.time_ns()}
        Serving(descriptor, outbox, verbs.handle).run(hello)
        for rule in list(verbs._roots):
            verbs._leave(rule)
        self._far.close()

    async def read(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._near, 256 * 1024)

    async def write(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._near, data)

    def cut(self) -> None:
        with contextlib.suppress(OSError):
            self._near.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        self.cut()
        await asyncio.to_thread(self._thread.join)
        self._near.close()

    def words(self) -> str:
        return ""


class ProcessAgent(LocalStream):
    """The agent as it is shipped; a cut kills it in the middle of whatever it does."""

    def cut(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class Faulty:
    """A stream that is cut, or lets something else happen, when so many bytes have passed in both directions."""

    def __init__(self, stream) -> None:
        self._stream = stream
        self.left: int | None = None
        self.event = None

    def _pass(self, data: bytes) -> None:
        if self.left is None:
            return
        self.left -= len(data)
        if self.left <= 0:
            self.left = None
            self.event()

    async def read(self) -> bytes:
        data = await self._stream.read()
        self._pass(data)
        return data

    async def write(self, data: bytes) -> None:
        self._pass(data)
        await self._stream.write(data)

    async def close(self) -> None:
        await self._stream.close()

    def cut(self) -> None:
        self._stream.cut()

    def words(self) -> str:
        return self._stream.words()


class Site:
    """One rule between `near` and `far` in a folder; `outside` is where nothing may ever be written."""

    def __init__(self, folder: Path, mode: Mode, *, process: bool = False, seeded: bool = False) -> None:
        self.folder, self.process = folder, process
        self.near, self.far, self.kept = folder / "near", folder / "far", folder / "kept"
        for path in (self.near, self.far, folder / "outside"):
            path.mkdir(exist_ok=True)
        (folder / "outside" / "file").write_text("outside")
        ignores = [Layer("", "", ".gitignore", ["*.log", "/build/"])]
        index = str(folder / "state" / "index")
        kept, load = str(self.kept), lambda: Ignores(ignores)
        self.rule = Rule("r", str(self.near), str(self.far), mode, index, kept, load, seeded=seeded)
        self.told: list = []
        self.runner = asyncio.Runner()
        self.link = self.stream = self.engine = None
        self.begin()

    def run(self, work):
        async def patiently():
            async with asyncio.timeout(PATIENCE):
                return await work

        return self.runner.run(patiently())

    def begin(self) -> None:
        async def start():
            engine = Engine(self.rule, self.told.append)
            await engine.watch()
            return engine

        self.engine = self.run(start())

    async def _connect(self) -> None:
        async def start():
            if not self.process:
                self.stream = Faulty(ThreadAgent())
            else:
                env = {**os.environ, "PYTHONPATH": str(POD)}
                argv = [sys.executable, "-S", "-m", "agent", str(self.folder / "agent")]
                self.stream = Faulty(await ProcessAgent.start(argv, env=env))
            return self.stream

        self.link, _ = await connect(start)
        self.engine.connected(Agent(self.link))

    async def _hints(self, *, lose: bool) -> None:
        """Bring what the far side has told so far to the engine."""
        if self.engine._attached:
            await Agent(self.link).cookie("r", 1)
        with contextlib.suppress(TimeoutError):
            while self.link.events._waiting:
                event = await self.link.events.get()
                if not lose:
                    self.hinted(event)

    def hinted(self, event) -> None:
        """Take what the far side tells, as a session does; when some of it was dropped, everything may have changed."""
        everything = Hints("r", (), rescan=True, reason="events were dropped")
        self.engine.hinted(everything if event["event"] == "overflow" else hints_of(event))

    def sync(self, *, whole: bool, after: int | None = None, event=None, lose: bool = False):
        """Have the engine do what there is to do; return what it left. After so many bytes, something happens."""
        return self.run(self._sync(whole=whole, after=after, event=event, lose=lose))

    async def _sync(self, *, whole, after, event, lose):
        left = None
        try:
            if self.link is None:
                await self._connect()
            self.stream.left, self.stream.event = after, event or self.stream.cut
            await self._hints(lose=lose)
            left = await self.engine.flush() if whole else await self.engine.turn()
        except (LinkError, SyncError):
            pass  # what the link's end leaves undone is done on the next one
        self.stream.left = None
        if self.link._ended.done():
            await self._disconnect()
        return left

    async def _disconnect(self) -> None:
        if self.link is not None:
            self.engine.disconnected("the link was cut")
            await self.link.close()
            self.link = None

    def drop_link(self) -> None:
        self.run(self._disconnect())

    def kill_client(self) -> None:
        """Lose all that is in memory, and clean nothing up."""
        self.drop_link()
        self.engine._watcher.close()
        self.engine._root.close()
        self.engine._index.close()
        self.begin()

    def new_volume(self) -> None:
        self.drop_link()
        shutil.rmtree(self.far)
        self.far.mkdir()

    def end(self) -> None:
        async def leave():
            await self.engine.leave()
            await self._disconnect()
            self.engine.close()

        self.run(leave())
        self.runner.close()


def listing(root: Path) -> dict[str, str]:
    """Return what is in a directory by path: the text of files, the target of links, `/` for directories."""
    found = {}
    for folder, folders, files in os.walk(root):
        base = os.path.relpath(folder, root)
        for name in (*folders, *files):
            full, path = os.path.join(folder, name), os.path.normpath(os.path.join(base, name))
            with contextlib.suppress(FileNotFoundError):  # it went while it was looked at: then it is not there
                found[path] = _text(full)
    return found


def _text(full: str) -> str:
    if os.path.islink(full):
        return f"-> {os.readlink(full)}"
    if os.path.isdir(full):
        return "/"
    if not os.path.isfile(full) and os.path.lexists(full):
        return "special"
    mark = "*" if os.stat(full).st_mode & 0o100 else ""
    return mark + Path(full).read_text(errors="replace")


def scratch() -> str:
    """Return where to make directories: in memory if it can be, since nothing here is about a disk's speed."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()
