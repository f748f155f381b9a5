"""Leads from config fields, as operations name them, to lines of the config and back. Never reads a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from devcfg.compiler.document import Document
from devcfg.schemas.patch import Operation, Pointer
from devcfg.schemas.plan import ObjectPatch, Plan


def pointer_of(source: str, document: Document) -> Pointer:
    """Return the pointer of a field such as `services.web.sync[0].target`, as far as the document has it.

    Names may hold dots: at each step the longest key that is there counts.
    """
    value: Any = document.value
    found, rest = Pointer(), source
    while rest:
        if isinstance(value, dict):
            fitting = [key for key in value if rest == key or rest.startswith((f"{key}.", f"{key}["))]
            if not fitting:
                return found
            key = max(fitting, key=len)
            value, rest = value[key], rest[len(key) :].removeprefix(".")
        elif isinstance(value, list) and rest.startswith("["):
            key, _, rest = rest[1:].partition("]")
            if not key.isdecimal() or int(key) >= len(value):
                return found
            value, rest = value[int(key)], rest.removeprefix(".")
        else:
            return found
        found = found / key
    return found


def field_of(pointer: Pointer, document: Document) -> str:
    """Return the field that a pointer names, as operations spell it."""
    value: Any = document.value
    field = ""
    for token in pointer:
        field += f"[{token}]" if isinstance(value, list) else f".{token}"
        value = value[int(token)] if isinstance(value, list) else value.get(token)
    return field.removeprefix(".")


def line_of(source: str, document: Document) -> int:
    """Return the line of a field's key, or of the nearest block around it that is written."""
    return document.span(pointer_of(source, document)).line


def pointers_at(line: int, document: Document) -> tuple[Pointer, ...]:
    """Return the innermost fields that begin on a line; where none does, the last one that begins above."""
    starts = [(document.span(one).line, one) for one in _all(document.value, Pointer())]
    on_line = [one for at, one in starts if at == line]
    if not on_line:
        above = [(at, one) for at, one in starts if at < line]
        return (max(above, key=lambda pair: pair[0])[1],) if above else ()
    return tuple(one for one in on_line if not any(one != other and one.covers(other) for other in on_line))


def operations_of(field: str, plan: Plan) -> tuple[tuple[ObjectPatch, Operation], ...]:
    """Return the operations of a plan that a field causes, itself or through what stands below it."""
    return tuple(
        (one, step)
        for workload in plan.workloads
        for one in workload.patched
        for step in one.patch.operations
        if step.source == field or step.source.startswith((f"{field}.", f"{field}["))
    )


def _all(value: Any, at: Pointer) -> Iterator[Pointer]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in members:
        yield at / key
        yield from _all(below, at / key)
