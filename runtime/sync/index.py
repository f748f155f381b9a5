"""What is remembered of a sync rule between runs, in one SQLite file. Never compares, and never decides.

Every write is one transaction. A power cut may lose the last ones: the ancestor is then older than the truth, which
the planner takes for changes that both sides made alike.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

from devcfg.runtime.pod.agent.entries import Digested, Entry, Stat
from devcfg.runtime.sync.intents import Intent
from devcfg.runtime.sync.modes import Side
from devcfg.runtime.sync.tree import Tree
from devcfg.schemas.errors import DevcfgError

VERSION = 2
SEVERAL = 500
_encode = json.JSONEncoder(separators=(",", ":")).encode
_UNREADABLE = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ancestor (path BLOB PRIMARY KEY, kind TEXT NOT NULL, content BLOB NOT NULL,
    executable INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS digests (side INTEGER, path BLOB, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL, inode BLOB NOT NULL, digest TEXT NOT NULL, safe INTEGER NOT NULL, chunks TEXT,
    PRIMARY KEY (side, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS intents (several TEXT NOT NULL);
"""


class IndexFailedError(DevcfgError):
    """The index cannot be opened or written, most often because a disk is full."""


class Known(NamedTuple):
    """A digest that was taken. Where it is not safe, the file was so young that it may change and keep its stat."""

    digested: Digested
    safe: bool


Digests = Mapping[str, Known | None]
"""Digests by path; None takes one out."""


class Index:
    """An open index; `with` closes it. `set_aside` is where an unreadable one was put, empty if there was none."""

    def __init__(self, connection: sqlite3.Connection, file: str, set_aside: str = "") -> None:
        self._connection = connection
        self._file = file
        self.set_aside = set_aside

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @property
    def volume_id(self) -> str:
        """The volume whose ancestor this is, empty before there is one."""
        row = self._connection.execute("SELECT value FROM facts WHERE name = 'volume_id'").fetchone()
        return row[0] if row else ""

    def ancestor(self) -> Tree:
        """Return what both sides had when they last agreed."""
        rows = self._connection.execute("SELECT path, kind, content, executable FROM ancestor ORDER BY path")
        return Tree((_text(path), Entry(kind, _text(content), bool(bit))) for path, kind, content, bit in rows)

    def digests(self, side: Side) -> dict[str, Known]:
        """Return the digests taken on a side."""
        query = "SELECT path, size, mtime_ns, ctime_ns, inode, digest, safe, chunks FROM digests WHERE side = ?"
        found = {}
        for path, size, mtime, ctime, inode, digest, safe, chunks in self._connection.execute(query, (int(side),)):
            pairs = chunks and [(length, chunk) for length, chunk in json.loads(chunks)]
            stat = Stat(size, mtime, ctime, int.from_bytes(inode, "big"))
            found[_text(path)] = Known(Digested(digest, stat, pairs or None), bool(safe))
        return found

    def intents(self) -> tuple[Intent, ...]:
        """Return the changes whose outcome is not known."""
        rows = self._connection.execute("SELECT several FROM intents ORDER BY rowid")
        found = [one for (several,) in rows for one in json.loads(several)]
        return tuple(Intent(Side(side), path, _entry(old), _entry(new)) for side, path, old, new in found)

    def renew(self, volume_id: str) -> None:
        """Begin with a new volume: forget the ancestor and what was known of the far side."""
        with self._change() as change:
            change.execute("DELETE FROM ancestor")
            change.execute("DELETE FROM intents")
            change.execute("DELETE FROM digests WHERE side = ?", (int(Side.FAR),))
            change.execute("INSERT OR REPLACE INTO facts VALUES ('volume_id', ?)", (volume_id,))

    def intend(self, intents: Sequence[Intent]) -> None:
        """Remember changes that are about to be made."""
        # Nobody asks for one of them: some hundreds at a time are written as one text.
        rows = [(_encode(intents[at : at + SEVERAL]),) for at in range(0, len(intents), SEVERAL)]
        with self._change() as change:
            change.executemany("INSERT INTO intents VALUES (?)", rows)

    def save(self, ancestor: Mapping[str, Entry | None], digests: Mapping[Side, Digests], *, settled: bool) -> None:
        """Write what is new; `settled` says that the outcome of every intent is in it."""
        gone = [(_blob(path),) for path, entry in ancestor.items() if entry is None]
        rows = [
            (_blob(path), entry.kind, _blob(entry.content), int(entry.executable))
            for path, entry in ancestor.items()
            if entry is not None
        ]
        with self._change() as change:
            change.executemany("DELETE FROM ancestor WHERE path = ?", gone)
            change.executemany("INSERT OR REPLACE INTO ancestor VALUES (?, ?, ?, ?)", rows)
            for side, known in digests.items():
                lost = [(int(side), _blob(path)) for path, one in known.items() if one is None]
                change.executemany("DELETE FROM digests WHERE side = ? AND path = ?", lost)
                found = [_row(side, path, one) for path, one in known.items() if one is not None]
                change.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", found)
            if settled:
                change.execute("DELETE FROM intents")

    @contextlib.contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._connection:
                yield self._connection
        except sqlite3.Error as exc:
            raise _failed(self._file, exc) from exc


def open_index(file: str) -> Index:
    """Open an index, or make it; one that cannot be read is set aside, and sync begins without an ancestor."""
    os.makedirs(os.path.dirname(file) or ".", exist_ok=True)
    try:
        try:
            return Index(_connect(file), file)
        except _UnreadableError:
            aside = _put_aside(file)
            return Index(_connect(file), file, aside)
    except sqlite3.Error as exc:
        raise _failed(file, exc) from exc


class _UnreadableError(Exception):
    """The file is no index, not of this version, or damaged."""


def _connect(file: str) -> sqlite3.Connection:
    connection = sqlite3.connect(file, check_same_thread=False)
    try:
        _prepare(connection)
    except sqlite3.DatabaseError as exc:
        connection.close()
        if exc.sqlite_errorcode & 0xFF in _UNREADABLE:
            raise _UnreadableError from exc
        raise
    except _UnreadableError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    # A page torn by a crash shows only when it is read: better now than in the middle of a session.
    if version not in (0, VERSION) or connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
        raise _UnreadableError
    connection.executescript(_TABLES)
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.commit()


def _put_aside(file: str) -> str:
    names = (f"{file}.unreadable-{number}" for number in itertools.count(1))
    aside = next(name for name in names if not os.path.lexists(name))
    os.rename(file, aside)
    for companion in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.rename(file + companion, aside + companion)
    return aside


def _failed(file: str, exc: sqlite3.Error) -> IndexFailedError:
    hint = "make room on its disk, or see who else uses it; nothing was lost: without it sync compares both sides anew"
    return IndexFailedError(f"the sync index `{file}` cannot be used: {exc}", hint=hint)


def _row(side: Side, path: str, known: Known) -> tuple[Any, ...]:
    (digest, stat, chunks), safe = known
    # An inode may need 64 bits without a sign, which SQLite's numbers have not.
    inode = stat.inode.to_bytes(8, "big")
    held = None if chunks is None else json.dumps(chunks)
    return (int(side), _blob(path), stat.size, stat.mtime_ns, stat.ctime_ns, inode, digest, int(safe), held)


def _blob(text: str) -> bytes:
    # Names are bytes: what is no UTF-8 came in as surrogates, which SQLite's text refuses.
    return text.encode("utf-8", "surrogateescape")


def _text(blob: bytes) -> str:
    return blob.decode("utf-8", "surrogateescape")


def _entry(fields: list[Any] | None) -> Entry | None:
    return None if fields is None else Entry(*fields)
