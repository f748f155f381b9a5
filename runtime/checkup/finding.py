"""What a check found: a verdict, words, and a way to put it right. Never printed here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from devcfg.schemas.errors import DevcfgError


class Verdict(Enum):
    """The closed set of verdicts."""

    OK = "ok"
    WARNING = "warning"
    """It works, but not as well as it could, or not for long."""
    FAILURE = "failure"
    """A session fails of it."""
    SKIPPED = "skipped"
    """It could not be looked at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `devcfg doctor`."""

    check: str
    verdict: Verdict
    words: str
    fix: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the documented form."""
        return {"check": self.check, "verdict": self.verdict.value, "words": self.words, "fix": self.fix}


def ok(check: str, words: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Verdict.OK, words)


def failed(check: str, error: DevcfgError) -> Finding:
    """Return an error as a finding."""
    return Finding(check, Verdict.FAILURE, error.message, error.hint)


def has_failures(found: Iterable[Finding]) -> bool:
    """Tell whether a session would fail of one of them."""
    return any(one.verdict is Verdict.FAILURE for one in found)
