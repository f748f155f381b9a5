"""Puts all operations of a workload in one order, and refuses two writers of one pointer. Never adds a change."""

from __future__ import annotations

from dataclasses import dataclass

from devcfg.schemas.patch import Json, Op, Operation, Pointer, Role, apply_operation, lookup


@dataclass(frozen=True, slots=True)
class Collision:
    """Two config fields that write the same place."""

    path: Pointer
    first: str
    second: str


def merge(tests: tuple[Operation, ...], changes: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Return the patch: what is assumed first (each pointer once), then the changes in their order."""
    seen: set[Pointer] = set()
    assumed = []
    for test in tests:
        if test.path not in seen:
            seen.add(test.path)
            assumed.append(test)
    return (*assumed, *changes)


def writers(document: Json, operations: tuple[Operation, ...]) -> dict[Pointer, str]:
    """Return each pointer that the operations write, with its config field; appended elements by their index."""
    written: dict[Pointer, str] = {}
    for step in operations:
        if step.op is not Op.TEST and step.role is not Role.ASSUME:
            path = step.path
            if path[-1] == "-":
                path = path.parent / len(lookup(document, path.parent))
            written.setdefault(path, step.source)
        document = apply_operation(document, step)
    return written


def collision(written: dict[Pointer, str], document: Json, added: tuple[Operation, ...]) -> Collision | None:
    """Return the first place that `added` (the user's patches on `document`) writes although dev mode already does."""
    for step in added:
        if step.op is not Op.TEST and step.role is not Role.ASSUME:
            for path, source in written.items():
                if step.source != source and (path.covers(step.path) or step.path.covers(path)):
                    return Collision(step.path, source, step.source)
        written, document = _moved(written, document, step), apply_operation(document, step)
    return None


def follow(written: dict[Pointer, str], document: Json, added: tuple[Operation, ...]) -> dict[Pointer, str]:
    """Return where the written places are after `added`, and the places that `added` writes itself."""
    at = document
    for step in added:
        written, at = _moved(written, at, step), apply_operation(at, step)
    return {**writers(document, added), **written}


def _moved(written: dict[Pointer, str], document: Json, step: Operation) -> dict[Pointer, str]:
    """Move the places behind a list element that a step adds or removes."""
    around, index, depth = step.path.parent, step.path[-1], len(step.path) - 1
    if step.op is Op.TEST or not index.isdecimal() or not isinstance(lookup(document, around), list):
        return written
    change = 1 if step.op is Op.ADD else -1

    def place(path: Pointer) -> Pointer:
        token = path[depth] if around.covers(path) and len(path) > depth else ""
        if not token.isdecimal() or int(token) < int(index):
            return path
        return Pointer((*path[:depth], str(int(token) + change), *path[depth + 1 :]))

    return {place(path): source for path, source in written.items()}
