"""The agent's end of the link: a reader that always drains, one worker, an outbox. Knows no verb.

The reader never waits for the client or for the worker: a peer that is not read from stops reading, and behind an
exec stream it would stop answering pings as well. All that can pile up is bounded: the window of DATA, the number of
requests, the outbox.
"""

from __future__ import annotations

import os
import queue
import select
import sys
import threading
import time
import traceback
from typing import Any, Callable, Iterable, Iterator

from . import frames
from .entries import words
from .frames import FROM_CLIENT, WAITING, Decoder, Frame, ProtocolError
from .outbox import EndedError, Outbox

SILENCE = 30.0
"""Seconds without a byte from the client after which the agent ends."""
LOOK = 0.25
LAST_WORDS = 0.5
"""Seconds that worker and outbox have to finish after the link has ended."""
READ = 256 * 1024


class RequestError(Exception):
    """A request that cannot be done; `code` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class AbortedError(Exception):
    """The client gave up in the middle of its DATA."""


class SupersededError(Exception):
    """A newer session has taken over."""


class Inbox:
    """The DATA of one request: the reader puts, the worker takes."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._over = False
        self.aborted = False

    def put(self, piece: bytes | None) -> None:
        """Take a piece, or None for the end."""
        with self._lock:
            if not self._closed:
                self._pieces.put(piece)
                return
        if piece:
            self._outbox.consume(len(piece))

    def __iter__(self) -> Iterator[bytes]:
        while not self._over:
            piece = self._pieces.get()
            if piece is None:
                self._over = True
                break
            self._outbox.consume(len(piece))
            yield piece
        if self.aborted:
            raise AbortedError

    def close(self) -> None:
        """Drop what is left and what still comes."""
        with self._lock:
            self._closed = True
        while not self._pieces.empty():
            piece = self._pieces.get()
            if piece:
                self._outbox.consume(len(piece))


class Call:
    """One request: what was asked, and the ways to answer; answered once, from any thread."""

    def __init__(self, stream: int, members: dict[str, Any], outbox: Outbox, settled: Callable[[int], None]) -> None:
        self.members = members
        self.bulk: Iterable[bytes] = ()
        self._stream = stream
        self._outbox = outbox
        self._settled = settled
        self.begun = False

    def answer(self, members: dict[str, Any]) -> None:
        """Answer with members."""
        self._begin()
        self._outbox.reply(self._stream, members)

    def answer_bulk(self, members: dict[str, Any], pieces: Iterable[bytes]) -> None:
        """Answer with members and bytes."""
        self._begin()
        self._outbox.reply_bulk(self._stream, members, pieces)

    def fail(self, code: str, message: str) -> None:
        """Answer that it cannot be done; in the middle of bytes, that they are not whole."""
        if self.begun:
            self._outbox.abort(self._stream, message)
        else:
            self._begin()
            self._outbox.reply(self._stream, {"error": code, "message": message[:1000]})

    def _begin(self) -> None:
        self.begun = True
        self._settled(self._stream)  # before the client can see it, and use the number again


Handle = Callable[[Call], None]
"""Does one request in the worker; it may answer later, from elsewhere."""


class Serving:
    """One session with one client."""

    def __init__(
        self, source: int, outbox: Outbox, handle: Handle, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._outbox = outbox
        self._handle = handle
        self._clock = clock
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._unanswered: dict[int, Call] = {}
        self._inboxes: dict[int, Inbox] = {}
        self._greeted = False
        self._fault: ProtocolError | None = None

    def run(self, hello: dict[str, Any]) -> int:
        """Serve until the link ends; return the exit code, 0 for an orderly end."""
        threads = [threading.Thread(target=one, daemon=True) for one in (self._outbox.run, self._work)]
        for thread in threads:
            thread.start()
        code = 1
        try:
            self._outbox.hello(hello)
            code = self._read()
        except ProtocolError as exc:
            say(f"the client broke the protocol: {exc}")
            self._outbox.goodbye("protocol", str(exc))
        except SupersededError:
            self._outbox.goodbye("superseded", "a newer session has taken over")
        except EndedError:
            say("the client does not read")
        self._outbox.close()
        self._calls.put(None)
        for inbox in self._inboxes.values():
            inbox.aborted = True
            inbox.put(None)
        for thread in threads:
            thread.join(LAST_WORDS)
        return code

    # ---- the reader

    def _read(self) -> int:
        decoder, heard = Decoder(FROM_CLIENT), self._clock()
        while True:
            if self._fault is not None:
                raise self._fault
            ready, _, _ = select.select([self._source], [], [], LOOK)
            if not ready:
                if self._clock() - heard > SILENCE:
                    say(f"no byte from the client for {SILENCE:.0f} s")
                    return 1
                continue
            data = os.read(self._source, READ)
            if not data:
                return 0
            heard = self._clock()
            for frame in decoder.feed(data):
                if not self._take(frame):
                    return 0

    def _take(self, frame: Frame) -> bool:
        kind = frame.kind
        if not self._greeted and kind != frames.HELLO:
            raise ProtocolError(f"wanted HELLO first, found {frames.NAMES[kind]}")
        if kind == frames.DATA:
            self._outbox.receive(len(frame.payload))
            self._receiving(frame).put(frame.payload)
        elif kind == frames.PING:
            self._outbox.pong(frame.payload)
        elif kind == frames.CREDIT:
            self._outbox.grant(frame.payload)
        elif kind == frames.REQUEST:
            self._request(frame)
        elif kind == frames.END:
            inbox = self._receiving(frame)
            inbox.aborted = bool(frame.flags)
            inbox.put(None)
            del self._inboxes[frame.stream]
        elif kind == frames.HELLO:
            self._greet(frame.payload)
        return kind != frames.GOODBYE

    def _greet(self, payload: bytes) -> None:
        if self._greeted:
            raise ProtocolError("a second HELLO")
        self._greeted = True
        if not frames.choose(frames.parse(payload)):
            raise ProtocolError(f"no protocol in common: here {frames.OLDEST} to {frames.PROTOCOL}")

    def _receiving(self, frame: Frame) -> Inbox:
        if frame.stream not in self._inboxes:
            raise ProtocolError(f"{frames.NAMES[frame.kind]} on stream {frame.stream}, which awaits none")
        return self._inboxes[frame.stream]

    def _request(self, frame: Frame) -> None:
        members, stream = frames.parse(frame.payload), frame.stream
        if not isinstance(members.get("verb"), str):
            raise ProtocolError("a request without a verb")
        call = Call(stream, members, self._outbox, self._settled)
        with self._lock:
            if stream in self._unanswered or stream in self._inboxes:
                raise ProtocolError(f"a second request on stream {stream}")
            if len(self._unanswered) >= WAITING or len(self._inboxes) >= WAITING:
                raise ProtocolError(f"more than {WAITING} requests at once")
            self._unanswered[stream] = call
        if frame.flags:
            inbox = self._inboxes[stream] = Inbox(self._outbox)
            call.bulk = _Body(inbox) if frame.flags == frames.BODY else inbox
        self._calls.put(call)

    def _settled(self, stream: int) -> None:
        with self._lock:
            self._unanswered.pop(stream, None)

    # ---- the worker

    def _work(self) -> None:
        while True:
            call = self._calls.get()
            if call is None:
                return
            try:
                self._do(call)
            except EndedError:
                return

    def _do(self, call: Call) -> None:
        inbox = call.bulk
        try:
            if isinstance(inbox, _Body):
                call.members.update(inbox.members())
            self._handle(call)
        except RequestError as exc:
            call.fail(exc.code, str(exc))
        except OSError as exc:
            call.fail("system", words(exc))
        except AbortedError:
            call.fail("aborted", "the client gave up")
        except ProtocolError as exc:
            self._fault = exc
        except EndedError:
            raise
        except Exception as exc:  # the last line of defence of this process: one bad request must not end the session
            say(f"a bug: {' '.join(traceback.format_exc().split())}")
            call.fail("bug", f"{type(exc).__name__}: {exc}")
        finally:
            if isinstance(inbox, (Inbox, _Body)):
                inbox.close()


class _Body:
    """An inbox that holds the members of a request that were too long for a frame."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self.close = inbox.close

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def members(self) -> dict[str, Any]:
        """Return the members when all have come."""
        pieces: list[bytes] = []
        size = 0
        for piece in self._inbox:
            pieces.append(piece)
            size += len(piece)
            if size > frames.BODY_LIMIT:
                raise ProtocolError(f"more than {frames.BODY_LIMIT} bytes of JSON")
        return frames.parse(b"".join(pieces))


def say(line: str) -> None:
    """Write one line to the log."""
    sys.stderr.write(f"[devcfg-agent] {line}\n")
    sys.stderr.flush()
