"""One `devcfg up`: its services, the socket for other commands, the orderly end. Never syncs, and prints nothing."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from devcfg.runtime import console
from devcfg.runtime.link.agent import Mode
from devcfg.runtime.session.answers import Answers
from devcfg.runtime.session.control import Control
from devcfg.runtime.session.debugging import Brought, Debugging
from devcfg.runtime.session.display import Display
from devcfg.runtime.session.events import Event, Happening
from devcfg.runtime.session.local import make_folder
from devcfg.runtime.session.locations import Respell, View, respelling
from devcfg.runtime.session.service import Running
from devcfg.runtime.session.sites import Sites
from devcfg.runtime.session.status import live_line
from devcfg.runtime.session.stop import Stop
from devcfg.runtime.session.syncing import rules_of
from devcfg.runtime.session.wanted import Brief, Wanted
from devcfg.runtime.session.watch import saves
from devcfg.schemas.errors import ConfigError, DevcfgError

LINES = 2000
"""How many log lines are kept for `devcfg logs`."""
Reread = Callable[[], Awaitable[Brief]]
"""Reads the config again. Raises `DevcfgError` where it is broken, or its commands may not run here."""


class Session:
    """Runs the services of one brief until it is told to stop."""

    def __init__(
        self,
        brief: Brief,
        reread: Reread,
        sites: Sites,
        *,
        events: bool,
        once: bool,
        mode: Mode = "run",
        agreed: Callable[[], Awaitable[None]] | None = None,
        view: View | None = None,
    ) -> None:
        """Take what is to run. `agreed` returns when the user says yes; None where nobody can.

        `view` is from where log lines are read; without one they are shown as they were printed.
        """
        self.brief = brief
        self.sites = sites
        self.running: dict[str, Running] = {}
        self.logs: deque[tuple[str, str]] = deque(maxlen=LINES)
        self.listeners: set[asyncio.Queue[tuple[str, str]]] = set()
        self._reread = reread
        self._once = once
        self._mode: Mode | None = None if once else mode
        self._events = events
        self._answers = Answers(self)
        names = tuple(one.name for one in brief.services)
        self._display = Display(names, events=events, status=lambda: live_line(self.running.values()), raw=view is None)
        self._view = view
        self._respell: dict[str, Respell] = {}
        self._stop = Stop(self._display.step, self._display.close, stays=sites.stays)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._agreed = agreed
        self._changing = asyncio.Lock()
        self._offer: asyncio.Task[None] | None = None
        self._brought: dict[str, Brought] = {}  # debuggers, by service
        self._before: dict[str, Wanted] = {}  # what ran before a config was saved, until the new one is ready

    async def run(self) -> None:
        """Run until Ctrl-C, or with `once` until everything is synced. Raises what ended it otherwise."""
        self._stop.listen()
        if self._events:
            self._stop.follow(1)
        make_folder(self.brief.project)
        control = Control(self.brief.project, self._answers)
        await control.open()
        try:
            for one in self.brief.services:
                self.event(Event(time.time(), one.name, Happening.PLANNED))
            try:
                if await self._entered():
                    await self._live()
            finally:
                await self._end()
        finally:
            await control.close()
            self._display.close()

    def end(self) -> None:
        """Wish for an orderly end, as Ctrl-C does."""
        self._stop.ask()

    async def _entered(self) -> bool:
        """Enter; return whether that came to its end before somebody wanted to stop."""
        entering = asyncio.create_task(self.sites.enter(self.brief, self))
        stopped = asyncio.create_task(self._stop.asked())
        try:
            await asyncio.wait((entering, stopped), return_when=asyncio.FIRST_COMPLETED)
            if entering.done():
                entering.result()
        finally:
            for task in (entering, stopped):
                task.cancel()
            await asyncio.gather(entering, stopped, return_exceptions=True)
        return not self._stop.is_asked

    # ---- what services tell

    def event(self, event: Event) -> None:
        """Show an event."""
        self._display.show(event)

    def log(self, service: str, line: str) -> None:
        """Show a line, and keep it."""
        self.logs.append((service, line))
        for queue in self.listeners:
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait((service, line))
        self._display.log(service, line, self._respell.get(service, str))

    def words(self, service: str, text: str) -> None:
        """Show words."""
        self._display.tell(service, text, console.DIM)

    def step(self, text: str) -> None:
        """Show a step of the whole."""
        self._display.step(text)

    def refresh(self) -> None:
        """Show how the services are now."""
        self._display.refresh()

    # ---- life

    async def _live(self) -> None:
        for one in self.brief.services:
            self._begin(one)
        ended = self._watched(self._once_synced() if self._once else self._stop.asked())
        stopped = self._watched(self._stop.asked())
        reading = self._watched(self._follow_config())
        held = self._watched(self.sites.held())
        try:
            while not (ended.done() or stopped.done()):
                await self._wake.wait()
                self._wake.clear()
                for task in (ended, reading, held, self._offer):
                    if task is not None:
                        _raise_of(task)
                for name, task in tuple(self._tasks.items()):
                    if not self._went_back(name, task):
                        _raise_of(task)
        finally:
            tasks = [one for one in (ended, stopped, reading, held, self._offer) if one is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _watched(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have something done, and be woken when it has ended."""
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._wake.set())
        return task

    def _begin(self, wanted: Wanted, *, again: bool = False, debugs: bool = False) -> None:
        site = self.sites.site(wanted, self)
        rules = rules_of(self.brief.project, wanted.name, wanted.spec, site.place)
        said = functools.partial(self.words, wanted.name)
        debugging = Debugging(self.brief.project, wanted.name, wanted.spec, site, said, self._brought)
        running = Running(wanted.name, wanted.spec, site, rules, wanted.probe, debugging, self)
        self.running[wanted.name] = running
        if self._view is not None:
            self._respell[wanted.name] = respelling(self._view, wanted.spec, site.place, os.path.isfile)
        self._tasks[wanted.name] = self._watched(running.run("debug" if debugs else self._mode, again=again))

    def _went_back(self, name: str, task: asyncio.Task[None]) -> bool:
        """Take a service back to what it was where a saved config does not work; tell whether that was so."""
        error = task.exception() if task.done() and not task.cancelled() else None
        before = self._before.pop(name, None) if error is not None else None
        if error is None or before is None or self.running[name].ready.is_set():
            return False
        self._display.tell(name, f"goes on as before: {_cause(error)}", console.RED)
        self.running.pop(name).site.let_go()
        services = tuple(before if one.name == name else one for one in self.brief.services)
        self.brief = replace(self.brief, services=services)
        self._begin(before, again=True)
        return True

    async def _once_synced(self) -> None:
        for running in tuple(self.running.values()):
            await running.ready.wait()
            for engine in running.engines:
                await engine.flush()

    async def _end(self) -> None:
        """Take everything down in reverse: sync and forwards, then the processes."""
        self._display.close()  # what is drawn there would say that they run
        await self._cut(tuple(self._tasks))
        running = tuple(self.running.values())
        ended = await asyncio.gather(*(one.site.leave() for one in running), return_exceptions=True)
        for one, outcome in zip(running, ended, strict=True):
            if isinstance(outcome, Exception):
                self._display.tell(one.name, f"could not be ended in order: {outcome}", console.RED)
        await self.sites.leave(self)
        for wanted in self.brief.services:
            self.event(Event(time.time(), wanted.name, Happening.ENDED))
        self.running.clear()

    async def _cut(self, names: tuple[str, ...]) -> None:
        tasks = [self._tasks.pop(name) for name in names]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- a saved config

    async def _follow_config(self) -> None:
        async for _ in saves(self.brief.files):
            try:
                found = await self._reread()
            except ConfigError as error:
                first = error.diagnostics[0] if error.diagnostics else None
                place = f"{first.file}:{first.span.line}: " if first is not None and first.span is not None else ""
                self._display.step(f"the config that was saved is not used: {place}{error.message}", console.RED)
            except DevcfgError as error:
                self._display.step(f"the config that was saved is not used: {error.message}", console.RED)
            else:
                await self._change(found)

    async def _change(self, found: Brief) -> None:
        """Rebuild the services whose part of the config is another; what did not change goes on untouched."""
        async with self._changing:
            if self._offer is not None:
                self._offer.cancel()
            before, after = _by_name(self.brief), _by_name(found)
            gone = tuple(name for name in before if name not in after)
            other = tuple(name for name, one in after.items() if before.get(name) != one)
            if not gone and not other:
                return
            self._display.step(f"the config was saved: {', '.join((*other, *gone))} changed")
            moving = {name: why for name in other if (why := self.sites.moves(before.get(name), after[name]))}
            kept = tuple(before.get(one.name, one) if one.name in moving else one for one in found.services)
            kept = tuple(one for one in kept if one.name not in moving or one.name in before)
            await self._rebuild(replace(found, services=kept), tuple(name for name in other if name not in moving))
            if moving:
                self._offer = self._watched(self._offered(found, moving))

    async def _offered(self, found: Brief, moving: dict[str, tuple[str, ...]]) -> None:
        """Say what needs a new pod, and make it when the user says so."""
        for name, why in moving.items():
            self._display.tell(name, f"{', '.join(why)}: that needs a new pod", console.YELLOW)
        if self._agreed is None:
            self._display.step("goes on without it: end the session and `devcfg up` again brings it in")
            return
        self._display.step("Enter makes it now; until then everything goes on as it is")
        await self._agreed()
        async with self._changing:
            await self._cut(tuple(name for name in moving if name in self._tasks))
            await self.sites.enter(found, self)
            await self._rebuild(found, tuple(moving))

    async def _rebuild(self, found: Brief, names: tuple[str, ...]) -> None:
        """Take a brief over: services that are gone are left, the named ones begin again."""
        before, after = _by_name(self.brief), _by_name(found)
        gone = tuple(name for name in before if name not in after)
        await self._cut(tuple(name for name in (*gone, *names) if name in self._tasks))
        for name in gone:
            await self.running.pop(name).site.leave()
        self.brief = replace(found, project=self.brief.project)
        self._before = {name: before[name] for name in names if name in before}
        for name in names:
            old = self.running.pop(name, None)
            if old is not None:
                old.site.let_go()
            self._begin(after[name], again=name in before, debugs=old is not None and old.debugs)


def _by_name(brief: Brief) -> dict[str, Wanted]:
    return {one.name: one for one in brief.services}


def _raise_of(task: asyncio.Task[None]) -> None:
    if task.done() and not task.cancelled() and (error := task.exception()) is not None:
        raise _cause(error)


def _cause(error: BaseException) -> BaseException:
    """Return what went wrong, out of the groups that it travelled in."""
    while isinstance(error, BaseExceptionGroup):
        error = next((one for one in error.exceptions if isinstance(one, DevcfgError)), error.exceptions[0])
    return error
