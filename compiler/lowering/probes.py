"""Lower `probes`: remove them, keep them, or relax their timeouts. Never changes what a probe asks."""

from __future__ import annotations

from devcfg.compiler.lowering.fragment import Bound, Fragment
from devcfg.schemas.patch import Op, Operation

RELAXED = {"timeoutSeconds": 600}
"""Seconds: a process that stands on a breakpoint answers when the developer goes on."""
PATIENT = {"failureThreshold": 1000}
"""For probes whose failure kills the container. A readiness probe keeps its own, or it would never say no."""


def lower_probes(bound: Bound) -> Fragment:
    """Treat each probe of the container as the config says."""
    operations: list[Operation] = []
    for kind in ("liveness", "readiness", "startup"):
        path, field = bound.at / f"{kind}Probe", bound.field(f"probes.{kind}")
        match getattr(bound.service.probes, kind):
            case "remove":
                # Both work whether the base has the probe or not.
                operations += [Operation(Op.ADD, path, {}, field), Operation(Op.REMOVE, path, None, field)]
            case "relax" if bound.witness.exists(path, field):
                changes = RELAXED if kind == "readiness" else {**RELAXED, **PATIENT}
                operations += [Operation(Op.ADD, path / member, value, field) for member, value in changes.items()]
            case _:
                pass
    return Fragment(tuple(operations))


def lower_resources(bound: Bound) -> Fragment:
    """Replace requests and limits."""
    wanted = bound.service.resources
    if wanted is None:
        return Fragment()
    value = {part: dict(amounts) for part in ("requests", "limits") if (amounts := getattr(wanted, part))}
    return Fragment((bound.set("resources", value, "resources"),))
