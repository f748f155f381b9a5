"""Lower the sidecar whose agent is the far side of sync, and the ConfigMap with its source. Never reads a file."""

from __future__ import annotations

from collections.abc import Mapping

from devcfg.compiler.kinds import Kind
from devcfg.compiler.lowering.fragment import Bound, Element
from devcfg.compiler.lowering.image import mirrored
from devcfg.compiler.lowering.security import init_security
from devcfg.schemas.naming import (
    AGENT_CONTAINER,
    AGENT_SOURCE,
    ROOT,
    SHARED_VOLUME,
    SOURCE_VOLUME,
    WORKLOAD_LABEL,
    config_map_name,
)
from devcfg.schemas.patch import Json, Role

AGENT_RESOURCES: Json = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}}
"""No limit of ephemeral storage: it would be the whole pod's, volumes included, where no other container has one."""
ENVIRONMENT: Json = [
    {"name": "PYTHONPATH", "value": AGENT_SOURCE},
    {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
    {"name": "PYTHONUTF8", "value": "1"},
]


def sidecar(bounds: tuple[Bound, ...], synced: tuple[Element, ...], kind: Kind | None) -> Json:
    """Return the container that waits for sessions; the services of a workload share one."""
    first = bounds[0]
    words = ["python3", "-S", "-m", "agent.wait"]
    if _may_complete(first, kind):
        words.append("--until-quit")
    return {
        "name": AGENT_CONTAINER,
        "image": mirrored(first.images.agent, first.images),
        "command": [*words, ROOT, *(bound.name for bound in bounds)],
        # Python looks for modules in the working directory first: in a sync target it would find the developer's.
        "workingDir": AGENT_SOURCE,
        "env": ENVIRONMENT,
        "resources": AGENT_RESOURCES,
        **init_security(first),
        "volumeMounts": [
            {"name": SHARED_VOLUME, "mountPath": ROOT},
            {"name": SOURCE_VOLUME, "mountPath": f"{AGENT_SOURCE}/agent", "readOnly": True},
            *(mount for mount, _ in synced),
        ],
    }


def config_map(bound: Bound, shipped: Mapping[str, str]) -> Json:
    """Return the ConfigMap that carries supervisor and agent, marked so that Flux substitutes nothing in it.

    One flat key a file, and the volume lists none of them: so a pod that runs sees the whole of a newer source.
    """
    metadata: Json = {"name": config_map_name(bound.workload)}
    if bound.binding.manifest.namespace:
        metadata["namespace"] = bound.binding.manifest.namespace
    metadata["labels"] = {WORKLOAD_LABEL: bound.workload}
    metadata["annotations"] = {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(shipped)}


def _may_complete(bound: Bound, kind: Kind | None) -> bool:
    """Tell whether the pod completes when all its containers have ended, as a Job's does."""
    if kind is None or not kind.completes:
        return False
    return bound.witness.read(bound.pod / "restartPolicy", bound.field("command"), Role.PRISTINE) not in (
        None,
        "Always",
    )
