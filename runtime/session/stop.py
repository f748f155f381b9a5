"""How a session is told to end: Ctrl-C once for an orderly end, twice for one at once. Never ends anything itself."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import Callable

AT_ONCE = 130
"""The exit code of a session that was stopped by a second Ctrl-C."""


class Stop:
    """Set once the session has to end. Signals count from `listen` on."""

    def __init__(self, say: Callable[[str], None], close: Callable[[], None], *, stays: bool) -> None:
        """Make one; `close` takes away what is drawn, before the process ends without another word.

        `stays` says that what was entered outlives the session, so that a closed terminal leaves it.
        """
        self._say = say
        self._close = close
        self._stays = stays
        self._asked = asyncio.Event()

    def listen(self) -> None:
        """Take SIGINT, SIGTERM and SIGHUP (a closed terminal) as the wish to end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._heard)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)

    def follow(self, descriptor: int) -> None:
        """Take the end of whoever reads a pipe as the wish to end: an editor that is gone steers nothing any more."""
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return
        loop = asyncio.get_running_loop()

        def gone() -> None:
            loop.remove_reader(descriptor)
            self._asked.set()

        # Nothing can be read from this end of a pipe, so what wakes the loop is that its reader has gone.
        loop.add_reader(descriptor, gone)

    def _heard(self) -> None:
        finishes = "`devcfg down` restores what is left" if self._stays else "the next session cleans up"
        if self._asked.is_set():
            self._close()
            self._say(f"stopped at once; {finishes}")
            os._exit(AT_ONCE)  # whatever is left behind, the next session or `down` takes over
        self._say(f"ending in order; Ctrl-C once more stops at once, and then {finishes}")
        self._asked.set()

    def _hung_up(self) -> None:
        if self._stays:
            os._exit(AT_ONCE)  # nobody sees what a restore says; dev mode waits for the next session or for `down`
        self._heard()

    @property
    def is_asked(self) -> bool:
        """Whether the session has to end."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Wish for an orderly end."""
        self._asked.set()

    async def asked(self) -> None:
        """Wait until the session has to end."""
        await self._asked.wait()
