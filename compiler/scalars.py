"""What a plain YAML scalar means: by YAML 1.2 core (the dev config) and as kustomize reads it (manifests).

Quoted and block scalars are strings everywhere and never come here. Every rule of the second reading was found by
running `kubectl kustomize` (1.27 to 1.33 agree to the byte); tests/compiler/data/scalars.json is the record.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any

from devcfg.schemas.patch import Json
from devcfg.schemas.scalar import PlainScalar

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUES = frozenset({"true", "True", "TRUE"})
_FALSES = frozenset({"false", "False", "FALSE"})

_CORE_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NANS = frozenset({".nan", ".NaN", ".NAN"})
_MAX_DIGITS = 4300
"""Python refuses to read longer integers."""


def read_core(text: str) -> bool | int | float | str | None:
    """Return what YAML 1.2 core makes of a plain scalar; numbers too large to hold become infinity."""
    if text in _NULLS:
        return None
    if text in _TRUES or text in _FALSES:
        return text in _TRUES
    if text[0] not in "+-.0123456789":
        return text
    if _CORE_INT.fullmatch(text) and len(text) < _MAX_DIGITS:
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", "", 1))
    return float("nan") if text in _NANS else text


_INT = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_BASES = (0, 0, 16, 2, 8, 10)
_SIGN_INSIDE = re.compile(r"(0b|0o)([-+][0-7]+)")
_DOTTED = re.compile(r"\.[0-9](?:_?[0-9])*(?:[eE][-+]?[0-9](?:_?[0-9])*)?")
_LEAST, _MOST, _MOST_UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1


def read_kustomize(text: str) -> Json:
    """Return what `kubectl kustomize` prints for a plain scalar of an object that no patch touches.

    Integers stay exact up to 64 bits, a timestamp becomes a string in RFC 3339, `yes` and `12:30` are strings.
    Raises `ValueError` for infinity and NaN, which JSON cannot hold (kustomize fails there, too).
    """
    if text in _NULLS:
        return None
    if text in _TRUES or text in _FALSES:
        return text in _TRUES
    if text[0] not in "+-.0123456789":
        return text
    if _INFINITE.fullmatch(text) or text in _NANS:
        raise ValueError(f"`{text}` has no form in JSON")
    if text[0] == ".":
        return _finite(text, text.replace("_", "")) if _DOTTED.fullmatch(text) else text
    if text[4:5] == "-" and (moment := _timestamp(text)) is not None:
        return moment
    return _number(text)


def _number(text: str) -> Json:
    plain = text.replace("_", "")
    if (found := _INT.fullmatch(plain)) and len(plain) < _MAX_DIGITS:
        at = found.lastindex or 5
        value = int(found[at], _BASES[at])
        if found[1]:
            value = -value if found[1] == "-" else value
            if _LEAST <= value <= _MOST:
                return value
        elif value <= _MOST_UNSIGNED:
            return value
    if _FLOAT.fullmatch(plain):
        return _finite(text, plain)
    if found := _SIGN_INSIDE.fullmatch(plain):
        try:
            return int(found[2], 2 if found[1] == "0b" else 8)
        except ValueError:
            return text
    return text


def _finite(text: str, plain: str) -> Json:
    value = float(plain)
    return _through_json(value) if isfinite(value) else text


def _through_json(value: float) -> int | float:
    """A float as Go prints it in JSON, read again: without a fraction it is an integer as long as 64 bits hold it."""
    if value.is_integer() and abs(value) < 1e21:
        digits = int(Decimal(repr(value)))
        if _LEAST <= digits <= _MOST_UNSIGNED:
            return digits
    return value


def through_patch(value: Json) -> Json:
    """Return a scalar as kustomize leaves it in an object that a JSON6902 patch touched: numbers are floats."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _through_json(float(value))
    return value


def annotation_after_patch(scalar: PlainScalar) -> str:
    """Return the text of an annotation that was written without quotes, once a JSON6902 patch touched its object."""
    value: Any = read_kustomize(str(scalar))
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            negative_zero = value == 0 and scalar.startswith("-") and not _INT.fullmatch(scalar.replace("_", ""))
            return "-0" if negative_zero else _shortest(float(value))
        case _:
            return str(value)


def _shortest(value: float) -> str:
    """Go's shortest `g` form: an exponent below 1e-04 and from 1e+06 on."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    if not isinstance(exponent, int) or not any(digits):
        return "0"
    minus, figures, point = "-" * sign, "".join(map(str, digits)), len(digits) + exponent
    if not -4 <= point - 1 < 6:
        mantissa = figures[0] + ("." + figures[1:] if len(figures) > 1 else "")
        return f"{minus}{mantissa}e{point - 1:+03d}"
    if point <= 0:
        return f"{minus}0.{'0' * -point}{figures}"
    if point >= len(figures):
        return minus + figures + "0" * (point - len(figures))
    return f"{minus}{figures[:point]}.{figures[point:]}"


_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:([Tt ])([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]+))?(Z|[-+][0-9]{2}:[0-9]{2})?)?"
)


def _timestamp(text: str) -> str | None:
    """A timestamp as kustomize prints it; None where it takes the text for something else."""
    if (found := _TIMESTAMP.fullmatch(text)) is None:
        return None
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    try:
        # The year 0 exists for Go and has the calendar of the year 400.
        date(year or 400, month, day)
    except ValueError:
        return None
    head = f"{year:04d}-{month:02d}-{day:02d}"
    if found[4] is None:
        return f"{head}T00:00:00Z"
    if (found[4] == " ") != (found[9] is None):
        return None
    hour, minute, second = int(found[5]), int(found[6]), int(found[7])
    zone = _zone(found[9] or "Z")
    if hour > 23 or minute > 59 or second > 59 or zone is None:
        return None
    fraction = (found[8] or "")[:9].rstrip("0")
    return f"{head}T{hour:02d}:{minute:02d}:{second:02d}{'.' + fraction if fraction else ''}{zone}"


def _zone(text: str) -> str | None:
    if text == "Z":
        return text
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 24 or minutes > 60:
        return None
    total = hours * 60 + minutes
    if total >= 24 * 60:
        raise ValueError(f"the zone `{text}` is more than a day")
    return f"{text[0]}{total // 60:02d}:{total % 60:02d}" if total else "Z"
