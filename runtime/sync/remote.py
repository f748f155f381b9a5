"""The far side of a rule: a root behind the agent. Never touches a disk, and never decides."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

from devcfg.runtime.link.agent import Agent
from devcfg.runtime.link.errors import RequestError
from devcfg.runtime.pod.agent.entries import Change, Digested, Outcome, Scan, Staged, Wanted
from devcfg.runtime.sync.endpoint import GoneError, Unchanged
from devcfg.runtime.sync.modes import Side
from devcfg.runtime.sync.snapshot import Hint


class FarEnd:
    """The root of one rule, as long as one link lives."""

    def __init__(self, agent: Agent, rule: str, listing: str = "") -> None:
        self.agent = agent
        self.rule = rule
        self.listing = listing
        """The digest of a whole scan, while all that is known of this side is from it; the next link may use it too."""
        self._found = listing

    async def scan(self, hints: Iterable[Hint] | None) -> Scan | Unchanged:
        """Scan the whole tree, or what is hinted."""
        known, self.listing = self.listing, ""
        with _gone():
            found = await self.agent.scan(self.rule, hints, known if hints is None else "")
        # A part says nothing of the whole, and may have changed what is known of it.
        self._found = found.listing if hints is None else ""
        if found.rows is None:
            return Unchanged(found.started_ns)
        return Scan(list(found.rows), list(found.missing), found.started_ns)

    def settle(self) -> None:
        """Let the next whole scan be compared with the last one, if that was of the whole."""
        self.listing = self._found

    async def digest(self, files: Sequence[str]) -> dict[str, Digested | str]:
        """Return the digest of each file, or the problem in words."""
        with _gone():
            return await self.agent.digest(self.rule, files)

    async def send(self, wanted: Sequence[Wanted]) -> AsyncIterator[bytes]:
        """Yield the transfer stream of files."""
        with _gone():
            async for piece in self.agent.fetch(self.rule, wanted):
                yield piece

    async def stage(self, stream: AsyncIterator[bytes]) -> Sequence[Staged]:
        """Take a transfer stream."""
        with _gone():
            return await self.agent.stage(self.rule, stream)

    async def apply(self, changes: Sequence[Change]) -> AsyncIterator[Sequence[Outcome]]:
        """Bring changes into place; yield what became of them as it is heard."""
        # What is undone by someone else later on would be listed as it was before.
        self.listing = self._found = ""
        with _gone():
            async for outcomes in self.agent.apply(self.rule, changes):
                yield outcomes


@contextlib.contextmanager
def _gone() -> Iterator[None]:
    try:
        yield
    except RequestError as exc:
        if exc.code == "gone":
            raise GoneError(Side.FAR, exc.message) from exc
        raise
