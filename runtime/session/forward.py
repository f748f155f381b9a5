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
        *,
        whole: bool = False,
        visited: Callable[[], Callable[[], None]] | None = None,
    ) -> None:
        """Take what it is to do. `left` is awaited whenever the last client has gone; the next one waits for it.

        `whole` tells that a client which sends no more has gone, as one of a debugger has: the process is told at once.
        `visited` is called when a client has reached the process, and what it returns when that client has gone.
        """
        self._visited = visited
        self._left = left
        self._whole = whole
        self._parting = asyncio.Lock()
        self._joined = 0
        self._ports = ports
        self._dial = dial
        self._coming = coming
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], asyncio.StreamReader] = {}

    async def listen(self) -> int:
        """Bind and return the local port. Raises `DevcfgError` where it is taken."""
        self._server = await bind(self._accept, self._ports)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def taken(self) -> bool:
        """Whether a client has reached the process."""
        return self._joined > 0

    async def close(self) -> None:
        """Stop listening, and end what is open."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._open[task] = reader
        task.add_done_callback(self._open.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._parted(reader)
            far = await reach(self._ports.remote, self._dial, self._coming)
            if far is None:
                return
            gone = self._visited() if self._visited is not None else None
            self._joined += 1
            try:
                await (join_whole if self._whole else join)((reader, writer), far)
            finally:
                self._joined -= 1
            if gone is not None:
                gone()
        finally:
            writer.close()
        if self._left is not None and not self._joined:
            async with self._parting:
                await self._left()

    async def _parted(self, reader: asyncio.StreamReader) -> None:
        """Wait until what clients left that have gone is put right."""
        if self._left is None:
            return
        if gone := [task for task, other in self._open.items() if other is not reader and other.at_eof()]:
            await asyncio.wait(gone)
        async with self._parting:
            pass


async def bind(accept: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None], ports: Ports) -> asyncio.Server:
    """Listen on the local port. Raises `DevcfgError` where it is taken."""
    try:
        return await asyncio.start_server(accept, "127.0.0.1", ports.local)
    except OSError as error:
        message = f"port {ports.local} on this machine is taken"
        hint = f"write `:{ports.remote}` for a free one, or end what listens there"
        raise DevcfgError(message, hint=hint) from error


async def reach(remote: int, dial: Dial, coming: Callable[[], bool]) -> Pair | None:
    """Connect as soon as somebody listens; return None where no process is on its way."""
    until, pause = asyncio.get_running_loop().time() + HOLD, PAUSE
    while True:
        try:
            return await dial(remote)
        except OSError:
            if not coming() or asyncio.get_running_loop().time() > until:
                return None
        await asyncio.sleep(pause)
        pause = min(pause * 1.2, PAUSE_LAST)


async def join(near: Pair, far: Pair) -> None:
    """Carry bytes both ways until both have ended; what one side ends, the other is told."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(near[0], far[1]))
            group.create_task(_pump(far[0], near[1]))
    except* OSError:
        pass
    finally:
        far[1].close()


async def join_whole(near: Pair, far: Pair) -> None:
    """Carry bytes both ways until one has ended: the process learns at once that its client has gone.

    Through a cluster it would not otherwise: the end of one direction cannot be said there.
    """
    pumps = [asyncio.ensure_future(_pump(near[0], far[1])), asyncio.ensure_future(_pump(far[0], near[1]))]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        far[1].close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK):
        writer.write(chunk)
        await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()
