"""What the client sends, in order, by one task and under the agent's credit. Knows frames, never their meaning."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from devcfg.runtime.link.errors import LinkError
from devcfg.runtime.link.stream import Stream
from devcfg.runtime.pod.agent import frames
from devcfg.runtime.pod.agent.frames import Credit, Frame

HELD = 512 * 1024
"""The bytes that wait here before a sender has to."""
PONGS = 8


class Outbox:
    """Frames to a stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.credit = Credit()
        self._frames: deque[bytes] = deque()
        self._size = 0
        self._pongs: deque[bytes] = deque(maxlen=PONGS)
        self._owed = 0
        self._end: LinkError | None = None
        self._changed = asyncio.Event()
        self._writing = False

    # ---- at once

    def control(self, frame: Frame) -> None:
        """Send a small frame without waiting for room."""
        encoded = frame.encode()
        self._frames.append(encoded)
        self._size += len(encoded)
        self._notify()

    def pong(self, payload: bytes) -> None:
        """Answer a ping; of a flood the older ones stay unanswered."""
        self._pongs.append(payload)
        self._notify()

    def consume(self, count: int) -> None:
        """Count DATA that is out of memory again, which gives the agent credit."""
        self._owed += self.credit.consume(count)
        if self._owed:
            self._notify()

    def grant(self, payload: bytes) -> None:
        """Take credit from the agent."""
        self.credit.grant(payload)
        self._notify()

    def end(self, why: LinkError) -> None:
        """Take nothing more; whoever waits for room is told why."""
        self._end = why
        self._notify()

    # ---- when there is room

    async def put(self, frame: Frame) -> None:
        """Send a frame."""
        await self._until(lambda: self._size < HELD)
        self.control(frame)

    async def put_data(self, frame: Frame) -> None:
        """Send DATA when the agent has room for it."""
        count = len(frame.payload)
        await self._until(lambda: self._size < HELD and self.credit.sendable >= count)
        self.credit.spend(count)
        self.control(frame)

    async def flush(self) -> None:
        """Return when all has been written."""
        while self._frames or self._writing:
            await self._changed.wait()

    # ---- the task

    async def run(self) -> None:
        """Write whatever comes, for ever."""
        while True:
            while not (out := self._take()):
                await self._changed.wait()
            self._writing = True
            self._notify()
            await self._stream.write(out)
            self._writing = False
            self._notify()

    def _take(self) -> bytes:
        out = [Frame(frames.PONG, 0, 0, one).encode() for one in self._pongs]
        self._pongs.clear()
        if self._owed:
            out.append(Frame(frames.CREDIT, 0, 0, frames.CREDIT_FORM.pack(self._owed)).encode())
            self._owed = 0
        out.extend(self._frames)
        self._frames.clear()
        self._size = 0
        return b"".join(out)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until(self, ready: Callable[[], bool]) -> None:
        while True:
            if self._end is not None:
                raise self._end
            if ready():
                return
            await self._changed.wait()
