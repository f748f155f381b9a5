"""The dev process as the session sees it: what it is asked, what it says. Never touches the supervisor's files.

Everything goes through the agent, which knows the supervisor by its directory.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from devcfg.runtime.link.agent import Agent, Mode, State
from devcfg.runtime.session.container import Probe

T = TypeVar("T")
ABSENT = State(0, "absent", "", None, None)
_RANKS = {"waiting": 0, "building": 1, "running": 2}
COMING = ("waiting", "building", "running")
"""The states of a process that runs or is on its way."""
SERVING = 60.0
"""Seconds that a probe is asked for before the line goes without it."""
PAUSE = 0.02
AWAITED = 0.1
"""Seconds between two looks for a supervisor."""
Commands = dict[str, list[str] | None]
"""The words of build, run and debug; None where there are none."""


class Ask(Protocol):
    """Has the agent do something; where the link is lost meanwhile, again over the next one."""

    def __call__(self, work: Callable[[Agent], Awaitable[T]]) -> Awaitable[T]: ...


_REPEATED = re.compile(
    r"\[devcfg\] ((run|debug|build): (generation \d|exited with|failed with|older than|already )"
    r"|stopped|there is no command\.run|waiting for the source)"
)


def repeats_an_event(line: str) -> bool:
    """Tell whether a line of the supervisor says what a session says or does: it is for who has only a pod's log."""
    return _REPEATED.match(line) is not None


class Process:
    """One dev process."""

    def __init__(self, directory: str, ask: Ask, probe: Probe | None) -> None:
        self._directory = directory
        self.ask = ask
        """Has the agent do something."""
        self._probe = probe
        self.state = ABSENT

    async def uneven(self, service: str) -> str:
        """Return why files that one writes are not the other's to change; empty where process and sync are one user."""
        users = await self.ask(lambda agent: agent.users(self._directory))
        if users.process in (None, users.agent):
            return ""
        return (
            f"the dev process runs as uid {users.process} and sync writes as uid {users.agent}, so that neither may "
            f"change what the other wrote: set `services.{service}.user: {users.process}`"
        )

    async def set_commands(self, commands: Commands) -> None:
        """Tell the supervisor what build, run and debug are, for its next start."""
        await self.ask(lambda agent: agent.commands(self._directory, commands))

    async def look(self) -> State:
        """Ask for the state, and return it."""
        return self.take(await self.ask(lambda agent: agent.state(self._directory)))

    async def supervised(self) -> State:
        """Return the state once there is a supervisor that says one: a new pod's agent may be there before it."""
        while (state := await self.look()).state == ABSENT.state:
            await asyncio.sleep(AWAITED)
        return state

    def forget(self) -> None:
        """Know nothing any more: the place is a new one, and counts from the start."""
        self.state = ABSENT

    def take(self, state: State) -> State:
        """Take a state that the agent told; return the last one there is."""
        # Answers and events are read by different tasks: what is older must not overtake what is newer.
        if _order(state) >= _order(self.state):
            self.state = state
        return self.state

    async def start(self, mode: Mode) -> State:
        """Make sure that a mode runs; return when it does, or when it turned out that it cannot."""
        return self.take(await self.ask(lambda agent: agent.start(self._directory, mode)))

    async def restart(self, mode: Mode | None = None) -> State:
        """Build and start anew; return when the new process runs, or the build has failed."""
        return self.take(await self.ask(lambda agent: agent.restart(self._directory, mode)))

    async def stop(self) -> State:
        """End the process; return when it has."""
        return self.take(await self.ask(lambda agent: agent.stop(self._directory)))

    async def signal(self, name: str) -> None:
        """Send the process a signal."""
        await self.ask(lambda agent: agent.signal(self._directory, name))

    async def serving(self) -> float | None:
        """Ask the probe until it says yes; return the milliseconds, None where no yes is to be had."""
        generation, began = self.state.generation, time.monotonic()
        probe = self._probe
        while probe is not None and time.monotonic() - began < SERVING:
            if (self.state.generation, self.state.state) != (generation, "running"):
                break
            found = await self.ask(lambda agent: agent.probe(**probe.members()))
            if found.result == "success":
                return (time.monotonic() - began) * 1000
            if found.result == "unsupported":
                break
            await asyncio.sleep(PAUSE)
        return None


def _order(state: State) -> tuple[int, int]:
    return state.generation, _RANKS.get(state.state, 3 if state.generation else 0)
