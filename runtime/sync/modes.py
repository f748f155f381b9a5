"""The four modes of a sync rule and its two sides. Never decides about a path."""

from __future__ import annotations

from enum import Enum, IntEnum


class Side(IntEnum):
    """One end of a sync rule; where two things are kept side by side, its number is the place."""

    LOCAL = 0
    FAR = 1

    @property
    def other(self) -> Side:
        """The end across the link."""
        return Side(1 - self)

    @property
    def word(self) -> str:
        """What users call it."""
        return ("local", "remote")[self]


class Mode(Enum):
    """Which way changes travel, and what happens where both sides changed."""

    TWO_WAY_SAFE = "two-way-safe"
    TWO_WAY_RESOLVED = "two-way-resolved"
    ONE_WAY_SAFE = "one-way-safe"
    ONE_WAY_REPLICA = "one-way-replica"

    @property
    def one_way(self) -> bool:
        """Whether nothing ever travels from the far side to the laptop."""
        return self in (Mode.ONE_WAY_SAFE, Mode.ONE_WAY_REPLICA)
