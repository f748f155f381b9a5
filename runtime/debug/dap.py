"""Messages of the debug adapter protocol on a stream of bytes: read and checked, made, written. Never knows their use.

What a pod sends is not trusted: a message is of bounded size and of the protocol's shape, or it is refused.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, NoReturn

from devcfg.schemas.errors import DevcfgError

Message = dict[str, Any]
HEAD = b"content-"
"""How each message begins, in any case."""
LIMIT = 64 * 1024 * 1024
"""Bytes of one message."""
VALUES = 1_000_000
"""Values in one message: each takes far more memory than its bytes do."""
LINES = 16
"""Lines of a message's header."""


class MalformedError(DevcfgError):
    """What came is no message of the protocol, or one beyond all measure."""


class Frames:
    """The messages that come over one connection.

    A `read` that is cancelled has taken nothing: the next one goes on where it stopped.
    """

    def __init__(self, reader: asyncio.StreamReader, head: bytes = b"") -> None:
        """Take the stream, and what was read of its first line already."""
        self._reader = reader
        self._head = head
        self._length: int | None = None
        self._lines = 0
        self._body = False

    async def read(self) -> Message | None:
        """Return the next message; None where the connection has ended. Raises `MalformedError`, `OSError`."""
        try:
            while not self._body:
                line = self._head + await self._reader.readuntil(b"\n")
                self._head = b""
                self._take(line)
            data = await self._reader.readexactly(self._length or 0)
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError as error:
            raise MalformedError("it sends a line of a header that has no end") from error
        self._body, self._length, self._lines = False, None, 0
        return _parse(data)

    def _take(self, line: bytes) -> None:
        """Take a line of a header."""
        text = line.strip()
        if not text and self._lines == 0:
            return
        self._lines += 1
        if not text:
            if self._length is None:
                raise MalformedError("it sends a message of no length")
            self._body = True
            return
        name, colon, value = text.partition(b":")
        if not colon or self._lines > LINES:
            raise MalformedError(f"it sends a header that is none: {text[:40]!r}")
        if name.strip().lower() == b"content-length":
            digits = value.strip()
            if not digits.isdigit() or len(digits) > 12 or not 0 < int(digits) <= LIMIT:
                message = f"it sends a message of {digits[:20].decode('ascii', 'replace')} bytes; {LIMIT} are the limit"
                raise MalformedError(message)
            self._length = int(digits)


def _parse(data: bytes) -> Message:
    # Each value but the first follows one of these, so they bound what is built; in texts they only count too much.
    if data.count(b",") + data.count(b"[") + data.count(b"{") > VALUES:
        raise MalformedError(f"it sends a message of more than {VALUES} values")
    try:
        message = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise MalformedError("it sends a message that is no JSON") from error
    if not isinstance(message, dict) or not _shaped(message):
        raise MalformedError("it sends JSON that is no message of a debug adapter")
    return message


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _shaped(message: Message) -> bool:
    match message.get("type"):
        case "request":
            return isinstance(message.get("command"), str) and _number(message.get("seq"))
        case "response":
            return _number(message.get("request_seq"))
        case "event":
            return isinstance(message.get("event"), str)
    return False


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def encode(message: Message) -> bytes:
    """Return a message as it is sent. Raises `MalformedError` where JSON has no form for it."""
    try:
        data = json.dumps(message, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as error:
        raise MalformedError("it sends a number that JSON does not know") from error
    return b"Content-Length: %d\r\n\r\n%s" % (len(data), data)


def members(value: Any) -> dict[str, Any]:
    """Return a value that should be an object; an empty one where it is none."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """Return a value that should be a list; an empty one where it is none."""
    return value if isinstance(value, list) else []


def number(value: Any) -> int | None:
    """Return a value that should be a number; None where it is none."""
    return value if _number(value) else None


def event(name: str, **body: Any) -> Message:
    """Make an event."""
    return {"type": "event", "event": name, "body": body}


def response(request: Message, body: dict[str, Any] | None = None, *, refused: str = "") -> Message:
    """Make the answer to a request, or its refusal in words."""
    made: Message = {
        "type": "response",
        "request_seq": request["seq"],
        "command": request["command"],
        "success": not refused,
    }
    if refused:
        error = {"id": 1, "format": refused.replace("{", "(").replace("}", ")"), "showUser": True}
        return {**made, "message": refused, "body": {"error": error}}
    return made if body is None else {**made, "body": body}
