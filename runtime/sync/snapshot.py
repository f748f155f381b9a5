"""What one side has, as far as is known: its tree, and the digests that were taken. Never reads a disk.

Scans are the truth; what comes in between only says where to look. A digest is taken over where size, times and inode
are equal and the file was not so young, when it was read, that it may have changed and kept them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from devcfg.runtime.pod.agent.entries import Digested, Entry, Outcome, Row, Scan
from devcfg.runtime.sync.index import Known
from devcfg.runtime.sync.tree import Tree, prefixes

RACY_NS = 2_000_000_000
"""A file younger than this may change again and keep its stat: the clocks of file systems are coarse."""
UNREAD = Entry("x", "changes while it is read", executable=False)
Hint = tuple[str, bool]
"""A path to look at, and whether all that is below it has to be looked at as well."""


class Snapshot:
    """One side. `refused` says why a path of this side is never brought to the other, empty where it is."""

    def __init__(self, digests: dict[str, Known], refused: Callable[[str], str] = lambda _: "") -> None:
        self.tree = Tree()
        self.digests = digests
        self.unsaved: dict[str, Known | None] = {}
        """What the index does not know of the digests yet."""
        self._refused = refused
        self._young = {path for path, known in digests.items() if not known.safe}
        self._files: dict[str, bool] = {}  # to be read, and whether they are executable
        self._started_ns = 0

    def take_all(self, scan: Scan) -> set[str]:
        """Take a scan of the whole tree; return what changed. Files without a digest are `unread` until `read`."""
        found = {row.path: row for row in scan.rows}
        gone = [path for path in self.tree if path not in found]
        for path in [path for path in self.digests if path not in found]:
            self._know(path, None)
        return self._take(scan, gone)

    def take_same(self, started_ns: int) -> None:
        """Take that a scan of the whole tree found the same rows: only files that were young have to be read again."""
        self._started_ns = started_ns
        entries = ((path, self.tree.get(path)) for path in self._young)
        self._files = {path: entry.executable for path, entry in entries if entry is not None}

    def take_some(self, scan: Scan, hints: Iterable[Hint]) -> set[str]:
        """Take a scan of hinted paths."""
        rows = {row.path: row for row in scan.rows}
        # What is below a path is known only where it was looked at, or where nothing can be.
        whole = {path for path, deep in hints if deep} | set(scan.missing)
        whole |= {path for path, row in rows.items() if row.kind != "d"}
        gone = {path for path in whole if path not in rows}
        for path in whole:
            gone.update(below for below in self.tree.below(path) if below not in rows)
        if "" in whole:
            gone.discard("")
        return self._take(scan, gone)

    def unread(self) -> list[str]:
        """Return the files of the last scan whose digest has to be taken."""
        return list(self._files)

    def read(self, digests: Mapping[str, Digested | str]) -> set[str]:
        """Take the digests of unread files, or why there is none; return what changed by that."""
        changed = set()
        for path, executable in self._files.items():
            found = digests.get(path, UNREAD.content)
            if isinstance(found, str):
                # `changed` is the agent's word for a file that did not hold still: a hint will come when it does.
                entry = UNREAD if found in ("changed", UNREAD.content) else Entry("x", found, executable=False)
                self._know(path, None)
            else:
                entry = Entry("f", found.digest, executable)
                self._know(path, Known(found, found.stat.mtime_ns <= self._started_ns - RACY_NS))
            if self._set(path, entry):
                changed.add(path)
        self._files = {}
        return changed

    def applied(self, outcome: Outcome, new: Entry | None, chunks: list[tuple[int, str]] | None) -> None:
        """Take a change that was made here."""
        self._set(outcome.path, new)
        known = None
        if new is not None and new.kind == "f" and outcome.stat is not None:
            # The file's time was set to the source's; whoever writes from now on sets another.
            safe = outcome.stat.mtime_ns <= outcome.stat.ctime_ns - RACY_NS
            known = Known(Digested(new.content, outcome.stat, chunks), safe)
        self._know(outcome.path, known)

    def _take(self, scan: Scan, gone: Iterable[str]) -> set[str]:
        changed = {path for path in gone if self._set(path, None)}
        for path in changed:
            self._know(path, None)
        self._files = {}
        self._started_ns = scan.started_ns
        closed: set[str] = set()
        for row in scan.rows:
            path = row.path
            if closed and any(above in closed for above in prefixes(path)):
                if self._set(path, None):
                    changed.add(path)
                continue
            entry = self._entry(row)
            if entry is not None and entry.kind == "x":
                closed.add(path)
            if entry is not None and self._set(path, entry):
                changed.add(path)
        return changed

    def _entry(self, row: Row) -> Entry | None:
        """Return what a row says, None where the file has to be read first."""
        if reason := self._refused(row.path):
            self._know(row.path, None)
            return Entry("x", reason, executable=False)
        if row.kind != "f":
            self._know(row.path, None)
            return Entry(row.kind, row.content, executable=False)
        known = self.digests.get(row.path)
        if known is None or known.digested.stat != row.stat:
            self._files[row.path] = row.executable
            return None
        if not known.safe:
            self._files[row.path] = row.executable
        return Entry("f", known.digested.digest, row.executable)

    def _set(self, path: str, entry: Entry | None) -> bool:
        if self.tree.get(path) == entry:
            return False
        self.tree.put(path, entry)
        return True

    def _know(self, path: str, known: Known | None) -> None:
        if known is None or known.safe:
            self._young.discard(path)
        else:
            self._young.add(path)
        if known is not None:
            self.digests[path] = known
        elif self.digests.pop(path, None) is None:
            return
        self.unsaved[path] = known
