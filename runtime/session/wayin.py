"""The port by which editors get to the debugger of one service, and what is put right when they go. Never prints."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from devcfg.runtime.debug.adapters.adapter import Asking, Speaks
from devcfg.runtime.debug.choice import Debugger
from devcfg.runtime.debug.greetings import LIMIT, Pair
from devcfg.runtime.debug.probe import Ready
from devcfg.runtime.debug.rescue import rescue
from devcfg.runtime.debug.running import running as takes
from devcfg.runtime.debug.sticky import Sticky
from devcfg.runtime.ide.ports import COUNT, FIRST
from devcfg.runtime.session.forward import Forward, Ports
from devcfg.runtime.session.site import Site
from devcfg.runtime.session.steered import Steered
from devcfg.schemas.errors import DevcfgError

TRIES = 50
"""How many local ports are tried, the service's own first."""
LOOK = 0.5
"""Seconds between two looks whether the process still runs."""
Gone = Callable[[], None]


class WayIn:
    """One local port at a time."""

    def __init__(self, stable: int, site: Site, say: Callable[[str], None]) -> None:
        """Take the service's own local port, and where its process is. `say` hears what happens to editors."""
        self._stable = stable
        self._site = site
        self._say = say
        self._forward: Forward | Sticky | None = None
        self.ports: Ports | None = None
        """Which port leads to which; also that of a debugger which dials its editor."""
        self._placed: asyncio.Task[None] | None = None
        self._frees = False  # whether editors let go of the debugger before it is ended

    async def open(self, found: Debugger, steered: Steered, visited: Callable[[], Gone]) -> int:
        """Return the local port that leads to the debugger: the service's own, or the next that is free.

        `visited` is called when a client came to a debugger that ends with it; what it returns when that has gone.
        """
        if self._forward is not None and self.ports is not None and self.ports.remote == found.port:
            return self.ports.local
        await self.close()
        for further in range(TRIES):
            ports = Ports(FIRST + (self._stable - FIRST + further) % COUNT, found.port)
            forward = self._listener(found, ports, steered, visited)
            with contextlib.suppress(DevcfgError):
                local = await forward.listen()
                self._forward, self.ports = forward, ports
                self._frees = found.asking is Asking.DELVE
                return local
        message = f"none of {TRIES} local ports from {self._stable} on is free"
        raise DevcfgError(message, hint="end what listens there")

    def _listener(
        self, found: Debugger, ports: Ports, steered: Steered, visited: Callable[[], Gone]
    ) -> Forward | Sticky:
        """Return what is to listen: what keeps editors attached through reloads, where that can be."""
        dial, coming = self._site.dial, steered.coming
        left, ready = None, None
        if found.asking is Asking.DELVE:
            left = self._left
            ready = self._takes if "--continue" in " ".join(found.command) else None
        match found.adapter.speaks:
            case Speaks.DAP:
                return Sticky(ports, dial, coming, left=left, ready=ready, said=self._say)
            case Speaks.DAP_ONCE:
                return Sticky(ports, dial, coming, left=left, ready=ready, said=self._say, keeps=True)
            case Speaks.OTHER:
                ends = visited if found.adapter.ends_with_client else None
                return Forward(ports, dial, coming, left, whole=True, visited=ends)

    @property
    def taken(self) -> bool:
        """Whether a client is connected to a debugger that takes one."""
        return isinstance(self._forward, Forward) and self._forward.taken

    @contextlib.asynccontextmanager
    async def released(self) -> AsyncIterator[None]:
        """Have dlv be attached to by nobody meanwhile: it does not end otherwise. Editors stay, and are back after."""
        forward = self._forward if self._frees and isinstance(self._forward, Sticky) else None
        if forward is not None:
            await forward.release()
        try:
            yield
        finally:
            if forward is not None:
                forward.resume()

    async def _takes(self) -> bool:
        """Tell whether dlv takes an editor already."""
        return self.ports is not None and await takes(await self._site.dial(self.ports.remote))

    async def _left(self) -> None:
        """Free what dlv may have left standing: the last editor has gone."""
        if self.ports is not None:
            with contextlib.suppress(OSError):
                await rescue(await self._site.dial(self.ports.remote))

    def keep(self, ready: Ready, coming: Callable[[], bool]) -> None:
        """Keep the place of whoever asked, while the process runs."""
        self._let_go()
        if ready.place is not None:
            self._placed = asyncio.create_task(_hold(ready.place, coming))

    def _let_go(self) -> None:
        if self._placed is not None:
            self._placed.cancel()
        self._placed = None

    async def close(self) -> None:
        """Take the port away."""
        self._let_go()
        if self._forward is not None:
            await self._forward.close()
        self._forward = self.ports = None


async def _hold(pair: Pair, coming: Callable[[], bool]) -> None:
    """Keep a connection open until it or the process ends. A debugger that outlives its process waits for its end."""
    reader, writer = pair
    try:
        while coming():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    if not await reader.read(LIMIT):
                        return
    except OSError:
        pass  # it has ended
    finally:
        writer.close()
