"""What a check found: a verdict, words, and a way to put it right. Never printed here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from devcfg.schemas.diagnostic import Diagnostic
from devcfg.schemas.errors import ConfigError, DevcfgError


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
    places: str = ""
    """Codes and places of the diagnostics that the words quote; empty where they quote none."""

    def unquoted(self) -> Finding:
        """Return it for somebody who shall not see the config: a diagnostic quotes whatever stands at its place."""
        return replace(self, words=self.places, fix="", places="") if self.places else self

    def to_json(self) -> dict[str, str]:
        """Return the documented form."""
        return {"check": self.check, "verdict": self.verdict.value, "words": self.words, "fix": self.fix}


def ok(check: str, words: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Verdict.OK, words)


def failed(check: str, error: DevcfgError) -> Finding:
    """Return an error as a finding."""
    places = places_of(error.diagnostics) if isinstance(error, ConfigError) else ""
    return Finding(check, Verdict.FAILURE, error.message, error.hint, places)


def places_of(diagnostics: Iterable[Diagnostic]) -> str:
    """Return code and place of each diagnostic."""
    return ", ".join(
        f"{one.code} at {one.file}:{one.span.line}:{one.span.column}" if one.span is not None else one.code
        for one in diagnostics
    )


def has_failures(found: Iterable[Finding]) -> bool:
    """Tell whether a session would fail of one of them."""
    return any(one.verdict is Verdict.FAILURE for one in found)
