"""A stream of YAML documents as plain values, each read as kustomize reads it. Never knows what a manifest is.

Built straight from parser events in one loop, because a base may hold thousands of objects.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from devcfg.compiler.limits import BASE, BASE_EVENTS, BASE_NODES, UnreadableError, refuse, split_lines
from devcfg.compiler.scalars import read_kustomize
from devcfg.compiler.syntax import open_events, syntax_error
from devcfg.schemas.diagnostic import Diagnostic, Note, Span
from devcfg.schemas.patch import Json
from devcfg.schemas.scalar import PlainScalar, clip

_NO_TAG = "leave the tag out, or put the whole text in quotes"


class _Merge:
    """Stands for the plain key `<<` until its mapping is complete."""


_MERGE: Any = _Merge()


class Stream:
    """The documents of one text, where each starts (line and column from 0), and where each list item does."""

    __slots__ = ("documents", "items", "starts")

    def __init__(self) -> None:
        self.documents: list[Json] = []
        self.starts: list[tuple[int, int]] = []
        self.items: dict[int, tuple[int, int]] = {}


class Loader:
    """One reading of one text. With `keep_text` a plain scalar that is no string stays a `PlainScalar`."""

    def __init__(self, text: str, file: str, *, keep_text: bool = False) -> None:
        self.text = text
        self.file = file
        self.keep_text = keep_text
        self.stream = Stream()
        self.anchors: dict[str, Json] = {}
        self.weights: dict[int, tuple[int, int]] = {}
        self.merges: dict[int, Any] = {}
        self.expanded = 0

    def load(self) -> Stream:
        """Return all documents. Raises `UnreadableError` at the first thing that is wrong."""
        # YAML wants one escape for one character, JSON may write two surrogates.
        if self.text.lstrip()[:1] in ("{", "[") and "\\u" in self.text:
            self.text = _SURROGATES.sub(_join_surrogates, self.text)
        try:
            return self._load()
        except yaml.YAMLError as error:
            raise syntax_error(error, self.text, self._place()) from None

    def _place(self) -> str:
        """The file; in standard input the document, whose number says more than a line of a stream."""
        return place_name(self.file, len(self.stream.starts))

    def _load(self) -> Stream:
        # One long loop on purpose: a call per event would double the time.
        get_event = open_events(self.text)
        starts, items = self.stream.starts, self.stream.items
        current: Any = self.stream.documents
        in_mapping = False
        key: str | None = None
        stack: list[tuple[Any, bool, str | None]] = []
        known: dict[str, Json] = {}
        names: set[str] = set()
        for _ in range(BASE_EVENTS):
            event = get_event()
            kind = event.__class__
            if kind is ScalarEvent:
                value = event.value
                plain = event.implicit[0]
                if in_mapping and key is None:
                    if plain and value not in names:
                        value = self._key(event)
                        if value is _MERGE:
                            self.merges[id(current)] = event
                        else:
                            names.add(value)
                    elif event.tag is not None:
                        value = self._tagged(event)
                    if value in current:
                        raise self._duplicate()
                    key = value
                    if event.anchor is not None:
                        self.anchors[event.anchor] = value
                    continue
                if plain:
                    try:
                        value = known[value]
                    except KeyError:
                        value = known[value] = self._plain(event)
                elif event.tag is not None:
                    value = self._tagged(event)
                if event.anchor is not None:
                    self.anchors[event.anchor] = value
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                value = {} if kind is MappingStartEvent else []
                if event.tag is not None and event.tag not in _COLLECTION_TAGS[kind]:
                    raise self._refuse(
                        "explicit-tag", f"the tag `{clip(event.tag)}` is not supported", event, hint=_NO_TAG
                    )
                if event.anchor is not None:
                    self.anchors[event.anchor] = value
                if in_mapping:
                    if key is None:
                        raise self._refuse("key-not-string", "a key must be a text, found a list or mapping", event)
                    current[key] = value
                else:
                    mark = event.start_mark
                    if stack:
                        items[id(value)] = (mark.line, mark.column)
                    else:
                        starts[-1] = (mark.line, mark.column)
                    current.append(value)
                if len(stack) >= BASE.depth:
                    raise self._refuse("too-deep", f"nested more than {BASE.depth} levels deep", event)
                stack.append((current, in_mapping, key))
                current, in_mapping, key = value, kind is MappingStartEvent, None
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                if in_mapping and _MERGE in current:
                    self._merge(current)
                current, in_mapping, key = stack.pop()
                key = None
                continue
            elif kind is AliasEvent:
                value = self._alias(event, stack, current)
                if in_mapping and key is None:
                    if type(value) is not str:
                        raise self._refuse("key-not-string", f"a key must be a text, `*{event.anchor}` is none", event)
                    if value in current:
                        raise self._duplicate()
                    key = value
                    continue
            elif kind is DocumentStartEvent:
                self.anchors = {}
                self.weights = {}
                starts.append((event.start_mark.line, event.start_mark.column))
                continue
            elif kind is StreamEndEvent:
                return self.stream
            else:
                continue
            if in_mapping:
                current[key] = value
                key = None
            else:
                if not stack:
                    starts[-1] = (event.start_mark.line, event.start_mark.column)
                current.append(value)
        raise self._refuse("too-many-nodes", "the file has more values than any base", event)

    def _refuse(self, code: str, message: str, event: Any, *, hint: str = "") -> UnreadableError:
        span = line_span(split_lines(self.text), event.start_mark.line, event.start_mark.column)
        return refuse(code, message, self._place(), span, hint=hint)

    def _key(self, event: Any) -> Any:
        """Check a plain key that was not met before."""
        if event.value == "<<":
            return _MERGE
        value = self._plain(event)
        if isinstance(value, str) and not isinstance(value, PlainScalar):
            return event.value
        text = event.value or "null"
        raise self._refuse(
            "key-not-string", f"a key must be a text, `{clip(text)}` is none", event, hint=f'write `"{clip(text)}"`'
        )

    def _plain(self, event: Any) -> Json:
        try:
            value = read_kustomize(event.value)
        except ValueError as error:
            raise self._refuse("not-json", str(error), event, hint="put quotes around it") from None
        if self.keep_text and value != event.value:
            return PlainScalar(event.value, None)
        return value

    def _tagged(self, event: Any) -> Json:
        if event.tag in ("tag:yaml.org,2002:str", "!"):
            return event.value
        raise self._refuse("explicit-tag", f"the tag `{clip(event.tag)}` is not supported", event, hint=_NO_TAG)

    def _alias(self, event: Any, stack: list[tuple[Any, bool, str | None]], current: Any) -> Json:
        if event.anchor not in self.anchors:
            raise self._refuse("unknown-alias", f"there is no anchor `&{event.anchor}` above this alias", event)
        value = self.anchors[event.anchor]
        above = [current, *(one for one, _, _ in stack)]
        if isinstance(value, dict | list) and any(value is one for one in above):
            raise self._refuse("recursive-alias", f"the anchor `&{event.anchor}` contains itself", event)
        nodes, height = self._weigh(value)
        self.expanded += nodes
        if len(stack) + height > BASE.depth:
            raise self._refuse("too-deep", f"nested more than {BASE.depth} levels deep through aliases", event)
        if self.expanded > max(BASE_NODES, len(self.text)):
            raise self._refuse("alias-expansion", "the aliases multiply this file beyond measure", event)
        return value

    def _weigh(self, value: Json) -> tuple[int, int]:
        """Nodes and levels of a value, every alias in it counted in full; long texts count for more than one."""
        if not isinstance(value, dict | list):
            return 1 + (len(value) // 8 if isinstance(value, str) else 0), 0
        if (found := self.weights.get(id(value))) is None:
            nodes, height = 1, 0
            for below in value.values() if isinstance(value, dict) else value:
                count, level = self._weigh(below)
                nodes, height = nodes + count, max(height, level)
            found = self.weights[id(value)] = (nodes, height + 1)
        return found

    def _merge(self, mapping: Any) -> None:
        merged = mapping.pop(_MERGE)
        for one in merged if isinstance(merged, list) else [merged]:
            if not isinstance(one, dict):
                message = "`<<` merges a mapping or a list of mappings"
                raise self._refuse("bad-merge", message, self.merges[id(mapping)], hint="write `<<: *anchor`")
            for key, value in one.items():
                mapping.setdefault(key, value)

    def _duplicate(self) -> UnreadableError:
        """Read again, slowly, to say where both keys are."""
        get_event = open_events(self.text)
        stack: list[dict[str, Any] | None] = []
        wants_key = [False]
        while True:
            event = get_event()
            kind = event.__class__
            if kind in (MappingEndEvent, SequenceEndEvent):
                stack.pop()
                wants_key.pop()
            elif kind in (ScalarEvent, AliasEvent) and wants_key[-1]:
                seen, name = stack[-1], event.value if kind is ScalarEvent else "*" + event.anchor
                if seen is not None and name in seen:
                    return self._twice(name, seen[name].start_mark, event)
                if seen is not None:
                    seen[name] = event
                wants_key[-1] = False
                continue
            if kind in (ScalarEvent, AliasEvent, MappingEndEvent, SequenceEndEvent):
                wants_key[-1] = bool(stack) and stack[-1] is not None
            elif kind is MappingStartEvent:
                stack.append({})
                wants_key.append(True)
            elif kind is SequenceStartEvent:
                stack.append(None)
                wants_key.append(False)
            elif kind is StreamEndEvent:
                return refuse("duplicate-key", "a key stands twice in one mapping", self._place(), Span(1, 1, 1, 2))

    def _twice(self, name: str, first: Any, event: Any) -> UnreadableError:
        span = line_span(split_lines(self.text), event.start_mark.line, event.start_mark.column, event.end_mark.column)
        note = Note(f"`{clip(name)}` stands here first", self._place(), first.line + 1, first.column + 1)
        message = f"the key `{clip(name)}` stands twice in one mapping"
        hint = "remove one of them"
        return UnreadableError(
            Diagnostic("duplicate-key", message, hint=hint, file=self._place(), span=span, notes=(note,))
        )


_SURROGATES = re.compile(r"\\\\|\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


def _join_surrogates(found: re.Match[str]) -> str:
    if found[1] is None:
        return found[0]
    return chr(0x10000 + ((int(found[1], 16) - 0xD800) << 10) + int(found[2], 16) - 0xDC00)


_COLLECTION_TAGS = {
    MappingStartEvent: ("tag:yaml.org,2002:map", "!"),
    SequenceStartEvent: ("tag:yaml.org,2002:seq", "!"),
}


def place_name(file: str, document: int) -> str:
    """Name a file in messages; standard input (`-`) by the number of the document."""
    return f"<stdin>:doc {max(1, document)}" if file == "-" else file


def line_span(lines: tuple[str, ...], line: int, column: int, end: int | None = None) -> Span:
    """Return the span from a place (counted from 0) to `end`, or to the end of its line."""
    last = end if end is not None else len(lines[line].rstrip()) if line < len(lines) else column
    return Span(line + 1, column + 1, line + 1, max(last, column + 1) + 1)
