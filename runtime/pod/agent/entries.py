"""What passes between the sides: entries, rows, changes, outcomes, and their JSON forms. Never touches the disk.

A JSON form is a list in the order of the fields, so `json.dumps` writes these tuples as they are. `..._of` reads what
another process sent: it believes nothing, and raises ValueError with words.
"""

from __future__ import annotations

import errno
import os
import re
import stat as modes
from typing import Any, NamedTuple, Sequence

from . import paths

FILE, LINK, DIRECTORY, HOLLOW, PROBLEM = "f", "l", "d", "h", "x"
DONE, MODIFIED, HELD, FAILED = "done", "modified", "held", "failed"
DISK_FULL = "disk full"
"""The message of every problem that is one of space; the caller may try again later."""
SIZE_LIMIT = 1 << 62
_HEX = re.compile("[0-9a-f]{32}")


class Stat(NamedTuple):
    """What tells one state of a file from the next; times in nanoseconds."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Entry(NamedTuple):
    """What is compared between the sides: kind `f` with its digest, `l` with its target, or `d`."""

    kind: str
    content: str
    executable: bool


class Row(NamedTuple):
    """One scanned path. Kind as an entry's, or `h` (a directory with ignored content only) or `x` with the reason.

    The content of a file is its digest when it is known, else empty.
    """

    path: str
    kind: str
    executable: bool
    stat: Stat
    content: str


class Scan(NamedTuple):
    """Rows sorted by path; the hinted paths that are not there; when it began, by this side's clock."""

    rows: list[Row]
    missing: list[str]
    started_ns: int


class Digested(NamedTuple):
    """A file's digest, its stat before and after reading, and for a large one its chunks (length, digest)."""

    digest: str
    stat: Stat
    chunks: list[tuple[int, str]] | None


class Wanted(NamedTuple):
    """A file to send: what it must be, and for a large one the stat and chunks of what the receiver has there."""

    path: str
    digest: str
    stat: Stat | None
    base_stat: Stat | None
    base_chunks: list[tuple[int, str]] | None


class Staged(NamedTuple):
    """One record received: its problem is empty when the content is here and is what its digest says."""

    path: str
    digest: str
    problem: str


class Change(NamedTuple):
    """Make `path`, which must now be `old` with `old_stat` exactly, into `new`; `mtime_ns` is a new file's time."""

    path: str
    old: Entry | None
    old_stat: Stat | None
    new: Entry | None
    mtime_ns: int


class Outcome(NamedTuple):
    """What became of a change: `done` (stat of what is there now), `modified`, `held` or `failed` (with words)."""

    path: str
    result: str
    stat: Stat | None
    message: str


def stat_from(found: os.stat_result) -> Stat:
    """Return the stat of what the system reports."""
    return Stat(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def is_executable(mode: int) -> bool:
    """Tell whether anyone may execute it: the only permission that travels."""
    return modes.S_ISREG(mode) and bool(mode & 0o111)


def words(problem: OSError) -> str:
    """Say what the system said, in the same words for every lack of space."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return DISK_FULL
    return (problem.strerror or str(problem)).lower()


def entry_of(row: Row) -> Entry | None:
    """Return what the row means between the sides; None for hollow directories and problems."""
    if row.kind in (HOLLOW, PROBLEM):
        return None
    return Entry(row.kind, row.content, row.executable)


def _fields(value: Any, count: int, what: str) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)) or len(value) != count:
        raise ValueError(f"{what} is a list of {count}, got {value!r:.80}")
    return value


def _number(value: Any, low: int, what: str) -> int:
    if type(value) is not int or not low <= value < SIZE_LIMIT * 2:
        raise ValueError(f"{what} is a whole number of 63 bits, got {value!r:.40}")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or len(value) > paths.PATH_BYTES:
        raise ValueError(f"{what} is a short text, got {value!r:.80}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"`executable` is true or false, got {value!r:.40}")
    return value


def digest_of(value: Any) -> str:
    """Read a digest."""
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise ValueError(f"a digest is 32 hex digits, got {value!r:.80}")
    return value


def stat_of(value: Any) -> Stat:
    """Read a stat."""
    size, mtime, ctime, inode = _fields(value, 4, "a stat")
    if type(size) is type(mtime) is type(ctime) is type(inode) is int and min(value) >= 0 and max(value) < SIZE_LIMIT:
        return Stat(size, mtime, ctime, inode)  # nearly every one
    if type(inode) is not int or not 0 <= inode < 1 << 64:
        raise ValueError(f"an inode is a whole number of 64 bits, got {inode!r:.40}")
    least = -SIZE_LIMIT * 2
    return Stat(_number(size, 0, "a size"), _number(mtime, least, "a time"), _number(ctime, least, "a time"), inode)


def entry_from(value: Any) -> Entry:
    """Read an entry."""
    kind, content, executable = _fields(value, 3, "an entry")
    if kind == FILE:
        return Entry(FILE, digest_of(content), _flag(executable))
    if kind == LINK and content:
        return Entry(LINK, _text(content, "a link's target"), executable=False)
    if kind == DIRECTORY and content == "":
        return Entry(DIRECTORY, "", executable=False)
    raise ValueError(f"an entry is a file, link or directory, got {value!r:.80}")


def row_of(value: Any) -> Row:
    """Read a row."""
    path, kind, executable, stat, content = _fields(value, 5, "a row")
    if kind not in (FILE, LINK, DIRECTORY, HOLLOW, PROBLEM):
        raise ValueError(f"a row's kind is one of f l d h x, got {kind!r:.40}")
    if kind == FILE and content:
        digest_of(content)
    if kind == LINK and not content:
        raise ValueError("a link has a target")
    return Row(paths.check(path), kind, _flag(executable), stat_of(stat), _text(content, "a row's content"))


def chunks_of(value: Any) -> list[tuple[int, str]] | None:
    """Read the chunks of a large file, or None."""
    if value is None:
        return None
    if not isinstance(value, list):
        raise ValueError(f"chunks are a list, got {value!r:.80}")
    return [
        (_number(length, 1, "a length"), digest_of(digest))
        for length, digest in (_fields(c, 2, "a chunk") for c in value)
    ]


def digested_of(value: Any) -> Digested:
    """Read a digest with its stat and chunks."""
    digest, stat, chunks = _fields(value, 3, "a digested file")
    return Digested(digest_of(digest), stat_of(stat), chunks_of(chunks))


def wanted_of(value: Any) -> Wanted:
    """Read what is wanted."""
    path, digest, stat, base_stat, base_chunks = _fields(value, 5, "a wanted file")
    return Wanted(
        paths.check(path),
        digest_of(digest),
        stat and stat_of(stat),
        base_stat and stat_of(base_stat),
        chunks_of(base_chunks),
    )


def staged_of(value: Any) -> Staged:
    """Read the result of a record."""
    path, digest, problem = _fields(value, 3, "a staged record")
    return Staged(paths.check(path), digest_of(digest), _text(problem, "a problem"))


def change_of(value: Any) -> Change:
    """Read a change."""
    path, old, old_stat, new, mtime = _fields(value, 5, "a change")
    if old is None and new is None:
        raise ValueError("a change changes something")
    return Change(
        paths.check(path),
        None if old is None else entry_from(old),
        None if old_stat is None else stat_of(old_stat),
        None if new is None else entry_from(new),
        _number(mtime, -SIZE_LIMIT * 2, "a time"),
    )


def outcome_json(outcome: Outcome) -> Any:
    """Return what travels of an outcome: whoever asked knows the path by its turn. Of one that is done, its stat."""
    return outcome.stat if outcome.result == DONE else [outcome.result, outcome.message]


def outcome_of(value: Any, path: str) -> Outcome:
    """Read what became of a change at a path."""
    if value is None or (isinstance(value, list) and len(value) == 4):
        return Outcome(path, DONE, None if value is None else stat_of(value), "")
    result, message = _fields(value, 2, "an outcome")
    if result not in (MODIFIED, HELD, FAILED):
        raise ValueError(f"an outcome is a stat, or modified, held or failed, got {result!r:.40}")
    return Outcome(path, result, None, _text(message, "a message"))
