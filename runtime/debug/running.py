"""Tells whether a dlv that has just begun takes an editor already. Never changes anything.

`--continue` has dlv connect to itself and let the program go, a moment after it listens. An editor that attaches in
this moment is answered, and then its `setBreakpoints` never is, or its `configurationDone` is refused.
"""

from __future__ import annotations

import asyncio
from typing import Any

from devcfg.runtime.debug.greetings import Pair, StrangerError, call_delve

PATIENCE = 5.0
"""Seconds after which a program that stands is held to be meant to."""
PAUSE = 0.02


async def running(pair: Pair, patience: float = PATIENCE) -> bool:
    """Wait until the program runs, or stands where somebody wants it to; return False where dlv says nothing.

    The connection is done with.
    """
    until = asyncio.get_running_loop().time() + patience
    try:
        async with asyncio.timeout(2 * patience):
            while not _free(await call_delve(*pair, "State", {"NonBlocking": True})):
                if asyncio.get_running_loop().time() > until:
                    return True
                await asyncio.sleep(PAUSE)
            return True
    except (OSError, TimeoutError, StrangerError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return False
    except (LookupError, TypeError, ValueError):
        return False
    finally:
        pair[1].close()


def _free(answer: Any) -> bool:
    state = answer["State"]
    thread = state.get("currentThread") or {}
    return bool(state.get("Running") or state.get("exited") or thread.get("breakPoint"))
