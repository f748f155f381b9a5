"""Brings our entries in a file of VS Code up to date, and takes them out. Never touches an entry that is not ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from devcfg.runtime.ide.jsonc import BREAK, JsoncError, Kind, Node, scan
from devcfg.runtime.ide.splice import append, remove, replace

OURS = "devcfg: "
"""What the name of every entry of ours begins with."""
Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shelf:
    """A list in the top object of a file, whose entries have a name."""

    member: str
    name: str
    """The key of an entry that holds its name."""
    version: str
    """The version that a new file says it has."""
    optional: bool = False
    """Whether the file is complete without this list: then it goes with its last entry."""

    @property
    def bare(self) -> str:
        """The file as we make it, before anything is in it."""
        return json.dumps({"version": self.version, self.member: []}, indent=4) + "\n"


def settle(text: str, shelf: Shelf, wanted: Sequence[Entry], stale: Callable[[str], bool]) -> str:
    """Return the text with these entries, and without those of ours that `stale` names and nobody wants.

    An entry that says the same already keeps its text. Raises `JsoncError`.
    """
    by_name = {str(one[shelf.name]): one for one in wanted}
    text = _take_out(text, shelf, by_name, stale)
    if not by_name:
        return text
    text = _make_room(text, shelf)
    root, shelved = _find(text, shelf)
    if shelved is None:
        return text
    there = {_name(item.node, shelf): item.node for item in shelved.items}
    changed = [
        (node, by_name[name]) for name, node in there.items() if name in by_name and _differ(node, by_name[name])
    ]
    text = replace(text, root, shelved, changed)
    root, shelved = _find(text, shelf)
    return append(text, root, shelved or root, [(None, one) for name, one in by_name.items() if name not in there])


def _take_out(text: str, shelf: Shelf, wanted: dict[str, Entry], stale: Callable[[str], bool]) -> str:
    """Remove what is ours and not wanted, and whatever has the name of one that stands before it."""
    if scan(text) is None:
        return text
    root, shelved = _find(text, shelf)
    if shelved is None:
        return text
    seen: set[str] = set()
    gone = []
    for at, item in enumerate(shelved.items):
        name = _name(item.node, shelf)
        if name.startswith(OURS) and (name in seen if name in wanted else stale(name)):
            gone.append(at)
        seen.add(name)
    text = remove(text, shelved, gone)
    if gone and shelf.optional:
        root, shelved = _find(text, shelf)
        at = [item.key for item in root.items].index(shelf.member)
        if shelved is not None and not text[shelved.start + 1 : shelved.end - 1].strip():
            return remove(text, root, [at])
    return text


def _make_room(text: str, shelf: Shelf) -> str:
    """Give the text the list, and what must stand beside it."""
    if scan(text) is None:
        newline = found[0] if (found := BREAK.search(text)) else "\n"
        apart = newline if text.strip("\ufeff") and not text.endswith(("\n", "\r")) else ""
        return text + apart + shelf.bare.replace("\n", newline)
    root, shelved = _find(text, shelf)
    if shelved is not None:
        return text
    missing = [("version", shelf.version)] if not root.items else []
    return append(text, root, root, [*missing, (shelf.member, [])])


def _find(text: str, shelf: Shelf) -> tuple[Node, Node | None]:
    """Return the top object, and the list if it is there. Raises `JsoncError`."""
    root = scan(text)
    if root is None or root.kind is not Kind.OBJECT:
        raise JsoncError(f"wanted an object, found {root.kind.value if root else 'nothing'}", root.start if root else 0)
    members = root.members(shelf.member)
    if not members:
        return root, None
    if len(members) > 1:
        raise JsoncError(f"`{shelf.member}` stands here for the second time", members[1].start)
    node = members[0].node
    if node.kind is not Kind.ARRAY:
        raise JsoncError(f"wanted a list as `{shelf.member}`, found {node.kind.value}", node.start)
    return root, node


def _name(node: Node, shelf: Shelf) -> str:
    """Return an entry's name; an empty one where it has none."""
    name = node.value.get(shelf.name) if node.kind is Kind.OBJECT else None
    return name if isinstance(name, str) else ""


def _differ(node: Node, entry: Entry) -> bool:
    """Tell whether an entry says something else; the order of its keys says nothing, but `true` is not 1."""
    return json.dumps(node.value, sort_keys=True) != json.dumps(entry, sort_keys=True)
