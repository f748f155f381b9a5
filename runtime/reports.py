"""Diagnostics for machines: JSON, SARIF 2.1.0 and GitHub annotations. Stable forms; never coloured."""

from __future__ import annotations

import json
import os
from typing import Any

from devcfg.overlays.emitter import escaped
from devcfg.runtime.console import printable
from devcfg.schemas.diagnostic import Diagnostic, Severity, Span

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
_NOWHERE = Span(1, 1, 1, 1)


def as_json(diagnostics: tuple[Diagnostic, ...]) -> str:
    """Return the documented JSON form, sorted by line, then column."""
    return _text({"version": 1, "diagnostics": [_row(one) for one in sorted(diagnostics, key=_by_line)]})


def _by_line(one: Diagnostic) -> tuple[int, int]:
    return (one.span.line, one.span.column) if one.span else (0, 0)


def _text(value: Any) -> str:
    return escaped(json.dumps(value, ensure_ascii=False, indent=2)) + "\n"


def _row(one: Diagnostic) -> dict[str, object]:
    span = one.span
    return {
        "code": one.code,
        "severity": one.severity.value,
        "message": one.message,
        "hint": _advice(one),
        "file": one.file,
        "line": span.line if span else None,
        "column": span.column if span else None,
        "end_line": span.end_line if span else None,
        "end_column": span.end_column if span else None,
        "pointer": one.pointer,
        "notes": [{"message": note.message, "file": note.file, "line": note.line or None} for note in one.notes],
    }


def as_sarif(diagnostics: tuple[Diagnostic, ...]) -> str:
    """Return a SARIF 2.1.0 log with one run."""
    from devcfg.runtime.release import version
    from devcfg.schemas.codes import CODES

    used = sorted({one.code for one in diagnostics})
    rules = [
        {"id": code, "shortDescription": {"text": CODES[code].title}, "fullDescription": {"text": CODES[code].text}}
        for code in used
    ]
    driver = {"name": "devcfg", "version": version(), "rules": rules}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_result(one, used.index(one.code)) for one in diagnostics],
            }
        ],
    }
    return _text(log)


def _result(one: Diagnostic, rule: int) -> dict[str, object]:
    span = one.span or _NOWHERE
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    result: dict[str, object] = {
        "ruleId": one.code,
        "ruleIndex": rule,
        "level": _LEVELS[one.severity],
        "message": {"text": _sentence(one)},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(one.file)}, "region": region}}],
    }
    if one.pointer:
        result["properties"] = {"pointer": one.pointer}
    related = [
        {
            "message": {"text": note.message},
            "physicalLocation": {
                "artifactLocation": {"uri": _uri(note.file)},
                **({"region": {"startLine": note.line}} if note.line else {}),
            },
        }
        for note in one.notes
        if note.file
    ]
    if related:
        result["relatedLocations"] = related
    return result


def as_github(diagnostics: tuple[Diagnostic, ...]) -> str:
    """Return GitHub workflow commands, one a line."""
    words = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
    lines = []
    for one in diagnostics:
        span = one.span or _NOWHERE
        place = {"file": one.file, "line": span.line, "endLine": span.end_line, "col": span.column}
        if span.end_line == span.line:
            place["endColumn"] = span.end_column
        properties = ",".join(f"{key}={_property(str(value))}" for key, value in place.items())
        lines.append(f"::{words[one.severity]} {properties},title={one.code}::{_escaped(_sentence(one))}\n")
    return "".join(lines)


def _uri(file: str) -> str:
    from urllib.parse import quote

    return quote(os.fsencode(file))


def _advice(one: Diagnostic) -> str:
    return "; ".join(part for part in (one.label, one.hint) if part)


def _sentence(one: Diagnostic) -> str:
    advice = _advice(one)
    return f"{one.message}: {advice}" if advice else one.message


def _escaped(text: str) -> str:
    return "%0A".join(printable(line).replace("%", "%25") for line in text.split("\n"))


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
