"""A temporary name in the directory of a place on another mount, where nothing can be renamed from the stage.

Never decides what is moved there.
"""

from __future__ import annotations

import os
import stat as modes

from . import paths
from .digest import read_exactly
from .expect import look
from .stage import Stage, write_all


class Nearby:
    """A name in that directory, and in the stage the note that finds it again."""

    def __init__(self, stage: Stage, source: tuple[int, str] | None, place: tuple[int, str], path: str) -> None:
        self._stage = stage
        self._source = source
        self._note = "at-" + stage.name()
        self._near = (place[0], paths.TEMP + f"{os.getpid():x}-{self._note}")
        self._path = paths.join(paths.parent(path), self._near[1])

    def __enter__(self) -> tuple[int, str]:
        os.symlink(self._path, self._note, dir_fd=self._stage.fd)
        if self._source is not None:
            _copy(self._source, self._near)
        return self._near

    def __exit__(self, *_: object) -> None:
        remove(self._near)
        self._stage.drop(self._note)


def _copy(source: tuple[int, str], to: tuple[int, str]) -> None:
    stat = look(source)
    if modes.S_ISDIR(stat.st_mode):
        os.mkdir(to[1], 0o777, dir_fd=to[0])
        return
    if modes.S_ISLNK(stat.st_mode):
        os.symlink(os.readlink(source[1], dir_fd=source[0]), to[1], dir_fd=to[0])
        return
    fd = os.open(source[1], paths.FILE, dir_fd=source[0])
    try:
        copy = os.open(to[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=to[0])
        try:
            for piece in read_exactly(fd, 0, stat.st_size):
                write_all(copy, piece)
            os.fchmod(copy, modes.S_IMODE(stat.st_mode))
            os.utime(copy, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
        finally:
            os.close(copy)
    finally:
        os.close(fd)


def remove(place: tuple[int, str]) -> None:
    """Remove what is there, if anything is; a directory only when it is empty."""
    try:
        os.unlink(place[1], dir_fd=place[0])
    except FileNotFoundError:
        pass
    except (IsADirectoryError, PermissionError):
        os.rmdir(place[1], dir_fd=place[0])
