"""The way in for the dev config's events: they pass while they keep the limits. Builds no value.

Aliases are counted in full, so that a small file that means a large one never becomes objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from devcfg.compiler.limits import (
    CONFIG,
    CONFIG_ALIASES,
    CONFIG_EXPANSION,
    CONFIG_NODES,
    FREE_CHARACTERS,
    FREE_NODES,
    MOST_FINDINGS,
    UnreadableError,
    refuse,
)
from devcfg.compiler.syntax import open_events, syntax_error
from devcfg.schemas.diagnostic import Diagnostic, Span
from devcfg.schemas.scalar import clip

_VALUES = frozenset({ScalarEvent, AliasEvent, MappingStartEvent, SequenceStartEvent})
_ENDS = frozenset({MappingEndEvent, SequenceEndEvent})


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come: what it weighs so far, aliases counted in full."""

    anchor: str | None
    nodes: int = 1
    characters: int = 0
    height: int = 0

    def take(self, inner: _Open) -> None:
        """Add what stands inside."""
        self.nodes += inner.nodes
        self.characters += inner.characters
        self.height = max(self.height, inner.height)


class Gate:
    """Lets events pass while they keep the limits. Builds nothing but the list of them."""

    def __init__(self, text: str, file: str, wrong: list[Diagnostic]) -> None:
        self.text = text
        self.file = file
        self.wrong = wrong
        self.open: list[_Open] = [_Open(None)]
        self.closed: dict[str, _Open] = {}
        self.written = 0
        self.aliases = 0

    def events(self) -> list[Event]:
        """Return the events of the only document. Raises `UnreadableError` at the first limit that is passed."""
        try:
            return self._events()
        except yaml.YAMLError as error:
            raise syntax_error(error, self.text, self.file) from None

    def _events(self) -> list[Event]:
        get_event, documents = open_events(self.text), 0
        passed: list[Event] = []
        while True:
            event = get_event()
            kind = event.__class__
            if kind in _VALUES:
                self._count(event, kind)
                passed.append(event)
            elif kind in _ENDS:
                self._close()
                passed.append(event)
            elif kind is DocumentStartEvent:
                documents += 1
                if event.tags or event.version not in (None, (1, 2)):
                    hint = "leave the lines that start with `%` out"
                    raise self._refuse("directive", "only `%YAML 1.2` is supported", event, hint)
                if documents > 1:
                    message, hint = "a dev config is one document", "leave this `---` and all below it out"
                    raise self._refuse("several-documents", message, event, hint)
            elif kind is StreamEndEvent:
                return passed

    def _count(self, event: Any, kind: type) -> None:
        self.written += 1
        if self.written > CONFIG_NODES:
            raise self._refuse("too-many-nodes", f"the file has more than {CONFIG_NODES:,} values", event)
        if kind is AliasEvent:
            self._expand(self._weigh(event), event)
            return
        if event.tag is not None and len(self.wrong) < MOST_FINDINGS:
            message = f"tags such as `{_tag(event.tag)}` are not supported"
            hint = "leave the tag out, or put the whole text in quotes"
            self.wrong.append(self._refuse("explicit-tag", message, event, hint).diagnostic)
        if kind is ScalarEvent:
            top, length = self.open[-1], len(event.value)
            top.nodes += 1
            top.characters += length
            if event.anchor is not None:
                self.closed[event.anchor] = _Open(event.anchor, 1, length)
        elif len(self.open) > CONFIG.depth:
            raise self._refuse("too-deep", f"nested more than {CONFIG.depth} levels deep", event)
        else:
            self.open.append(_Open(event.anchor))

    def _weigh(self, event: AliasEvent) -> _Open:
        self.aliases += 1
        if self.aliases > CONFIG_ALIASES:
            raise self._refuse("too-many-aliases", f"the file has more than {CONFIG_ALIASES} aliases", event)
        name = str(event.anchor)
        if any(one.anchor == name for one in self.open):
            raise self._refuse("recursive-alias", f"the anchor `&{clip(name)}` contains itself", event, "write it out")
        if name not in self.closed:
            message = f"there is no anchor `&{clip(name)}` above this alias"
            hint = "name an anchor that stands above, or put quotes around a text that starts with `*`"
            raise self._refuse("unknown-alias", message, event, hint)
        return self.closed[name]

    def _expand(self, weight: _Open, event: AliasEvent) -> None:
        """Put what an alias stands for to the collection around it and check the sum so far."""
        self.open[-1].take(weight)
        if len(self.open) - 1 + weight.height > CONFIG.depth:
            raise self._refuse("too-deep", f"nested more than {CONFIG.depth} levels deep through this alias", event)
        nodes, characters = sum(one.nodes for one in self.open), sum(one.characters for one in self.open)
        most_nodes = max(FREE_NODES, CONFIG_EXPANSION * self.written)
        if nodes > most_nodes or characters > max(FREE_CHARACTERS, CONFIG_EXPANSION * len(self.text)):
            message = f"aliases make this file more than {CONFIG_EXPANSION} times its size"
            raise self._refuse("alias-expansion", message, event, "share less, or write it out")

    def _close(self) -> None:
        done = self.open.pop()
        done.height += 1
        if done.anchor is not None:
            self.closed[done.anchor] = done
        self.open[-1].take(done)

    def _refuse(self, code: str, message: str, event: Any, hint: str = "") -> UnreadableError:
        start, end = event.start_mark, event.end_mark
        last = end.column if end.line == start.line and end.column > start.column else start.column + 1
        span = Span(start.line + 1, start.column + 1, start.line + 1, last + 1)
        return refuse(code, message, self.file, span, hint=hint)


def _tag(tag: str) -> str:
    return clip(tag.replace("tag:yaml.org,2002:", "!!"))
