"""What the sync engines of one service tell, as events; when all its rules have agreed. Never syncs, prints nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from devcfg.runtime.session.events import BROUGHT, Happening
from devcfg.runtime.sync import events as sync
from devcfg.runtime.sync.rule import Rule


class Say(Protocol):
    """Tells an event of the service."""

    def __call__(self, what: Happening, *, remark: str = "", **members: object) -> None: ...


class Agreement:
    """The rules of one service. `changed` hears which paths came to the far side."""

    def __init__(self, rules: tuple[Rule, ...], say: Say, changed: Callable[[tuple[str, ...]], None]) -> None:
        self.synced = asyncio.Event()
        """Set once every rule has agreed in this place."""
        self._rules = rules
        self._say = say
        self._changed = changed
        self._since = 0.0
        self._first: set[str] = set()
        self._opening: set[str] = set()

    def begin(self, *, anew: bool) -> None:
        """Count from now, because there is a link; `anew` where it leads to a place that has nothing yet."""
        self._since = time.monotonic()
        if anew:
            self._first.clear()
            self.synced.clear()
        if not self._rules:
            self.synced.set()

    def told(self, rule: Rule, event: sync.Event) -> None:
        """Take what an engine tells."""
        match event:
            case sync.Synced(files=files, bytes=size):
                if rule.name not in self._first:
                    self._first.add(rule.name)
                    ms = (time.monotonic() - self._since) * 1000
                    self._say(Happening.SYNCED, files=files, bytes=size, ms=round(ms, 1))
                    # What the first sync changed is told at once after it, path by path: it was said already.
                    self._opening.add(rule.name)
                    asyncio.get_running_loop().call_soon(self._opening.discard, rule.name)
                if len(self._first) == len(self._rules):
                    self.synced.set()
            case sync.Changed(to_far=to_far, to_local=to_local, bytes=size, ms=ms):
                if to_far and rule.name not in self._opening:
                    self._say(Happening.CHANGED, paths=list(to_far), bytes=size, ms=round(ms, 1))
                if to_local and rule.name not in self._opening:
                    members = {"paths": list(to_local), "bytes": size, "ms": round(ms, 1)}
                    self._say(Happening.CHANGED, remark=BROUGHT, **members)
                self._changed(to_far)
            case sync.Conflicted(conflict=conflict):
                self._say(Happening.CONFLICT, path=conflict.path)
            case sync.Halted(halt=halt):
                self._say(Happening.HALTED, remark=f"; {halt.hint}", reason=halt.reason)
            case sync.Degraded(reason=reason):
                self._say(Happening.DEGRADED, reason=reason)
            case sync.Connected() | sync.Disconnected():
                pass  # the link has said so
