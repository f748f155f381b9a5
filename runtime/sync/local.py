"""The local side of a rule: a root in this process. Never speaks over the link, and never decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from devcfg.runtime.link.errors import BreachError
from devcfg.runtime.pod.agent import records as transfer
from devcfg.runtime.pod.agent.entries import Change, Digested, Outcome, Scan, Staged, Wanted
from devcfg.runtime.pod.agent.records import StreamError
from devcfg.runtime.pod.agent.root import Root
from devcfg.runtime.sync.endpoint import GoneError
from devcfg.runtime.sync.modes import Side
from devcfg.runtime.sync.snapshot import Hint

T = TypeVar("T")
AT_ONCE = 32
"""So few paths are looked at without a thread: handing them over would take longer than the work."""


class LocalEnd:
    """A root of this machine. Long work is done in a thread, so that pings are answered meanwhile."""

    def __init__(self, root: Root) -> None:
        self.root = root

    async def scan(self, hints: Iterable[Hint] | None) -> Scan:
        """Scan the whole tree, or what is hinted."""
        asked = None if hints is None else list(hints)
        found = await self._do(lambda: self.root.scan(asked), _size(asked))
        # A directory that was removed meanwhile reads as an empty one.
        if gone := self.root.gone():
            raise GoneError(Side.LOCAL, gone)
        return found

    def settle(self) -> None:
        """Need nothing: rows of this process cost no more than their comparison would."""

    async def digest(self, files: Sequence[str]) -> dict[str, Digested | str]:
        """Return the digest of each file, or the problem in words."""
        return await self._do(lambda: self.root.digest(files, {}), len(files))

    async def send(self, wanted: Sequence[Wanted]) -> AsyncIterator[bytes]:
        """Yield the transfer stream of files."""
        async for piece in self._sent(self.root.records(wanted), len(wanted)):
            yield piece

    async def send_first(self, files: Sequence[str], found: dict[str, Digested | str]) -> AsyncIterator[bytes]:
        """Yield the transfer stream of files that have no digest yet; `found` gets what `digest` would return."""
        async for piece in self._sent(self.root.first_records(files, found), len(files)):
            yield piece

    async def _sent(self, records: Iterable[bytes], size: int) -> AsyncIterator[bytes]:
        pieces = iter(records)
        while (piece := await self._do(lambda: next(pieces, None), size)) is not None:
            yield piece

    async def stage(self, stream: AsyncIterator[bytes]) -> Sequence[Staged]:
        """Take a transfer stream."""
        return await self.stage_as(stream, None)

    async def stage_as(self, stream: AsyncIterator[bytes], move: Callable[[str], str] | None) -> Sequence[Staged]:
        """Take a transfer stream for other paths than those it was sent from."""
        with Pulled(stream) as pieces:
            records = pieces if move is None else _moved(pieces, move)
            try:
                return await self._do(lambda: self.root.stage(records), AT_ONCE + 1)
            except StreamError as exc:
                raise BreachError(f"the agent sends what is no transfer: {exc}") from exc

    async def apply(self, changes: Sequence[Change]) -> AsyncIterator[Sequence[Outcome]]:
        """Bring changes into place; what became of them is yielded at once."""
        yield await self._do(lambda: self.root.apply(changes), len(changes))

    async def _do(self, work: Callable[[], T], size: int) -> T:
        if gone := self.root.gone():
            raise GoneError(Side.LOCAL, gone)
        if size <= AT_ONCE:
            return work()
        return await asyncio.to_thread(work)


class Pulled:
    """An asynchronous stream as a plain one, for a thread: each piece is asked for when it is needed."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._over = False

    def __enter__(self) -> Iterator[bytes]:
        return self._pieces()

    def __exit__(self, *_: object) -> None:
        # Whoever waited may be cancelled while the thread is not: it must not ask a loop that has ended.
        self._over = True

    def _pieces(self) -> Iterator[bytes]:
        while not self._over:
            piece = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
            if piece is None:
                return
            yield piece

    async def _next(self) -> bytes | None:
        return await anext(self._stream, None)


def _size(hints: list[Hint] | None) -> int:
    if hints is None or any(deep for _, deep in hints):
        return AT_ONCE + 1
    return len(hints)


def _moved(stream: Iterator[bytes], move: Callable[[str], str]) -> Iterator[bytes]:
    """Yield a transfer stream whose records have other paths."""
    buffer = transfer.Buffer(stream)
    while not buffer.ended():
        headers = transfer.headers_of(buffer.json(transfer.HEADER_LIMIT))
        yield transfer.packed([header._replace(path=move(header.path)) for header in headers])
        for header in headers:
            left = max(header.size, 0)
            if header.form:
                steps = buffer.json(transfer.STEPS_LIMIT)
                yield transfer.packed(steps)
                left = sum(length for kind, _, length in transfer.steps_from(steps, header) if kind == "l")
            yield from buffer.pieces(left)
