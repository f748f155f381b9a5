"""Digests of files on disk, holes unread. Never trusts a file that changed while it was read.

A file counts only if its stat is the same before and after; it is read no further than the size it had, so that one
that grows for ever ends too.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from typing import Iterator

from . import paths
from .chunks import LARGE, Chunker, digest
from .entries import Digested, stat_from, words

PIECE = 1 << 20
CHANGED = "changed"


class NotAFileError(OSError):
    """What stands at the path is no regular file any more."""


def open_file(folders: paths.Folders, path: str, flags: int = paths.FILE) -> tuple[int, os.stat_result]:
    """Open a regular file by its directory and without following a link."""
    above, _, name = path.rpartition("/")
    fd = os.open(name, flags, dir_fd=folders.open(above))
    try:
        stat = os.fstat(fd)
    except BaseException:
        os.close(fd)
        raise
    if not modes.S_ISREG(stat.st_mode):
        os.close(fd)
        raise NotAFileError(errno.EINVAL, "no regular file")
    return fd, stat


def data_spans(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield where data stands in a file, in order; what is between are holes."""
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
            end = os.lseek(fd, start, os.SEEK_HOLE)
        except OSError as problem:
            if problem.errno == errno.ENXIO:
                return  # a hole up to the end
            start, end = at, size  # a file system that knows no holes
        if start >= size:
            return
        yield start, min(end, size)
        at = max(end, start + 1)


def read_exactly(fd: int, start: int, end: int) -> Iterator[bytes]:
    """Yield a file's bytes from start to end; fewer when it has become shorter."""
    while start < end:
        piece = os.pread(fd, min(PIECE, end - start), start)
        if not piece:
            return
        yield piece
        start += len(piece)


def read_small(fd: int, size: int) -> bytes:
    """Return a small file's bytes, most often by one read; fewer when it has become shorter."""
    content = os.pread(fd, size, 0)
    while len(content) < size:
        more = os.pread(fd, size - len(content), len(content))
        if not more:
            break
        content += more
    return content


def digest_open(fd: int, stat: os.stat_result) -> Digested | str:
    """Return the digest of an open file, or that it changed meanwhile."""
    if stat.st_size < LARGE:
        return read_open(fd, stat)[0]
    chunker = Chunker()
    at = 0
    for start, end in data_spans(fd, stat.st_size):
        chunker.zeros(start - at)
        at = start
        for piece in read_exactly(fd, start, end):
            chunker.feed(piece)
            at += len(piece)
        if at != end:
            return CHANGED
    chunker.zeros(stat.st_size - at)
    found = chunker.finish()
    before = stat_from(stat)
    return Digested(found, before, chunker.chunks) if stat_from(os.fstat(fd)) == before else CHANGED


def read_open(fd: int, stat: os.stat_result) -> tuple[Digested | str, bytes]:
    """Return the same of a small file, and its content."""
    content = read_small(fd, stat.st_size)
    before = stat_from(stat)
    if len(content) != stat.st_size or stat_from(os.fstat(fd)) != before:
        return CHANGED, b""
    return Digested(digest(content), before, None), content


def digest_file(folders: paths.Folders, path: str, known: Digested | None) -> Digested | str:
    """Return the digest of a file, taken over from what is known where the stat is equal, or the problem in words."""
    try:
        fd, stat = open_file(folders, path)
    except OSError as problem:
        return unopened(problem)
    try:
        if known is not None and known.stat == stat_from(stat):
            return known
        return digest_open(fd, stat)
    except OSError as problem:
        return words(problem)
    finally:
        os.close(fd)


def unopened(problem: OSError) -> str:
    """Say why a file that was seen a moment ago cannot be opened."""
    if isinstance(problem, (FileNotFoundError, NotADirectoryError, NotAFileError)):
        return CHANGED
    # A link that took the file's place says ELOOP.
    return CHANGED if problem.errno in (errno.ELOOP, errno.ENXIO) else words(problem)
