"""The debugger of one service in a session: its command, its forward, whether it answers. Never prints."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from devcfg.runtime.debug.adapters.adapter import Asking
from devcfg.runtime.debug.adapters.words import Words
from devcfg.runtime.debug.choice import Debugger, UndebuggableError, Whose, choose
from devcfg.runtime.debug.greetings import LIMIT, Pair
from devcfg.runtime.debug.probe import NotReadyError, Ready, Watched, probe
from devcfg.runtime.debug.probe import Process as Seen
from devcfg.runtime.debug.rescue import rescue
from devcfg.runtime.debug.sight import traces_of
from devcfg.runtime.ide import forms
from devcfg.runtime.ide.entries import attach_to
from devcfg.runtime.ide.ports import COUNT, FIRST, local_port
from devcfg.runtime.link.agent import Mode, State
from devcfg.runtime.session.forward import Forward, Ports
from devcfg.runtime.session.process import COMING, Process
from devcfg.runtime.session.site import Site
from devcfg.schemas.config import Service
from devcfg.schemas.errors import DevcfgError, UsageError

LINES = 200
"""How many of the process's last lines are looked at."""
TRIES = 50
"""How many local ports are tried, the service's own first."""
APART = 10000
"""Where services share a machine's ports, a debugger listens this far below the port that reaches it."""
SETTLES = 0.3
"""Seconds after which debugpy has seen that a client has gone: it answers nobody more once another came before that."""
LOOK = 0.5
"""Seconds between two looks whether the process still runs."""
_BEGINS = re.compile(r"\[devcfg\] (run|debug): generation \d+:")


class Steered(Protocol):
    """The running service, as far as debugging steers it."""

    process: Process

    async def start(self, mode: Mode) -> State:
        """Make sure that a mode runs."""

    async def restart(self) -> State:
        """Start anew in the mode that ran."""

    def coming(self) -> bool:
        """Tell whether its process runs or is on its way."""


class Debugging:
    """What `devcfg debug` needs of one service."""

    def __init__(self, project: str, name: str, spec: Service, site: Site) -> None:
        self._project = project
        self._name = name
        self._spec = spec
        self._site = site
        self._lines: deque[str] = deque(maxlen=LINES)
        self._forward: Forward | None = None
        self._ports: Ports | None = None
        self._placed: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()

    # ---- which one

    def choose(self) -> Debugger:
        """Return what the service is debugged with. Raises `UndebuggableError`."""
        traces = traces_of(self._project, self._spec)
        # In a pod each debugger has the ports for itself; on this machine two of one language would want the same.
        port = self._stable - APART if self._site.shared else None
        return choose(self._name, self._spec, traces, port=port)

    @property
    def command(self) -> Words | None:
        """Return the words of `debug`: the config's, or what can be made of `command.run`; None where neither is."""
        if self._spec.command.debug is not None:
            return self._spec.command.debug
        try:
            return self.choose().command
        except UndebuggableError:
            return None

    @property
    def _stable(self) -> int:
        return local_port(os.path.basename(self._project), self._name)

    # ---- what it says

    def hear(self, line: str) -> None:
        """Take a line of the process or its supervisor."""
        if _BEGINS.match(line):
            self._lines.clear()
        else:
            self._lines.append(line)

    # ---- its way in

    async def begin(self, running: Steered, project: str) -> AsyncIterator[str | dict[str, Any]]:
        """Yield words, and at last what is attached to, in the documented form. `project` is as the user spells it.

        Where no debugger answers, `command.run` runs again. Raises `UndebuggableError`, `NotReadyError`.
        """
        async with self._beginning:  # `up --debug` and `devcfg debug` may come together
            async for told in self._begun(running, project):
                yield told

    async def announce(self, running: Steered, say: Callable[[str], None]) -> None:
        """Have the process run under its debugger, and say in words what comes of it."""
        try:
            async for told in self.begin(running, self._project):
                say(told if isinstance(told, str) else f"debugger ready {told['host']}:{told['port']}")
        except (NotReadyError, UsageError) as error:
            say(f"not under the debugger: {error.message}" + (f"; {error.hint}" if error.hint else ""))

    async def _begun(self, running: Steered, project: str) -> AsyncIterator[str | dict[str, Any]]:
        found = self.choose()
        yield f"{found.adapter.name} ({found.adapter.debugger}), as {found.reason}"
        if found.whose is Whose.DEVCFG:
            yield f"made of `command.run`: {' '.join(found.command)}"
        for note in found.notes:
            yield note
        local = await self._open(found, running)
        try:
            async for told in self._started(found, running):
                if isinstance(told, Ready):
                    self._keep(told, running)
                    yield self._attached(found, local, told, project)
                else:
                    yield told
        except NotReadyError:
            await self.close()
            if self._spec.command.run is not None:
                await running.start("run")
            raise

    async def _started(self, found: Debugger, running: Steered) -> AsyncIterator[str | Ready]:
        before = running.process.state
        already = (before.state, before.mode) == ("running", "debug")
        if already and found.asking is Asking.NOTHING and not self._announced(found):
            state = await running.restart()  # it said that it listens before anybody here heard it
        else:
            state = await running.start("debug")
        if state.state == "build-failed":
            message = f"the build failed with code {state.exit_code}, so that nothing runs under the debugger"
            raise NotReadyError(message, last=self._lines)
        watched = Watched(self._site.dial, lambda: _seen(running), lambda: tuple(self._lines))
        async for told in probe(found, watched):
            yield told

    def _announced(self, found: Debugger) -> bool:
        pattern = found.adapter.announces
        return pattern is not None and any(pattern.search(line) for line in self._lines)

    async def _open(self, found: Debugger, running: Steered) -> int:
        """Return the local port that leads to the debugger: the service's own, or the next that is free."""
        if self._ports is not None and self._ports.remote == found.port:
            return self._ports.local
        await self.close()
        for further in range(TRIES):
            ports = Ports(FIRST + (self._stable - FIRST + further) % COUNT, found.port)
            left = {Asking.DELVE: self._left, Asking.DAP: _settle}.get(found.asking)
            forward = Forward(ports, self._site.dial, running.coming, left, whole=True)
            with contextlib.suppress(DevcfgError):
                local = await forward.listen()
                self._forward, self._ports = forward, ports
                return local
        message = f"none of {TRIES} local ports from {self._stable} on is free"
        raise DevcfgError(message, hint="end what listens there")

    def _keep(self, ready: Ready, running: Steered) -> None:
        """Keep the place of whoever asked, while the process runs."""
        self._let_go()
        if ready.place is not None:
            self._placed = asyncio.create_task(_hold(ready.place, running.coming))

    def _let_go(self) -> None:
        if self._placed is not None:
            self._placed.cancel()
        self._placed = None

    async def _left(self) -> None:
        """Free what dlv may have left standing: the last editor has gone."""
        if self._ports is not None:
            with contextlib.suppress(OSError):
                await rescue(await self._site.dial(self._ports.remote))

    @property
    def forwards(self) -> dict[Ports, int]:
        """Return what `status` lists of it."""
        return {} if self._ports is None else {self._ports: self._ports.local}

    async def close(self) -> None:
        """Take the forward away."""
        self._let_go()
        if self._forward is not None:
            await self._forward.close()
        self._forward = self._ports = None

    def _attached(self, found: Debugger, local: int, ready: Ready, project: str) -> dict[str, Any]:
        return {
            "version": 1,
            "service": self._name,
            "adapter": found.adapter.name,
            "host": "127.0.0.1",
            "port": local,
            "ready_ms": round(ready.ms, 1),
            "path_mappings": [
                {
                    "local": os.path.normpath(os.path.join(project, rule.path)),
                    "remote": self._site.place(rule.target),
                }
                for rule in self._spec.sync
            ],
            "entries": self._entries(found, local),
        }

    def _entries(self, found: Debugger, local: int) -> dict[str, Any]:
        """Return what each editor attaches by, in its own form; None for one that cannot."""
        return forms.entries(attach_to(self._name, self._spec, found, local, self._site.place))


async def _settle() -> None:
    await asyncio.sleep(SETTLES)


def _seen(running: Steered) -> Seen:
    state = running.process.state
    return Seen(running.coming(), state.exit_code if state.state not in COMING else None)


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
