"""What is expected in a place, compared with what is there. Never changes anything."""

from __future__ import annotations

import os
import stat as modes
import time

from . import paths
from .chunks import LARGE
from .digest import digest_open
from .entries import DIRECTORY, FILE, LINK, Entry, Stat, is_executable, stat_from

YOUNG_NS = 60 * 10**9
YOUNG_LARGE_NS = 2 * 10**9
"""A file that changed less than this ago may have changed again with the same stat: its content is compared."""
KINDS = {FILE: modes.S_IFREG, LINK: modes.S_IFLNK, DIRECTORY: modes.S_IFDIR}


class Unexpected(Exception):  # noqa: N818 - no error: the other side knows less than the disk
    """What is in place is not what the change expects."""


def look(place: tuple[int, str]) -> os.stat_result:
    """Return the stat of what is in a place."""
    return os.lstat(place[1], dir_fd=place[0])


def expect(place: tuple[int, str], old: Entry, stat: Stat | None) -> os.stat_result:
    """Return the stat of what is in a place; Unexpected when it is not `old` with exactly this stat."""
    found = look(place)
    if not _alike(found, old) or (old.kind == FILE and stat is not None and stat_from(found) != stat):
        raise Unexpected("it changed since it was last seen")
    if old.kind == LINK and os.readlink(place[1], dir_fd=place[0]) != old.content:
        raise Unexpected("it leads elsewhere now")
    if old.kind == FILE and stat is None and not _has_content(place, old):
        raise Unexpected("it has other content now")
    return found


def expect_moved(place: tuple[int, str], old: Entry, before: os.stat_result) -> None:
    """Check what was taken out of its place; a rename changes the ctime, so that a young file's content is compared."""
    found = look(place)
    if not _alike(found, old):
        raise Unexpected("it became something else")
    if old.kind == LINK and os.readlink(place[1], dir_fd=place[0]) != old.content:
        raise Unexpected("it leads elsewhere now")
    if old.kind == FILE:
        same = (found.st_size, found.st_mtime_ns, found.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
        if not same or (_is_young(before) and not _has_content(place, old)):
            raise Unexpected("it changed a moment ago")


def _alike(found: os.stat_result, old: Entry) -> bool:
    return modes.S_IFMT(found.st_mode) == KINDS[old.kind] and is_executable(found.st_mode) == old.executable


def _is_young(found: os.stat_result) -> bool:
    limit = YOUNG_NS if found.st_size < LARGE else YOUNG_LARGE_NS
    return max(found.st_mtime_ns, found.st_ctime_ns) > time.time_ns() - limit


def _has_content(place: tuple[int, str], old: Entry) -> bool:
    fd = os.open(place[1], paths.FILE, dir_fd=place[0])
    try:
        found = digest_open(fd, os.fstat(fd))
        return not isinstance(found, str) and found.digest == old.content
    finally:
        os.close(fd)
