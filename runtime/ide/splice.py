"""Changes one value in a text of JSON with comments, and leaves every other character as it is. Never reads a file.

What is put in is only added, and taking it out again takes exactly that away: comments, order, trailing commas,
indentation and line ends stay. An end-of-line comment stays behind what it stood behind.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from devcfg.runtime.ide.jsonc import BREAK, WHITE, Item, Kind, Node, comment_end

_BLANK = re.compile(r"[ \t]*")
_COMMENT = re.compile(r"//|/\*")


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text is laid out: its line break, and what one step of indentation is."""

    newline: str = "\n"
    step: str = "    "

    @classmethod
    def of(cls, text: str, root: Node) -> Layout:
        """Return the layout that a text has; where it shows none, VS Code's own."""
        newline = found[0] if (found := BREAK.search(text)) else "\n"
        return cls(newline, next(iter(_steps(text, root)), "    "))

    def write(self, value: Any, indent: str, *, flat: bool) -> str:
        """Return a value as text, to stand where its line begins with `indent`; `flat` on one line."""
        if flat:
            return json.dumps(value, ensure_ascii=False)
        lines = json.dumps(value, ensure_ascii=False, indent=self.step).split("\n")
        return (self.newline + indent).join(lines)


def append(text: str, root: Node, owner: Node, values: Sequence[tuple[str | None, Any]]) -> str:
    """Put new members, or elements without a key, behind the last one of an object or list."""
    if not values:
        return text
    layout = Layout.of(text, root)
    flat = _is_flat(text, root, owner)
    place, gap, indent = _place(text, owner, layout, flat=flat)
    block = f",{gap or ' '}".join(_member(key, layout.write(value, indent, flat=flat)) for key, value in values)
    if not owner.items:
        alone = gap.startswith(layout.newline) and not _COMMENT.search(text, owner.start, owner.end)
        closing = layout.newline + _indent(text, owner.start) if alone else ""
        return f"{text[:place]}{gap}{block}{closing}{text[place:]}"
    last = owner.items[-1]
    if last.comma is not None:
        return f"{text[:place]}{gap}{block},{text[place:]}"
    return f"{text[: last.end]},{text[last.end : place]}{gap}{block}{text[place:]}"


def replace(text: str, root: Node, owner: Node, changes: Iterable[tuple[Node, Any]]) -> str:
    """Put other values where some elements of a list stand."""
    layout = Layout.of(text, root)
    flat = _is_flat(text, root, owner)
    for node, value in sorted(changes, key=lambda one: one[0].start, reverse=True):
        text = text[: node.start] + layout.write(value, _indent(text, node.end), flat=flat) + text[node.end :]
    return text


def remove(text: str, owner: Node, places: Iterable[int]) -> str:
    """Take items out by their places, each with its comma and its line."""
    items = list(owner.items)
    for at in sorted(places, reverse=True):
        shorter = _without(text, owner, items, at)
        gone, text = len(text) - len(shorter), shorter
        items[at + 1 :] = [dataclasses.replace(one, start=one.start - gone) for one in items[at + 1 :]]
        if at and at == len(items) - 1 and items[at].comma is None:
            items[at - 1] = dataclasses.replace(items[at - 1], comma=None)
        del items[at]
    return text


def _without(text: str, owner: Node, items: Sequence[Item], at: int) -> str:
    """Take one item out. Of those behind it only the start is looked at."""
    item = items[at]
    end = item.end if item.comma is None else item.comma + 1
    # What stands between a value and its comma is the user's.
    between = "" if item.comma is None else text[item.end : item.comma].strip(WHITE)
    line = _line_break(text, item.start)
    start = item.start
    if line is not None:
        if at < len(items) - 1 and _line_break(text, items[at + 1].start) is None:
            end += text.startswith(" ", end)
        elif comment_end(text, end) == end and not between:
            start = line
    elif at == 0 and len(items) > 1:
        end += text.startswith(" ", end)
    elif text[start - 1] == " " and text[owner.start + 1 : start].strip(WHITE):
        start -= 1
    before, after = text[:start], between + text[end:]
    if len(items) == 1:
        return before + (after if line is None else _without_closing_line(before[owner.start + 1 :], after))
    if at == len(items) - 1 and item.comma is None:
        comma = items[at - 1].comma or 0
        return before[:comma] + before[comma + 1 :] + after
    return before + after


def _is_flat(text: str, root: Node, owner: Node) -> bool:
    """Tell whether what is put in goes on one line; a file that holds nothing yet is no model."""
    if owner.items:
        return not BREAK.search(text, owner.start, owner.end)
    return owner != root and not BREAK.search(text.strip(WHITE))


def _place(text: str, owner: Node, layout: Layout, *, flat: bool) -> tuple[int, str, str]:
    """Return where the next item goes, what stands before it, and how its further lines are indented."""
    deeper = _indent(text, owner.start) + layout.step
    if owner.items:
        last = owner.items[-1]
        behind = last.end if last.comma is None else last.comma + 1
        place = comment_end(text, behind)
        if _line_break(text, last.start) is not None:
            indent = _indent(text, last.start)
        elif "//" in text[behind:place]:
            indent = deeper
        else:
            return place, " ", _indent(text, place)
        return place, layout.newline + indent, indent
    inner = text[owner.start + 1 : owner.end - 1]
    if not _COMMENT.search(inner):
        return (owner.start + 1, "", "") if flat else (owner.end - 1, layout.newline + deeper, deeper)
    place = owner.start + 1 + len(inner.rstrip(WHITE))
    if BREAK.search(text, place, owner.end):
        return place, layout.newline + deeper, deeper
    return place, " ", _indent(text, place)


def _without_closing_line(inside: str, after: str) -> str:
    """Take away the line break before the closing bracket, too, where the item was all that stood in there."""
    closing = after.lstrip(WHITE)
    if inside.strip(WHITE) or closing[:1] not in ("]", "}"):
        return after
    line = _line_break(after, len(after) - len(closing))
    return after if line is None else after[:line] + closing


def _steps(text: str, root: Node) -> Iterable[str]:
    """Yield what items are indented by, seen from the line of what they stand in."""
    nodes = [root]
    for node in nodes:
        outer = _indent(text, node.start)
        for item in node.items:
            indent = _indent(text, item.start)
            if _line_break(text, item.start) is not None and indent.startswith(outer) and indent != outer:
                yield indent[len(outer) :]
        nodes += [one.node for one in node.items if one.node.kind is not Kind.SCALAR]


def _indent(text: str, offset: int) -> str:
    """Return the white space that the line of an offset begins with."""
    start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    if start == 0 and text.startswith("\ufeff"):
        start = 1
    found = _BLANK.match(text, start)
    return found[0] if found else ""


def _line_break(text: str, offset: int) -> int | None:
    """Return where the line break before an offset is, if nothing but white space stands between."""
    start = offset
    while start and text[start - 1] in " \t":
        start -= 1
    if not start or text[start - 1] not in "\r\n":
        return None
    return start - 2 if text.startswith("\r\n", start - 2) and start > 1 else start - 1


def _member(key: str | None, written: str) -> str:
    return written if key is None else f"{json.dumps(key, ensure_ascii=False)}: {written}"
