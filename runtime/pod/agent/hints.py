"""Hints on their way: one thread a watched root, which sends what it sees as events. Never decides what they mean."""

from __future__ import annotations

import os
import select
import threading
from contextlib import contextmanager
from typing import Any, Callable, Container, Iterator

from . import paths
from .entries import DIRECTORY, DONE, Outcome, Stat
from .outbox import EndedError
from .root import Root
from .watch import Hints

EVENT_CHARS = 8 * 1024
"""The characters of the paths in one event; as JSON, six bytes each at worst, they fit into a frame."""
APPLIED = 4096
"""The paths of past batches that are remembered: whoever opens one and changes nothing gives no hint."""
LOOK = 0.05
"""Seconds between two looks while a batch is applied: the kernel's queue must not overflow."""
Report = Callable[["dict[str, Any]"], None]


class Watching:
    """The watch of one rule; when the client does not read, the kernel's queue overflows and asks for a scan."""

    def __init__(self, rule: str, root: Root, report: Report) -> None:
        self._rule = rule
        self._root = root
        self._watch = root.watch()
        self._report = report
        self._wake, self._waker = os.pipe()
        self._lock = threading.Lock()
        self._after: list[Callable[[], None]] = []
        self._applying = threading.Lock()
        self._applied: dict[str, Stat | None] = {}  # what the client itself changed comes back as no hint
        self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def degraded(self) -> str:
        """Say why hints are late or coarse, empty while they are not."""
        return self._watch.degraded

    @contextmanager
    def applying(self) -> Iterator[Callable[[Outcome], None]]:
        """Tell nothing while changes are brought into place; each outcome has to be given to what is yielded."""
        with self._applying:
            yield self._take

    def _take(self, outcome: Outcome) -> None:
        if outcome.result == DONE:
            self._applied[outcome.path] = outcome.stat

    def after(self, done: Callable[[], None]) -> None:
        """Call back when every hint of what happened up to now has been sent."""
        with self._lock:
            self._after.append(done)
        os.write(self._waker, b"!")

    def close(self) -> None:
        """End."""
        self._closed = True
        os.write(self._waker, b"!")
        self._thread.join()
        os.close(self._wake)
        os.close(self._waker)
        self._watch.close()

    def _run(self) -> None:
        try:
            while not self._closed:
                self._turn()
        except EndedError:
            return

    def _turn(self) -> None:
        descriptor = self._watch.fileno()
        sources = [self._wake] if descriptor < 0 else [self._wake, descriptor]
        ready, _, _ = select.select(sources, [], [], self._watch.interval or None)
        if self._wake in ready:
            os.read(self._wake, 4096)
        with self._lock:
            done, self._after = self._after, []
        # Each file that goes into a watched directory is an event: new ones are watched when all is in them.
        waited = self._applying.locked()
        hints = self._without_own(self._watch.drain(grow=not waited))
        while not self._applying.acquire(timeout=LOOK):
            waited = True
            hints = self._without_own(hints.joined(self._watch.drain(grow=False)))
        try:
            if waited or self._applied:
                # Each event of what was applied is in the queue by now: after this drain nothing of it comes.
                hints = self._below_own(self._without_own(hints.joined(self._watch.drain())))
                for path in list(self._applied)[:-APPLIED]:
                    del self._applied[path]
        finally:
            self._applying.release()
        for event in events(self._rule, hints):
            self._report(event)
        for one in done:
            one()

    def _without_own(self, hints: Hints) -> Hints:
        """Leave out the paths that are as the client itself made them, and those right below what is looked at whole.

        Of a first sync these are nearly all: each would be looked at here, and once more with its directory.
        """
        own = self._applied
        whole = {path for path, deep in hints.paths if deep}
        kept = [(path, deep) for path, deep in hints.paths if deep or paths.parent(path) not in whole]
        found = self._root.stats(path for path, deep in kept if not deep and path in own)
        return hints._replace(
            paths=[(path, deep) for path, deep in kept if path not in found or found[path] != own[path]]
        )

    def _below_own(self, hints: Hints) -> Hints:
        """Look below the directories that the client made: only what is not its own is news."""
        own = self._applied
        made = {path for path, deep in hints.paths if deep and path in own}
        if not made:
            return hints
        news = {path: deep for path, deep in hints.paths if path not in made}
        seen = set()
        for row in self._root.scan([(path, True) for path in made]).rows:
            known = own.get(row.path)
            seen.add(row.path)
            # What is put into a directory changes its times.
            same = known is not None and (known.inode == row.stat.inode if row.kind == DIRECTORY else known == row.stat)
            if not same and (row.path in made or _is_below(row.path, made)):
                news[row.path] = True
        for path, stat in own.items():
            if stat is not None and path not in seen and (path in made or _is_below(path, made)):
                news[path] = True
        return hints._replace(paths=list(news.items()))


def _is_below(path: str, folders: Container[str]) -> bool:
    return any(above in folders for above in paths.ancestors(path))


def events(rule: str, hints: Hints) -> Iterator[dict[str, Any]]:
    """Yield hints as events that each fit into a frame; none when there is nothing to tell."""
    if hints.rescan:
        yield {"event": "hints", "rule": rule, "paths": [], "rescan": True, "reason": hints.reason}
        return
    batch: list[tuple[str, bool]] = []
    size = 0
    for path, deep in hints.paths:
        if batch and size + len(path) > EVENT_CHARS:
            yield {"event": "hints", "rule": rule, "paths": batch, "rescan": False, "reason": ""}
            batch, size = [], 0
        batch.append((path, deep))
        size += len(path) + 8
    if batch:
        yield {"event": "hints", "rule": rule, "paths": batch, "rescan": False, "reason": ""}
