"""Waits for changes of the local root and gathers what belongs together. Never looks at what changed.

The leading edge: a single save is taken two milliseconds after its last event; a burst is waited for longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable
from typing import Protocol

from devcfg.runtime.pod.agent.root import Root
from devcfg.runtime.pod.agent.watch import Hints
from devcfg.runtime.sync.notices import Notices

QUIET, CAP = 0.002, 0.020
"""Seconds without an event that end a gathering, and the most that one takes."""
BURST, BURST_QUIET, BURST_CAP = 200, 0.020, 0.100
"""So many paths are a burst, and what holds for it."""


class Watch(Protocol):
    """What tells of changes: the kernel by inotify, or a library where there is none."""

    degraded: str
    interval: float

    def fileno(self) -> int:
        """Return what becomes readable when something happened, -1 where there is no such thing."""

    def drain(self) -> Hints:
        """Return the hints of what happened up to now."""

    def close(self) -> None:
        """Stop watching."""


def open_watch(root: Root) -> Watch:
    """Watch a root as this system can."""
    return root.watch() if sys.platform == "linux" else Notices(root)


class Watcher:
    """The watch of the local root. `wake` is set when there may be something to gather."""

    def __init__(
        self, wake: asyncio.Event, marks: tuple[str, ...], open_watch: Callable[[Root], Watch] = open_watch
    ) -> None:
        self._open = open_watch
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._marks = marks
        self._seen = self._look()
        self._watch: Watch | None = None
        self._reading = -1
        self._came: float | None = None
        self.since: float | None = None
        """When the first event of the last gathering came, by the monotonic clock."""

    @property
    def degraded(self) -> str:
        """Why hints are late or coarse, empty while they are not."""
        return self._watch.degraded if self._watch else ""

    async def begin(self, root: Root) -> None:
        """Watch a root with the ignores that it has now."""
        self.close()
        self._watch = await asyncio.to_thread(self._open, root)
        self._listen()

    def close(self) -> None:
        """End the watch."""
        self._deafen()
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    async def wait(self, until: float) -> None:
        """Return when there may be something to gather, or at a time of the loop's clock."""
        if self._watch is not None and self._watch.fileno() < 0:
            until = min(until, self._loop.time() + self._watch.interval)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._wake.wait()
        self._wake.clear()

    async def gather(self) -> Hints:
        """Return the hints of all that happened up to now, and of what goes on with it."""
        self.since, self._came = self._came, None
        found = self._drain()
        began = self._loop.time()
        cap = CAP
        quiet = QUIET
        while found.paths and self._loop.time() - began < cap:
            await asyncio.sleep(quiet)
            more = self._drain()
            if not (more.paths or more.rescan):
                break
            found = Hints([*found.paths, *more.paths], found.rescan or more.rescan, found.reason or more.reason)
            if len(found.paths) > BURST:
                quiet, cap = BURST_QUIET, BURST_CAP
        if self._marks and (found.paths or found.rescan) and (now := self._look()) != self._seen:
            self._seen = now
            found = found._replace(rescan=True, reason="git has moved")
        self._listen()
        return found

    def _drain(self) -> Hints:
        if self._watch is None:
            return Hints([], rescan=True, reason="not watched yet")
        return self._watch.drain()

    def _listen(self) -> None:
        descriptor = self._watch.fileno() if self._watch else -1
        if descriptor >= 0 and self._reading < 0:
            self._loop.add_reader(descriptor, self._readable)
            self._reading = descriptor

    def _readable(self) -> None:
        # Until it is drained it stays readable: the loop would do nothing else.
        self._deafen()
        self._came = self._came or time.monotonic()
        self._wake.set()

    def _deafen(self) -> None:
        if self._reading >= 0:
            self._loop.remove_reader(self._reading)
            self._reading = -1

    def _look(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(map(_stat, self._marks))


def _stat(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
