"""Frees a program that dlv keeps at a breakpoint when nobody is attached any more. Never ends one.

dlv keeps breakpoints for clients to come: without this, a laptop that goes to sleep leaves a pod that answers nobody.
"""

from __future__ import annotations

import asyncio
from typing import Any

from devcfg.runtime.debug.greetings import Pair, StrangerError, call_delve

PATIENCE = 10.0
"""Seconds that it may take."""
SENT = 0.2
"""Seconds for dlv to read the last word, whose answer comes only when the program stops again."""


async def rescue(pair: Pair) -> bool:
    """Clear all breakpoints and have the program go on; return whether dlv took it. The connection is done with."""
    try:
        async with asyncio.timeout(PATIENCE):
            if (await _call(pair, "State", {"NonBlocking": True}))["State"]["exited"]:
                return True
            await _call(pair, "Command", {"name": "halt"})
            for one in (await _call(pair, "ListBreakpoints", {}))["Breakpoints"]:
                if one["id"] > 0:  # the others are dlv's own, for panics
                    await _call(pair, "ClearBreakpoint", {"Id": one["id"]})
            going = asyncio.ensure_future(_call(pair, "Command", {"name": "continue"}))
            await asyncio.wait((going,), timeout=SENT)
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)
            return True
    except (OSError, TimeoutError, StrangerError, asyncio.IncompleteReadError, LookupError, TypeError, ValueError):
        return False
    finally:
        pair[1].close()


async def _call(pair: Pair, method: str, argument: Any) -> Any:
    return await call_delve(*pair, method, argument)
