"""The kernel's inotify by ctypes: watches and events as they are. Never knows what is synced."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import sys
import termios
from typing import Iterator, NamedTuple

ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x4, 0x8, 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
UNMOUNT, OVERFLOW, IGNORED = 0x2000, 0x4000, 0x8000
ONLY_DIRECTORIES, DONT_FOLLOW, IS_DIRECTORY = 0x1000000, 0x2000000, 0x40000000
WATCHED = ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF | ONLY_DIRECTORIES
HEAD = struct.Struct("iIII")
READ = 256 << 10
LIMIT_FILE = "/proc/sys/fs/inotify/max_user_watches"


class Event(NamedTuple):
    """One event: which watch, what happened, the name in the watched directory (`""`: the directory itself)."""

    watch: int
    mask: int
    name: str


class Inotify:
    """One inotify instance. OSError when the system has none, or none left for this user."""

    def __init__(self) -> None:
        if not sys.platform.startswith("linux"):
            raise OSError(errno.ENOSYS, "no inotify on this system")
        self._library = ctypes.CDLL(None, use_errno=True)
        self.fd = self._checked(self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def _checked(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result

    def watch(self, directory: int) -> int:
        """Watch an open directory; return the number of the watch, the same one for the same directory."""
        # By descriptor: a path could lead elsewhere by now.
        return self._checked(self._library.inotify_add_watch(self.fd, b"/proc/self/fd/%d" % directory, WATCHED))

    def unwatch(self, number: int) -> None:
        """Give a watch back; one that is gone is no error."""
        self._library.inotify_rm_watch(self.fd, number)

    def events(self) -> Iterator[Event]:
        """Yield the events that wait now, and none that come later."""
        left = struct.unpack("i", fcntl.ioctl(self.fd, termios.FIONREAD, bytes(4)))[0]
        while left > 0:
            try:
                piece = os.read(self.fd, READ)
            except BlockingIOError:
                return
            left -= len(piece)
            at = 0
            while at < len(piece):
                watch, mask, _, length = HEAD.unpack_from(piece, at)
                at += HEAD.size
                yield Event(watch, mask, os.fsdecode(piece[at : at + length].partition(b"\0")[0]))
                at += length

    def close(self) -> None:
        """Let the instance and all its watches go."""
        os.close(self.fd)


def watch_limit() -> str:
    """Return how many watches a user may have, in words."""
    try:
        with open(LIMIT_FILE, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "unknown"
