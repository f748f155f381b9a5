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


def collision(written: dict[Pointer, str], added: tuple[Operation, ...]) -> Collision | None:
    """Return the first place that `added` (the user's patches) writes although dev mode already does."""
    for step in added:
        if step.op is Op.TEST or step.role is Role.ASSUME:
            continue
        for path, source in written.items():
            if step.source != source and (path.covers(step.path) or step.path.covers(path)):
                return Collision(step.path, source, step.source)
    return None
