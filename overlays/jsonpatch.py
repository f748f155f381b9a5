"""A workload's patch as one RFC 6902 array for the live object. Never for files: those get the component."""

from __future__ import annotations

from collections.abc import Iterator

from devcfg.overlays.emitter import emit_flow
from devcfg.schemas.patch import Json, Operation, Pointer, Role
from devcfg.schemas.plan import ObjectPatch
from devcfg.schemas.quantity import as_stored, digits_of, is_quantity

TYPED = ("", "apps", "batch", "autoscaling")
"""The groups whose objects the API server reads into types of its own; those of others come back as they went."""


def live_operations(one: ObjectPatch) -> tuple[Operation, ...]:
    """Return what holds on an object of the cluster: assumptions as far as the API server's defaults leave them."""
    typed = one.patch.target.group in TYPED
    return tuple(live for step in one.patch.operations for live in _live(step, typed=typed))


def _live(step: Operation, *, typed: bool) -> tuple[Operation, ...]:
    if step.role is Role.FRAME:
        return ()
    if step.role is not Role.PRISTINE:
        return (step,)
    found = leaves(step.path, step.value, typed=typed)
    return tuple(Operation(step.op, at, leaf, step.source, Role.ASSUME) for at, leaf in found)


def leaves(path: Pointer, value: Json, *, typed: bool) -> Iterator[tuple[Pointer, Json]]:
    """Yield what a live object still says word for word; a list without mappings in it is one leaf.

    `typed` tells that it is of a kind whose quantities the API server knows, and writes in its own way.
    """
    if isinstance(value, dict):
        for key, below in value.items():
            if below not in ("", False, 0, None, [], {}):
                yield from leaves(path / key, below, typed=typed)
    elif isinstance(value, list) and holds_mapping(value):
        for at, below in enumerate(value):
            yield from leaves(path / at, below, typed=typed)
    elif typed and is_quantity(path):
        stored = as_stored(value, digits=digits_of(path))
        if stored is not None:
            yield path, stored
    elif value is not None:
        yield path, value


def holds_mapping(value: Json) -> bool:
    """Tell whether a value is a mapping or has one in it: there the API server fills in what is missing."""
    return isinstance(value, dict) or (isinstance(value, list) and any(map(holds_mapping, value)))


def render_array(operations: tuple[Operation, ...]) -> str:
    """Return operations as a JSON array, one a line."""
    return "[\n" + ",\n".join(f"  {emit_flow(step.to_json())}" for step in operations) + "\n]\n"


def render_json_patch(one: ObjectPatch) -> str:
    """Return the patch of one live object."""
    return render_array(live_operations(one))
