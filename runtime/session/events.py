"""What happens in a session, as values: one line of `up --events` each. Never printed here.

The names and members are a contract with editors and tests; see the product's machine output.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Protocol

BROUGHT = "brought here"
"""The remark on changes that the process made and that came to the laptop."""


class Happening(Enum):
    """The closed set of events."""

    PLANNED = "planned"
    APPLIED = "applied"
    ROLLED_OUT = "rolled-out"
    CONNECTED = "connected"
    SYNCED = "synced"
    CHANGED = "changed"
    RESTARTED = "restarted"
    EXITED = "exited"
    BUILD_FAILED = "build-failed"
    CONFLICT = "conflict"
    HALTED = "halted"
    DEGRADED = "degraded"
    DISCONNECTED = "disconnected"
    FORWARDING = "forwarding"
    DRIFT = "drift"
    RESTORED = "restored"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one service, at a time (seconds since 1970)."""

    time: float
    service: str
    what: Happening
    members: dict[str, Any] = field(default_factory=dict)
    remark: str = ""
    """What is said of it in words only."""

    def to_json(self) -> str:
        """Return the documented line, without its line break: `{time, service, event, …}`."""
        moment = datetime.fromtimestamp(self.time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = {"time": moment, "service": self.service, "event": self.what.value}
        return json.dumps({**head, **self.members}, ensure_ascii=False)


class Hearer(Protocol):
    """What a service tells: events, the lines that its process prints, and words that are no event."""

    def event(self, event: Event) -> None:
        """Hear an event."""

    def log(self, service: str, line: str) -> None:
        """Hear a line."""

    def words(self, service: str, text: str) -> None:
        """Hear words."""

    def refresh(self) -> None:
        """Hear that the service is another, without a word."""
