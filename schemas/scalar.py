"""A plain YAML scalar that still knows its source text, for where a string is wanted. Never resolved here."""

from __future__ import annotations

from typing import Any


class PlainScalar(str):
    """The source text of a plain scalar; `value` is what YAML 1.2 core makes of it (null, bool, int, float, str)."""

    __slots__ = ("value",)
    value: bool | int | float | str | None

    def __new__(cls, text: str, value: bool | int | float | str | None) -> PlainScalar:  # noqa: FBT001  a YAML value
        scalar = super().__new__(cls, text)
        scalar.value = value
        return scalar


def resolve(value: Any) -> Any:
    """Return the JSON value: every `PlainScalar` replaced by what YAML 1.2 core makes of it."""
    match value:
        case PlainScalar():
            return value.value
        case dict():
            return {str(key): resolve(below) for key, below in value.items()}
        case list():
            return [resolve(below) for below in value]
        case _:
            return value


def describe(value: Any) -> str:
    """Say what kind of YAML value this is, with a short quotation, for messages."""
    match value:
        case PlainScalar(value=None) | None:
            return "null"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case PlainScalar():
            return f"`{clip(value)}`"
        case str():
            return f'`"{clip(value)}"`'
        case _:
            return f"`{clip(str(value))}`"


def clip(text: str, width: int = 40) -> str:
    """Shorten a quoted text to `width` characters, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
