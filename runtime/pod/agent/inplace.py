"""Writing into the file that is there, and mending it after a death in the middle. Never decides whether to.

Before the first byte the stage holds all of the new content, a copy of the old one, and a note that names both: a link
`in-NEW-OLD` to the path. Whoever opens the root next finishes what is a mix of the two, and leaves all else alone.
"""

from __future__ import annotations

import os
import stat as modes

from . import paths
from .digest import PIECE, read_exactly
from .entries import stat_from
from .expect import Unexpected
from .stage import Stage, write_all

NOTE = "in-"
BOTH = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def overwrite(stage: Stage, new: str, fd: int, path: str) -> None:
    """Make what the stage holds as `new` the content of an open file; where that fails, it is as it was."""
    old = stage.name()
    note = f"{NOTE}{new}-{old}"
    copy = os.open(old, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=stage.fd)
    try:
        before = os.fstat(fd)
        for piece in read_exactly(fd, 0, before.st_size):
            write_all(copy, piece)
        os.utime(copy, ns=(before.st_mtime_ns, before.st_mtime_ns))
        if stat_from(os.fstat(fd)) != stat_from(before):
            raise Unexpected("it changed a moment ago")
        os.symlink(path, note, dir_fd=stage.fd)
        try:
            _fill(fd, stage.fd, new)
        except OSError:
            _fill(fd, stage.fd, old)
            raise
        finally:
            stage.drop(note)
    finally:
        os.close(copy)
        stage.drop(old)


def mend(folders: paths.Folders, stage: int, note: str) -> None:
    """Finish what a note says was begun, if what is there is neither old nor new but both."""
    new, _, old = note[len(NOTE) :].partition("-")
    try:
        path = paths.check(os.readlink(note, dir_fd=stage))
        above, _, name = path.rpartition("/")
        fd = os.open(name, BOTH, dir_fd=folders.open(above))
    except (OSError, ValueError):
        return  # it is gone, or became something else
    try:
        if modes.S_ISREG(os.fstat(fd).st_mode) and _is_mix(fd, stage, new, old):
            _fill(fd, stage, new)
    except OSError:
        return  # no note of ours, or no room: sync finds the difference, and both sides stay as they are
    finally:
        os.close(fd)


def _fill(fd: int, stage: int, name: str) -> None:
    source = os.open(name, paths.FILE, dir_fd=stage)
    try:
        stat = os.fstat(source)
        os.lseek(fd, 0, os.SEEK_SET)
        for piece in read_exactly(source, 0, stat.st_size):
            write_all(fd, piece)
        os.ftruncate(fd, stat.st_size)
        os.utime(fd, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    finally:
        os.close(source)


def _is_mix(fd: int, stage: int, new: str, old: str) -> bool:
    """Tell whether a file begins as the new content and goes on as the old one; not where it is all old."""
    sources = [os.open(name, paths.FILE, dir_fd=stage) for name in (new, old)]
    try:
        size, at, begins = os.fstat(fd).st_size, 0, True
        same = size == os.fstat(sources[1]).st_size
        while at < size:
            found, fresh, before = (os.pread(one, PIECE, at) for one in (fd, *sources))
            if not found:
                return False
            same = same and found == before
            equal = _common(found, fresh) if begins else 0
            if found[equal:] != before[equal : len(found)]:
                return False
            begins = equal == len(found)
            at += len(found)
        return not same
    finally:
        for each in sources:
            os.close(each)


def _common(left: bytes, right: bytes) -> int:
    """Return how many bytes two pieces begin with in common."""
    if left == right[: len(left)]:
        return len(left)
    pairs = enumerate(zip(left, right))
    return next((at for at, (one, other) in pairs if one != other), min(len(left), len(right)))
