"""JSON Pointer (RFC 6901) and JSON Patch (RFC 6902): the only form in which we change Kubernetes objects.

Applying follows what kustomize and the API server's library do, not RFC 6902 to the letter: `test` of a
missing member against null passes, as evanphx/json-patch has it. Nothing here ever mutates its input.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from devcfg.schemas.errors import PatchError

Json: TypeAlias = Any
"""A JSON value: dict, list, str, int, float, bool or None. Treated as frozen everywhere."""


class Pointer(tuple[str, ...]):
    """A JSON Pointer (RFC 6901) as its unescaped tokens."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Pointer:
        """Read RFC 6901 text. Raises `PatchError` when it does not start with a slash or has a bad escape."""
        if text == "":
            return cls()
        if not text.startswith("/"):
            raise PatchError(f"pointer `{text}` does not start with `/`")
        tokens = []
        for token in text[1:].split("/"):
            if "~" in token.replace("~0", "").replace("~1", ""):
                raise PatchError(f"pointer `{text}` has a `~` that is neither `~0` nor `~1`")
            tokens.append(token.replace("~1", "/").replace("~0", "~"))
        return cls(tokens)

    def __truediv__(self, token: str | int) -> Pointer:
        return Pointer((*self, str(token)))

    def __add__(self, tokens: tuple[str, ...]) -> Pointer:  # type: ignore[override]  # a pointer stays a pointer
        return Pointer((*self, *tokens))

    @property
    def parent(self) -> Pointer:
        """The pointer without its last token."""
        return Pointer(self[:-1])

    def covers(self, other: Pointer) -> bool:
        """Tell whether `other` is this place or below it."""
        return self == other[: len(self)]

    def __str__(self) -> str:
        return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in self)


class Op(Enum):
    """The three operations we emit: never `replace`, `move` or `copy`, whose meaning differs between libraries."""

    TEST = "test"
    ADD = "add"
    REMOVE = "remove"


class Role(Enum):
    """Why an operation is there."""

    ASSUME = "assume"
    """A `test` of what lowering read from the base."""
    PRISTINE = "pristine"
    """An assumption that holds word for word only before the API server fills in defaults: on a live object, leaf by
    leaf, and absence not at all."""
    GUARD = "guard"
    """Done by the guard component where kustomize builds; by these operations elsewhere."""
    FRAME = "frame"
    """Done by the guard component, too; on a live object it is there already, as the API server puts it there."""
    CHANGE = "change"
    """What the dev config asks for."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a patch. `source` names the config field it comes from, such as `services.web.image`."""

    op: Op
    path: Pointer
    value: Json = None
    source: str = ""
    role: Role = Role.CHANGE

    def to_json(self) -> dict[str, Json]:
        """The RFC 6902 object, members in the order op, path, value."""
        step: dict[str, Json] = {"op": self.op.value, "path": str(self.path)}
        if self.op is not Op.REMOVE:
            step["value"] = self.value
        return step


@dataclass(frozen=True, slots=True)
class Target:
    """The object that a patch selects: group, version, kind, name, and the namespace it carries itself."""

    group: str
    version: str
    kind: str
    name: str
    namespace: str = ""

    @property
    def api_version(self) -> str:
        """`group/version`, or `version` alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def label(self) -> str:
        """`deployment/web`, as users write and read it."""
        return f"{self.kind.lower()}/{self.name}"


@dataclass(frozen=True, slots=True)
class Patch:
    """An ordered tuple of operations for one target."""

    target: Target
    operations: tuple[Operation, ...]

    def to_json(self) -> list[dict[str, Json]]:
        """The RFC 6902 array."""
        return [one.to_json() for one in self.operations]


def same(left: Json, right: Json) -> bool:
    """Tell whether two JSON values are equal: unlike in Python, `True` is not `1`; like in JSON, `1` is `1.0`."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def apply_patch(document: Json, operations: tuple[Operation, ...]) -> Json:
    """Return `document` with every operation applied. Raises `PatchError` at the first that does not apply."""
    for step in operations:
        document = apply_operation(document, step)
    return document


def apply_operation(document: Json, step: Operation) -> Json:
    """Return `document` with one operation applied; parts that do not change are shared with the input."""
    if step.op is Op.TEST:
        found = lookup(document, step.path)
        if not same(found, step.value):
            raise PatchError(f"test of `{step.path}` failed: wanted {_shown(step.value)}, found {_shown(found)}")
        return document
    if not step.path:
        if step.op is Op.REMOVE:
            raise PatchError("the whole document cannot be removed")
        return step.value
    return _edit(document, step.path, 0, step)


def _shown(value: Json) -> str:
    shown = "nothing" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"
    return shown if len(shown) <= 80 else f"{shown[:78]}…`"


def lookup(document: Json, path: Pointer) -> Json:
    """Return the value at `path`, None for a missing member. Raises `PatchError` when its parent is missing."""
    for depth, token in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(document, dict):
            if token not in document and not last:
                raise PatchError(f"`{path}`: there is no `{Pointer(path[: depth + 1])}`")
            document = document.get(token)
        elif isinstance(document, list):
            document = document[_index(token, document, path)]
        else:
            raise PatchError(f"`{path}`: there is nothing below `{Pointer(path[:depth])}`")
    return document


def _index(token: str, elements: list[Json], path: Pointer, *, behind: int = 0) -> int:
    """Read an index; `behind` 1 allows the place behind the last element."""
    plain = token.isascii() and token.isdecimal() and (len(token) == 1 or token[0] != "0") and len(token) < 10
    if not plain or int(token) >= len(elements) + behind:
        said = {0: "is empty", 1: "has one element"}.get(len(elements), f"has {len(elements)} elements")
        raise PatchError(f"`{path}`: there is no element `{token}`, the list {said}")
    return int(token)


def _edit(document: Json, path: Pointer, depth: int, step: Operation) -> Json:
    token, last = path[depth], depth == len(path) - 1
    if isinstance(document, dict):
        if last and step.op is Op.ADD:
            return {**document, token: step.value}
        if document.get(token) is None and not (last and token in document):
            raise PatchError(f"`{path}`: there is no `{Pointer(path[: depth + 1])}`")
        if last:
            return {key: value for key, value in document.items() if key != token}
        return {**document, token: _edit(document[token], path, depth + 1, step)}
    if isinstance(document, list):
        if last and step.op is Op.ADD:
            at = len(document) if token == "-" else _index(token, document, path, behind=1)
            return [*document[:at], step.value, *document[at:]]
        at = _index(token, document, path)
        below = () if last else (_edit(document[at], path, depth + 1, step),)
        return [*document[:at], *below, *document[at + 1 :]]
    raise PatchError(f"`{path}`: there is nothing below `{Pointer(path[:depth])}`")
