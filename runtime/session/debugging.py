"""The debugger of one service in a session: its command, its forward, whether it answers. Never prints."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

from devcfg.runtime.debug.adapters.adapter import Asking
from devcfg.runtime.debug.adapters.words import Words
from devcfg.runtime.debug.choice import Debugger, UndebuggableError, Whose, choose
from devcfg.runtime.debug.probe import MissingError, NotReadyError, Ready, Watched, probe
from devcfg.runtime.debug.probe import Process as Seen
from devcfg.runtime.debug.sight import traces_of
from devcfg.runtime.ide import forms
from devcfg.runtime.ide.entries import attach_to
from devcfg.runtime.ide.ports import local_port
from devcfg.runtime.session.dialling import Dialling
from devcfg.runtime.session.forward import Ports
from devcfg.runtime.session.luggage import bring, find
from devcfg.runtime.session.process import COMING
from devcfg.runtime.session.site import Site
from devcfg.runtime.session.steered import Steered
from devcfg.runtime.session.wayin import WayIn
from devcfg.schemas.config import Service
from devcfg.schemas.errors import DevcfgError, UsageError

LINES = 200
"""How many of the process's first and last lines are looked at: what it listens on it says at first."""
APART = 10000
"""Where services share a machine's ports, a debugger listens this far below the port that reaches it."""
SAVES, LOOK = 8, 0.1
"""How often, and how many seconds apart, it is looked whether a save ended an editor's connection."""
_BEGINS = re.compile(r"\[devcfg\] (run|debug): generation \d+:")


@dataclass(frozen=True, slots=True)
class Brought:
    """A debugger that was brought along."""

    incarnation: str
    """What it was brought into; another one does not have it."""
    package: str
    """Its directory there."""


class Debugging:
    """What `devcfg debug` needs of one service."""

    def __init__(
        self,
        project: str,
        name: str,
        spec: Service,
        site: Site,
        say: Callable[[str], None],
        brought: dict[str, Brought] | None = None,
    ) -> None:
        """Take a service. `say` hears words of it; `brought` is what this session has brought along, by service."""
        self._project = project
        self._brought = {} if brought is None else brought
        self._name = name
        self._spec = spec
        self._site = site
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=LINES)
        self._say = say
        self._beginning = asyncio.Lock()
        self._way = WayIn(self._stable, site, say)
        self._dialling = Dialling(spec, self._stable, site)

    # ---- which one

    def choose(self) -> Debugger:
        """Return what the service is debugged with. Raises `UndebuggableError`."""
        traces = traces_of(self._project, self._spec)
        # In a pod each debugger has the ports for itself; on this machine two of one language would want the same.
        port = self._stable - APART if self._site.shared else None
        found = choose(self._name, self._spec, traces, port=port)
        if found.adapter.dials and self._site.shared:
            found = choose(self._name, self._spec, traces, port=self._stable)  # the editor listens there itself
        return found if self._package is None else _with(found, self._package)

    @property
    def _package(self) -> str | None:
        """Return where a debugger is that was brought along to this place."""
        brought = self._brought.get(self._name)
        return brought.package if brought is not None and brought.incarnation == self._site.incarnation else None

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
            self._first.clear()
            self._last.clear()
        else:
            (self._first if len(self._first) < LINES else self._last).append(line)

    def _lines(self) -> tuple[str, ...]:
        return (*self._first, *self._last)

    # ---- its way in

    async def begin(self, running: Steered, project: str) -> AsyncIterator[str | dict[str, Any]]:
        """Yield words, and at last what is attached to, in the documented form. `project` is as the user spells it.

        Where no debugger answers, `command.run` runs again. Raises `UndebuggableError`, `NotReadyError`.
        """
        async with self._beginning:  # `up --debug` and `devcfg debug` may come together
            async for told in self._begun(running, project):
                yield told

    async def announce(self, running: Steered) -> None:
        """Have the process run under its debugger, and say in words what comes of it."""
        try:
            async for told in self.begin(running, self._project):
                self._say(told if isinstance(told, str) else f"debugger ready {told['host']}:{told['port']}")
        except (NotReadyError, UsageError) as error:
            self._say(f"not under the debugger: {error.message}" + (f"; {error.hint}" if error.hint else ""))

    async def _begun(self, running: Steered, project: str) -> AsyncIterator[str | dict[str, Any]]:
        found = self.choose()
        yield f"{found.adapter.name} ({found.adapter.debugger}), as {found.reason}"
        if found.whose is Whose.DEVCFG:
            yield f"made of `command.run`: {' '.join(found.command)}"
        for note in found.notes:
            yield note
        if found.adapter.dials:
            await self.close()
            self._way.ports = ports = await self._dialling.arm(found, running)
            local = ports.local
            yield f"{found.adapter.debugger} dials the editor, which is to listen on 127.0.0.1:{local}"
        else:
            local = await self._way.open(found, running, functools.partial(self._visited, running))
        try:
            async for told in self._started_with_luggage(found, running):
                if isinstance(told, Ready):
                    self._way.keep(told, running.coming)
                    yield self._attached(found, local, told, project)
                else:
                    yield told
        except NotReadyError:
            await self.close()
            if self._spec.command.run is not None:
                await running.start("run")
            raise

    async def _started_with_luggage(self, found: Debugger, running: Steered) -> AsyncIterator[str | Ready]:
        """Start it; where it is not there and this machine has one that can be brought along, once more with that."""
        try:
            async for told in self._started(found, running):
                yield told
        except MissingError as error:
            if found.whose is Whose.CONFIG or found.adapter.brought is None or self._package is not None:
                raise
            luggage = find(self._project, [rule.path for rule in self._spec.sync], os.environ)
            if luggage is None:
                hint = f"{error.hint}; or install it into `.venv` of the project, from where it is brought along"
                raise MissingError(error.message, hint=hint, last=error.last) from error
        else:
            return
        yield f"its Python has no debugpy: bringing version {luggage.version} along from {luggage.origin}"
        try:
            package = await running.process.ask(lambda agent: bring(luggage, agent, self._site.beside_agent))
        except (DevcfgError, OSError) as error:
            raise NotReadyError(f"{found.adapter.debugger} could not be brought along: {error}") from error
        self._brought[self._name] = Brought(self._site.incarnation, package)
        found = _with(found, package)
        await running.process.set_commands({"debug": self._site.started_as(found.command)})
        async for told in self._started(found, running):
            yield told

    async def _started(self, found: Debugger, running: Steered) -> AsyncIterator[str | Ready]:
        before = running.process.state
        already = (before.state, before.mode) == ("running", "debug")
        if already and not self._way.taken and found.asking is Asking.NOTHING and not self._announced(found):
            state = await running.restart()  # it said that it listens before anybody here heard it
        else:
            state = await running.start("debug")
        if state.state == "build-failed":
            message = f"the build failed with code {state.exit_code}, so that nothing runs under the debugger"
            raise NotReadyError(message, last=self._lines())
        way = self._way
        watched = Watched(self._site.dial, lambda: _seen(running), self._lines, lambda: way.taken)
        async for told in probe(found, watched):
            yield told

    def _announced(self, found: Debugger) -> bool:
        pattern = found.adapter.announces
        return pattern is not None and any(pattern.search(line) for line in self._lines())

    def _visited(self, running: Steered) -> Callable[[], None]:
        """Return what has `command.run` go on when a client has gone that only now came to such a debugger."""
        generation = running.process.state.generation
        return lambda: running.spawn(self._go_on(running, generation))

    async def _go_on(self, running: Steered, generation: int) -> None:
        """Have the program go on by itself: it stands still, has ended, or runs where no debugger listens any more."""
        for _ in range(SAVES):
            state = await running.process.look()
            if state.generation != generation or state.mode not in ("debug", ""):
                return  # a save ended the connection, and is debugged anew
            if state.state != "running":
                break
            await asyncio.sleep(LOOK)
        await self.close()
        self._say("its debugger has gone")
        if self._spec.command.run is None:
            await running.restart()
        else:
            await running.start("run")

    @property
    def forwards(self) -> dict[Ports, int]:
        """Return what `status` lists of it."""
        ports = self._way.ports
        return {} if ports is None else {ports: ports.local}

    @contextlib.asynccontextmanager
    async def released(self) -> AsyncIterator[None]:
        """Do what ends a debugger that may not be attached to then."""
        async with self._way.released():
            yield

    async def close(self) -> None:
        """Take the way in away."""
        await self._way.close()

    def _attached(self, found: Debugger, local: int, ready: Ready, project: str) -> dict[str, Any]:
        return {
            "version": 1,
            "service": self._name,
            "adapter": found.adapter.name,
            "host": "127.0.0.1",
            "port": local,
            "editor": "listens" if found.adapter.dials else "attaches",
            "ready_ms": round(ready.ms, 1),
            "path_mappings": [
                {
                    "local": os.path.normpath(os.path.join(project, rule.path)),
                    "remote": self._site.place(rule.target),
                }
                for rule in self._spec.sync
            ],
            "entries": forms.entries(attach_to(self._name, self._spec, found, local, self._site.place)),
        }


def _with(found: Debugger, package: str) -> Debugger:
    """Return how a debugger is started that was brought along."""
    if found.whose is Whose.CONFIG or found.adapter.brought is None:
        return found
    return replace(found, command=found.adapter.brought(found.command, package))


def _seen(running: Steered) -> Seen:
    state = running.process.state
    return Seen(running.coming(), state.exit_code if state.state not in COMING else None)
