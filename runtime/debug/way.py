"""The way of one visit to the debuggers of a dev process, one after the other. Never knows what is said on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from devcfg.runtime.debug.greetings import Pair
from devcfg.runtime.debug.upstream import Upstream

GRACE = 2.0
"""Seconds without a process, after which none is on its way: between two there may be none for a moment."""
PAUSE, PAUSE_LAST = 0.02, 0.25
"""Seconds between two tries: a try in a cluster is no cheap one."""


class Way:
    """What leads to debuggers, and whether there are any to come."""

    def __init__(
        self,
        dial: Callable[[], Awaitable[Pair]],
        coming: Callable[[], bool],
        gate: asyncio.Event,
        ready: Callable[[], Awaitable[bool]] | None,
    ) -> None:
        """Take what connects, which raises `OSError` while nothing listens, and what tells whether a process comes.

        `gate` is set while debuggers may be connected to; `ready` tells whether one that listens takes an editor
        already, and raises `OSError`.
        """
        self._dial = dial
        self._coming = coming
        self._gate = gate
        self._ready = ready
        self._absent: float | None = None

    async def reach(self, *, first: bool) -> Upstream | None:
        """Connect to a debugger as soon as one is there; return None where none is on its way any more.

        For the `first` one it is tried also where no process is seen.
        """
        loop, pause = asyncio.get_running_loop(), PAUSE
        while True:
            await self._gate.wait()
            coming = self._coming()
            if coming:
                self._absent = None
            elif self._absent is None:
                self._absent = loop.time()
            elif loop.time() - self._absent > GRACE:
                return None
            # Without a process a debugger may answer for a moment, but there is nothing behind it.
            if coming or first:
                with contextlib.suppress(OSError):
                    if self._ready is None or await self._ready():
                        return Upstream(await self._dial())
            await asyncio.sleep(pause)
            pause = min(pause * 1.2, PAUSE_LAST)
