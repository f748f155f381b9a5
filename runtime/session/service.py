"""One service of a session: its site, link, sync engines, process and forwards, as one task tree. Never prints."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol, TypeVar

from devcfg.compiler.canonical import digest
from devcfg.runtime.link.agent import Agent, Mode, State, hints_of, state_of
from devcfg.runtime.link.errors import LinkError, LinkLostError, RequestError
from devcfg.runtime.link.link import Link
from devcfg.runtime.link.reconnect import Back, Change, Lost, Reconnecting
from devcfg.runtime.session.container import Probe
from devcfg.runtime.session.display import seconds
from devcfg.runtime.session.events import BROUGHT, Event, Happening
from devcfg.runtime.session.forward import Forward, Ports, parse_ports
from devcfg.runtime.session.process import COMING, Process, repeats_an_event
from devcfg.runtime.session.reload import Action, policy_of
from devcfg.runtime.session.site import Site
from devcfg.runtime.sync import events as sync
from devcfg.runtime.sync.engine import Engine
from devcfg.runtime.sync.rule import Rule
from devcfg.schemas.config import Service

T = TypeVar("T")


class Hearer(Protocol):
    """What a service tells: events, the lines that its process prints, and words that are no event."""

    def event(self, event: Event) -> None:
        """Hear an event."""

    def log(self, service: str, line: str) -> None:
        """Hear a line."""

    def words(self, service: str, text: str) -> None:
        """Hear words."""

    def refresh(self) -> None:
        """Hear that the service is another, without a word."""


class Running:
    """Runs one service until it is cancelled; what happens goes to `hearer`."""

    def __init__(
        self, name: str, spec: Service, site: Site, rules: tuple[Rule, ...], probe: Probe | None, hearer: Hearer
    ) -> None:
        self.name = name
        self.spec = spec
        self.site = site
        self.since = time.time()
        self.synced = asyncio.Event()
        """Set once every rule has agreed."""
        self.ready = asyncio.Event()
        """Set once every rule has agreed, and the process is asked to start or is left alone."""
        self.forwards: dict[Ports, int] = {}
        self.policy = policy_of(spec)
        self.engines: tuple[Engine, ...] = ()
        self.process = Process(site.directory, self._ask, probe)
        self._rules = rules
        self._hearer = hearer
        self._link = Reconnecting(site.open_stream, self._link_changed)
        self._agent: Agent | None = None
        self._linked = asyncio.Event()
        self._dirty = asyncio.Event()
        self._first: set[str] = set()
        self.restarts = 0
        self._told = (0, "")  # the last generation and state that was told
        self._ran = 0  # the last generation that ran
        self._asked: float | None = None
        self._opening: set[str] = set()
        self._linked_at = 0.0
        self._tasks: asyncio.TaskGroup | None = None

    # ---- its life

    async def run(self, *, start: bool = True, again: bool = False) -> None:
        """Enter, and stay until cancelled; leaving is for whoever decides what stays.

        `again` tells that this session has run the service before, with another config.
        """
        adopted = await self.site.enter()
        self._say(Happening.APPLIED)
        if adopted and not again:
            self._hearer.words(self.name, "took over the process that an earlier session left behind")
        if self.policy.reason:
            self._hearer.words(self.name, self.policy.reason)
        async with contextlib.AsyncExitStack() as stack:
            self.engines = tuple([self._open(rule, stack) for rule in self._rules])
            # Begun after the engines, so ended before them: they leave the far side while there is a link.
            await self._live(start=start)

    def _open(self, rule: Rule, stack: contextlib.AsyncExitStack) -> Engine:
        engine = Engine(rule, lambda event: self._sync_told(rule, event))
        stack.callback(engine.close)
        return engine

    async def _live(self, *, start: bool) -> None:
        link = asyncio.create_task(self._link.run())
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(_ends_with(link))
                self._tasks.create_task(self._follow_log())
                for engine in self.engines:
                    self._tasks.create_task(engine.run())
                await self._linked.wait()
                async with self._forwarded():
                    await self._begin(start=start)
                    await self._reload()
        finally:
            for engine in self.engines:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(2):
                        await engine.leave()
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)

    async def _begin(self, *, start: bool) -> None:
        await self.process.set_commands(self.spec)
        state = await self.process.look()
        self._told = (state.generation, state.state)
        self._ran = state.generation
        await self._all_synced()
        self.ready.set()
        self._hearer.refresh()
        commands = self.spec.command.dump()
        changed = self.site.renew(digest({name: commands[name] for name in ("build", "run", "debug")}))
        if not start or self.spec.command.run is None:
            return
        if state.generation == 0:
            self._dirty.clear()
            await self.start("run")
        elif changed and state.state != "stopped":
            self._dirty.clear()
            await self.restart()

    async def _all_synced(self) -> None:
        if not self._rules:
            self.synced.set()
        await self.synced.wait()

    # ---- link

    @property
    def connected(self) -> bool:
        """Whether the agent can be reached."""
        return self._agent is not None

    def _link_changed(self, change: Change) -> None:
        match change:
            case Back(link=link):
                self._agent = agent = Agent(link)
                self._linked_at = time.monotonic()
                self._say(Happening.CONNECTED)
                for engine in self.engines:
                    engine.connected(agent)
                if self._tasks is not None:
                    self._tasks.create_task(self._follow_events(link))
                self._linked.set()
                if self.ready.is_set():
                    self._hearer.words(self.name, "connected again")
                    self._spawn(self._look())  # a new agent follows only what it was asked about
            case Lost(reason=reason):
                if self._agent is not None:
                    self._say(Happening.DISCONNECTED, reason=reason.message)
                self._agent = None
                self._linked.clear()
                for engine in self.engines:
                    engine.disconnected(reason.message)

    async def _ask(self, work: Callable[[Agent], Awaitable[T]]) -> T:
        """Have the agent do something; while the link is down it waits, so that what the user asked is done then."""
        while True:
            await self._linked.wait()
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

    def _sync_told(self, rule: Rule, event: sync.Event) -> None:
        match event:
            case sync.Synced(files=files, bytes=size):
                if rule.name not in self._first:
                    self._first.add(rule.name)
                    ms = (time.monotonic() - self._linked_at) * 1000
                    self._say(Happening.SYNCED, files=files, bytes=size, ms=round(ms, 1))
                    # What the first sync changed is told at once after it, path by path: it was said already.
                    self._opening.add(rule.name)
                    asyncio.get_running_loop().call_soon(self._opening.discard, rule.name)
                if len(self._first) == len(self._rules):
                    self.synced.set()
            case sync.Changed(to_far=to_far, to_local=to_local, bytes=size, ms=ms):
                if to_far and rule.name not in self._opening:
                    self._say(Happening.CHANGED, paths=list(to_far), bytes=size, ms=round(ms, 1))
                if to_local and rule.name not in self._opening:
                    members = {"paths": list(to_local), "bytes": size, "ms": round(ms, 1)}
                    self._say(Happening.CHANGED, remark=BROUGHT, **members)
                if self.policy.concerns(to_far):
                    self._dirty.set()
            case sync.Conflicted(conflict=conflict):
                self._say(Happening.CONFLICT, path=conflict.path)
            case sync.Halted(halt=halt):
                self._say(Happening.HALTED, remark=f"; {halt.hint}", reason=halt.reason)
            case sync.Degraded(reason=reason):
                self._say(Happening.DEGRADED, reason=reason)
            case sync.Connected() | sync.Disconnected():
                pass  # the link has said so

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
                    self._spawn(self.restart())
                case Action.SIGNAL if state == "running":
                    await self.process.signal(self.policy.signal)
                    self._hearer.words(self.name, f"told by SIG{self.policy.signal}")
                case Action.SIGNAL | Action.NOTHING if state in ("exited", "build-failed") and self._revives:
                    self._spawn(self.restart())
                case _:
                    pass

    @property
    def _revives(self) -> bool:
        """Whether a save starts a process that has ended."""
        return self.policy.action is not Action.NOTHING or bool(self.policy.reason)

    # ---- process

    async def start(self, mode: Mode) -> State:
        """Make sure that a mode runs."""
        return await self._steer(self.process.start(mode))

    async def restart(self) -> State:
        """Build and start anew in the mode that ran."""
        return await self._steer(self.process.restart())

    async def stop(self) -> State:
        """End the process; it stays so until somebody starts it."""
        return await self._steer(self.process.stop())

    async def _steer(self, work: Awaitable[State]) -> State:
        self._asked = self._asked or time.monotonic()
        return self._process_told(await work)

    async def _look(self) -> None:
        self._process_told(await self.process.look())

    async def _tell_serving(self) -> None:
        if (ms := await self.process.serving()) is not None:
            self._hearer.words(self.name, f"serving after {seconds(ms)}")

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
                self._spawn(self._tell_serving())
            case "exited":
                again = "the next save starts it again" if self._revives else f"`devcfg restart {self.name}` starts it"
                self._say(Happening.EXITED, remark=f"; {again}", code=state.exit_code)
            case "build-failed":
                self._asked = None
                goes_on = "nothing runs yet" if self._ran == 0 else f"generation {self._ran} goes on"
                self._say(Happening.BUILD_FAILED, remark=f"; {goes_on}", code=state.exit_code)
            case "stopped":
                self._asked = None
                self._hearer.words(self.name, f"stopped; `devcfg run {self.name}` starts it")
        return state

    def _spawn(self, work: Any) -> None:
        async def safely() -> None:
            try:
                await work
            except RequestError as error:
                self._say(Happening.DEGRADED, reason=error.message)

        if self._tasks is not None:
            self._tasks.create_task(safely())

    # ---- ports and log

    @contextlib.asynccontextmanager
    async def _forwarded(self) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for ports in map(parse_ports, self.spec.ports):
                local = ports.local
                if not (self.site.shared and ports.local == ports.remote):
                    forward = Forward(ports, self.site.dial, lambda: self.process.state.state in COMING)
                    local = await forward.listen()
                    stack.push_async_callback(forward.close)
                self.forwards[ports] = local
                self._say(Happening.FORWARDING, local=local, remote=ports.remote)
            try:
                yield
            finally:
                self.forwards.clear()

    async def _follow_log(self) -> None:
        async for line in self.site.log():
            if not repeats_an_event(line):
                self._hearer.log(self.name, line)

    def _say(self, what: Happening, *, remark: str = "", **members: Any) -> None:
        self._hearer.event(Event(time.time(), self.name, what, members, remark))


async def _ends_with(task: asyncio.Task[None]) -> None:
    """Wait for a task that outlives the group, and take over its failure."""
    await asyncio.shield(task)
