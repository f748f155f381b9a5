"""Where the services of a session live, all of them: entered before it, left after it. Never follows one.

`LocalSites` is this machine; the cluster's are in `podsites`.
"""

from __future__ import annotations

from typing import Protocol

from devcfg.runtime.session.events import Event
from devcfg.runtime.session.local import LocalSite
from devcfg.runtime.session.site import Site
from devcfg.runtime.session.wanted import Brief, Wanted


class Hearer(Protocol):
    """Who is told of the way in and out."""

    def step(self, text: str) -> None:
        """Hear a step."""

    def words(self, service: str, text: str) -> None:
        """Hear words of a service."""

    def event(self, event: Event) -> None:
        """Hear an event."""


class Sites(Protocol):
    """What a session's services have in common."""

    @property
    def target(self) -> str:
        """The word of `status` for it."""

    @property
    def stays(self) -> bool:
        """Whether what was entered outlives a session that is stopped at once, until `devcfg down`."""

    async def enter(self, brief: Brief, hearer: Hearer) -> None:
        """Make everything ready for these services; once more where a config that was saved needs other places."""

    def site(self, wanted: Wanted, hearer: Hearer) -> Site:
        """Return the place of one service that was entered."""

    def moves(self, before: Wanted | None, after: Wanted) -> tuple[str, ...]:
        """Return what a saved config changes of a service that needs it to be entered again; none: all in place."""

    async def held(self) -> None:
        """Wait as long as the places are this session's; raise `DevcfgError` with the reason when they are not."""

    async def leave(self, hearer: Hearer) -> None:
        """Take back what `enter` did, however far it came."""


class LocalSites:
    """The sites of this machine. Implements `Sites`."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._made: set[str] = set()  # services that had a site in this session

    @property
    def target(self) -> str:
        """Return the word for this machine."""
        return "local"

    @property
    def stays(self) -> bool:
        """Say that the next session takes over what is left behind."""
        return False

    async def enter(self, brief: Brief, hearer: Hearer) -> None:
        """Do nothing: each site makes itself ready."""

    def site(self, wanted: Wanted, hearer: Hearer) -> LocalSite:  # noqa: ARG002  a local site has nothing to wait for
        """Return the site of a service."""
        again = wanted.name in self._made
        self._made.add(wanted.name)
        return LocalSite(self._project, wanted.name, wanted.spec, wanted.environment, again=again)

    def moves(self, before: Wanted | None, after: Wanted) -> tuple[str, ...]:  # noqa: ARG002  as the protocol has it
        """Say that everything changes in place."""
        return ()

    async def held(self) -> None:
        """Wait for ever: each site holds its own lock."""
        from asyncio import Event

        await Event().wait()

    async def leave(self, hearer: Hearer) -> None:
        """Do nothing: each site has ended what it started."""
