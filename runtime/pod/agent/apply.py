"""Changes brought into place, each one whole or not at all. Never overwrites or removes what the planner has not seen.

What is to go is first exchanged out of its place and then looked at: between a look and a rename anything may happen,
after it nothing can. If it is not what was expected, it goes back.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from typing import Callable, Iterable, Iterator, Sequence

from . import inplace, paths, swap
from .digest import open_file
from .entries import (
    DIRECTORY,
    DONE,
    FAILED,
    FILE,
    HELD,
    HOLLOW,
    LINK,
    MODIFIED,
    Change,
    Entry,
    Outcome,
    stat_from,
    words,
)
from .expect import Unexpected, expect, expect_moved, look
from .ignore import Ignores
from .nearby import Nearby, remove
from .scan import Walk
from .stage import Content, Stage

GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
MISMATCH = (*GONE, errno.EEXIST, errno.EISDIR, errno.ESTALE)
NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)
KEPT = ".devcfg-kept"
"""Ends the name of a version that was pushed out of its place twice within one change, and that nobody has seen."""


class Held(Exception):  # noqa: N818 - no error: it is meant to stay
    """A directory has ignored content and stays."""


class Applier:
    """One batch of changes on one root."""

    def __init__(self, root: int, stage: Stage, ignores: Ignores, hidden: Iterable[str], *, inplace: bool) -> None:
        self._root = root
        self._stage = stage
        self._ignores = ignores
        self._hidden = frozenset(hidden)
        self._inplace = inplace
        self._folders = paths.Folders(root)

    def run(self, changes: Sequence[Change], tell: Callable[[Outcome], None] | None = None) -> Iterator[Outcome]:
        """Apply directories, files and links, deletions, and what replaces a directory.

        `tell` hears each outcome as it happens; yielded they are in the order of the changes, as soon as that allows.
        """
        self._stage.renew()
        outcomes: dict[int, Outcome] = {}
        yielded = 0
        with self._folders:
            for number in _in_order(changes):
                change = changes[number]
                found = outcomes[number] = self._one(change)
                if change.new and (left := self._stage.content.pop((change.path, change.new.content), None)):
                    self._stage.drop(left.name)
                if tell:
                    tell(found)
                while yielded in outcomes:
                    yield outcomes.pop(yielded)
                    yielded += 1

    def _one(self, change: Change) -> Outcome:
        path = change.path
        refused = self._refused(change)
        if refused:
            return Outcome(path, FAILED, None, refused)
        above, _, name = path.rpartition("/")
        try:
            place = (self._folders.open(above), name)
            if change.new is None:
                self._delete(change, place)
                return Outcome(path, DONE, None, "")
            self._make(change, change.new, place)
            return Outcome(path, DONE, stat_from(look(place)), "")
        except Unexpected as found:
            return Outcome(path, MODIFIED, None, str(found))
        except Held:
            return Outcome(path, HELD, None, "it has ignored content")
        except OSError as problem:
            if change.new is None and problem.errno in GONE:
                return Outcome(path, DONE, None, "")
            return Outcome(path, MODIFIED if problem.errno in MISMATCH else FAILED, None, words(problem))

    def _refused(self, change: Change) -> str:
        """Say why this side does not take the change, whoever asks."""
        path, new, old = change.path, change.new, change.old
        if paths.is_hard(path):
            return "never synced"
        if self._hidden and paths.is_hidden(path, self._hidden):
            return "kept from the far side"
        for entry in (old, new):
            if entry and self._ignores.ignored(path, is_dir=entry.kind == DIRECTORY):
                return "ignored"
        if new and new.kind == LINK:
            problem = paths.link_problem(path, new.content)
            if problem:
                return problem
            end = paths.link_end(path, new.content)
            if end and (paths.is_hard(end) or paths.is_hidden(end, self._hidden)):
                return "a link to what is never synced"
        return ""

    def _make(self, change: Change, new: Entry, place: tuple[int, str]) -> None:
        old = change.old
        if new.kind == FILE:
            if old and old.kind == FILE and old.content == new.content:
                self._set_executable(change, old, new, place)
            else:
                self._file(change, new, place)
        elif old is None:
            _create(new, place)
        elif old == new:
            expect(place, old, change.old_stat)
        else:
            source = (self._stage.fd, self._stage.name())
            _create(new, source)
            self._replace(change, old, source, place)

    def _set_executable(self, change: Change, old: Entry, new: Entry, place: tuple[int, str]) -> None:
        expect(place, old, change.old_stat)
        fd, stat = open_file(self._folders, change.path)
        try:
            if change.old_stat is not None and stat_from(stat) != change.old_stat:
                raise Unexpected("it changed since it was last seen")
            os.fchmod(fd, _mode(stat.st_mode, executable=new.executable))
        finally:
            os.close(fd)

    def _file(self, change: Change, new: Entry, place: tuple[int, str]) -> None:
        content = self._stage.content.get((change.path, new.content))
        if content is None:
            raise OSError(errno.ENODATA, "its content was not sent")
        source = (self._stage.fd, content.name)
        if content.executable != new.executable:
            os.chmod(content.name, _mode(look(source).st_mode, executable=new.executable), dir_fd=source[0])
        if content.mtime_ns != change.mtime_ns:
            os.utime(content.name, ns=(change.mtime_ns, change.mtime_ns), dir_fd=source[0])
        old = change.old
        if old is None:
            self._move_in(change, source, place)
        elif self._inplace and old.kind == FILE:
            self._overwrite(change, old, content, new, place)
        else:
            self._replace(change, old, source, place)
        self._stage.content.pop((change.path, new.content), None)

    def _move_in(self, change: Change, source: tuple[int, str], place: tuple[int, str]) -> None:
        try:
            swap.move(source, place)
        except OSError as problem:
            if problem.errno != errno.EXDEV:
                raise
            with Nearby(self._stage, source, place, change.path) as near:
                swap.move(near, place)
            self._stage.drop(source[1])

    def _overwrite(self, change: Change, old: Entry, content: Content, new: Entry, place: tuple[int, str]) -> None:
        """Write into the file that is there."""
        before = expect(place, old, change.old_stat)
        expect_moved(place, old, before)
        fd, stat = open_file(self._folders, change.path, inplace.BOTH)
        try:
            if stat_from(stat) != stat_from(before):
                raise Unexpected("it changed a moment ago")
            inplace.overwrite(self._stage, content.name, fd, change.path)
            if new.executable != old.executable:
                os.fchmod(fd, _mode(stat.st_mode, executable=new.executable))
        finally:
            os.close(fd)
        self._stage.drop(content.name)

    def _replace(self, change: Change, old: Entry, source: tuple[int, str], place: tuple[int, str]) -> None:
        """Exchange what is in place with what is ready, then look at what came out."""
        before = expect(place, old, change.old_stat)
        ready = look(source)
        if old.kind == FILE and modes.S_ISREG(ready.st_mode):
            wanted = _mode(before.st_mode, executable=bool(ready.st_mode & 0o111))
            if wanted != modes.S_IMODE(ready.st_mode):
                os.chmod(source[1], wanted, dir_fd=source[0])
        try:
            self._exchange(change, old, before, source, place)
        except OSError as problem:
            if problem.errno != errno.EXDEV:
                raise
            with Nearby(self._stage, source, place, change.path) as near:
                self._exchange(change, old, before, near, place)
            remove(source)
        if old.kind == DIRECTORY or not modes.S_ISREG(ready.st_mode):
            self._folders.forget(change.path)

    def _exchange(
        self, change: Change, old: Entry, before: os.stat_result, source: tuple[int, str], place: tuple[int, str]
    ) -> None:
        ready = look(source)
        if not swap.exchange(source, place):
            self._rename_over(change, old, source, place)
            return
        try:
            expect_moved(source, old, before)
            remove(source)
        except (Unexpected, OSError) as problem:
            _put_back(source, place, ready)
            if isinstance(problem, OSError) and problem.errno in NOT_EMPTY:
                raise self._what_holds(change.path) from None
            raise

    def _rename_over(self, change: Change, old: Entry, source: tuple[int, str], place: tuple[int, str]) -> None:
        """Do without an exchange: look once more, then rename over it. A directory is removed first."""
        expect(place, old, change.old_stat)
        if old.kind == DIRECTORY:
            self._remove_directory(place, change.path)
            swap.move(source, place)
        elif modes.S_ISDIR(look(source).st_mode):
            self._delete(change, place)
            swap.move(source, place)
        else:
            os.rename(source[1], place[1], src_dir_fd=source[0], dst_dir_fd=place[0])

    def _delete(self, change: Change, place: tuple[int, str]) -> None:
        old = change.old
        if old is None:
            raise Unexpected("nothing was expected to be there")
        before = expect(place, old, change.old_stat)
        if old.kind == DIRECTORY:
            self._folders.forget(change.path)
            self._remove_directory(place, change.path)
            return
        aside = (self._stage.fd, self._stage.name())
        try:
            os.rename(place[1], aside[1], src_dir_fd=place[0], dst_dir_fd=aside[0])
        except OSError as problem:
            if problem.errno == errno.ENOENT:
                look(place)  # raises as well where it is gone
                raise Unexpected("our own directory was removed meanwhile") from None
            if problem.errno != errno.EXDEV:
                raise
            with Nearby(self._stage, None, place, change.path) as near:
                os.rename(place[1], near[1], src_dir_fd=place[0], dst_dir_fd=near[0])
                _finish_removal(near, place, old, before)
            return
        _finish_removal(aside, place, old, before)

    def _remove_directory(self, place: tuple[int, str], path: str) -> None:
        try:
            os.rmdir(place[1], dir_fd=place[0])
        except OSError as problem:
            if problem.errno not in NOT_EMPTY:
                raise
            raise self._what_holds(path) from None

    def _what_holds(self, path: str) -> Exception:
        """Return why a directory cannot go: it has something that is synced, or only what is ignored."""
        rows = Walk(self._root, self._ignores, ()).hinted([(path, True)]).rows
        if any(row.kind != HOLLOW for row in rows if row.path.startswith(path + "/")):
            return Unexpected("something was added to it")
        return Held()


def _in_order(changes: Sequence[Change]) -> list[int]:
    """Directories from the top, then files and links, then deletions from below, then what replaces a directory."""

    def turn(number: int) -> tuple[int, str]:
        change = changes[number]
        new = change.new
        if new is None:
            return 2, ""
        if change.old is not None and change.old.kind == DIRECTORY and new.kind != DIRECTORY:
            return 3, change.path
        return (0 if new.kind == DIRECTORY else 1), change.path

    deepest_first = sorted(range(len(changes)), key=lambda number: changes[number].path, reverse=True)
    return sorted(deepest_first, key=turn)


def _mode(mode: int, *, executable: bool) -> int:
    """Return the permissions of a mode, executable by whoever may read it or by nobody. Never a setuid bit."""
    plain = mode & 0o777
    if not executable:
        return plain & ~0o111
    return plain if plain & 0o111 else plain | (plain & 0o444) >> 2


def _create(new: Entry, place: tuple[int, str]) -> None:
    """Make a link or directory where nothing is; a directory that is there already is as good."""
    if new.kind == LINK:
        os.symlink(new.content, place[1], dir_fd=place[0])
        return
    try:
        os.mkdir(place[1], 0o777, dir_fd=place[0])
    except FileExistsError:
        if not modes.S_ISDIR(look(place).st_mode):
            raise


def _finish_removal(aside: tuple[int, str], place: tuple[int, str], old: Entry, before: os.stat_result) -> None:
    """Unlink what was taken out if it is what was expected, else bring it back."""
    try:
        expect_moved(aside, old, before)
    except Unexpected:
        _bring_back(aside, place)
        raise
    os.unlink(aside[1], dir_fd=aside[0])


def _bring_back(aside: tuple[int, str], place: tuple[int, str]) -> None:
    """Move an unseen version back; where a newer one stands by now, keep both."""
    try:
        swap.move(aside, place)
    except FileExistsError:
        _keep_beside(aside, place)


def _put_back(source: tuple[int, str], place: tuple[int, str], ready: os.stat_result) -> None:
    """Exchange again, so that the unseen version stands in its place and the ready one waits."""
    try:
        swap.exchange(source, place)
    except FileNotFoundError:
        swap.move(source, place)
        return
    out = look(source)
    if (out.st_ino, out.st_size, out.st_mtime_ns) == (ready.st_ino, ready.st_size, ready.st_mtime_ns):
        return
    # Somebody saved while the ready one stood there. Theirs is the newest: it goes back, the other is kept.
    swap.exchange(source, place)
    _keep_beside(source, place)


def _keep_beside(aside: tuple[int, str], place: tuple[int, str]) -> None:
    room = paths.NAME_BYTES - len(KEPT) - 6
    stem = os.fsdecode(os.fsencode(place[1])[:room])
    for number in range(1, 10000):
        try:
            swap.move(aside, (place[0], f"{stem}{KEPT}-{number}"))
        except FileExistsError:
            continue
        return
