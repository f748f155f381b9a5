"""What has come and waits for a reader, in bounded memory: the bytes of answers, and events. Knows no stream."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Self

from devcfg.runtime.link.errors import LinkError, RequestError
from devcfg.runtime.pod.agent import frames
from devcfg.runtime.pod.agent.frames import ProtocolError

EVENTS = 1000
EVENT_BYTES = 1024 * 1024
"""How much may wait; beyond it the events are dropped, and one `overflow` says so."""


class Bulk:
    """The bytes of one answer, read once; at most the window of them are held."""

    def __init__(self, consume: Callable[[int], None]) -> None:
        self._consume = consume
        self._pieces: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._over: LinkError | None = None
        self._whole = False
        self._closed = False
        self._collected: Callable[[bytes], None] | None = None
        self._size = 0

    @classmethod
    def empty(cls) -> Self:
        """Return the bytes of an answer that has none."""
        made = cls(lambda _: None)
        made._whole = True
        return made

    def collect(self, done: Callable[[bytes], None]) -> Self:
        """Hand over everything at once when it has come; for JSON, and as long as that may be."""
        self._collected = done
        return self

    def put(self, piece: bytes) -> None:
        """Take a piece."""
        if self._closed:
            self._consume(len(piece))
            return
        self._pieces.append(piece)
        if self._collected is not None:
            self._size += len(piece)
            self._consume(len(piece))
            if self._size > frames.BODY_LIMIT:
                raise ProtocolError(f"more than {frames.BODY_LIMIT} bytes of JSON")
        self._wake.set()

    def finish(self, *, aborted: bool, payload: bytes) -> None:
        """Take the end; an abort says why the bytes are not whole."""
        if aborted:
            message = frames.parse(payload).get("message")
            self._over = RequestError("aborted", str(message))
        self._whole = True
        self._wake.set()
        if self._collected is not None:
            if aborted:
                raise ProtocolError("JSON that is not whole")
            self._collected(b"".join(self._pieces))

    def end(self, why: LinkError) -> None:
        """Take the end of the link."""
        self._over = self._over or why
        self._whole = True
        self._wake.set()

    def close(self) -> None:
        """Read no further: what is held and what still comes is dropped."""
        self._closed = True
        while self._pieces:
            self._consume(len(self._pieces.popleft()))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while True:
                while self._pieces:
                    piece = self._pieces.popleft()
                    self._consume(len(piece))
                    yield piece
                if self._whole:
                    break
                self._wake.clear()
                await self._wake.wait()
            if self._over is not None:
                raise self._over
        finally:
            self.close()


class Events:
    """What the agent says unasked, in order."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[dict[str, Any], int]] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._over: LinkError | None = None

    def put(self, event: dict[str, Any], size: int) -> None:
        """Take an event; when nobody reads, all that wait become one `overflow`."""
        self._waiting.append((event, size))
        self._bytes += size
        if len(self._waiting) > EVENTS or self._bytes > EVENT_BYTES:
            self._waiting.clear()
            self._waiting.append(({"event": "overflow"}, 0))
            self._bytes = 0
        self._wake.set()

    def end(self, why: LinkError) -> None:
        """Take the end of the link."""
        self._over = why
        self._wake.set()

    async def get(self) -> dict[str, Any]:
        """Return the next event; raise why the link ended when there are no more."""
        while not self._waiting:
            if self._over is not None:
                raise self._over
            self._wake.clear()
            await self._wake.wait()
        event, size = self._waiting.popleft()
        self._bytes -= size
        return event
