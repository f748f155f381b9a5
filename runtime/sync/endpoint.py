"""What the engine asks of a side, wherever it is. Never says how it is done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import NamedTuple, Protocol

from devcfg.runtime.pod.agent.entries import Change, Digested, Outcome, Scan, Staged, Wanted
from devcfg.runtime.sync.modes import Side
from devcfg.runtime.sync.snapshot import Hint


class GoneError(Exception):
    """A root is missing or is no longer the one that was opened; the text says which."""

    def __init__(self, side: Side, found: str) -> None:
        super().__init__(found)
        self.side = side


class Unchanged(NamedTuple):
    """A whole scan that found what the last settled one did; when it began, by that side's clock."""

    started_ns: int


class Endpoint(Protocol):
    """One side of a rule. Every method raises GoneError where the root is gone; one call at a time."""

    async def scan(self, hints: Iterable[Hint] | None) -> Scan | Unchanged:
        """Scan the whole tree, or what is hinted."""

    def settle(self) -> None:
        """Let the next whole scan be compared with the last one: all that it found has been taken."""

    async def digest(self, files: Sequence[str]) -> dict[str, Digested | str]:
        """Return the digest of each file, or the problem in words."""

    def send(self, wanted: Sequence[Wanted]) -> AsyncIterator[bytes]:
        """Yield the transfer stream of files."""

    async def stage(self, stream: AsyncIterator[bytes]) -> Sequence[Staged]:
        """Take a transfer stream."""

    def apply(self, changes: Sequence[Change]) -> AsyncIterator[Sequence[Outcome]]:
        """Bring changes into place; yield what became of them, in their order, some at a time."""


class Source(Endpoint, Protocol):
    """The side whose files fill an empty one."""

    def send_first(self, files: Sequence[str], found: dict[str, Digested | str]) -> AsyncIterator[bytes]:
        """Yield the transfer stream of files that have no digest yet; `found` gets what `digest` would return."""
