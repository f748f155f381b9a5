"""A workload's patch as one RFC 6902 array for the live object. Never for files: those get the component."""

from __future__ import annotations

from collections.abc import Iterator

from devcfg.overlays.emitter import emit_flow
from devcfg.schemas.patch import Json, Operation, Pointer, Role
from devcfg.schemas.plan import ObjectPatch
from devcfg.schemas.quantity import as_stored, is_quantity


def live_operations(one: ObjectPatch) -> tuple[Operation, ...]:
    """Return what holds on an object of the cluster: assumptions as far as the API server's defaults leave them."""
    return tuple(live for step in one.patch.operations for live in _live(step))


def _live(step: Operation) -> tuple[Operation, ...]:
    if step.role is Role.FRAME:
        return ()
    if step.role is not Role.PRISTINE:
        return (step,)
    return tuple(Operation(step.op, at, leaf, step.source, Role.ASSUME) for at, leaf in leaves(step.path, step.value))


def leaves(path: Pointer, value: Json) -> Iterator[tuple[Pointer, Json]]:
    """Yield what a live object still says word for word; a list without mappings in it is one leaf."""
    if isinstance(value, dict):
        for key, below in value.items():
            if below not in ("", False, 0, None, [], {}):
                yield from leaves(path / key, below)
    elif isinstance(value, list) and holds_mapping(value):
        for at, below in enumerate(value):
            yield from leaves(path / at, below)
    elif is_quantity(path):
        stored = as_stored(value)
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
