"""The stops that attaching itself causes, which nobody asked for: the program goes on from them. Never hides another.

The gem `debug` stops a program for whoever connects, and once more for `attach`, and tells of a third stop that is
none. It keeps a `continue` for the next stop where the program does not stand: so it is asked for a stack first, which
it answers when the program stands, and then it is told to continue, once for each stop.
"""

from __future__ import annotations

from typing import Any

from devcfg.runtime.debug.dap import number
from devcfg.runtime.debug.upstream import Upstream


class Pauses:
    """What one debugger tells of such stops."""

    def __init__(self, up: Upstream, *, hides: bool) -> None:
        """Take the debugger, and whether an editor is to see none of these stops."""
        self._up = up
        self._hides = hides
        self._thread: int | None = None
        self._busy = False

    def stopped(self, body: dict[str, Any]) -> bool:
        """Take a stop; return whether it is hidden."""
        hidden = self._hides and body.get("reason") == "pause" and not self._up.pausing
        self._thread = (number(body.get("threadId")) or 1) if hidden else None
        self.resume()
        return hidden

    def resume(self) -> None:
        """Have the program go on, if it stands and has heard all that it must."""
        if self._thread is not None and self._up.configured and not self._busy:
            self._busy = True
            self._up.ask("stackTrace", {"threadId": self._thread, "startFrame": 0, "levels": 1})

    def answered(self, command: str) -> None:
        """Take the answer to a request of ours."""
        if command == "stackTrace" and self._thread is not None:
            # It stands, and not at a breakpoint. What is told from here on is another stop.
            self._up.ask("continue", {"threadId": self._thread})
            self._thread = None
            return
        if command in ("stackTrace", "continue"):
            self._busy = False
        self.resume()
