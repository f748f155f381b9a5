"""Every word a user sees, and the law for words: stdout is data, stderr is words. The only file that prints."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable

from devcfg.schemas.diagnostic import Diagnostic, Severity, Span
from devcfg.schemas.errors import ConfigError, DevcfgError

SHOWN = 10
"""How many findings the human form prints."""
WIDTH = 100
"""How many characters of a source line it shows."""
BUDGET = 4000
"""How many bytes it prints in all."""
WORDS = 600
"""How many characters of one message it shows."""
Quote = Callable[[str, int], str | None]
"""Gives the source line of a file, both as a finding names them; None where there is none."""

SGR = re.compile(r"\x1b\[[0-9;:]*m")
"""A colour, as terminals take it."""
RED, GREEN, YELLOW, BLUE, CYAN, BOLD, DIM = "31", "32", "33", "34", "36", "1", "2"
_COLOURS = {Severity.ERROR: RED, Severity.WARNING: YELLOW, Severity.NOTE: CYAN}


def data(text: str, *, now: bool = False) -> None:
    """Write data to stdout; `now` for what a reader waits for."""
    sys.stdout.write(text)
    if now:
        sys.stdout.flush()


def say(text: str = "", *codes: str) -> None:
    """Write a line of words to stderr, whatever a name in them may hold."""
    sys.stderr.write(paint(printable(text), *codes) + "\n")


def raw(text: str) -> None:
    """Write to stderr as it is, at once: for a line that is drawn anew, whose parts are printable already."""
    sys.stderr.write(text)
    sys.stderr.flush()


def toned(text: str, stream: str = "stderr") -> str:
    """Return a text whose only control sequences are colours, without them where its stream wants none."""
    return text if _coloured(stream) else SGR.sub("", text)


def paint(text: str, *codes: str, stream: str = "stderr") -> str:
    """Colour a text where its stream is a terminal that wants colours; the meaning never depends on it."""
    if not codes or not _coloured(stream):
        return text
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m"


def _coloured(stream: str) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        return False
    return (sys.stdout if stream == "stdout" else sys.stderr).isatty()


def no_quote(_: str, __: int) -> str | None:
    """Give no source line."""
    return None


def report(error: DevcfgError, quote: Quote = no_quote) -> None:
    """Say what went wrong; where `quote` knows the line, a finding gets its caret."""
    if isinstance(error, ConfigError) and error.diagnostics:
        # Notes are for `validate`: here they would stand between the user and what is wrong.
        say_diagnostics(tuple(one for one in error.diagnostics if one.severity is not Severity.NOTE), quote)
    else:
        sys.stderr.write(f"{paint('error', RED, BOLD)}: {visible(error.message)}\n")
    if error.hint:
        say(f"  = help: {visible(error.hint)}")


def say_diagnostics(diagnostics: tuple[Diagnostic, ...], quote: Quote = no_quote) -> None:
    """Print findings to stderr in the human form: at most ten, errors first chosen, under 4 kB."""
    chosen = sorted(range(len(diagnostics)), key=lambda at: diagnostics[at].severity is not Severity.ERROR)[:SHOWN]
    text, shown = "", 0
    for at in sorted(chosen):
        block = _within(format_diagnostic(diagnostics[at], quote), BUDGET - 200) + "\n"
        if shown and len((text + block).encode()) > BUDGET - 100:
            break
        text += block
        shown += 1
    if shown < len(diagnostics):
        text += f"… and {len(diagnostics) - shown} more: `devcfg validate -o json` shows all\n"
    sys.stderr.write(text)


def _within(block: str, most: int) -> str:
    """Leave out the last lines of a finding that would fill the screen by itself; a line alone is cut."""
    if len(block.encode()) <= most:
        return block
    kept, size = "", len("…\n".encode())
    for line in block.splitlines(keepends=True):
        size += len(line.encode())
        if size > most:
            break
        kept += line
    return (kept or block[: most // 8] + "\n") + "…\n"


def format_diagnostic(one: Diagnostic, quote: Quote) -> str:
    """Return one finding: headline, place, the line with a caret, help and notes."""
    head = paint(f"{one.severity.value}[{one.code}]", _COLOURS[one.severity], BOLD)
    parts = [f"{head}: {visible(one.message)}"]
    margin = "  "
    if one.span is not None and one.file:
        number = str(one.span.line).rjust(2)
        margin = " " * len(number)
        parts.append(f"{margin}{paint('-->', BLUE)} {visible(one.file)}:{one.span.line}:{one.span.column}")
        source = quote(one.file, one.span.line)
        if source is not None:
            parts += _excerpt(one, one.span, source, number, margin)
        elif one.label:
            parts.append(f"{margin} = help: {visible(one.label)}")
    elif one.file:
        parts.append(f"{margin}{paint('-->', BLUE)} {visible(one.file)}")
    if one.hint:
        parts.append(f"{margin} = help: {visible(one.hint)}")
    for note in one.notes[:6]:
        parts.append(f"{margin} = note: {visible(note.message)}")
        if note.file:
            place = f"{note.file}:{note.line}" if note.line else note.file
            parts.append(f"{margin}   {paint('-->', BLUE)} {visible(place)}")
    return "\n".join(parts) + "\n"


def _excerpt(one: Diagnostic, span: Span, line: str, number: str, margin: str) -> list[str]:
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    end = max(min(end, len(line)), start + 1)
    left = max(0, start - WIDTH // 2) if len(line) > WIDTH else 0
    right = min(len(line), left + WIDTH)
    end = min(end, max(right, start + 1))
    shown = ("…" if left else "") + visible(line[left:right]) + ("…" if right < len(line) else "")
    before = ("…" if left else "") + visible(line[left:start])
    bar = paint("|", BLUE)
    carets = paint("^" * max(1, cells(visible(line[start:end]))), _COLOURS[one.severity], BOLD)
    label = f" {visible(one.label)}" if one.label else ""
    return [
        f"{margin} {bar}",
        f"{paint(number, BLUE)} {bar} {shown.rstrip()}",
        f"{margin} {bar} {' ' * cells(before)}{carets}{label}",
    ]


def cells(text: str) -> int:
    """Return how many columns a terminal gives to a text: two for wide characters, none for combining marks."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # a table that only such texts need

    return sum(
        0 if combining(char) or char in "\u200d\ufe0e\ufe0f" else 2 if east_asian_width(char) in "WF" else 1
        for char in text
    )


def visible(text: str) -> str:
    """Make control characters visible, so that nothing that a file says moves the cursor, and cut what is endless."""
    return printable(text if len(text) <= WORDS else text[: WORDS - 1] + "…")


def printable(text: str) -> str:
    """Make control characters visible, however long the text is: a command must stay whole."""
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    return "    " if char == "\t" else f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
