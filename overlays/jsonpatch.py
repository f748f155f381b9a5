"""A workload's patch as one RFC 6902 array for the live object. Never for files: those get the component."""

from __future__ import annotations

from devcfg.overlays.emitter import emit_flow
from devcfg.schemas.patch import Operation, Role
from devcfg.schemas.plan import ObjectPatch


def live_operations(one: ObjectPatch) -> tuple[Operation, ...]:
    """Return what holds on an object of the cluster: all but what the API server's defaults break."""
    return tuple(step for step in one.patch.operations if step.role is not Role.PRISTINE)


def render_array(operations: tuple[Operation, ...]) -> str:
    """Return operations as a JSON array, one a line."""
    return "[\n" + ",\n".join(f"  {emit_flow(step.to_json())}" for step in operations) + "\n]\n"


def render_json_patch(one: ObjectPatch) -> str:
    """Return the patch of one live object."""
    return render_array(live_operations(one))
