"""What a session answers to other commands: `status`, `restart`, `sync …`. Never listens by itself."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from typing import Any, Protocol

from devcfg.runtime import console
from devcfg.runtime.debug.probe import NotReadyError
from devcfg.runtime.link.agent import State
from devcfg.runtime.session.attaching import how_to_attach
from devcfg.runtime.session.control import Answer
from devcfg.runtime.session.display import visible_log
from devcfg.runtime.session.locations import Respell, View, respelling
from devcfg.runtime.session.service import Running
from devcfg.runtime.session.site import Here
from devcfg.runtime.session.sites import Sites
from devcfg.runtime.session.status import needs_decision, rule_row, service_row
from devcfg.runtime.session.wanted import Brief, only
from devcfg.runtime.sync.engine import Choice, Engine
from devcfg.schemas.errors import DevcfgError, UsageError

LOOK = 0.1
"""Seconds between two looks whether the debugger is still wanted."""
DECIDE = 3
"""The exit code where somebody has to decide."""


class Asked(Protocol):
    """What is asked of a session."""

    brief: Brief
    running: dict[str, Running]
    logs: deque[tuple[str, str]]
    """The last lines, each with its service."""
    listeners: set[asyncio.Queue[tuple[str, str]]]
    sites: Sites

    def end(self) -> None:
        """Wish for an orderly end."""


class Answers:
    """Answers the requests of one session."""

    def __init__(self, session: Asked) -> None:
        self._session = session

    def __call__(self, request: dict[str, Any]) -> Answer:
        """Return the lines of one answer."""
        verbs = {
            "status": self._status,
            "run": self._steer,
            "debug": self._debug,
            "debug-stay": self._debug_stay,
            "stop": self._steer,
            "restart": self._steer,
            "beside": self._beside,
            "end": self._end,
            "logs": self._logs,
            "sync-status": self._sync_status,
            "sync-flush": self._flush,
            "sync-conflicts": self._conflicts,
            "sync-resolve": self._resolve,
            "sync-why": self._why,
        }
        if request["verb"] not in verbs:
            raise DevcfgError(f"this session knows no `{request['verb']}`", hint="it is older than this command")
        return verbs[request["verb"]](request)

    # ---- the whole

    def rows(self, names: list[str] | None = None) -> list[dict[str, Any]]:
        """Return the rows of `status`."""
        return [
            service_row(self._wanted(name), running, self._session.sites.target)
            for name, running in self._chosen(names or [])
        ]

    async def _status(self, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        rows = self.rows(request.get("services"))
        yield {"json": {"version": 1, "services": rows}}
        for name, running in self._chosen(request.get("services") or []):
            if running.waits_for and not running.engines:  # where something is synced, its row says so
                yield {"words": f"{name}: {running.waits_for}"}
        yield {"end": DECIDE if needs_decision(rows) else 0}

    async def _logs(self, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        names = {name for name, _ in self._chosen(request.get("services") or [])}
        queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue(maxsize=10_000)
        spelled = _Spelled(self._session, request)
        for line in self._session.logs:
            if line[0] in names:
                yield spelled.line(*line, several=len(names) > 1)
        if request.get("follow"):
            self._session.listeners.add(queue)
            try:
                while True:
                    name, text = await queue.get()
                    if name in names:
                        yield spelled.line(name, text, several=len(names) > 1)
            finally:
                self._session.listeners.discard(queue)
        yield {"end": 0}

    # ---- the process

    async def _steer(self, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        name, running = self._one(request)
        verb, command = request["verb"], running.spec.command
        wanted = {"run": command.run, "restart": command.run or command.debug}.get(verb, ())
        if wanted is None:
            raise UsageError(f"service `{name}` has no `command.run`", hint="add it to the config")
        match verb:
            case "run":
                await running.debugging.close()
                state = await running.start("run")
            case "restart":
                state = await running.restart()
            case _:
                await running.debugging.close()
                state = await running.stop()
        yield {"words": f"{name}: {_words(state)}"}
        yield {"end": 0 if state.state in ("running", "stopped") else 1}

    async def _debug(self, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Have the process run under its debugger, and say where that is attached to once it answers."""
        name, running = self._one(request)
        project = request.get("spelled") or self._session.brief.project
        try:
            async for told in running.debugging.begin(running, project):
                if isinstance(told, str):
                    yield {"words": f"{name}: {told}"}
                else:
                    yield {"json": told}
                    yield {"data": f"[devcfg] debugger ready {told['host']}:{told['port']}"}
                    for words in how_to_attach(project, told):
                        yield {"words": f"{name}: {words}"}
        except NotReadyError as error:
            spelled = _Spelled(self._session, request)
            for line in error.last:
                yield {"words": f"{name} | {console.SGR.sub('', spelled.shown(name, line))}"}
            if running.spec.command.run is not None:
                yield {"words": f"{name}: {_words(running.process.state)}"}
            raise
        yield {"end": 0}

    async def _debug_stay(self, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Answer once the debugger is no longer wanted: somebody went back to `run`, or stopped the process.

        Says when a reload takes the debugger away, and when the new one answers, as an editor's task is told of both.
        """
        name, running = self._one(request)
        generation = running.process.state.generation
        while self._session.running.get(name) is running and running.debugging.forwards:
            state = running.process.state
            if state.generation != generation and state.mode == "debug":
                generation = state.generation
                yield {"data": "[devcfg] restarting"}
                async for told in running.debugging.begin(running, self._session.brief.project):
                    if not isinstance(told, str):
                        yield {"data": f"[devcfg] debugger ready {told['host']}:{told['port']}"}
            await asyncio.sleep(LOOK)
        yield {"words": f"{name}: no longer under the debugger"}
        yield {"end": 0}

    async def _end(self, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:  # noqa: ARG002  as all are called
        """Have the session end in order; whoever asked sees its socket go."""
        self._session.end()
        yield {"end": 0}

    async def _beside(self, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Say where a command beside the dev process runs; whoever asked runs it there itself."""
        name, running = self._one(request)
        place = await running.site.beside()
        where = {"here" if isinstance(place, Here) else "there": asdict(place)}
        yield {"json": {"service": name, "test": running.spec.command.test, "shell": running.spec.shell, **where}}
        yield {"end": 0}

    # ---- sync

    async def _sync_status(self, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        rows = []
        for name, engine, path, target in self._rules(request.get("services") or []):
            row = rule_row(engine, path, target)
            rows.append({"service": name, **row})
        yield {"json": {"version": 1, "rules": rows}}
        for row in rows:
            counts = f"{row['files']} files, {row['pending']} pending, {row['conflicts']} conflicts"
            yield {"data": f"{row['service']}  {row['path']} → {row['target']}  {row['mode']}  {counts}"}
            for word in ("halted", "degraded"):
                if row[word]:
                    yield {"data": f"  {word}: {row[word]}"}
        yield {"end": DECIDE if any(row["conflicts"] or row["halted"] for row in rows) else 0}

    async def _flush(self, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        rules = list(self._rules(request.get("services") or []))
        for _, engine, _, _ in rules:
            await engine.flush()
        found = self._listed(rules)
        halts = [(name, halt) for name, engine, _, _ in rules for halt in engine.status().halts]
        yield {"json": {"version": 1, "conflicts": found}}
        for name, halt in halts:
            yield {"words": f"{name}: halted: {halt.reason}; {halt.hint}"}
        for one in found:
            yield {"words": f"{one['service']}: conflict: {one['path']}"}
        if not found and not halts:
            yield {"words": "both sides agree"}
        yield {"end": DECIDE if found or halts else 0}

    async def _conflicts(self, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        found = self._listed(self._rules(request.get("services") or []))
        yield {"json": {"version": 1, "conflicts": found}}
        for one in found:
            yield {"data": f"{one['service']}  {one['path']}  (here {one['local']}, remote {one['remote']})"}
        if found:
            yield {"words": "`devcfg sync resolve SERVICE PATH --local|--remote|--both` ends one"}
        else:
            yield {"words": "no conflict"}
        yield {"end": DECIDE if found else 0}

    async def _resolve(self, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        name, running = self._one(request)
        choice = Choice(request["side"])
        for path in request["paths"]:
            await self._holder(running, path).resolve(path, choice)
            yield {"words": f"{name}: `{path}` is as {_OUTCOMES[choice]}"}
        yield {"json": {"version": 1, "service": name, "resolved": request["paths"]}}
        yield {"end": 0}

    def _holder(self, running: Running, path: str) -> Engine:
        """Return the engine that has the conflict, or the halt that `.` stands for."""
        if not running.engines:
            raise UsageError(f"service `{running.name}` syncs nothing")
        for engine in running.engines:
            if any(one.path == path for one in engine.conflicts()) or (path == "." and engine.status().halts):
                return engine
        return running.engines[0]

    async def _why(self, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        name, _ = self._one(request)
        path, reasons = request["path"], []
        for _, engine, _, target in self._rules([name]):
            reasons.append({"target": target, "why": engine.why(path)})
        if not reasons:
            raise UsageError(f"service `{name}` syncs nothing")
        yield {"json": {"version": 1, "service": name, "path": path, "rules": reasons}}
        for one in reasons:
            yield {"data": f"{one['target']}: {one['why']}" if len(reasons) > 1 else one["why"]}
        yield {"end": 0}

    # ---- who is meant

    def _chosen(self, names: list[str]) -> Iterator[tuple[str, Running]]:
        for name in names:
            only(self._session.brief, name)
        for one in self._session.brief.services:
            if (not names or one.name in names) and one.name in self._session.running:
                yield one.name, self._session.running[one.name]

    def _one(self, request: dict[str, Any]) -> tuple[str, Running]:
        name = only(self._session.brief, request.get("service"))
        if name not in self._session.running:
            raise DevcfgError(f"service `{name}` is being rebuilt", hint="try again in a moment")
        return name, self._session.running[name]

    def _wanted(self, name: str) -> Any:
        return next(one for one in self._session.brief.services if one.name == name)

    def _rules(self, names: list[str]) -> Iterator[tuple[str, Engine, str, str]]:
        for name, running in self._chosen(names):
            for engine, rule in zip(running.engines, running.spec.sync, strict=False):
                yield name, engine, rule.path, rule.target

    def _listed(self, rules: Any) -> list[dict[str, Any]]:
        return [
            {"service": name, "target": target, "path": one.path, "local": one.local, "remote": one.remote}
            for name, engine, _, target in rules
            for one in engine.conflicts()
        ]


_OUTCOMES = {
    Choice.LOCAL: "it is here",
    Choice.REMOTE: "it is on the remote side",
    Choice.BOTH: "it is here, the remote one beside it",
}


def _words(state: State) -> str:
    match state.state:
        case "running":
            return f"{state.mode} is running, generation {state.generation}"
        case "exited" | "build-failed":
            word = "it exited" if state.state == "exited" else "the build failed"
            return f"{word} with code {state.exit_code}; `devcfg logs` shows its words"
        case _:
            return state.state


class _Spelled:
    """Log lines as whoever asked sees them: what is kept is as it was printed."""

    def __init__(self, session: Asked, request: dict[str, Any]) -> None:
        self._session = session
        project, here = request.get("spelled"), request.get("here")
        self._view = View(project, here) if isinstance(project, str) and isinstance(here, str) else None
        self._known: dict[str, tuple[Running, Respell]] = {}

    def line(self, service: str, text: str, *, several: bool) -> dict[str, Any]:
        """Return a line of an answer."""
        shown = self.shown(service, text)
        return {"log": f"{service} | {shown}" if several else shown}

    def shown(self, service: str, text: str) -> str:
        """Return a line of a service's log."""
        running = self._session.running.get(service)
        if self._view is None or running is None:
            return visible_log(text)
        if service not in self._known or self._known[service][0] is not running:
            respell = respelling(self._view, running.spec, running.site.place, os.path.isfile)
            self._known[service] = running, respell
        return visible_log(text, self._known[service][1])
