"""A command in a container, over the exec subresource. It reads only as fast as it is read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from devcfg.runtime.cluster.channels import Channels
from devcfg.runtime.cluster.errors import ClusterError, UnreachableError
from devcfg.runtime.cluster.refusals import Refusal

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, STATUS, RESIZE = range(5)
CLOSE = 255
KEPT = 4096
"""Bytes of standard error that are kept."""
LINES = 5


class Execution:
    """One command, as the port's `Exec`."""

    def __init__(self, channels: Channels, heard: Callable[[bytes], None] | None = None) -> None:
        self._channels = channels
        self._heard = heard
        self._errors = b""
        self._status: Any = None
        self._ended = asyncio.Event()
        self._closed = False

    async def read(self) -> bytes:
        """Return what the command has printed; nothing at its end."""
        while not self._ended.is_set():
            try:
                received = await self._channels.receive()
            except OSError:
                self._ended.set()
                raise
            if received is None:
                self._ended.set()
                if not self._closed and self._status is None:
                    raise ConnectionResetError("the server or the node closed it")
                break
            match received:
                case (1, data) if data:
                    return data
                case (2, data):
                    self._errors = (self._errors + data)[-KEPT:]
                    if self._heard is not None and data:
                        self._heard(data)
                case (3, data) if data:
                    # The server sends the status last, but may keep the connection.
                    self._status = json.loads(data)
                    self._ended.set()
                    await self._channels.close()
        return b""

    async def write(self, data: bytes) -> None:
        """Send to its standard input."""
        await self._channels.send(STDIN, data)

    async def finish(self) -> None:
        """Close its standard input, which version 4 of the protocol cannot."""
        if self._channels.protocol == PROTOCOLS[0]:
            await self._channels.signal(CLOSE, bytes((STDIN,)))

    async def resize(self, columns: int, rows: int) -> None:
        """Tell its terminal how large it is."""
        await self._channels.signal(RESIZE, json.dumps({"Width": columns, "Height": rows}).encode())

    async def wait(self) -> int:
        """Return the exit code, once `read` has come to the end."""
        await self._ended.wait()
        if self._status is None:
            raise UnreachableError("the connection ended before the command did")
        return exit_code(self._status)

    async def close(self) -> None:
        """Let go of it."""
        self._closed = True
        await self._channels.close()
        self._ended.set()

    def words(self) -> str:
        """Return the last lines of its standard error, or why it never started."""
        lines = self._errors.decode("utf-8", "replace").splitlines()
        # A traceback's marks are aligned with a line above them: they say nothing in a sentence.
        said = "; ".join(line.strip() for line in lines[-LINES:] if line.strip(" ^~"))
        if said or self._status is None:
            return said
        try:
            exit_code(self._status)
        except ClusterError as error:
            return error.message
        return ""


def exit_code(status: Any) -> int:
    """Read the exit code out of the status that ends a command. Raise ClusterError where it never started."""
    if status.get("status") == "Success":
        return 0
    refusal = Refusal.of(status)
    causes = (refusal.details or {}).get("causes") or ()
    for cause in causes:
        if cause.get("reason") == "ExitCode" and str(cause.get("message")).isdecimal():
            return int(cause["message"])
    raise ClusterError(f"the command could not be started: {refusal.message}")
