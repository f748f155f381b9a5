"""The one session that a debugger grants in its life, held from one editor to the next. Never listens.

The gem `debug` of Ruby 3.1 answers no second `initialize`, and its `setBreakpoints` takes none away: so the session is
kept, and what an editor has set is cleared as Ruby itself would.
"""

from __future__ import annotations

import asyncio
import contextlib

from devcfg.runtime.debug.dap import MalformedError, items, members, number
from devcfg.runtime.debug.upstream import Upstream

CLEAR = "::DEBUGGER__::SESSION.delete_bp; nil"
"""Ruby that takes all breakpoints away."""
PATIENCE = 5.0
"""Seconds that the program may take to stand still for that."""


class Kept:
    """A connection between two editors: it is listened to, and nothing stands for long."""

    def __init__(self) -> None:
        self._up: Upstream | None = None
        self._idle: asyncio.Task[None] | None = None

    @property
    def held(self) -> bool:
        """Tell whether there is such a session."""
        return self._up is not None

    async def take(self) -> Upstream | None:
        """Return the connection for an editor that has come; None where a new one is to be made."""
        await self._rest()
        up = self._up
        return None if up is None or up.ended else up

    async def give(self, up: Upstream) -> None:
        """Take the connection back from an editor that has gone."""
        if up.ended:
            self._up = None
            return
        self._up = up
        await _clear(up)
        self._idle = asyncio.ensure_future(self._hold(up))

    async def close(self) -> None:
        """End the connection."""
        await self._rest()
        if self._up is not None:
            self._up.close()
            self._up = None

    async def _rest(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            await asyncio.gather(self._idle, return_exceptions=True)
            self._idle = None

    async def _hold(self, up: Upstream) -> None:
        """Hear what it says, and have it go on where it stands all the same."""
        with contextlib.suppress(OSError, MalformedError):
            while (found := await up.read()) is not None:
                message = found[0]
                if message["type"] == "event" and message["event"] == "stopped" and up.standing is not None:
                    up.ask("continue", {"threadId": up.standing})
                    await up.drain()
                elif message["type"] == "request":
                    up.reply(message, refused="there is no editor")
        up.close()


async def _clear(up: Upstream) -> None:
    """Take all breakpoints away, and have the program go on.

    A `continue` is sent to a program that is seen to stand, and once: another would have it pass the next breakpoint.
    """
    if not up.started:
        return
    with contextlib.suppress(OSError, TimeoutError, MalformedError):
        async with asyncio.timeout(PATIENCE):
            if not up.configured:
                await up.answer("configurationDone", None)
        frame = await _frame(up) if up.standing is not None else None
        if frame is None:
            up.standing = None
            up.ask("pause", {"threadId": 1})
            frame = await _frame(up)
        async with asyncio.timeout(PATIENCE):
            await up.answer("evaluate", {"expression": CLEAR, "frameId": frame, "context": "repl"})
            await up.answer("continue", {"threadId": up.standing or 1})
    up.awaiting.clear()
    up.pausing = False


async def _frame(up: Upstream) -> int | None:
    """Return a frame of a program that stands, which it does once it answers; None where it does not come to stand."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await up.until(lambda: up.standing is not None)
            found = members(await up.answer("stackTrace", {"threadId": up.standing}))
            return number(members((items(found.get("stackFrames")) or [None])[0]).get("id"))
    return None
