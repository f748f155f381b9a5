"""One service of a session: its site, link, sync engines, process and forwards, as one task tree. Never prints."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from devcfg.compiler.canonical import digest
from devcfg.runtime.link.agent import Agent, Mode, State, hints_of, state_of
from devcfg.runtime.link.errors import LinkError, LinkLostError, RequestError
from devcfg.runtime.link.link import Link
from devcfg.runtime.link.reconnect import Back, Change, Lost, Reconnecting
from devcfg.runtime.session.agreement import Agreement
from devcfg.runtime.session.container import Probe
from devcfg.runtime.session.debugging import Debugging
from devcfg.runtime.session.display import seconds
from devcfg.runtime.session.events import Event, Happening, Hearer
from devcfg.runtime.session.forward import Forward, Ports, parse_ports
from devcfg.runtime.session.process import COMING, Process, repeats_an_event
from devcfg.runtime.session.reload import Action, policy_of
from devcfg.runtime.session.reverse import Reverse, parse_reverse
from devcfg.runtime.session.site import Site
from devcfg.runtime.sync.engine import Engine
from devcfg.runtime.sync.rule import Rule
from devcfg.schemas.config import Service

T = TypeVar("T")
SILENT = 3.0
"""Seconds without a link that are told of by no word: most pods need some for their agent."""
MOVED = "moved"
"""The code of what was asked of a place that has gone."""


class Running:
    """Runs one service until it is cancelled; what happens goes to `hearer`."""

    def __init__(
        self,
        name: str,
        spec: Service,
        site: Site,
        rules: tuple[Rule, ...],
        probe: Probe | None,
        debugging: Debugging,
        hearer: Hearer,
    ) -> None:
        self.name = name
        self.spec = spec
        self.site = site
        self.since = time.time()
        self.ready = asyncio.Event()
        """Set once every rule has agreed, and the process is asked to start or is left alone."""
        self.forwards: dict[Ports, int] = {}
        self.policy = policy_of(spec)
        self.engines: tuple[Engine, ...] = ()
        self.process = Process(site.directory, self._ask, probe)
        self.debugging = debugging
        self._rules = rules
        self._agreement = Agreement(rules, self._say, self._landed)
        self._hearer = hearer
        self._link = Reconnecting(site.open_stream, self._link_changed)
        self._agent: Agent | None = None
        self._linked = asyncio.Event()
        self._dirty = asyncio.Event()
        self.restarts = 0
        self._told = (0, "")  # the last generation and state that was told
        self._ran = 0  # the last generation that ran
        self._signalled = 0  # the last generation that a save sent a signal
        self._asked: float | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._wanted: Mode | None = None  # what is to run, in this place and in one that comes after it
        self._incarnation: str | None = None
        self.waits_for = ""
        """What it waits for, and why that does not come; empty while there is a link."""
        self._waited_for: set[str] = set()  # what was told of it since there was a link
        self._moved = asyncio.Event()  # the place is a new one, in which nothing has begun yet

    # ---- its life

    async def run(self, mode: Mode | None, *, again: bool = False) -> None:
        """Enter, have `mode` run, and stay until cancelled; leaving is for whoever decides what stays.

        `again` tells that this session has run the service before, with another config.
        """
        self._wanted = mode if mode is not None and self._words(mode) is not None else None
        await self.site.enter()
        if self.site.pod is None:
            self._say(Happening.APPLIED)  # of a pod it was told when its workload was patched
        if self.policy.reason:
            self.tell(self.policy.reason)
        async with contextlib.AsyncExitStack() as stack:
            self.engines = tuple([self._open(rule, stack) for rule in self._rules])
            # Begun after the engines, so ended before them: they leave the far side while there is a link.
            await self._live(again=again)

    def _open(self, rule: Rule, stack: contextlib.AsyncExitStack) -> Engine:
        engine = Engine(rule, lambda event: self._agreement.told(rule, event))
        stack.callback(engine.close)
        return engine

    async def _live(self, *, again: bool) -> None:
        link = asyncio.create_task(self._link.run())
        try:
            async with asyncio.TaskGroup() as self._tasks:
                # It outlives the group, and its failure is the group's.
                self._tasks.create_task(asyncio.wait_for(asyncio.shield(link), None))
                self._tasks.create_task(self._follow_log())
                for engine in self.engines:
                    self._tasks.create_task(engine.run())
                await self._linked.wait()
                for ports in map(parse_reverse, self.spec.reverse):
                    if not (self.site.shared and ports.local == ports.remote):
                        self._tasks.create_task(Reverse(ports, self._ask, self.tell, self.degrade).run())
                async with self._forwarded():
                    await self._stay(self._tasks, again=again)
        finally:
            for engine in self.engines:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(2):
                        await engine.leave()
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)

    async def _stay(self, tasks: asyncio.TaskGroup, *, again: bool) -> None:
        """Attend to one place after the other: a pod that is replaced leaves one with neither source nor process."""
        while True:
            self._moved.clear()
            attending, moved = tasks.create_task(self._attend(again=again)), tasks.create_task(self._moved.wait())
            await asyncio.wait((attending, moved), return_when=asyncio.FIRST_COMPLETED)
            attending.cancel()
            await asyncio.gather(attending, return_exceptions=True)
            again = True
            self.tell(f"goes on in pod {self.site.pod}")

    async def _attend(self, *, again: bool) -> None:
        """Have run what is wanted once the place has the source, then reload it."""
        state = await self.process.supervised()
        if state.generation and not again:
            self.tell("took over the process that an earlier session left behind")
        words = {name: self._words(name) for name in ("build", "run", "debug")}
        await self.process.set_commands(words)
        state = await self.process.look()
        self._told = (state.generation, state.state)
        self._ran = state.generation
        if self.engines and (uneven := await self.process.uneven(self.name)):
            self._say(Happening.DEGRADED, reason=uneven)
        await self._agreement.synced.wait()
        self.ready.set()
        self._hearer.refresh()
        changed = self.site.renew(digest(words))
        self._dirty.clear()
        debugs = self._wanted == "debug" and not (again and state.generation)
        if self._wanted is not None and state.generation == 0 and not debugs:
            await self.start(self._wanted)
        elif self._wanted is not None and state.generation and changed and state.state != "stopped":
            await self.restart()
        if debugs or (state.mode == "debug" and state.state in COMING):
            self.spawn(self.debugging.announce(self))  # what ran before had another way in
        await self._reload()

    def _words(self, name: str) -> list[str] | None:
        argv = self.debugging.command if name == "debug" else getattr(self.spec.command, name)
        return None if argv is None else self.site.started_as(argv)

    # ---- link

    @property
    def connected(self) -> bool:
        """Whether the agent can be reached."""
        return self._agent is not None

    def _link_changed(self, change: Change) -> None:
        match change:
            case Back(link=link):
                self._agent = agent = Agent(link)
                self.waits_for = ""
                self._waited_for.clear()
                self._say(Happening.CONNECTED)
                self._arrived()
                for engine in self.engines:
                    engine.connected(agent)
                if self._tasks is not None:
                    self._tasks.create_task(self._follow_events(link))
                self._linked.set()
                if self.ready.is_set() and not self._moved.is_set():
                    self.tell("connected again")
                    self.spawn(self._look())  # a new agent follows only what it was asked about
            case Lost(reason=reason, spent=spent):
                self.waits_for = f"waits for its agent, and tries again: {reason.message}"
                if self._agent is not None:
                    self._say(Happening.DISCONNECTED, reason=reason.message)
                elif spent >= SILENT and self.waits_for not in self._waited_for:
                    self._waited_for.add(self.waits_for)
                    self._say(Happening.DEGRADED, reason=self.waits_for)
                self._agent = None
                self._linked.clear()
                for engine in self.engines:
                    engine.disconnected(reason.message)

    def _arrived(self) -> None:
        """Notice where the link leads: a new place has empty volumes, and a supervisor that counts from the start."""
        before, self._incarnation = self._incarnation, self.site.incarnation
        anew = before not in (None, self._incarnation)
        self._agreement.begin(anew=anew)
        if anew:
            self.process.forget()
            self._told, self._ran = (0, ""), 0
            self._moved.set()

    async def _ask(self, work: Callable[[Agent], Awaitable[T]]) -> T:
        """Have the agent do something; while the link is down it waits, so that what the user asked is done then."""
        asked_in = self._incarnation
        while True:
            await self._linked.wait()
            if asked_in not in (None, self._incarnation):
                raise RequestError(MOVED, "its pod was replaced meanwhile; what ran there is started in the new one")
            try:
                if self._agent is not None:
                    return await work(self._agent)
            except LinkLostError:
                await asyncio.sleep(0.01)

    async def _follow_events(self, link: Link) -> None:
        engines = {engine.rule.name: engine for engine in self.engines}
        while True:
            try:
                event = await link.events.get()
            except LinkError:
                return  # the next link has events of its own
            if link is not self._link.current:
                return  # what an agent of before had left to say is of its place
            match event.get("event"):
                case "hints" if (hints := hints_of(event)).rule in engines:
                    engines[hints.rule].hinted(hints)
                case "state" if event.get("name") == self.site.directory:
                    self._process_told(state_of(event))
                case "overflow":
                    for engine in self.engines:
                        engine.hinted(hints_of({"rule": engine.rule.name, "paths": [], "rescan": True, "reason": ""}))
                    await self.process.look()

    # ---- sync

    def _landed(self, paths: tuple[str, ...]) -> None:
        if self.policy.concerns(paths):
            self._dirty.set()

    async def _reload(self) -> None:
        """Do what the policy says after each batch that has settled; restarts that come together are one."""
        while True:
            await self._dirty.wait()
            while self._dirty.is_set():
                self._dirty.clear()
                await asyncio.sleep(self.policy.debounce)
            state = self.process.state.state
            match self.policy.action:
                case _ if self.spec.command.run is None or state in ("stopped", "absent"):
                    pass
                case Action.RESTART:
                    self.spawn(self.restart())
                case Action.SIGNAL if state == "running":
                    self._signalled = self.process.state.generation
                    await self.process.signal(self.policy.signal)
                    self.tell(f"told by SIG{self.policy.signal}")
                case Action.SIGNAL | Action.NOTHING if state in ("exited", "build-failed") and self._revives:
                    self.spawn(self.restart())
                case _:
                    pass

    @property
    def _revives(self) -> bool:
        """Whether a save starts a process that has ended."""
        return self.policy.action is not Action.NOTHING or bool(self.policy.reason)

    # ---- process

    @property
    def debugs(self) -> bool:
        """Whether the process is wanted under its debugger."""
        return self._wanted == "debug"

    async def start(self, mode: Mode) -> State:
        """Make sure that a mode runs."""
        self._wanted = mode
        return await self._steer(self.process.start(mode))

    async def restart(self) -> State:
        """Build and start anew in the mode that ran."""
        self._wanted = self._wanted or "run"
        return await self._steer(self.process.restart())

    async def stop(self) -> State:
        """End the process; it stays so until somebody starts it."""
        self._wanted = None
        return await self._steer(self.process.stop())

    async def _steer(self, work: Awaitable[State]) -> State:
        self._asked = self._asked or time.monotonic()
        async with self.debugging.released():
            return self._process_told(await work)

    async def _look(self) -> None:
        self._process_told(await self.process.look())

    async def _tell_serving(self) -> None:
        if (ms := await self.process.serving()) is not None:
            self.tell(f"serving after {seconds(ms)}")

    def _process_told(self, told: State) -> State:
        """Take a state from an answer or an event, whichever comes first, and say once what has changed."""
        state = self.process.take(told)
        now = (state.generation, state.state)
        if now == self._told:
            return state
        self._told = now
        match state.state:
            case "running":
                ms = (time.monotonic() - self._asked) * 1000 if self._asked else 0.0
                self._asked = None
                self.restarts += self._ran > 0
                self._ran = state.generation
                self._say(Happening.RESTARTED, generation=state.generation, ms=round(ms, 1), command=state.mode)
                self.spawn(self._tell_serving())
            case "exited" if (self._signalled, self.policy.fatal) == (state.generation, state.exit_code):
                # A save must not end what it is to reload: so quick after a start, nothing handles the signal yet.
                remark = f"; SIG{self.policy.signal} of the reload ended it, so it is started again"
                self._say(Happening.EXITED, remark=remark, code=state.exit_code)
                self.spawn(self.restart())
            case "exited":
                again = "the next save starts it again" if self._revives else f"`devcfg restart {self.name}` starts it"
                self._say(Happening.EXITED, remark=f"; {again}", code=state.exit_code)
            case "build-failed":
                self._asked = None
                goes_on = "nothing runs yet" if self._ran == 0 else f"generation {self._ran} goes on"
                self._say(Happening.BUILD_FAILED, remark=f"; {goes_on}", code=state.exit_code)
            case "stopped":
                self._asked = None
                by = "" if self._wanted is None else " from outside of this session"
                self.tell(f"stopped{by}; `devcfg run {self.name}` starts it")
        return state

    def spawn(self, work: Awaitable[Any]) -> None:
        """Have something done for as long as it lives; where it cannot be done, that is said."""

        async def safely() -> None:
            try:
                await work
            except RequestError as error:
                if error.code != MOVED:
                    self._say(Happening.DEGRADED, reason=error.message)

        if self._tasks is not None:
            self._tasks.create_task(safely())

    # ---- ports and log

    def tell(self, text: str) -> None:
        """Say something of it."""
        self._hearer.words(self.name, text)

    def degrade(self, reason: str) -> None:
        """Say that something of it does not work as it should."""
        self._say(Happening.DEGRADED, reason=reason)

    @contextlib.asynccontextmanager
    async def _forwarded(self) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for ports in map(parse_ports, self.spec.ports):
                local = ports.local
                if not (self.site.shared and ports.local == ports.remote):
                    forward = Forward(ports, self.site.dial, self.coming)
                    local = await forward.listen()
                    stack.push_async_callback(forward.close)
                self.forwards[ports] = local
                self._say(Happening.FORWARDING, local=local, remote=ports.remote)
            stack.push_async_callback(self.debugging.close)
            try:
                yield
            finally:
                self.forwards.clear()

    def coming(self) -> bool:
        """Tell whether the process runs or is on its way, also where that cannot be seen at the moment."""
        return not (self.connected and self._agreement.synced.is_set()) or self.process.state.state in COMING

    async def _follow_log(self) -> None:
        async for line in self.site.log():
            self.debugging.hear(line)
            if not repeats_an_event(line):
                self._hearer.log(self.name, line)

    def _say(self, what: Happening, *, remark: str = "", **members: Any) -> None:
        self._hearer.event(Event(time.time(), self.name, what, members, remark))
