"""The walk of a root: what is there, as rows. Never opens a file, follows a link or leaves the file system.

Whole or in part, rows come out the same: a directory's row depends on what is in it (hollow or not), so that a partial
scan looks again at everything above a hint.
"""

from __future__ import annotations

import gc
import os
import stat as modes
import time
from operator import itemgetter
from typing import Iterable

from . import paths
from .entries import DIRECTORY, FILE, HOLLOW, LINK, PROBLEM, Row, Scan, Stat, stat_from, words
from .ignore import Ignores, Level

SPECIAL = {
    modes.S_IFIFO: "a FIFO",
    modes.S_IFSOCK: "a socket",
    modes.S_IFCHR: "a device",
    modes.S_IFBLK: "a device",
}
NOTHING, HOLDS_IGNORED, HOLDS = 0, 1, 2
"""What a directory holds, as far as sync is concerned."""
UNKNOWN = Stat(0, 0, 0, 0)


class Walk:
    """One scan of one root. Rows are appended as they are found."""

    def __init__(self, root: int, ignores: Ignores, hidden: Iterable[str]) -> None:
        self._root = root
        self._ignores = ignores
        self._hidden = frozenset(hidden)
        self._device = os.fstat(root).st_dev
        self.rows: list[Row] = []

    def tree(self) -> Scan:
        """Walk everything."""
        started = time.time_ns()
        collects = gc.isenabled()
        # Rows only grow here: looking through all of them for cycles again and again would cost more than the walk.
        gc.disable()
        # A descriptor of its own: one that is shared shares its place in the listing too.
        fd = os.open(".", paths.DIRECTORY, dir_fd=self._root)
        try:
            self._directory(fd, self._ignores.root)
        finally:
            os.close(fd)
            if collects:
                gc.enable()
        self.rows.sort(key=itemgetter(0))
        return Scan(self.rows, [], started)

    def hinted(self, hints: Iterable[tuple[str, bool]]) -> Scan:
        """Look at the hinted paths, below the deep ones, and at what is above."""
        started = time.time_ns()
        deep: dict[str, bool] = {}
        for path, below in hints:
            deep[path] = deep.get(path, False) or below
        if deep.get(""):
            return self.tree()
        found: dict[str, Row] = {}
        missing: set[str] = set()
        with paths.Folders(self._root) as folders:
            for path in sorted(deep):
                if path and not any(deep.get(above) for above in paths.ancestors(path)):
                    self._hint(folders, path, found, missing, deep=deep[path])
        return Scan(sorted(found.values(), key=itemgetter(0)), sorted(missing), started)

    def _hint(self, folders: paths.Folders, path: str, found: dict[str, Row], missing: set[str], *, deep: bool) -> None:
        for above in [*paths.ancestors(path), path]:
            last = above == path
            if not last and above in found and found[above].kind == DIRECTORY:
                continue
            name = above.rpartition("/")[2]
            level = self._ignores.level(paths.parent(above))
            try:
                stat = os.lstat(name, dir_fd=folders.open(paths.parent(above)))
            except (FileNotFoundError, NotADirectoryError):
                if not level.ignores(name, is_dir=False) and not self._hides(level, name):
                    missing.update((above, path))
                return
            except OSError as problem:
                found[above] = Row(above, PROBLEM, False, UNKNOWN, words(problem))
                return
            before = len(self.rows)
            fd = folders.open(paths.parent(above))
            held = self._entry(fd, level, name, stat, deep=deep and last)
            for row in self.rows[before:]:
                found[row.path] = row
            del self.rows[before:]
            if held == NOTHING:
                return
            if not last and not modes.S_ISDIR(stat.st_mode):
                missing.add(path)
                return

    def _hides(self, level: Level, name: str) -> bool:
        return bool(self._hidden) and paths.is_hidden(paths.join(level.path, name), self._hidden)

    def _entry(self, fd: int, level: Level, name: str, stat: os.stat_result, *, deep: bool) -> int:
        """Add the row of one name, and with `deep` what is below; return what its directory holds by it."""
        mode = stat.st_mode
        is_dir = modes.S_ISDIR(mode)
        ignored = level.ignores(name, is_dir=is_dir)
        if self._hidden and self._hides(level, name):
            return HOLDS_IGNORED
        path = paths.join(level.path, name)
        if is_dir:
            return self._subdirectory(fd, level, name, stat, ignored=ignored, deep=deep)
        if ignored:
            return HOLDS_IGNORED
        if modes.S_ISREG(mode):
            row = Row(path, FILE, mode & 0o111 != 0, stat_from(stat), "")
        elif modes.S_ISLNK(mode):
            row = self._link(fd, path, name, stat)
        else:
            row = Row(path, PROBLEM, False, stat_from(stat), SPECIAL.get(modes.S_IFMT(mode), "of an unknown kind"))
        self.rows.append(row)
        return HOLDS

    def _link(self, fd: int, path: str, name: str, stat: os.stat_result) -> Row:
        try:
            target = os.readlink(name, dir_fd=fd)
        except OSError as problem:
            return Row(path, PROBLEM, False, stat_from(stat), words(problem))
        problem_of_link = paths.link_problem(path, target)
        if problem_of_link:
            return Row(path, PROBLEM, False, stat_from(stat), problem_of_link)
        return Row(path, LINK, False, stat_from(stat), target)

    def _subdirectory(
        self, fd: int, level: Level, name: str, stat: os.stat_result, *, ignored: bool, deep: bool
    ) -> int:
        below = level.below(name, ignored=ignored)
        if ignored and not below.searching:
            return HOLDS_IGNORED
        path = below.path
        if stat.st_dev != self._device:
            return self._problem(path, stat, "on another file system", ignored=ignored)
        if path.count("/") >= paths.DEPTH - 1:
            return self._problem(path, stat, f"more than {paths.DEPTH} deep", ignored=ignored)
        try:
            opened = os.open(name, paths.DIRECTORY, dir_fd=fd)
        except OSError as problem:
            return self._problem(path, stat, words(problem), ignored=ignored)
        at = len(self.rows)
        try:
            held = self._directory(opened, below) if deep else self._holds(opened, below)
        except OSError as problem:
            del self.rows[at:]
            return self._problem(path, stat, words(problem), ignored=ignored)
        finally:
            os.close(opened)
        if ignored and held != HOLDS:
            return HOLDS_IGNORED
        kind = HOLLOW if held == HOLDS_IGNORED else DIRECTORY
        self.rows.append(Row(path, kind, False, stat_from(stat), ""))
        return HOLDS_IGNORED if kind == HOLLOW else HOLDS

    def _problem(self, path: str, stat: os.stat_result, reason: str, *, ignored: bool) -> int:
        if ignored:
            return HOLDS_IGNORED
        self.rows.append(Row(path, PROBLEM, False, stat_from(stat), reason))
        return HOLDS

    def _directory(self, fd: int, level: Level) -> int:
        """Add the rows of all that is in a directory; return what it holds."""
        held = NOTHING
        base = level.path + "/" if level.path else ""
        hides = bool(self._hidden) and not base
        add = self.rows.append
        with os.scandir(fd) as listing:
            for found in listing:
                name = found.name
                try:
                    stat = found.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                # Most of a tree is files, and this line is the price of each.
                if modes.S_ISREG(stat.st_mode) and not hides:
                    if level.ignores(name):
                        held = held or HOLDS_IGNORED
                        continue
                    held = HOLDS
                    executable = stat.st_mode & 0o111 != 0
                    known = Stat(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
                    add(Row(base + name, FILE, executable, known, ""))
                else:
                    held = max(held, self._entry(fd, level, name, stat, deep=True))
        return held

    def _holds(self, fd: int, level: Level) -> int:
        """Return what a directory holds without keeping rows: the first thing that is synced decides."""
        held = NOTHING
        at = len(self.rows)
        with os.scandir(fd) as listing:
            for found in listing:
                try:
                    stat = found.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                held = max(held, self._entry(fd, level, found.name, stat, deep=False))
                del self.rows[at:]
                if held == HOLDS:
                    break
        return held
