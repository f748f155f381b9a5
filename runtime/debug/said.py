"""What an editor has said to its debugger that a new one must hear again, and by which numbers it knows breakpoints.

Never sends anything: values in, values out.
"""

from __future__ import annotations

from typing import Any

from devcfg.runtime.debug.dap import items, members, number

SETS = (
    "setBreakpoints",
    "setFunctionBreakpoints",
    "setExceptionBreakpoints",
    "setDataBreakpoints",
    "setInstructionBreakpoints",
)
"""Requests that say anew all breakpoints of a source, or of a kind."""
STARTS = ("attach", "launch")
ONCE = ("initialize", *STARTS, "configurationDone")
"""Requests of the handshake, each said once."""
Key = tuple[str, str]
"""A request of `SETS`, and the source that it is about."""
WAITING = "the process is on its way"
_MOST = 100_000
"""Breakpoints that are told apart at most."""
_FIRST = 1_000_000
"""Numbers of breakpoints that no debugger has given yet begin here."""


def key_of(command: str, arguments: Any) -> Key | None:
    """Return what a request says anew; None where it is none of `SETS`."""
    if command not in SETS:
        return None
    source = members(members(arguments).get("source"))
    return command, str(source.get("path") or source.get("sourceReference") or source.get("name") or "")


class Said:
    """All that one editor has said so far."""

    def __init__(self) -> None:
        self.initialize: Any = None
        self.start: tuple[str, Any] | None = None
        self.done = False
        """Whether `configurationDone` was said."""
        self.sets: dict[Key, Any] = {}
        """The last arguments of each, in the order of their first saying."""

    def take(self, command: str, arguments: Any) -> None:
        """Remember a request, if it is one to remember."""
        key = key_of(command, arguments)
        if key is not None:
            self.sets[key] = arguments
        elif command == "initialize":
            self.initialize = members(arguments)
        elif command in STARTS:
            self.start = command, members(arguments)
        elif command == "configurationDone":
            self.done = True

    @property
    def child(self) -> bool:
        """Tell whether this session is one of debugpy's for a subprocess, which ends with it."""
        return self.start is not None and "subProcessId" in self.start[1]

    def supports(self, capability: str) -> bool:
        """Tell what the editor said of itself."""
        return members(self.initialize).get(capability) is True

    def wanted(self, key: Key) -> int:
        """Return how many breakpoints a request of `SETS` asks for."""
        arguments = members(self.sets.get(key))
        return len(items(arguments.get("breakpoints"))) or len(items(arguments.get("lines")))


class Marks:
    """The numbers of breakpoints: the editor keeps those it was told first, whatever a new debugger calls them."""

    def __init__(self) -> None:
        self._own: dict[int, int] = {}
        self._used: set[int] = set()
        self._next = _FIRST
        self._known: dict[Key, list[int | None]] = {}

    def renew(self) -> None:
        """Forget the numbers of the debugger that has gone; the editor's stay."""
        self._own.clear()

    def own(self, far: Any) -> int | None:
        """Return the editor's number for the debugger's."""
        found = number(far)
        if found is None:
            return None
        if found not in self._own:
            if len(self._used) > _MOST:
                return None
            own = found if found not in self._used else self._fresh()
            self._own[found] = own
            self._used.add(own)
        return self._own[found]

    def answered(self, key: Key, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request of `SETS` with the editor's numbers, and remember them."""
        found = [members(one) for one in items(body.get("breakpoints"))]
        self._known[key] = [self.own(one.get("id")) for one in found]
        return {**body, "breakpoints": self._numbered(key, found)} if "breakpoints" in body else body

    def again(self, key: Key, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the breakpoints that a new debugger has set again, by the numbers that the editor has for them."""
        found = [members(one) for one in items(body.get("breakpoints"))]
        known = self._known.get(key, [])
        for at, one in enumerate(found):
            far, own = number(one.get("id")), known[at] if at < len(known) else None
            if far is not None and own is not None:
                self._own[far] = own
        return [one for one in self._numbered(key, found) if "id" in one]

    def provisional(self, key: Key, count: int) -> dict[str, Any]:
        """Return the answer while there is no debugger, and remember the numbers it gives."""
        known = self._known.get(key, [])
        ids = [own if own is not None else self._fresh() for own in (known + [None] * count)[:count]]
        self._used.update(ids)
        self._known[key] = list(ids)
        return {"breakpoints": [{"id": one, "verified": False, "message": WAITING} for one in ids]}

    def _numbered(self, key: Key, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        known = self._known.get(key, [])
        made = []
        for at, one in enumerate(found):
            own = known[at] if at < len(known) else None
            made.append({**one, "id": own} if own is not None else {k: v for k, v in one.items() if k != "id"})
        return made

    def _fresh(self) -> int:
        self._next += 1
        return self._next
