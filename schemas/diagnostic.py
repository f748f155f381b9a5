"""A finding with a place in a file: what is wrong, where, and what to do. Never printed here."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Severity(Enum):
    """How much a finding weighs: only an error stops a command."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a file: lines and columns from 1, in characters, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Note:
    """A second place that explains a finding, such as the workload in the base. `line` 0 means the whole file."""

    message: str
    file: str
    line: int = 0
    column: int = 1


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `pointer` is RFC 6901 into the config; `label` stands beside the caret, `hint` below."""

    code: str
    message: str
    severity: Severity = Severity.ERROR
    hint: str = ""
    file: str = ""
    span: Span | None = None
    pointer: str = ""
    label: str = ""
    notes: tuple[Note, ...] = field(default=())

    @property
    def order(self) -> tuple[str, int, int, str]:
        """Sort key: file, then line, then column, then code."""
        at = self.span or Span(0, 0, 0, 0)
        return (self.file, at.line, at.column, self.code)


def has_errors(diagnostics: tuple[Diagnostic, ...]) -> bool:
    """Tell whether any finding stops the command."""
    return any(one.severity is Severity.ERROR for one in diagnostics)
