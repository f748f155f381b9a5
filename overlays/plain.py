"""A plan as whole objects: what dev mode changes or adds, or the whole base with it. Never writes patches."""

from __future__ import annotations

from devcfg.overlays.emitter import emit_document
from devcfg.overlays.namespaces import place_all
from devcfg.schemas.patch import Json, apply_patch
from devcfg.schemas.plan import Plan


def objects_of(plan: Plan, *, everything: bool) -> tuple[Json, ...]:
    """Return the objects in the base's order, additions last; with `everything`, also those dev mode leaves alone."""
    patched = {
        id(one.manifest): apply_patch(one.manifest.object, one.patch.operations)
        for workload in plan.workloads
        for one in workload.patched
    }
    additions = tuple(one for workload in plan.workloads for one in workload.additions)
    base = tuple(patched.get(id(one), one.object) for one in plan.base if everything or id(one) in patched)
    if everything:
        return place_all((*base, *additions), plan.namespace)
    # The workload needs them: `kubectl apply` goes from top to bottom.
    return place_all((*additions, *base), plan.namespace)


def render_plain(plan: Plan, *, everything: bool) -> str:
    """Return the objects as a multi-document YAML stream."""
    return "---\n".join(emit_document(one) for one in objects_of(plan, everything=everything))
