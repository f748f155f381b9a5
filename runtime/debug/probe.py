"""Asks a debugger until it answers, and says in a sentence why it does not. Never starts or ends a process."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass

from devcfg.runtime.debug.adapters.adapter import Asking
from devcfg.runtime.debug.choice import Debugger
from devcfg.runtime.debug.greetings import Pair, SilentError, StrangerError, greet
from devcfg.schemas.errors import DevcfgError

PATIENCE = 120.0
"""Seconds that a debugger may take: dlv compiles before it listens."""
STRANGE = 3.0
"""Seconds that something else may answer on its port, before that is held to be what listens there."""
RUNS = 1.0
"""Seconds that a process runs which is not one that ends at once."""
LAST_WORDS = 0.5
"""Seconds that the log may be behind a process that has ended."""
AGAIN, AGAIN_DAP = 0.1, 0.5
"""Seconds after which the process of a debugger that has answered is looked at once more.

A debug adapter is a process of its own: it answers before the program that it was started for has begun.
"""
ANSWER = 5.0
"""Seconds that one question may take."""
LOOK = 0.2
"""Seconds between two looks at the process meanwhile."""
TELL = 5.0
"""Seconds between two words about what is waited for."""
PAUSE, PAUSE_LAST = 0.03, 0.5
"""Seconds between two questions, growing: in a cluster one is no cheap one."""
LAST_LINES = 8
"""How many lines of the process an error quotes."""
_TAKEN = re.compile(r"address already in use|EADDRINUSE|Errno 98\b|port is already|ADDRESS_IN_USE", re.IGNORECASE)
_NOT_FOUND = 127


class NotReadyError(DevcfgError):
    """No debugger answers, and why; `last` are the process's last words."""

    def __init__(self, message: str, *, hint: str = "", last: Iterable[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.last = tuple(line for line in last if line.strip())[-LAST_LINES:]


class MissingError(NotReadyError):
    """The debugger is not there, as the process has said."""


@dataclass(frozen=True, slots=True)
class Process:
    """How the dev process is, as far as a probe asks."""

    alive: bool
    """Whether it runs or is on its way."""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """What a probe looks at."""

    dial: Callable[[int], Awaitable[Pair]]
    """Raises `OSError` while nothing listens."""
    process: Callable[[], Process]
    lines: Callable[[], Iterable[str]]
    """What the process has printed since it was started, the last of it at least."""
    taken: Callable[[], bool] = lambda: False
    """Whether an editor is connected to it: one that takes a single client answers nobody else then."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The debugger answers."""

    what: str
    ms: float
    place: Pair | None = None
    """A connection that is to stay open while the process runs; None where none needs to.

    debugpy's adapter listens before its program has come to it, and ends with a client that leaves before that.
    """


async def probe(debugger: Debugger, watched: Watched, *, patience: float = PATIENCE) -> AsyncIterator[str | Ready]:
    """Yield words about what is waited for, and at last that the debugger is ready. Raises `NotReadyError`."""
    began, told, pause = time.monotonic(), time.monotonic(), PAUSE
    strange_since: float | None = None
    dead_since: float | None = None
    said = ""
    while True:
        if watched.taken():
            yield Ready(f"{debugger.adapter.debugger}, which has its client", (time.monotonic() - began) * 1000)
            return
        try:
            if (found := await _ask(debugger, watched, began + patience)) is not None:
                yield Ready(found[0], (time.monotonic() - began) * 1000, found[1])
                return
            strange_since = None
        except StrangerError as error:
            strange_since, said = strange_since or time.monotonic(), str(error)
        now = time.monotonic()
        dead_since = None if watched.process().alive else dead_since or now
        _despair(debugger, watched, ended=dead_since is not None and now - dead_since > LAST_WORDS)
        if strange_since is not None and now - strange_since > STRANGE:
            raise _stranger(debugger, said)
        if now - began > patience:
            raise _slow(debugger, watched, now - began)
        if now - told > TELL:
            told = now
            yield f"waiting for {debugger.adapter.debugger} on port {debugger.port} ({now - began:.0f} s)"
        await asyncio.sleep(pause)
        pause = min(pause * 1.3, PAUSE_LAST)


async def _ask(debugger: Debugger, watched: Watched, until: float) -> tuple[str, Pair | None] | None:
    """Return what answers, and the connection that has to stay; None where nothing answers yet."""
    if debugger.asking is Asking.NOTHING:
        announced = _announced(debugger, watched.lines())
        return (f"{debugger.adapter.debugger}, as it says itself", None) if announced == debugger.port else None
    if debugger.asking is Asking.PROCESS:
        await asyncio.sleep(RUNS)
        what = f"{debugger.adapter.debugger}, as far as is to be seen"
        return (what, None) if watched.process().alive else None
    pair: Pair | None = None
    stays = False
    is_dap = debugger.asking is Asking.DAP
    try:
        async with asyncio.timeout(ANSWER):
            pair = await watched.dial(debugger.port)
        # An adapter is not left because it is slow: it would end, or answer nobody more.
        what = await _greeted(debugger, watched, pair, until if is_dap else time.monotonic() + ANSWER)
        # Looked at again, since a process that ends may answer once more.
        await asyncio.sleep(AGAIN_DAP if is_dap else AGAIN)
        if watched.process().alive:
            stays = is_dap
            return what, pair if stays else None
    except (OSError, TimeoutError, SilentError):
        pass
    finally:
        if pair is not None and not stays:
            pair[1].close()
    return None


async def _greeted(debugger: Debugger, watched: Watched, pair: Pair, until: float) -> str:
    """Greet for as long as the process lives. Raises `TimeoutError` afterwards."""
    greeting = asyncio.ensure_future(greet(debugger.asking, pair))
    try:
        while not greeting.done():
            await asyncio.wait((greeting,), timeout=LOOK)
            if not greeting.done() and (time.monotonic() > until or not watched.process().alive):
                raise TimeoutError
        return greeting.result()
    finally:
        greeting.cancel()
        await asyncio.gather(greeting, return_exceptions=True)


def _announced(debugger: Debugger, lines: Iterable[str]) -> int | None:
    """Return the port that the debugger said it listens on, in its last words about that."""
    if debugger.adapter.announces is None:
        return None
    found = [one for line in lines if (one := debugger.adapter.announces.search(line))]
    return int(found[-1][1]) if found else None


def _despair(debugger: Debugger, watched: Watched, *, ended: bool) -> None:
    """Raise `NotReadyError` where no debugger is to be waited for any more."""
    adapter, lines = debugger.adapter, list(watched.lines())
    announced = _announced(debugger, lines)
    if announced not in (None, debugger.port):
        message = f"{adapter.debugger} listens on port {announced}, and {debugger.port} was asked"
        raise NotReadyError(message, hint=f"set `debug.port: {announced}`, or have the command say {debugger.port}")
    if not ended:
        return
    text, code = "\n".join(lines), watched.process().exit_code
    if (said := adapter.missing.search(text)) or code == _NOT_FOUND:
        kind = MissingError if said else NotReadyError
        raise kind(f"there is no {adapter.debugger}", hint=f"it needs {adapter.needs}", last=lines)
    if _TAKEN.search(text):
        message = f"a port that the process listens on is taken; {adapter.debugger} was to have {debugger.port}"
        raise NotReadyError(message, hint="set another `debug.port`, or end what listens there", last=lines)
    with_code = "" if code is None else f" with code {code}"
    silent = "" if any(line.strip() for line in lines) else "; it printed nothing"
    raise NotReadyError(f"the process ended{with_code} before {adapter.debugger} answered{silent}", last=lines)


def _stranger(debugger: Debugger, said: str) -> NotReadyError:
    message = f"what listens on port {debugger.port} is not {debugger.adapter.debugger}: {said}"
    return NotReadyError(message, hint="set `debug.port` to the port that the debugger listens on")


def _slow(debugger: Debugger, watched: Watched, waited: float) -> NotReadyError:
    answer = f"{debugger.adapter.debugger} did not answer on port {debugger.port} within {waited:.0f} s"
    hint = "it may listen on another port (`debug.port`), on another address than loopback, or take longer: try again"
    return NotReadyError(f"{answer}, though the process runs", hint=hint, last=watched.lines())
