"""Where a dev process lives, as the session sees it. Never knows whether that is a pod or this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from devcfg.runtime.link.stream import Stream
from devcfg.runtime.session.forward import Pair


@dataclass(frozen=True, slots=True)
class Here:
    """Beside a dev process on this machine: whoever asked becomes the command."""

    folder: str
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class There:
    """Beside a dev process in a container: whoever asked has the cluster execute the command."""

    context: str
    server: str
    """The URL of the API server: the same context may be another one's for whoever asked."""
    namespace: str
    pod: str
    container: str
    folder: str
    """Empty for the image's own."""
    prefix: tuple[str, ...] = ()
    """Words before the command, where the config's `env` is newer than the container's."""


class Site(Protocol):
    """One service's place: a supervisor that owns its process, and an agent that can be spoken to."""

    @property
    def directory(self) -> str:
        """The supervisor's state directory, as the agent sees it."""

    @property
    def beside_agent(self) -> str:
        """A directory that agent and dev process see by one name; what is in it is there no longer than the place."""

    @property
    def shared(self) -> bool:
        """Whether its ports are this machine's own, so that one of the same number needs no forward."""

    @property
    def incarnation(self) -> str:
        """What the agent of the last stream lives in: another one has another supervisor and other volumes."""

    @property
    def pod(self) -> str | None:
        """The name of its pod; None on this machine."""

    def place(self, path: str) -> str:
        """Return where a path of the container is, as the agent sees it."""

    async def enter(self) -> None:
        """Make the place ready, or take over the one that an earlier session left behind."""

    async def leave(self) -> None:
        """End the dev process and its supervisor where nobody else does; what was synced stays."""

    def let_go(self) -> None:
        """Leave everything running for whoever enters next."""

    def started_as(self, argv: Sequence[str]) -> list[str]:
        """Return the words by which the supervisor starts a command there."""

    def renew(self, commands: str) -> bool:
        """Remember by a digest what the process is started with; return whether it is another than before."""

    async def open_stream(self) -> Stream:
        """Start an agent and return the way to it."""

    async def dial(self, port: int) -> Pair:
        """Connect to a port of the dev process. Raises `OSError` while nothing listens there."""

    def log(self) -> AsyncIterator[str]:
        """Yield the lines that process and supervisor print, for ever; of those before this session only the last."""

    async def beside(self) -> Here | There:
        """Return where a command beside the dev process runs."""
