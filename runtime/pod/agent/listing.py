"""Listings: lists too long for one JSON text, as lines of JSON lists. Knows nothing of what an item means."""

from __future__ import annotations

import json
from typing import Any, Iterable, Iterator

from .frames import DATA_LIMIT, ProtocolError, parse_any

LINE_ITEMS = 256
LINE_LIMIT = 4 * 1024 * 1024
"""The longest line: the chunk list of a file of some gigabytes is one item."""
ITEMS_LIMIT = 400 * 1000
"""The most items of one listing: what both sides can hold as rows in bounded memory."""
BYTES_LIMIT = 96 * 1024 * 1024
_encode = json.JSONEncoder(separators=(",", ":")).encode


def lines(items: Iterable[Any]) -> Iterator[bytes]:
    """Yield items as lines."""
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == LINE_ITEMS:
            yield _line(batch)
            batch = []
    if batch:
        yield _line(batch)


def _line(batch: list[Any]) -> bytes:
    line = _encode(batch).encode("ascii") + b"\n"
    if len(line) <= LINE_LIMIT:
        return line
    if len(batch) == 1:
        raise ValueError(f"one item of a listing has {len(line)} bytes")
    half = len(batch) // 2
    return _line(batch[:half]) + _line(batch[half:])


class Reading:
    """Bytes in, items out; refuses what would not fit into memory."""

    def __init__(self, limit: int = ITEMS_LIMIT) -> None:
        self._limit = limit
        self._items = 0
        self._bytes = 0
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Yield each item whose line is complete with these bytes."""
        self._bytes += len(data)
        if self._bytes > BYTES_LIMIT:
            raise ProtocolError(f"a listing of more than {BYTES_LIMIT} bytes")
        *whole, rest = data.split(b"\n")
        for line in whole:
            joined = bytes(self._held) + line
            self._held.clear()
            yield from self._read(joined)
        self._held += rest
        if len(self._held) > LINE_LIMIT:
            raise ProtocolError(f"a line of a listing of more than {LINE_LIMIT} bytes")

    def end(self) -> None:
        """Check that no line is cut."""
        if self._held:
            raise ProtocolError("a listing that ends within a line")

    def _read(self, line: bytes) -> list[Any]:
        found = parse_any(line)
        if not isinstance(found, list):
            raise ProtocolError("a line of a listing that is no list")
        self._items += len(found)
        if self._items > self._limit:
            raise ProtocolError(f"a listing of more than {self._limit} items")
        return found


def read(data: Iterable[bytes], limit: int = ITEMS_LIMIT) -> Iterator[Any]:
    """Yield the items of a listing that comes in pieces."""
    reading = Reading(limit)
    for piece in data:
        yield from reading.feed(piece)
    reading.end()


def gather(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join small pieces and split large ones, so that each fills a DATA frame."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= DATA_LIMIT:
            view = memoryview(b"".join(held))
            for at in range(0, size - DATA_LIMIT + 1, DATA_LIMIT):
                yield bytes(view[at : at + DATA_LIMIT])
            rest = bytes(view[size - size % DATA_LIMIT :])
            held, size = [rest] if rest else [], len(rest)
    if size:
        yield b"".join(held)
