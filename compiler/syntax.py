"""The YAML parser: its events, and its errors in our words at the place where they help. Never looks at a value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from devcfg.compiler.limits import UnreadableError, refuse, split_lines
from devcfg.schemas.diagnostic import Diagnostic, Note, Span
from devcfg.schemas.scalar import clip

try:
    from yaml import cyaml
except ImportError:  # PyYAML was built without libyaml
    cyaml = None  # type: ignore[assignment]


def open_events(text: str) -> Callable[[], Any]:
    """Return a function that yields one parser event per call; it raises `yaml.YAMLError` on bad syntax."""
    parser: Any = cyaml.CParser(text) if cyaml is not None else PurePython(text)  # type: ignore[attr-defined]
    get_event: Callable[[], Any] = parser.get_event
    return get_event


class PurePython(Reader, Scanner, Parser):
    """The same events, about twenty times slower."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


@dataclass(frozen=True, slots=True)
class _Complaint:
    """One kind of syntax error: a part of the parser's words, then ours. `{}` is the character at the place."""

    theirs: str
    message: str
    hint: str
    code: str = "yaml-syntax"
    at_context: bool = False


_QUOTE_HINT = "put quotes around the text"
_COMPLAINTS = (
    _Complaint("maximum nesting depth", "nested too deeply", "is this the right file?", "too-deep"),
    _Complaint(
        "mapping values are not allowed",
        "a `:` stands where no value can start",
        "check the indentation, or put quotes around a text that contains `: `",
    ),
    _Complaint(
        "could not find expected ':'",
        "a key without `:`",
        "write `key: value`, with a space after the colon",
        at_context=True,
    ),
    _Complaint("the expected '>'", "tags are not supported", _QUOTE_HINT, "explicit-tag"),
    _Complaint(
        "did not find expected key",
        "this does not fit the mapping it stands in",
        "indent it like the keys it belongs to",
    ),
    _Complaint(
        "did not find expected '-' indicator",
        "this does not fit the list it stands in",
        "start every item with `- ` in the same column",
    ),
    _Complaint(
        "expected ',' or ']'",
        "a list in brackets is not closed",
        "write `,` between items and `]` at the end",
    ),
    _Complaint(
        "expected ',' or '}'",
        "a mapping in braces is not closed",
        "write `,` between entries and `}` at the end",
    ),
    _Complaint(
        "found unexpected end of stream", "a quoted text is not closed", "add the closing quote", at_context=True
    ),
    _Complaint(
        "found unexpected document indicator",
        "a quoted text is not closed before the next document",
        "add the closing quote",
        at_context=True,
    ),
    _Complaint("cannot start any token", "{} cannot start a value", _QUOTE_HINT),
    _Complaint(
        "unknown escape character",
        "a backslash starts no known escape here",
        "write `\\\\` for a backslash, or use single quotes",
    ),
    _Complaint(
        "hexdecimal",
        "an escape in double quotes lacks hexadecimal digits",
        "write `\\\\` for a backslash, or use single quotes",
    ),
    _Complaint("invalid Unicode character escape", "this escape is no Unicode character", "write the character itself"),
    _Complaint(
        "expected alphabetic or numeric character",
        "an anchor or alias needs a name",
        "put quotes around a text that starts with `&` or `*`",
    ),
    _Complaint(
        "block sequence entries are not allowed", "a list item cannot start here", "put it on a line of its own"
    ),
    _Complaint("mapping keys are not allowed", "a `?` cannot start a key here", _QUOTE_HINT),
    _Complaint(
        "did not find expected node content", "a value is missing before {}", "write the value, or leave the comma out"
    ),
    _Complaint(
        "did not find expected <document start>",
        "this comes after the end of the document",
        "indent it like the lines above",
    ),
    _Complaint(
        "did not find expected comment or line break",
        "only a line break can follow here",
        "put the text on the next line",
    ),
    _Complaint("undefined tag handle", "tags are not supported", _QUOTE_HINT, "explicit-tag"),
    _Complaint("tag", "tags are not supported", _QUOTE_HINT, "explicit-tag"),
    _Complaint(
        "unknown directive", "directives are not supported", "leave the line that starts with `%` out", "directive"
    ),
    _Complaint(
        "incompatible YAML",
        "this version of YAML is not supported",
        "leave the line out, or write `%YAML 1.2`",
        "directive",
    ),
    _Complaint("directive", "directives are not supported", "leave the line that starts with `%` out", "directive"),
)
_NO_CONTENT = "did not find expected node content"
_LEFT_OVER = ("did not find expected key", "did not find expected '-' indicator")
_WHOLE = "put the whole text in quotes; inside single quotes a quote is written twice"
_TAB_INDENT = re.compile(r" *\t")
_GLUED = re.compile(r"[ -]*([\w.-]+):[^\s/:][^:]*\Z")


def syntax_error(error: yaml.YAMLError, text: str, file: str) -> UnreadableError:
    """Translate the parser's error into our words, at the place where it helps most."""
    lines = split_lines(text)
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    mark, context = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    place = _clip(lines, mark or context)
    if "\t" in problem or "tab character" in problem or _TAB_INDENT.match(lines[place.line - 1]):
        column = lines[place.line - 1].find("\t") + 1
        span = Span(place.line, column, place.line, column + 1) if column else place
        return refuse("tab-indentation", "YAML does not allow tabs for indentation", file, span, hint="use spaces")
    if "tag" in str(getattr(error, "context", None)):
        problem = "tag"
    complaint = next((one for one in _COMPLAINTS if one.theirs in problem), None)
    if complaint is None:
        return refuse("yaml-syntax", f"not valid YAML: {problem}", file, place)
    message, hint = complaint.message, complaint.hint
    above = lines[place.line - 2] if place.line > 1 else ""
    if complaint.theirs == "mapping values are not allowed" and (glued := _GLUED.match(above)) is not None:
        key = clip(glued[1])
        hint = f"the line above lacks a space behind its colon: write `{key}: …`"
    if complaint.theirs in _LEFT_OVER and lines[place.line - 1][: place.column - 1].strip(" -"):
        message, hint = "something is left over after the value", _WHOLE
    if complaint.theirs == _NO_CONTENT and mark is not None and mark.line + 1 > place.line:
        message, hint = "a list or mapping in brackets is not closed", "write the closing bracket"
    unclosed = "is not closed" in message and context is not None and context.line != place.line - 1
    if context is not None and (complaint.at_context or unclosed):
        place, context = _clip(lines, context), None
    character = lines[place.line - 1][place.column - 1 : place.column]
    shown = {"": "the end of the line", "`": "a backtick"}.get(character, f"`{character}`")
    notes: tuple[Note, ...] = ()
    if context is not None and (context.line, context.column) != (place.line - 1, place.column - 1):
        opened = _clip(lines, context)
        notes = (Note("it starts here", file, opened.line, opened.column),)
    message = message.replace("{}", shown)
    return UnreadableError(Diagnostic(complaint.code, message, hint=hint, file=file, span=place, notes=notes))


def _clip(lines: tuple[str, ...], mark: Any) -> Span:
    """The span of one character; the end of the last line with text where the parser points behind the file."""
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    if line >= len(lines) or (line == len(lines) - 1 and not lines[line].strip()):
        line = max((at for at, one in enumerate(lines) if one.strip()), default=0)
        column = len(lines[line].rstrip())
    return Span(line + 1, column + 1, line + 1, column + 2)
