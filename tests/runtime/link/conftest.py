"""Agents to link to: the real serving end with a few verbs of its own, streams that fail, and scripted peers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from devcfg.runtime.link.errors import LinkError
from devcfg.runtime.link.stream import LocalStream
from devcfg.runtime.pod.agent import frames
from devcfg.runtime.pod.agent.frames import Decoder, Frame

POD = Path(__file__).resolve().parents[3] / "runtime" / "pod"
SECONDS = 60.0  # patience on a loaded machine; nothing waits this long when it works
SERVING = """
import os, sys, time
from agent.outbox import Outbox
from agent.serve import RequestError, Serving

outbox = Outbox(1)

def handle(call):
    verb, members = call.members["verb"], call.members
    if verb == "echo":
        call.answer({"said": members.get("say")})
    elif verb == "sink":
        call.answer({"bytes": sum(map(len, call.bulk))})
    elif verb == "source":
        call.answer_bulk({}, (b"s" * members["size"] for _ in range(members["pieces"])))
    elif verb == "turn":
        call.answer_bulk({}, [bytes(reversed(piece)) for piece in list(call.bulk)])
    elif verb == "nap":
        time.sleep(members["seconds"]); call.answer({})
    elif verb == "refuse":
        raise RequestError("no-way", "it cannot \\x1b[2J be done")
    elif verb == "half":
        def pieces():
            yield b"x" * 200000
            raise OSError("the file went away")
        call.answer_bulk({}, pieces())
    elif verb == "events":
        for n in range(members["count"]):
            outbox.event({"event": "log", "n": n})
        call.answer({})
    elif verb == "bug":
        {}["missing"]

code = Serving(0, outbox, handle).run(
    {"protocol": 1, "oldest": 1, "pid": os.getpid(), "python": "3", "features": {}, "clock_ns": time.time_ns()})
sys.stderr.flush()
os._exit(code)
"""


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine with patience."""

    async def patiently():
        async with asyncio.timeout(SECONDS):
            return await work

    return asyncio.run(patiently())


def serving() -> Callable[[], Awaitable[LocalStream]]:
    """Return what opens a stream to a fresh process with the serving end and the verbs above."""

    async def start() -> LocalStream:
        env = {**os.environ, "PYTHONPATH": str(POD)}
        return await LocalStream.start([sys.executable, "-S", "-c", SERVING], env=env)

    return start


class Faulty:
    """A stream that does to its bytes what a network does; `cut` counts the bytes of both directions."""

    def __init__(self, stream, *, cut: int | None = None, piece: int | None = None) -> None:
        self._stream = stream
        self._left = cut
        self._piece = piece
        self._held = b""
        self.pid = stream.pid

    def _pass(self, data: bytes) -> bytes:
        if self._left is None:
            return data
        passed = data[: self._left]
        self._left -= len(passed)
        if not self._left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)  # a cut is one for both ends
        return passed

    async def read(self) -> bytes:
        if self._left == 0:
            return b""
        if not self._held:
            self._held = await self._stream.read()
        size = self._piece or len(self._held)
        data, self._held = self._held[:size], self._held[size:]
        return self._pass(data)

    async def write(self, data: bytes) -> None:
        passed = self._pass(data)
        if passed:
            await self._stream.write(passed)
        if len(passed) < len(data):
            raise ConnectionResetError("cut")

    async def close(self) -> None:
        await self._stream.close()

    def words(self) -> str:
        return self._stream.words()


class Scripted:
    """A stream whose other end is the test: it says bytes, and hears frames."""

    def __init__(self) -> None:
        self._say: asyncio.Queue[bytes] = asyncio.Queue()
        self._heard: asyncio.Queue[Frame] = asyncio.Queue()
        self._decoder = Decoder(frames.FROM_CLIENT)
        self.closed = False

    def say(self, *sent: Frame | bytes) -> None:
        self._say.put_nowait(b"".join(one if isinstance(one, bytes) else one.encode() for one in sent))

    def hello(self, **members: Any) -> None:
        said = {"protocol": 1, "oldest": 1, "pid": 1, "python": "3", "features": {}, "clock_ns": 1, **members}
        self.say(Frame(frames.HELLO, 0, 0, frames.compose(said)))

    async def hear(self, kind: int) -> Frame:
        """Return the next frame of a kind that the client sends."""
        while True:
            frame = await self._heard.get()
            if frame.kind == kind:
                return frame

    async def read(self) -> bytes:
        return await self._say.get()

    async def write(self, data: bytes) -> None:
        for frame in self._decoder.feed(data):
            self._heard.put_nowait(frame)

    async def close(self) -> None:
        self.closed = True
        self._say.put_nowait(b"")

    def words(self) -> str:
        return ""


class Ticks:
    """A clock that the test moves: whoever sleeps wakes when `tick` was called often enough."""

    def __init__(self) -> None:
        self._now = 0.0
        self._changed = asyncio.Event()
        self.sleeping: list[float] = []

    async def sleep(self, seconds: float) -> None:
        until = self._now + seconds
        self.sleeping.append(seconds)
        try:
            while self._now < until:
                await self._changed.wait()
        finally:
            self.sleeping.remove(seconds)

    async def tick(self, seconds: float) -> None:
        """Let time pass, and everybody who wakes by it go on."""
        self._now += seconds
        self._changed.set()
        self._changed = asyncio.Event()
        for _ in range(20):
            await asyncio.sleep(0)


async def read(bulk) -> bytes:
    """Read the bytes of an answer."""
    return b"".join([piece async for piece in bulk])


async def fails(work: Coroutine[Any, Any, Any], kind: type[LinkError]) -> LinkError:
    """Return the error that a coroutine has to end with."""
    with pytest.raises(kind) as caught:
        await work
    return caught.value


@pytest.fixture
def link_tools():
    """What the tests of the link share, because a test folder here is no package."""
    return sys.modules[__name__]
