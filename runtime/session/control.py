"""The way from other commands into a running session: JSON lines over a Unix socket. Never decides what a verb does.

A request is one line, `{"verb": …, …}`; the answer is any number of lines and a last one, `{"end": EXIT_CODE}`.
The socket is the user's own (a directory with mode 0700): whoever can open it may already do all that it can do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from hashlib import sha256
from typing import Any

from devcfg.schemas.errors import DevcfgError, UsageError

Answer = AsyncIterator[dict[str, Any]]
Handler = Callable[[dict[str, Any]], Answer]
"""Answers one request line by line; the last line is `{"end": EXIT_CODE}`. Raises `DevcfgError` in words."""
BASE = 80
"""Bytes of a directory that still leaves room for a socket in it: the kernel takes 107 in all."""
LONGEST = 1024 * 1024
"""Bytes of one line."""


class NoSessionError(DevcfgError):
    """No session of this project runs on this machine."""


def socket_path(project: str) -> str:
    """Return where a project's session listens: short enough for a socket, in a directory that is the user's own."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    usable = os.path.isabs(base) and len(os.fsencode(base)) <= BASE
    folder = os.path.join(base, "devcfg") if usable else f"/tmp/devcfg-{os.getuid()}"  # noqa: S108
    return os.path.join(folder, sha256(os.fsencode(os.path.realpath(project))).hexdigest()[:16])


def _private_folder(path: str) -> None:
    folder = os.path.dirname(path)
    with contextlib.suppress(FileExistsError):
        os.makedirs(folder, mode=0o700)
    state = os.lstat(folder)
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o077:
        raise DevcfgError(f"`{folder}` is not a directory of yours alone", hint="remove it, or set XDG_RUNTIME_DIR")


class Control:
    """The session's end: listens, and answers each request in a task of its own."""

    def __init__(self, project: str, handler: Handler) -> None:
        self._path = socket_path(project)
        self._handler = handler
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen. Raises `DevcfgError` where another session of the project does already."""
        _private_folder(self._path)
        if _connects(self._path):
            hint = "`devcfg status` shows it; Ctrl-C where it runs, or `devcfg down`, ends it: then name all services"
            raise DevcfgError("a session of this project runs already", hint=hint)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LONGEST)

    async def close(self) -> None:
        """Stop listening; requests under way are cut."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            if line:
                await self._answer(line, writer)
        except (OSError, ValueError):
            pass  # whoever asked has gone, or sent no line
        finally:
            writer.close()

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            async for one in self._handler(_request(line)):
                await _send(writer, one)
        except DevcfgError as error:
            usage = isinstance(error, UsageError)
            await _send(writer, {"error": error.message, "hint": error.hint, "usage": usage})


def _request(line: bytes) -> dict[str, Any]:
    found = json.loads(line)
    if not isinstance(found, dict) or not isinstance(found.get("verb"), str):
        raise DevcfgError("a request is `{verb: …}`")
    return found


async def _send(writer: asyncio.StreamWriter, line: dict[str, Any]) -> None:
    writer.write(json.dumps(line).encode() + b"\n")
    await writer.drain()


def _connects(path: str) -> bool:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        return probe.connect_ex(path) == 0


def has_session(project: str) -> bool:
    """Tell whether a session of the project listens on this machine."""
    return _connects(socket_path(project))


def ask(project: str, verb: str, **members: Any) -> Iterator[dict[str, Any]]:
    """Send one request to the project's session and yield the lines of its answer, the last one included.

    Raises `NoSessionError` where no session runs, and `DevcfgError` with the session's words where it refuses.
    """
    path = socket_path(project)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
        try:
            connection.connect(path)
        except OSError:
            hint = "start one: `devcfg up`, or without a cluster `devcfg up --local`"
            raise NoSessionError("no session of this project runs on this machine", hint=hint) from None
        connection.sendall(json.dumps({"verb": verb, **members}).encode() + b"\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                found = json.loads(line)
                if "error" in found:
                    kind = UsageError if found.get("usage") else DevcfgError
                    raise kind(found["error"], hint=found.get("hint", ""))
                yield found
                if "end" in found:
                    return
    raise DevcfgError("the session ended before it answered", hint="`devcfg up` again")
