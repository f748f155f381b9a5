"""What a YAML file may hold, and the refusal of one that holds more. Never builds a value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from devcfg.schemas.diagnostic import Diagnostic, Span


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one file may hold: bytes, levels, lines that start with `%`; and the characters it may not."""

    size: int
    depth: int
    directives: int
    forbidden: re.Pattern[str]


_NOT_YAML = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff"

CONFIG = Limits(
    size=256 * 1024,
    depth=64,
    directives=1,
    # What editors and YAML count differently as line breaks, and a hidden byte order mark, are refused on top.
    forbidden=re.compile(f"[{_NOT_YAML}\x85\u2028\u2029\ufeff]"),
)
"""For the dev config, which comes with a repository that nobody has read yet."""
CONFIG_NODES = 20_000
CONFIG_ALIASES = 100
CONFIG_EXPANSION = 10
"""How often its own size a dev config may reach through aliases."""
FREE_NODES = 500
FREE_CHARACTERS = 64 * 1024
"""Below these sizes with aliases counted in full, they may repeat as they like."""

BASE = Limits(size=32 * 1024 * 1024, depth=200, directives=100, forbidden=re.compile(f"[{_NOT_YAML}]"))
"""For manifests: room for every real base, none for bombs."""
BASE_EVENTS = 3_000_000
"""About 20 MB of manifests."""
BASE_NODES = 100_000
"""Aliases of a base may stand for this many values, or for as many as its text has characters."""

MOST_FINDINGS = 100
"""A file with more than this many mistakes is not a list to work through."""


class UnreadableError(Exception):
    """One finding that ends the reading of a file; its reader turns it into the error its callers know."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def refuse(code: str, message: str, file: str, span: Span, *, hint: str = "", label: str = "") -> UnreadableError:
    """Build the refusal of a file for one reason at one place."""
    return UnreadableError(Diagnostic(code, message, hint=hint, file=file, span=span, label=label))


_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_START = Span(1, 1, 1, 2)


def decode(data: bytes | str, limits: Limits, *, file: str) -> str:
    """Return the text of a file without its byte order mark. Raises `UnreadableError`."""
    if len(data) > limits.size:
        message = f"the file has {len(data):,} bytes, more than {limits.size:,}"
        raise refuse("too-large", message, file, _START, hint="is this the right file?")
    text = data if isinstance(data, str) else _decode_bytes(data, file)
    text = text.removeprefix("\ufeff")
    if (bad := limits.forbidden.search(text)) is not None:
        code = ord(bad[0])
        if code == 0 and "\x00" in text[:4]:
            raise refuse(
                "encoding", "the file is not UTF-8: it looks like UTF-16 or UTF-32", file, _START, hint=_SAVE_AS
            )
        name = "invisible character" if code in (0x2028, 0x2029, 0xFEFF) else "control character"
        hint = f'remove it; inside double quotes it can be written as `"\\u{code:04x}"`'
        if 0xD800 <= code <= 0xDFFF or code >= 0xFFFE:
            name, hint = "half a character" if code < 0xFFFE else name, "remove it"
        message = f"{name} U+{code:04X} is not allowed"
        raise refuse("control-character", message, file, span_at(text, bad.start()), hint=hint)
    # libyaml compares every directive with all before it, within one event: many of them take it minutes.
    for count, directive in enumerate(_DIRECTIVE.finditer(text) if "%" in text else (), start=1):
        if count > limits.directives:
            hint = "leave the lines that start with `%` out"
            raise refuse("directive", "directives are not supported", file, span_at(text, directive.start()), hint=hint)
    return text


_DIRECTIVE = re.compile(r"(?<![^\r\n])%")


_SAVE_AS = "save it as UTF-8"


def _decode_bytes(data: bytes, file: str) -> str:
    for mark, name in _MARKS:
        if data.startswith(mark):
            raise refuse("encoding", f"the file is not UTF-8: it starts like {name}", file, _START, hint=_SAVE_AS)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode().removeprefix("\ufeff")
        message = f"the file is not UTF-8: byte 0x{data[error.start]:02x} fits nothing here"
        raise refuse("encoding", message, file, span_at(before, len(before)), hint=_SAVE_AS) from None


_BREAK = re.compile(r"\r\n|\r|\n")


def split_lines(text: str) -> tuple[str, ...]:
    """Split at YAML's line breaks, which are fewer than those of `str.splitlines`."""
    return tuple(_BREAK.split(text))


def span_at(text: str, index: int) -> Span:
    """Return the place of one character."""
    line, start = 1, 0
    for found in _BREAK.finditer(text, 0, index):
        line, start = line + 1, found.end()
    column = index - start + 1
    return Span(line, column, line, column + 1)
