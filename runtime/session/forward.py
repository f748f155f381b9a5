"""A local port that reaches a port of the dev process, and holds new connections while that process restarts.

Bound to 127.0.0.1 and nothing else. Never tells a client "refused" while a process is on its way.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from devcfg.schemas.errors import DevcfgError

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[int], Awaitable[Pair]]
"""Opens a connection to a port of the dev process. Raises `OSError` while nothing listens there."""
HOLD = 30.0
"""Seconds that a connection waits for the process at most."""
PAUSE, PAUSE_LAST = 0.02, 0.25
"""Seconds between two tries: at first less than any program takes to start; a try in a cluster is no cheap one."""
CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Ports:
    """One entry of `ports`: the local port (0 for a free one) and the one that the process listens on."""

    local: int
    remote: int


def parse_ports(entry: str) -> Ports:
    """Read `local:remote`, `remote`, or `:remote`, which the config has checked."""
    local, colon, remote = entry.rpartition(":")
    return Ports(int(local) if local else 0 if colon else int(remote), int(remote))


class Forward:
    """One listening port. `coming` tells whether a process that does not listen yet is on its way."""

    def __init__(
        self,
        ports: Ports,
        dial: Dial,
        coming: Callable[[], bool],
        left: Callable[[], Awaitable[None]] | None = None,
        visited: Callable[[], Callable[[], None]] | None = None,
    ) -> None:
        """Take what it is to do. `left` is awaited whenever the last client has gone; the next one waits for it.

        `visited` is called when a client has reached the process, and what it returns when that client has gone.
        """
        self._visited = visited
        self._left = left
        self._parting = asyncio.Lock()
        self._ports = ports
        self._dial = dial
        self._coming = coming
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def listen(self) -> int:
        """Bind and return the local port. Raises `DevcfgError` where it is taken."""
        try:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._ports.local)
        except OSError as error:
            message = f"port {self._ports.local} on this machine is taken"
            hint = f"write `:{self._ports.remote}` for a free one, or end what listens there"
            raise DevcfgError(message, hint=hint) from error
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def taken(self) -> bool:
        """Whether a client is connected."""
        return bool(self._open)

    async def close(self) -> None:
        """Stop listening, and end what is open."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with self._parting:
                pass  # what the last client left is put right first
            far = await self._reach()
            if far is not None:
                await _join((reader, writer), far, self._visited() if self._visited is not None else _unheard)
        finally:
            writer.close()
        if self._left is not None and len(self._open) == 1:
            async with self._parting:
                await self._left()

    async def _reach(self) -> Pair | None:
        until, pause = asyncio.get_running_loop().time() + HOLD, PAUSE
        while True:
            try:
                return await self._dial(self._ports.remote)
            except OSError:
                if not self._coming() or asyncio.get_running_loop().time() > until:
                    return None
            await asyncio.sleep(pause)
            pause = min(pause * 1.2, PAUSE_LAST)


async def _join(near: Pair, far: Pair, gone: Callable[[], None]) -> None:
    """Carry bytes both ways until both have ended; what one side ends, the other is told, and `gone` of near's end."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(near[0], far[1], gone))
            group.create_task(_pump(far[0], near[1], _unheard))
    except* OSError:
        pass
    finally:
        far[1].close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, over: Callable[[], None]) -> None:
    """Carry bytes one way; `over` hears that there is nothing more to read, before the writer does."""
    while chunk := await _read(reader, over):
        writer.write(chunk)
        await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()


async def _read(reader: asyncio.StreamReader, over: Callable[[], None]) -> bytes:
    try:
        chunk = await reader.read(CHUNK)
    except OSError:
        over()
        raise
    if not chunk:
        over()
    return chunk


def _unheard() -> None:
    """Do nothing about an end that nobody asks for."""
