"""Hints on their way: one thread a watched root, which sends what it sees as events. Never decides what they mean."""

from __future__ import annotations

import os
import select
import threading
from typing import Any, Callable, Iterable, Iterator

from .entries import DONE, Outcome, Stat
from .outbox import EndedError
from .root import Root
from .watch import Hints

EVENT_CHARS = 8 * 1024
"""The characters of the paths in one event; as JSON, six bytes each at worst, they fit into a frame."""
APPLIED = 4096
"""The paths remembered so that what the client itself applied comes back as no hint."""
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
        self._applied: dict[str, Stat | None] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def degraded(self) -> str:
        """Say why hints are late or coarse, empty while they are not."""
        return self._watch.degraded

    def applied(self, outcomes: Iterable[Outcome]) -> None:
        """Take what was just brought into place."""
        with self._lock:
            for one in outcomes:
                if one.result == DONE:
                    self._applied.pop(one.path, None)
                    self._applied[one.path] = one.stat
            for path in list(self._applied)[:-APPLIED]:
                del self._applied[path]

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
        for event in events(self._rule, self._news(self._watch.drain())):
            self._report(event)
        for one in done:
            one()

    def _news(self, hints: Hints) -> Hints:
        """Leave out the paths that are as the client itself made them; below a directory nobody has looked yet."""
        with self._lock:
            own = {path: self._applied[path] for path, deep in hints.paths if not deep and path in self._applied}
        if not own:
            return hints
        seen = {row.path: row.stat for row in self._root.scan([(path, False) for path in own]).rows}
        return hints._replace(
            paths=[(path, deep) for path, deep in hints.paths if path not in own or seen.get(path) != own[path]]
        )


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
