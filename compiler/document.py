"""The dev config as text with places: every value knows the exact span of its key and of itself. Never knows a field.

Scalars without quotes stay `PlainScalar`: source text, and what YAML 1.2 core makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import yaml
from yaml.events import AliasEvent, Event, MappingStartEvent, ScalarEvent

from devcfg.compiler.gate import Gate
from devcfg.compiler.limits import CONFIG, MOST_FINDINGS, UnreadableError, decode, refuse, split_lines
from devcfg.compiler.scalars import read_core
from devcfg.schemas.diagnostic import Diagnostic, Note, Span
from devcfg.schemas.errors import ConfigError
from devcfg.schemas.patch import Json
from devcfg.schemas.scalar import PlainScalar, clip


def read_document(data: bytes, *, file: str) -> Document:
    """Read the dev config's bytes. Raises `ConfigError` with every finding and its place.

    A file beyond the limits is refused while its events stream by, before any object exists.
    """
    wrong: list[Diagnostic] = []
    try:
        text = decode(data, CONFIG, file=file)
        lines = split_lines(text)
        events = Gate(text, file, wrong).events()
        root = _Builder(text, lines, file, wrong).build(events)
    except UnreadableError as refused:
        raise ConfigError((*wrong, refused.diagnostic)) from None
    if wrong:
        raise ConfigError(tuple(sorted(wrong, key=lambda one: one.order)))
    return Document(file, lines, root.value, root)


def to_json(value: Any) -> Json:
    """Return plain JSON values for a part of a document. Raises `ValueError` for infinity and NaN."""
    match value:
        case dict():
            return {str(key): to_json(below) for key, below in value.items()}
        case list():
            return [to_json(below) for below in value]
        case PlainScalar():
            if isinstance(value.value, float) and not isfinite(value.value):
                raise ValueError(f"`{clip(value)}` is no number that JSON can hold")
            return value.value
        case _:
            return value


@dataclass(slots=True, eq=False)
class _Node:
    """A value and its place; `members` are keyed by mapping key or list index."""

    span: Span
    value: Any
    members: dict[str, _Edge] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Edge:
    """The way to a member: where its key stands, and the alias or `<<` through which it is reached, if any."""

    node: _Node
    key: Span | None = None
    alias: Span | None = None
    merged: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A dev config's text and values. Spans cover one line: a longer value is shown by its first line."""

    file: str
    lines: tuple[str, ...]
    value: dict[str, Any]
    _root: _Node

    def key_span(self, pointer: Iterable[str | int]) -> Span | None:
        """The span of the key; of the alias or `<<` value that brings it in; of the item itself in a list."""
        found = self._walk(pointer)
        return (found.key or found.value) if found.complete else None

    def value_span(self, pointer: Iterable[str | int]) -> Span | None:
        """The span of the value; of the alias through which it is reached; of the key where nothing is written."""
        found = self._walk(pointer)
        return found.value if found.complete else None

    def anchor_span(self, pointer: Iterable[str | int]) -> Span | None:
        """Where a value that is reached through an alias is really written; None for all others."""
        found = self._walk(pointer)
        return found.anchor if found.complete else None

    def span(self, pointer: Iterable[str | int]) -> Span:
        """The span of the key at the pointer, or of its nearest ancestor that exists."""
        found = self._walk(pointer)
        return found.key or found.value

    def _walk(self, pointer: Iterable[str | int]) -> _Found:
        node, outer = self._root, None
        found = _Found(None, node.span, None, complete=True)
        for token in pointer:
            edge = node.members.get(str(token))
            if edge is None:
                return _Found(found.key, found.value, found.anchor, complete=False)
            outer = outer or edge.merged
            key = outer or edge.key
            outer = outer or edge.alias
            node = edge.node
            found = _Found(key, outer or node.span, node.span if outer else None, complete=True)
        return found


@dataclass(frozen=True, slots=True)
class _Found:
    """What a walk along a pointer came to."""

    key: Span | None
    value: Span
    anchor: Span | None
    complete: bool


_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*(?:[ \t]|#[^\r\n]*|\r\n|\r|\n)*)+")
_MERGE = "<<"


class _Builder:
    """Makes nodes of events that keep the limits; collects what is wrong with keys and merges."""

    def __init__(self, text: str, lines: tuple[str, ...], file: str, wrong: list[Diagnostic]) -> None:
        self.text = text
        self.lines = lines
        self.file = file
        self.wrong = wrong
        self.anchors: dict[str, _Node] = {}

    def build(self, events: list[Event]) -> _Node:
        """Return the node of the whole document. Raises `UnreadableError` when it is no mapping."""
        if not events:
            hint = "start with `version: 1` and `services:`"
            raise refuse("empty-file", "the file holds nothing", self.file, Span(1, 1, 1, 2), hint=hint)
        stream = iter(events)
        root, _ = self._node(next(stream), stream)
        if not isinstance(root.value, dict):
            found = "a list" if isinstance(root.value, list) else "a single value"
            message = f"a dev config is a mapping, found {found}"
            raise refuse("not-a-mapping", message, self.file, root.span, hint="write `key: value` lines")
        return root

    def _node(self, event: Any, stream: Any) -> tuple[_Node, Span | None]:
        """Build one value; with it, the span of the alias that stands in its place. As deep as the limit at most."""
        if isinstance(event, AliasEvent):
            return self.anchors[str(event.anchor)], self._span(event)
        span = self._span(event)
        if isinstance(event, ScalarEvent):
            value = PlainScalar(event.value, read_core(event.value)) if event.implicit[0] else event.value
            node = _Node(span, value)
        elif isinstance(event, MappingStartEvent):
            node = self._mapping(span, stream)
        else:
            node = self._sequence(span, stream)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node, None

    def _sequence(self, span: Span, stream: Any) -> _Node:
        node = _Node(span, [])
        while not isinstance(event := next(stream), yaml.SequenceEndEvent):
            below, alias = self._node(event, stream)
            node.members[str(len(node.value))] = _Edge(below, None, alias)
            node.value.append(below.value)
        self._close(node, event)
        return node

    def _mapping(self, span: Span, stream: Any) -> _Node:
        node = _Node(span, {})
        merges: list[tuple[_Node, Span | None]] = []
        merge_key: Span | None = None
        while not isinstance(event := next(stream), yaml.MappingEndEvent):
            key, key_span = self._key(event, stream)
            below, alias = self._node(next(stream), stream)
            if isinstance(below.value, PlainScalar) and below.value == "" and alias is None:
                below.span = key_span
            if key == _MERGE and isinstance(key, PlainScalar):
                if merge_key is not None:
                    self._twice(key, merge_key, key_span)
                merge_key = key_span
                merges.extend(self._sources(below, alias))
            elif key is not None and str(key) in node.members:
                self._twice(key, node.members[str(key)].key, key_span)
            elif key is not None:
                node.members[str(key)] = _Edge(below, key_span, alias)
                node.value[str(key)] = below.value
        for source, alias in merges:
            for name, edge in source.members.items():
                if name not in node.members:
                    node.members[name] = _Edge(edge.node, edge.key, edge.alias, alias or edge.merged)
                    node.value[name] = edge.node.value
        self._close(node, event)
        return node

    def _key(self, event: Any, stream: Any) -> tuple[str | None, Span]:
        """Read a key; None stands for one that is wrong and reported."""
        below, alias = self._node(event, stream)
        span, value = alias or below.span, below.value
        if alias is not None or not isinstance(value, str):
            template = self.lines[span.line - 1][span.column - 2 : span.column] == "{{"
            message, hint = "a key must be a text", "write the key out"
            if template and isinstance(value, dict):
                message, hint = "templates such as `{{ … }}` are not supported", "write the value itself"
            self._complain("key-not-string", message, span, hint)
        elif isinstance(value, PlainScalar) and not isinstance(value.value, str):
            name, quoted = value or "null", f'`"{clip(value)}"`'
            found = "null" if value.value is None else _TYPES[type(value.value)]
            hint = f"put quotes around it: {quoted}" if value else "write the key before the `:`"
            self._complain("key-not-string", f"a key must be a text, `{clip(name)}` is {found}", span, hint)
        else:
            return value, span
        return None, span

    def _sources(self, node: _Node, alias: Span | None) -> list[tuple[_Node, Span | None]]:
        if isinstance(node.value, dict):
            return [(node, alias)]
        edges = list(node.members.values()) if isinstance(node.value, list) else []
        if not edges or not all(isinstance(edge.node.value, dict) for edge in edges):
            message = "`<<` merges a mapping or a list of mappings"
            self._complain("bad-merge", message, alias or node.span, "write `<<: *anchor`")
            return []
        return [(edge.node, alias or edge.alias) for edge in edges]

    def _twice(self, key: str, first: Span | None, span: Span) -> None:
        notes = (Note(f"`{clip(key)}` stands here first", self.file, first.line, first.column),) if first else ()
        self._complain("duplicate-key", f"the key `{clip(key)}` stands twice in one mapping", span, "remove one", notes)

    def _complain(self, code: str, message: str, span: Span, hint: str, notes: tuple[Note, ...] = ()) -> None:
        found = Diagnostic(code, message, hint=hint, file=self.file, span=span, notes=notes)
        if len(self.wrong) >= MOST_FINDINGS:
            raise UnreadableError(found)
        self.wrong.append(found)

    def _span(self, event: Any) -> Span:
        """The first line of what is written, without anchor."""
        start, end = event.start_mark, event.end_mark
        line, column = start.line, start.column
        if getattr(event, "anchor", None) is not None and not isinstance(event, AliasEvent):
            found = _PROPERTIES.match(self.text, start.index)
            skipped = split_lines(found[0]) if found is not None else ("",)
            column = len(skipped[-1]) + (column if len(skipped) == 1 else 0)
            line += len(skipped) - 1
        last = len(self.lines[line].rstrip()) if line < len(self.lines) else column
        if isinstance(event, ScalarEvent | AliasEvent) and end.line == line:
            last = end.column
        return Span(line + 1, column + 1, line + 1, max(last, column + 1) + 1)

    def _close(self, node: _Node, event: Any) -> None:
        """Let a collection in brackets end at its bracket, if that stands on the same line."""
        end = event.end_mark
        if end.line + 1 == node.span.line and end.column > event.start_mark.column:
            node.span = Span(node.span.line, node.span.column, node.span.line, end.column + 1)


_TYPES = {bool: "a truth value", int: "a number", float: "a number"}
