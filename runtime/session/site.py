"""Where a dev process lives, as the session sees it. Never knows whether that is a pod or this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from devcfg.runtime.link.stream import Stream
from devcfg.runtime.session.forward import Pair


class Site(Protocol):
    """One service's place: a supervisor that owns its process, and an agent that can be spoken to."""

    @property
    def directory(self) -> str:
        """The supervisor's state directory, as the agent sees it."""

    @property
    def shared(self) -> bool:
        """Whether its ports are this machine's own, so that one of the same number needs no forward."""

    def place(self, path: str) -> str:
        """Return where a path of the container is, as the agent sees it."""

    async def enter(self) -> bool:
        """Make the place ready; return whether a process that was left behind was taken over."""

    async def leave(self) -> None:
        """End the dev process and its supervisor; what was synced stays."""

    def let_go(self) -> None:
        """Leave everything running for whoever enters next."""

    def renew(self, commands: str) -> bool:
        """Remember by a digest what the process is started with; return whether it is another than before."""

    async def open_stream(self) -> Stream:
        """Start an agent and return the way to it."""

    async def dial(self, port: int) -> Pair:
        """Connect to a port of the dev process. Raises `OSError` while nothing listens there."""

    def log(self) -> AsyncIterator[str]:
        """Yield the lines that process and supervisor print, from now on, for ever."""

    def surroundings(self) -> tuple[str, dict[str, str]]:
        """Return working directory and environment of the dev process, for a command beside it."""
