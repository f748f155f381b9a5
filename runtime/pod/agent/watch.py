"""Hints of what changed in a root: by inotify, else by looking again. Never the truth: that is a scan.

A hint may be too much, never too little: what a new directory holds, what happened while events were lost, what moved
in from elsewhere comes as a deep hint or as a wish for a whole scan.
"""

from __future__ import annotations

import errno
import os
import time
from typing import Callable, NamedTuple

from . import inotify, paths
from .entries import Row
from .ignore import Ignores, Level

HINTS_LIMIT = 50_000
COMES_OR_GOES = inotify.CREATE | inotify.DELETE | inotify.MOVED_FROM | inotify.MOVED_TO
ROOT_GONE = "the root was moved, removed or unmounted"
POLL_LEAST_S = 1.0
POLL_SHARE = 20
"""A poll may cost one in so many seconds."""


class Hints(NamedTuple):
    """Paths to look at, each with whether to look below; `rescan` asks for a whole scan, `reason` says why."""

    paths: list[tuple[str, bool]]
    rescan: bool
    reason: str

    def joined(self, later: Hints) -> Hints:
        """Return both as one, each path once."""
        if self.rescan or later.rescan:
            return Hints([], rescan=True, reason=self.reason or later.reason)
        found = dict(self.paths)
        for path, deep in later.paths:
            found[path] = deep or found.get(path, False)
        return Hints(list(found.items()), rescan=False, reason="")


class Node:
    """One watched directory."""

    __slots__ = ("children", "level", "number")

    def __init__(self, level: Level, number: int) -> None:
        self.level = level
        self.number = number
        self.children: dict[str, Node] = {}


class Watch:
    """A watch of one tree. `degraded` says in words why it polls, `""` while the kernel tells.

    The removal of an empty root makes no event: whoever waits asks the root itself now and then.
    """

    def __init__(self, root: int, ignores: Ignores, hidden: tuple[str, ...], scan: Callable[[], list[Row]]) -> None:
        self._root = root
        self._ignores = ignores
        self._hidden = hidden
        self._scan = scan
        self.degraded = ""
        self.interval = 0.0
        """Seconds after which to drain without a sign from `fileno`; 0 while the kernel tells."""
        self._tree: Node | None = None
        self._nodes: dict[int, Node] = {}
        self._seen: dict[str, Row] = {}
        self._late: list[tuple[Node, str]] = []  # directories that appeared and are not watched yet
        self._lost = False  # events were lost, and what they told is not watched yet
        self._inotify: inotify.Inotify | None = None
        try:
            self._inotify = inotify.Inotify()
            self._plant()
        except OSError as problem:
            self._give_up(problem)

    def fileno(self) -> int:
        """Return what becomes readable when something happened, -1 where only polling tells."""
        return self._inotify.fd if self._inotify else -1

    def close(self) -> None:
        """Stop watching."""
        if self._inotify:
            self._inotify.close()
            self._inotify = None

    def drain(self, *, grow: bool = True) -> Hints:
        """Return the hints of everything that happened up to now; the kernel queues each event as it happens.

        Without `grow` new directories are watched by the next drain that may: they are hinted whole, so whoever looks
        below after that has missed nothing.
        """
        if self._inotify is None:
            return self._poll()
        gathered = Gathered()
        try:
            for event in self._inotify.events():
                self._take(event, gathered)
            if grow:
                self._grow_late()
            if not os.fstat(self._root).st_nlink:
                # No event tells it, as long as the directory is open here.
                gathered.all(ROOT_GONE)
                return gathered.hints()
            self._lost |= gathered.rescan
            if self._lost and grow:
                self._plant()
                self._lost = False
        except OSError as problem:
            self._give_up(problem)
            return Hints([], rescan=True, reason=self.degraded)
        return gathered.hints()

    def _give_up(self, problem: OSError) -> None:
        """Poll from now on; the watches go back to the system, where others may need them."""
        self.close()
        self._nodes.clear()
        self._tree = None
        if problem.errno == errno.ENOSPC:
            why = f"the inotify limit of {inotify.watch_limit()} watches (fs.inotify.max_user_watches) is reached"
        elif problem.errno == errno.EMFILE:
            why = "no inotify instance is left for this user (fs.inotify.max_user_instances)"
        else:
            why = f"inotify does not work here ({problem.strerror})"
        self._seen = {}
        self._poll()
        self.degraded = f"{why}; looking every {self.interval:.0f} s instead"

    def _poll(self) -> Hints:
        started = time.monotonic()
        rows = {row.path: row for row in self._scan()}
        self.interval = max(POLL_LEAST_S, POLL_SHARE * (time.monotonic() - started))
        before, self._seen = self._seen, rows
        changed = [path for path, row in rows.items() if before.get(path) != row]
        changed += [path for path in before if path not in rows]
        if len(changed) > HINTS_LIMIT:
            return Hints([], rescan=True, reason="very many changes")
        return Hints([(path, False) for path in sorted(changed)], rescan=False, reason="")

    def _plant(self) -> None:
        """Watch the whole tree; directories that are watched already keep their watch."""
        before = set(self._nodes)
        self._nodes = {}
        fd = os.open(".", paths.DIRECTORY, dir_fd=self._root)
        try:
            self._tree = self._watched(fd, self._ignores.root)
        finally:
            os.close(fd)
        for number in before - set(self._nodes):
            self._kernel.unwatch(number)

    @property
    def _kernel(self) -> inotify.Inotify:
        if self._inotify is None:
            raise OSError(errno.EBADF, "the watch is closed")
        return self._inotify

    def _watched(self, fd: int, level: Level) -> Node:
        """Watch a directory, then what is in it: whatever is made after the watch stands is told, the rest is found."""
        node = Node(level, self._kernel.watch(fd))
        self._nodes[node.number] = node
        with os.scandir(fd) as listing:
            names = [found.name for found in listing if found.is_dir(follow_symlinks=False)]
        for name in names:
            self._grow(fd, node, name)
        return node

    def _grow(self, fd: int, node: Node, name: str) -> None:
        below = self._below(node.level, name)
        if below is None or below.path.count("/") >= paths.DEPTH:
            return
        try:
            opened = os.open(name, paths.DIRECTORY, dir_fd=fd)
        except OSError as problem:
            if problem.errno in (errno.EMFILE, errno.ENFILE):
                raise
            return  # gone again, or not for us: the scan says so
        try:
            node.children[name] = self._watched(opened, below)
        finally:
            os.close(opened)

    def _below(self, level: Level, name: str) -> Level | None:
        """Return the level of a directory, None when nothing in it is synced."""
        path = paths.join(level.path, name)
        if self._hidden and paths.is_hidden(path, self._hidden):
            return None
        ignored = level.ignores(name, is_dir=True)
        below = level.below(name, ignored=ignored)
        return below if not ignored or below.searching else None

    def _take(self, event: inotify.Event, gathered: Gathered) -> None:
        if event.mask & inotify.OVERFLOW:
            gathered.all("the kernel lost events")
            return
        node = self._nodes.get(event.watch)
        if node is None or event.mask & inotify.IGNORED:
            return
        if event.mask & inotify.UNMOUNT or (
            node is self._tree and event.mask & (inotify.DELETE_SELF | inotify.MOVE_SELF)
        ):
            gathered.all(ROOT_GONE)
            return
        if not event.name:
            if event.mask & inotify.ATTRIB and node.level.path:
                gathered.add(node.level.path, deep=True)
            return
        path = paths.join(node.level.path, event.name)
        is_dir = bool(event.mask & inotify.IS_DIRECTORY)
        if self._hidden and paths.is_hidden(path, self._hidden):
            return
        if node.level.ignores(event.name, is_dir=is_dir) and node.level.path and event.mask & COMES_OR_GOES:
            # A directory that holds only what is ignored is hollow: this may make it so, or end it.
            gathered.add(node.level.path, deep=False)
        if not is_dir:
            if not node.level.ignores(event.name, is_dir=False):
                gathered.add(path, deep=False)
            return
        if self._below(node.level, event.name) is None:
            return
        if event.mask & (inotify.MOVED_FROM | inotify.DELETE):
            self._drop(node.children.pop(event.name, None))
        elif event.mask & (inotify.CREATE | inotify.MOVED_TO):
            self._drop(node.children.pop(event.name, None))
            self._late.append((node, event.name))
        gathered.add(path, deep=True)

    def _grow_late(self) -> None:
        """Watch the directories that appeared; by the time one is opened it may be gone or moved on, which is told."""
        late, self._late = self._late, []
        with paths.Folders(self._root) as folders:
            for node, name in late:
                if self._nodes.get(node.number) is not node or name in node.children:
                    continue
                try:
                    self._grow(folders.open(node.level.path), node, name)
                except OSError as problem:
                    if problem.errno in (errno.ENOSPC, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
                        raise

    def _drop(self, node: Node | None) -> None:
        if node is None:
            return
        if self._nodes.get(node.number) is node:
            del self._nodes[node.number]
            self._kernel.unwatch(node.number)
        for child in node.children.values():
            self._drop(child)


class Gathered:
    """The hints of one drain, each path once."""

    def __init__(self) -> None:
        self._paths: dict[str, bool] = {}
        self.rescan = False
        self._reason = ""

    def add(self, path: str, *, deep: bool) -> None:
        """Take a hint."""
        self._paths[path] = deep or self._paths.get(path, False)
        if len(self._paths) > HINTS_LIMIT:
            self.all("very many changes")

    def all(self, reason: str) -> None:
        """Ask for a whole scan."""
        self.rescan = True
        self._reason = reason
        self._paths.clear()

    def hints(self) -> Hints:
        """Return what was gathered."""
        return Hints([] if self.rescan else list(self._paths.items()), self.rescan, self._reason)
