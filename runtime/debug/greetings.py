"""What each protocol is asked to learn whether its debugger answers: over one connection, without leaving a trace.

Never attaches, sets or changes anything, so that the one client that some of them take is still to come. Never closes
the connection where it has an answer: whoever asked knows whether that may end.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from devcfg.runtime.debug.adapters.adapter import HOST, Asking
from devcfg.runtime.debug.dap import encode

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
LIMIT = 1024 * 1024
"""Bytes of one message that a debugger may answer with."""


class StrangerError(Exception):
    """Something answers that is not the debugger. The message says what, in words."""


class SilentError(Exception):
    """The connection ended before anything was said, as it does where nothing listens behind a forward."""


async def greet(asking: Asking, pair: Pair) -> str:
    """Ask, and return what answers, in words. Raises `SilentError`, `StrangerError`, `OSError`."""
    reader, writer = pair
    try:
        match asking:
            case Asking.DAP:
                return await _dap(reader, writer)
            case Asking.DELVE:
                return await _delve(reader, writer)
            case Asking.INSPECTOR:
                return await _inspector(reader, writer)
            case Asking.JDWP:
                return await _jdwp(reader, writer)
            case Asking.NOTHING | Asking.PROCESS:
                return ""
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise _stranger(error.partial) from error
        raise SilentError from error
    except (asyncio.LimitOverrunError, ValueError, TypeError, AttributeError) as error:
        raise StrangerError("it answers with what no debugger says") from error


def _stranger(found: bytes) -> StrangerError:
    return StrangerError(f"it answers with {found[:40]!r}")


async def _dap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    arguments = {"adapterID": "devcfg", "clientID": "devcfg", "linesStartAt1": True, "pathFormat": "path"}
    writer.write(encode({"seq": 1, "type": "request", "command": "initialize", "arguments": arguments}))
    await _answered(reader, 1)
    return "DAP"


async def _answered(reader: asyncio.StreamReader, seq: int) -> None:
    while True:
        length = None
        while (line := await reader.readuntil(b"\n")).strip():
            name, colon, value = line.partition(b":")
            if not colon or b"HTTP/" in line:
                raise _stranger(line)
            if name.strip().lower() == b"content-length":
                length = int(value)
        if length is None or not 0 < length <= LIMIT:
            raise StrangerError("it answers with messages of no length")
        message = json.loads(await reader.readexactly(length))
        if message.get("type") == "response" and message.get("request_seq") == seq:
            return


async def _delve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    found = await call_delve(reader, writer, "GetVersion", {})
    return f"dlv {found['DelveVersion'].splitlines()[0].removeprefix('Version: ')}"


async def call_delve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, method: str, argument: Any) -> Any:
    """Call one method of dlv over JSON-RPC, and return its result. Raises `StrangerError` where it says no."""
    request = {"method": f"RPCServer.{method}", "params": [argument], "id": 1}
    writer.write(json.dumps(request).encode() + b"\n")
    line = await reader.readuntil(b"\n")
    if not line.startswith(b"{"):
        raise _stranger(line)
    answer = json.loads(line)
    if answer.get("error") is not None:
        raise StrangerError(f"it answers `{answer['error']}`")
    return answer["result"]


async def _inspector(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    # The inspector answers only to an address, or to `localhost`.
    writer.write(b"GET /json/version HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % HOST.encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.") or b" 200 " not in head.partition(b"\r\n")[0]:
        raise _stranger(head)
    length = next(
        (int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")),
        None,
    )
    if length is None or not 0 < length <= LIMIT:
        raise StrangerError("it is an HTTP server, but not Node's inspector")
    try:
        return str(json.loads(await reader.readexactly(length))["Browser"])
    except (ValueError, LookupError, TypeError) as error:
        raise StrangerError("it is an HTTP server, but not Node's inspector") from error


_HANDSHAKE = b"JDWP-Handshake"


async def _jdwp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    writer.write(_HANDSHAKE)
    found = await reader.readexactly(len(_HANDSHAKE))
    if found != _HANDSHAKE:
        raise _stranger(found)
    return "JDWP"
