"""Hints of the local root by watchfiles, where there is no inotify. Never the truth: that is a scan.

watchfiles tells less than the kernel knew: what is below a directory that appeared, what was lost when its queue was
full, that the root itself went. So a directory is hinted whole, a flood asks for a whole scan, and the scan of each
minute finds the rest.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable

from devcfg.runtime.pod.agent.paths import is_hard
from devcfg.runtime.pod.agent.root import Root
from devcfg.runtime.pod.agent.watch import Hints

STEP, DEBOUNCE = 20, 100
"""Milliseconds between two looks at its queue, and until it tells of what goes on and on."""
FLOOD = 5_000
"""So many changes at once ask for a whole scan: by then some may have been lost."""
BLIND = 5.0
"""Seconds between whole scans once it has failed."""


class Notices:
    """A watch of one root, with the surface of the agent's `Watch`."""

    def __init__(self, root: Root) -> None:
        self._place = os.path.realpath(root.path)
        self._lock = threading.Lock()
        self._hints = Hints([], rescan=False, reason="")
        self._readable, self._wake = os.pipe()
        for each in (self._readable, self._wake):
            os.set_blocking(each, False)
        self._stop = threading.Event()
        self._ready = threading.Event()
        self.degraded = ""
        self.interval = 0.0
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
        self._thread.start()
        self._ready.wait()

    def fileno(self) -> int:
        """Return what becomes readable when something happened, -1 once it has failed."""
        return -1 if self.degraded else self._readable

    def drain(self) -> Hints:
        """Return the hints of what was heard up to now."""
        if self.degraded:
            return Hints([], rescan=True, reason=self.degraded)
        with contextlib.suppress(BlockingIOError):
            while os.read(self._readable, 4096):
                pass
        with self._lock:
            found, self._hints = self._hints, Hints([], rescan=False, reason="")
        return found

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join()
        os.close(self._readable)
        os.close(self._wake)

    def _run(self) -> None:
        from watchfiles._rust_notify import RustNotify  # the loop around it tells nobody when it has begun

        try:
            # Neither debugged nor polled, all below the root, and no trouble kept from us.
            with RustNotify([self._place], False, False, 300, True, False) as notify:  # noqa: FBT003
                self._ready.set()
                while (found := notify.watch(DEBOUNCE, STEP, 0, self._stop)) != "stop":
                    if not isinstance(found, str):
                        self._hear(found)
        except Exception as problem:
            self.degraded = f"the system's notices of changes have ended: {problem}"
            self.interval = BLIND
        finally:
            self._ready.set()
            with contextlib.suppress(OSError):
                os.write(self._wake, b"!")

    def _hear(self, found: set[tuple[int, str]]) -> None:
        hints = self._hints_of(path for _, path in found)
        with self._lock:
            self._hints = self._hints.joined(hints)
        with contextlib.suppress(BlockingIOError):  # full: nobody has drained yet, and it is readable as it is
            os.write(self._wake, b"!")

    def _hints_of(self, changed: Iterable[str]) -> Hints:
        hints: dict[str, bool] = {}
        for full in changed:
            path = os.path.relpath(full, self._place)
            if path == "." or path.startswith("../"):
                return Hints([], rescan=True, reason="the root itself has changed")
            if not is_hard(path):
                hints[path] = os.path.isdir(full) and not os.path.islink(full)
        if len(hints) > FLOOD:
            return Hints([], rescan=True, reason="too much has changed at once")
        return Hints(list(hints.items()), rescan=False, reason="")
