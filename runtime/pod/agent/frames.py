"""Frames: what the link carries, its limits, and their bytes. Shared by both ends; knows neither pipes nor verbs.

A frame is u8 type, u8 flags, u16 stream, u32 length, payload; big endian. A stream is the number of a request.
Whoever sends what is not written here has ended the link: there is no way to find the next frame after that.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Iterator, NamedTuple

PROTOCOL = 1
OLDEST = 1
"""The oldest protocol that this side still speaks."""

HELLO, REQUEST, REPLY, DATA, END, CREDIT, PING, PONG, EVENT, GOODBYE = range(1, 11)
NAMES = ("", "HELLO", "REQUEST", "REPLY", "DATA", "END", "CREDIT", "PING", "PONG", "EVENT", "GOODBYE")
BULK = 1
"""REQUEST and REPLY: DATA and an END of this stream follow."""
BODY = 2
"""REQUEST and REPLY: the members did not fit; they follow as DATA, one JSON text, and an END."""
ABORT = 1
"""END: what was sent is not whole; the payload says why."""

DATA_LIMIT = 128 * 1024
JSON_LIMIT = 64 * 1024
BODY_LIMIT = 4 * 1024 * 1024
"""The longest JSON text that may come as DATA."""
WINDOW = 4 * 1024 * 1024
"""The bytes of DATA that may be under way in one direction."""
WAITING = 64
"""The requests that may wait for an answer."""
PING_SECONDS = 5.0
DEAD_PINGS = 2
"""The pings in a row without a byte from the other side after which it counts as dead: 10 seconds."""

HEADER = struct.Struct(">BBHI")
CREDIT_FORM = struct.Struct(">I")
FROM_AGENT = frozenset({HELLO, REPLY, DATA, END, CREDIT, PING, PONG, EVENT, GOODBYE})
FROM_CLIENT = frozenset({HELLO, REQUEST, DATA, END, CREDIT, PING, PONG, GOODBYE})

_encode = json.JSONEncoder(separators=(",", ":")).encode
_STREAMS = frozenset({REQUEST, REPLY, DATA, END})
_FLAGS = {REQUEST: (0, BULK, BODY), REPLY: (0, BULK, BODY), END: (0, ABORT)}
_LENGTHS = {
    HELLO: (2, 4096),
    REQUEST: (2, JSON_LIMIT),
    REPLY: (2, JSON_LIMIT),
    DATA: (1, DATA_LIMIT),
    END: (0, 4096),
    CREDIT: (4, 4),
    PING: (8, 8),
    PONG: (8, 8),
    EVENT: (2, JSON_LIMIT),
    GOODBYE: (2, 4096),
}


class ProtocolError(Exception):
    """The other side sent what no side of this protocol sends."""


class Frame(NamedTuple):
    """One message."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    def encode(self) -> bytes:
        """Return its bytes."""
        return HEADER.pack(self.kind, self.flags, self.stream, len(self.payload)) + self.payload


class Decoder:
    """Bytes in, frames out; holds no more than one frame and what was fed."""

    def __init__(self, accepts: frozenset[int]) -> None:
        self._accepts = accepts
        self._buffer = bytearray()
        self._broken = ""

    @property
    def waiting(self) -> int:
        """Return how many bytes of an unfinished frame it holds."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield each frame that is complete with these bytes; raise ProtocolError where one is malformed, for ever."""
        buffer, at = self._buffer, 0
        buffer += data
        try:
            while len(buffer) - at >= HEADER.size:
                kind, flags, stream, length = HEADER.unpack_from(buffer, at)
                self._broken = self._broken or self._breach(kind, flags, stream, length)
                if self._broken:
                    raise ProtocolError(self._broken)
                end = at + HEADER.size + length
                if end > len(buffer):
                    break
                payload = bytes(memoryview(buffer)[at + HEADER.size : end])
                at = end
                yield Frame(kind, flags, stream, payload)
        finally:
            del buffer[:at]

    def _breach(self, kind: int, flags: int, stream: int, length: int) -> str:
        if kind not in self._accepts:
            return f"wanted a frame of this side, found type {kind}"
        name = NAMES[kind]
        if flags not in _FLAGS.get(kind, (0,)):
            return f"{name} has no flags {flags}"
        if (kind in _STREAMS) != (stream != 0):
            return f"{name} cannot be on stream {stream}"
        least, most = _LENGTHS[kind]
        if not least <= length <= most:
            return f"{name} holds {least} to {most} bytes, found {length}"
        return ""


class Credit:
    """What may be sent and what may come, in bytes of DATA; not safe for threads by itself."""

    def __init__(self) -> None:
        self.sendable = WINDOW
        self._receivable = WINDOW
        self._consumed = 0

    def spend(self, count: int) -> None:
        """Count DATA that is sent; the sender waited until it is `sendable`."""
        self.sendable -= count

    def receive(self, count: int) -> None:
        """Count DATA that came."""
        self._receivable -= count
        if self._receivable < 0:
            raise ProtocolError(f"more DATA than the window of {WINDOW} bytes")

    def consume(self, count: int) -> int:
        """Count DATA that nobody holds any longer; return the credit to send now, often 0."""
        self._consumed += count
        if self._consumed < WINDOW // 4:
            return 0
        given, self._consumed = self._consumed, 0
        self._receivable += given
        return given

    def grant(self, payload: bytes) -> None:
        """Take the payload of a CREDIT frame."""
        (count,) = CREDIT_FORM.unpack(payload)
        if not 0 < count <= WINDOW - self.sendable:
            raise ProtocolError(f"credit for {count} bytes, where {WINDOW - self.sendable} are owed")
        self.sendable += count


def compose(members: dict[str, Any]) -> bytes:
    """Return members as JSON: ASCII only, so that a name of any bytes survives as a surrogate."""
    return _encode(members).encode("ascii")


def parse(payload: bytes) -> dict[str, Any]:
    """Return the members of a JSON object."""
    found = parse_any(payload)
    if not isinstance(found, dict):
        raise ProtocolError(f"wanted a JSON object, found {_shown(payload)}")
    return found


def parse_any(payload: bytes) -> Any:
    """Return what a JSON text says."""
    try:
        return json.loads(payload.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:
        raise ProtocolError(f"wanted JSON, found {_shown(payload)}") from exc


def _refuse(name: str) -> None:
    raise ValueError(name)


def _shown(payload: bytes) -> str:
    return ascii(payload[:80].decode("latin-1"))


def choose(hello: dict[str, Any]) -> int:
    """Return the newest protocol that both sides speak; 0 where there is none."""
    newest, oldest = hello.get("protocol"), hello.get("oldest")
    if not (type(newest) is int and type(oldest) is int and 0 < oldest <= newest):
        raise ProtocolError("a hello without protocol numbers")
    chosen = min(newest, PROTOCOL)
    return chosen if chosen >= max(oldest, OLDEST) else 0
