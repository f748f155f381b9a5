"""The transfer stream: records of files as they are sent, and read back. Never writes a file.

A record is a u32 length, a JSON header [path, size, digest, executable, mtime_ns, form, base stat], and the content:
form 0 as it is, form 1 a u32 length, JSON steps, and the literal bytes of the steps. A header of size -1 takes the
record before it back, or stands for one that could not be begun: its digest is then the reason. A list of headers
stands for as many records: what follows each comes after all of them. Small files cost less that way.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any, Iterable, Iterator, NamedTuple

from . import paths
from .chunks import LARGE, MOST, ZEROS, digest, steps_of
from .digest import CHANGED, digest_open, open_file, read_exactly, read_open, read_small, unopened
from .entries import (
    SIZE_LIMIT,
    Digested,
    Stat,
    Wanted,
    digest_of,
    is_executable,
    stat_from,
    stat_of,
    words,
)

LENGTH = struct.Struct(">I")
ENCODE = json.JSONEncoder(separators=(",", ":")).encode  # made once: `dumps` makes one for each record
HEADER_LIMIT = 1 << 20
TOGETHER = 32
"""The records under one header; with the longest names that there are they fit into the limit."""
STEPS_LIMIT = 32 << 20
JOINED = 256 << 10
PIECE = 256 << 10


class StreamError(ValueError):
    """What arrives is no transfer stream."""


def packed(value: Any) -> bytes:
    """Return a JSON value behind its length."""
    text = ENCODE(value).encode()
    return LENGTH.pack(len(text)) + text


def taken_back(path: str, reason: str) -> bytes:
    """Return the record that says why a file is not sent."""
    return packed([path, -1, reason, False, 0, 0, None])


def records(root: int, wanted: Iterable[Wanted], known: dict[str, Digested]) -> Iterator[bytes]:
    """Yield the records of files; what is no longer as wanted is taken back. `known` has chunks of large files."""
    with paths.Folders(root) as folders:
        yield from _joined(piece for each in wanted for piece in _record(folders, each, known.get(each.path)))


def first_records(root: int, files: Iterable[str], found: dict[str, Digested | str]) -> Iterator[bytes]:
    """Yield the records of files whose digests nobody knows yet: each small one is read once for both.

    `found` gets every digest, or why there is none; then there is no record either.
    """
    with paths.Folders(root) as folders:
        yield from _joined(piece for path in files for piece in _first_record(folders, path, found))


class Small(NamedTuple):
    """A record that may stand with others under one header."""

    header: list[Any]
    content: bytes


def _joined(pieces: Iterable[Small | bytes]) -> Iterator[bytes]:
    joined = bytearray()
    for piece in _gathered(pieces):
        joined += piece
        if len(joined) >= JOINED:
            yield bytes(joined)
            joined.clear()
    if joined:
        yield bytes(joined)


def _gathered(pieces: Iterable[Small | bytes]) -> Iterator[bytes]:
    small: list[Small] = []
    size = 0
    for piece in pieces:
        if isinstance(piece, Small):
            small.append(piece)
            size += len(piece.content)
            if len(small) == TOGETHER or size >= JOINED:
                yield _together(small)
                small, size = [], 0
            continue
        if small:
            yield _together(small)
            small, size = [], 0
        yield piece
    if small:
        yield _together(small)


def _together(small: list[Small]) -> bytes:
    headers = [one.header for one in small]
    return packed(headers if len(small) > 1 else headers[0]) + b"".join([one.content for one in small])


def _first_record(folders: paths.Folders, path: str, found: dict[str, Digested | str]) -> Iterator[Small | bytes]:
    try:
        fd, stat = open_file(folders, path)
    except OSError as problem:
        found[path] = unopened(problem)
        return
    try:
        if stat.st_size < LARGE:
            known, content = read_open(fd, stat)
            found[path] = known
            if isinstance(known, Digested):
                executable = is_executable(stat.st_mode)
                yield Small([path, stat.st_size, known.digest, executable, stat.st_mtime_ns, 0, None], content)
        else:
            known = found[path] = digest_open(fd, stat)
            if isinstance(known, Digested):
                yield from _large(fd, stat, Wanted(path, known.digest, None, None, None), known)
    except OSError as problem:
        found[path] = words(problem)
    finally:
        os.close(fd)


def _record(folders: paths.Folders, wanted: Wanted, known: Digested | None) -> Iterator[Small | bytes]:
    path = wanted.path
    try:
        fd, stat = open_file(folders, path)
    except OSError as problem:
        yield taken_back(path, words(problem))
        return
    try:
        if wanted.stat is not None and stat_from(stat) != wanted.stat:
            yield taken_back(path, CHANGED)
        elif stat.st_size < LARGE:
            content = read_small(fd, stat.st_size)
            # Where the stat is the known one the receiver's check is enough: it compares what it got with the digest.
            if len(content) != stat.st_size or (wanted.stat is None and digest(content) != wanted.digest):
                yield taken_back(path, CHANGED)
                return
            executable = is_executable(stat.st_mode)
            yield Small([path, len(content), wanted.digest, executable, stat.st_mtime_ns, 0, None], content)
        else:
            yield from _large(fd, stat, wanted, known)
    except OSError as problem:
        # Only the first read of a small file fails before anything was sent; a large one pads what it promised.
        yield taken_back(path, words(problem))
    finally:
        os.close(fd)


def _large(fd: int, stat: os.stat_result, wanted: Wanted, known: Digested | None) -> Iterator[bytes]:
    if known is None or known.stat != stat_from(stat) or known.chunks is None:
        found = digest_open(fd, stat)
        if isinstance(found, str):
            yield taken_back(wanted.path, found)
            return
        known = found
    if known.digest != wanted.digest:
        yield taken_back(wanted.path, CHANGED)
        return
    steps = list(steps_of(known.chunks or [], wanted.base_chunks or []))
    header = [wanted.path, stat.st_size, wanted.digest, is_executable(stat.st_mode), stat.st_mtime_ns]
    literal = [(at, length) for kind, at, length in steps if kind == "l"]
    if len(steps) == len(literal) or len(steps) > STEPS_LIMIT // 64:
        yield packed([*header, 0, None])
        literal = [(0, stat.st_size)]
    else:
        yield packed([*header, 1, wanted.base_stat])
        yield packed([["c", at, length] if kind == "c" else [kind, length] for kind, at, length in steps])
    whole = True
    for at, length in literal:
        sent = 0
        try:
            for piece in read_exactly(fd, at, at + length):
                yield piece
                sent += len(piece)
        except OSError:
            whole = False
        while sent < length:  # it became shorter: keep the promise of the header, then take it back
            whole = False
            yield ZEROS[: min(MOST, length - sent)]
            sent += min(MOST, length - sent)
    if not whole or stat_from(os.fstat(fd)) != known.stat:
        yield taken_back(wanted.path, CHANGED)


class Buffer:
    """Bytes of a stream, asked for by length; holds little more than one piece of the stream."""

    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = iter(stream)
        self._held = b""
        self._at = 0

    def ended(self) -> bool:
        """Tell whether nothing more comes."""
        while self._at >= len(self._held):
            piece = next(self._stream, None)
            if piece is None:
                return True
            self._held = piece
            self._at = 0
        return False

    def take(self, count: int) -> bytes:
        """Return so many bytes."""
        end = self._at + count
        if end <= len(self._held):
            found = self._held[self._at : end]
            self._at = end
            return found
        return b"".join(self.pieces(count))

    def pieces(self, count: int) -> Iterator[bytes]:
        """Yield so many bytes as they come."""
        while count:
            if self.ended():
                raise StreamError("the transfer ends in the middle of a record")
            piece = self._held[self._at : self._at + min(count, PIECE)]
            self._at += len(piece)
            count -= len(piece)
            yield piece

    def json(self, limit: int) -> Any:
        """Return the next JSON value."""
        length = LENGTH.unpack(self.take(4))[0]
        if length > limit:
            raise StreamError(f"a header of {length} bytes, where {limit} is the most")
        try:
            return json.loads(self.take(length).decode())
        except (ValueError, RecursionError) as problem:
            raise StreamError("a header that is no JSON") from problem


class Header(NamedTuple):
    """What a record says of itself."""

    path: str
    size: int
    digest: str
    executable: bool
    mtime_ns: int
    form: int
    base: Stat | None


def headers_of(value: Any) -> list[Header]:
    """Read a header, or a list of them."""
    if isinstance(value, list) and value and isinstance(value[0], list):
        return [header_of(one) for one in value]
    return [header_of(value)]


def header_of(value: Any) -> Header:
    """Read one header."""
    if not isinstance(value, list) or len(value) != 7:
        raise StreamError("a header is a list of seven")
    path, size, found, executable, mtime, form, base = value
    try:
        paths.check(path)
        if size == -1:
            if not isinstance(found, str):
                raise StreamError("a record is taken back with a reason")
            return Header(path, -1, found[:200], False, 0, 0, None)
        digest_of(found)
        base = None if base is None else stat_of(base)
    except ValueError as problem:
        raise StreamError(str(problem)) from problem
    if not (type(size) is type(mtime) is int and 0 <= size < SIZE_LIMIT * 2 and abs(mtime) < SIZE_LIMIT * 2):
        raise StreamError("a size or a time out of range")
    if not isinstance(executable, bool) or form not in (0, 1) or isinstance(form, bool):
        raise StreamError("a header of an unknown form")
    if form == 1 and size < LARGE:
        raise StreamError("a delta of a small file")
    return Header(path, size, found, executable, mtime, form, base)


def steps_from(value: Any, header: Header) -> list[tuple[str, int, int]]:
    """Read the steps of a delta as (kind, offset in the base, length); together they are the whole file."""
    if not isinstance(value, list):
        raise StreamError("steps are a list")
    steps: list[tuple[str, int, int]] = []
    for step in value:
        if not isinstance(step, list) or not step or any(type(number) is not int for number in step[1:]):
            raise StreamError("a step is its kind and its numbers")
        copies = step[0] == "c"
        if step[0] not in ("c", "l", "z") or len(step) != 2 + copies or (copies and header.base is None):
            raise StreamError("a step is a copy from a base, zeros, or literal bytes")
        offset = step[1] if copies else 0
        if offset < 0 or not 0 < step[-1] <= header.size:
            raise StreamError("a step that leads out of its file")
        steps.append((step[0], offset, step[-1]))
    if sum(length for _, _, length in steps) != header.size:
        raise StreamError("steps that do not make the whole file")
    return steps
