"""Reads JSON with comments and trailing commas, and knows where in the text each value stands. Never changes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn

DEEPEST = 64
"""How many lists and objects may stand in each other."""
WHITE = " \t\r\n"
BREAK = re.compile(r"\r\n|\n|\r")
_TRIVIA = re.compile(r"[ \t\r\n]+|//[^\r\n]*|/\*[\s\S]*?\*/")
_STRING = re.compile(r'"((?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z0-9_$.+-]+")
_LITERALS = {"true": True, "false": False, "null": None}


class JsoncError(Exception):
    """A text that is no JSON, or not the JSON that is wanted; `offset` says where, in characters from 0."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class Kind(Enum):
    """What a value is."""

    OBJECT = "an object"
    ARRAY = "a list"
    SCALAR = "a single value"


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its place: from `start` to before `end`."""

    kind: Kind
    start: int
    end: int
    value: Any
    """What it means, as Python has it; of a key that stands twice the last one."""
    items: tuple[Item, ...] = ()

    def members(self, key: str) -> tuple[Item, ...]:
        """Return the members of an object with this key: one, unless the file is odd."""
        return tuple(one for one in self.items if one.key == key)


@dataclass(frozen=True, slots=True)
class Item:
    """An element of a list, or a member of an object, with the comma behind it if there is one."""

    key: str | None
    start: int
    node: Node
    comma: int | None

    @property
    def end(self) -> int:
        """Where its value ends; the comma stands behind that."""
        return self.node.end


def scan(text: str) -> Node | None:
    """Return what a text holds; None where that is only comments and white space. Raises `JsoncError`."""
    scanner = _Scanner(text)
    start = scanner.skip(1 if text.startswith("\ufeff") else 0)
    if start == len(text):
        return None
    node = scanner.value(start, 0)
    if (after := scanner.skip(node.end)) < len(text):
        scanner.fail("the end of the file", after)
    return node


def comment_end(text: str, at: int) -> int:
    """Return where the last comment ends that begins on the line of `at`, with only white space before it.

    Where there is none it is `at` itself: white space at the end of a line is not a comment.
    """
    end = at
    while found := _TRIVIA.match(text, at):
        at = found.end()
        if text[found.start()] == "/":
            end = at
        elif BREAK.search(found[0]):
            break
    return end


def line_of(text: str, offset: int) -> tuple[int, int]:
    """Return line and column of an offset, from 1; a byte order mark has no column."""
    before = [found.end() for found in BREAK.finditer(text, 0, offset)]
    start = before[-1] if before else int(text.startswith("\ufeff"))
    return len(before) + 1, max(offset - start, 0) + 1


class _Scanner:
    """Goes through one text; each method takes an offset and returns what stands there."""

    def __init__(self, text: str) -> None:
        self.text = text

    def skip(self, at: int) -> int:
        while found := _TRIVIA.match(self.text, at):
            at = found.end()
        if self.text.startswith("/*", at):
            raise JsoncError("this comment does not end", at)
        return at

    def value(self, at: int, depth: int) -> Node:
        if depth > DEEPEST:
            raise JsoncError(f"lists and objects stand in each other more than {DEEPEST} deep", at)
        char = self.text[at : at + 1]
        if char == "{":
            return self.collection(at, depth, Kind.OBJECT, "}")
        if char == "[":
            return self.collection(at, depth, Kind.ARRAY, "]")
        if char == '"':
            text, end = self.string(at)
            return Node(Kind.SCALAR, at, end, text)
        if found := _NUMBER.match(self.text, at):
            # Python refuses to read whole numbers of thousands of digits; no entry of ours has any.
            whole = not (found[1] or found[2]) and len(found[0]) < 30
            return Node(Kind.SCALAR, at, found.end(), int(found[0]) if whole else float(found[0]))
        word = _WORD.match(self.text, at)
        if word and word[0] in _LITERALS:
            return Node(Kind.SCALAR, at, word.end(), _LITERALS[word[0]])
        return self.fail("a value", at)

    def collection(self, at: int, depth: int, kind: Kind, close: str) -> Node:
        """Return the list or object that opens here."""
        items: list[Item] = []
        place = self.skip(at + 1)
        while not self.text.startswith(close, place):
            if items and items[-1].comma is None:
                self.fail(f"`,` or `{close}`", place)
            start, key = place, None
            if kind is Kind.OBJECT:
                key, place = self.key(place)
            node = self.value(place, depth + 1)
            place = self.skip(node.end)
            comma = place if self.text.startswith(",", place) else None
            items.append(Item(key, start, node, comma))
            if comma is not None:
                place = self.skip(comma + 1)
        value = [one.node.value for one in items]
        if kind is Kind.OBJECT:
            return Node(kind, at, place + 1, dict(zip((one.key for one in items), value, strict=True)), tuple(items))
        return Node(kind, at, place + 1, value, tuple(items))

    def key(self, at: int) -> tuple[str, int]:
        """Return the key that stands here, and where its value begins."""
        if not self.text.startswith('"', at):
            self.fail("a key in double quotes", at)
        key, end = self.string(at)
        colon = self.skip(end)
        if not self.text.startswith(":", colon):
            self.fail("`:`", colon)
        return key, self.skip(colon + 1)

    def string(self, at: int) -> tuple[str, int]:
        found = _STRING.match(self.text, at)
        if found is None:
            raise JsoncError("this string does not end on its line, or holds what JSON has no words for", at)
        if "\\" not in found[1]:
            return found[1], found.end()
        from json import loads

        return str(loads(found[0])), found.end()

    def fail(self, wanted: str, at: int) -> NoReturn:
        if at >= len(self.text):
            raise JsoncError(f"wanted {wanted}, found the end of the file", at)
        word = _WORD.match(self.text, at)
        found = word[0] if word else self.text[at]
        raise JsoncError(f"wanted {wanted}, found `{found[:40]}`", at)
