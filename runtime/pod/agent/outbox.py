"""The outbox: what the agent sends, in order, by a thread of its own; so the reader never waits for the client."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import Any, Iterable

from .frames import (
    ABORT,
    BODY,
    BODY_LIMIT,
    BULK,
    CREDIT,
    CREDIT_FORM,
    DATA,
    END,
    EVENT,
    GOODBYE,
    HELLO,
    JSON_LIMIT,
    PONG,
    REPLY,
    Credit,
    Frame,
    compose,
)
from .listing import gather

HELD = 512 * 1024
"""The bytes that wait here before a sender has to."""
PONGS = 8
"""The pings answered at once; of a flood the older ones stay unanswered."""


WORDS = 600
"""The characters of a message: as JSON at most six bytes each, it fits into the frame."""


class EndedError(Exception):
    """The link has ended: whoever still works for it gives up."""


class Outbox:
    """Frames to a descriptor under the client's credit; for any thread."""

    def __init__(self, sink: int) -> None:
        self._sink = sink
        self._ready = threading.Condition()
        self._frames: deque[bytes] = deque()
        self._size = 0
        self._greeting = b""  # goes before all else: pings may have come with the client's own
        self._pongs: deque[bytes] = deque(maxlen=PONGS)
        self._owed = 0
        self._credit = Credit()
        self._ended = False

    # ---- for the reader: these never wait

    def pong(self, payload: bytes) -> None:
        """Answer a ping, before all that waits."""
        with self._ready:
            self._pongs.append(payload)
            self._ready.notify_all()

    def receive(self, count: int) -> None:
        """Count DATA that came."""
        with self._ready:
            self._credit.receive(count)

    def consume(self, count: int) -> None:
        """Count DATA that is out of memory again, which gives the client credit."""
        with self._ready:
            self._owed += self._credit.consume(count)
            self._ready.notify_all()

    def grant(self, payload: bytes) -> None:
        """Take credit from the client."""
        with self._ready:
            self._credit.grant(payload)
            self._ready.notify_all()

    def close(self) -> None:
        """Send no more; wake everybody who waits."""
        with self._ready:
            self._ended = True
            self._ready.notify_all()

    # ---- for the others: these wait for the client

    def hello(self, members: dict[str, Any]) -> None:
        """Greet."""
        with self._ready:
            self._greeting = Frame(HELLO, 0, 0, compose(members)).encode()
            self._ready.notify_all()

    def goodbye(self, code: str, message: str) -> None:
        """Say why the link ends, as the last frame."""
        with self._ready:
            if not self._ended:
                self._frames.append(Frame(GOODBYE, 0, 0, compose({"code": code, "message": message[:WORDS]})).encode())
                self._ended = True
                self._ready.notify_all()

    def event(self, members: dict[str, Any]) -> None:
        """Tell the client what it did not ask for."""
        self._put(Frame(EVENT, 0, 0, compose(members)))

    def reply(self, stream: int, members: dict[str, Any]) -> None:
        """Answer a request with members alone."""
        payload = compose(members)
        if len(payload) <= JSON_LIMIT:
            self._put(Frame(REPLY, 0, stream, payload))
        elif len(payload) <= BODY_LIMIT:
            self._put(Frame(REPLY, BODY, stream, b"{}"))
            self.bulk(stream, (payload,))
        else:
            raise ValueError(f"a reply of {len(payload)} bytes")

    def reply_bulk(self, stream: int, members: dict[str, Any], pieces: Iterable[bytes]) -> None:
        """Answer a request with members and bytes."""
        self._put(Frame(REPLY, BULK, stream, compose(members)))
        self.bulk(stream, pieces)

    def bulk(self, stream: int, pieces: Iterable[bytes]) -> None:
        """Send bytes and their end; when their source fails, the caller has to `abort`."""
        for piece in gather(pieces):
            self._put_data(Frame(DATA, 0, stream, piece))
        self._put(Frame(END, 0, stream, b""))

    def abort(self, stream: int, message: str) -> None:
        """End the bytes of a reply before they are whole."""
        self._put(Frame(END, ABORT, stream, compose({"message": message[:WORDS]})))

    def _put(self, frame: Frame) -> None:
        with self._ready:
            self._ready.wait_for(lambda: self._ended or self._size < HELD)
            self._append(frame)

    def _put_data(self, frame: Frame) -> None:
        count = len(frame.payload)
        with self._ready:
            self._ready.wait_for(lambda: self._ended or (self._size < HELD and self._credit.sendable >= count))
            self._append(frame)
            self._credit.spend(count)

    def _append(self, frame: Frame) -> None:
        if self._ended:
            raise EndedError
        encoded = frame.encode()
        self._frames.append(encoded)
        self._size += len(encoded)
        self._ready.notify_all()

    # ---- the thread

    def run(self) -> None:
        """Write until the end, then what still waits."""
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._greeting or self._pongs or self._owed or self._frames or self._ended)
                out = b"".join(self._take())
                self._ready.notify_all()
            if not out:
                return
            view = memoryview(out)
            try:
                while view:
                    view = view[os.write(self._sink, view) :]
            except OSError:
                self.close()  # nobody reads; the reader hears of it from its own end
                return

    def _take(self) -> Iterable[bytes]:
        yield self._greeting
        self._greeting = b""
        while self._pongs:
            yield Frame(PONG, 0, 0, self._pongs.popleft()).encode()
        if self._owed:
            yield Frame(CREDIT, 0, 0, CREDIT_FORM.pack(self._owed)).encode()
            self._owed = 0
        yield from self._frames
        self._frames.clear()
        self._size = 0
