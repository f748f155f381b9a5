"""Which workloads can go into dev mode in place, as they stand in a cluster. Never changes one."""

from __future__ import annotations

from devcfg.runtime.devmode.errors import DevModeError
from devcfg.schemas.errors import DevcfgError, UsageError
from devcfg.schemas.patch import Json, Target

FIXED = ("Pod", "Job", "CronJob")
"""Kinds whose pods cannot be changed in place."""
ORDERED = "StatefulSet"
RECREATED = ("StatefulSet", "DaemonSet", "ReplicaSet")
"""Kinds that end the old pod before the new one starts."""
BY_HAND = ("ReplicaSet",)
"""Kinds whose controller does not replace pods of an older template: they are deleted."""


def obstacle(document: Json, target: Target, wanted: int) -> DevcfgError | None:
    """Return why a workload cannot go into dev mode; None where it can. `wanted` is how many pods it shall have."""
    spec, meta = document.get("spec") or {}, document.get("metadata") or {}
    name, kubectl = target.label, f"kubectl -n {meta.get('namespace', 'default')}"
    if target.kind in FIXED:
        return UsageError(
            f"{name} cannot go into dev mode as it stands: {_WHY[target.kind]}", hint=_by_hand(name, kubectl)
        )
    if "deletionTimestamp" in meta:
        return DevModeError(f"{name} is being deleted", hint="wait until it is gone, and deploy it again")
    owner = next((one for one in meta.get("ownerReferences") or [] if one.get("controller")), None)
    if target.kind == "ReplicaSet" and owner is not None:
        hint = f"name that one: `workload: {str(owner['kind']).lower()}/{owner['name']}`"
        return UsageError(f"{name} belongs to {owner['kind']} `{owner['name']}`", hint=hint)
    update = spec.get("updateStrategy") or {}
    if spec.get("paused") is True or update.get("paused") is True:
        hint = f"`{kubectl} rollout resume {name}`" if target.kind == "Deployment" else "resume it"
        return DevModeError(f"{name} is paused: a change would start no pod", hint=hint)
    if update.get("type") == "OnDelete" or (spec.get("strategy") or {}).get("type") == "OnDelete":
        hint = f"set it to `RollingUpdate` while you develop: `{kubectl} patch {name} -p {_ROLLING}`"
        return DevModeError(f"{name} has the update strategy `OnDelete`: a change would start no pod", hint=hint)
    partition = (update.get("rollingUpdate") or {}).get("partition") or update.get("partition") or 0
    if isinstance(partition, str) or (isinstance(partition, int) and partition >= wanted > 0):
        hint = "set it to 0 while you develop"
        return DevModeError(f"{name} has the partition {partition}: a change would start no pod", hint=hint)
    return None


def keda_obstacle(scaler: Json, target: Target) -> DevcfgError | None:
    """Return why a workload cannot go into dev mode whose autoscaler KEDA made, seen where its own objects are not."""
    meta = scaler.get("metadata") or {}
    owner = next((one for one in meta.get("ownerReferences") or [] if one.get("kind") == "ScaledObject"), None)
    if owner is None:
        return None
    pause = f"annotate scaledobject {owner['name']} autoscaling.keda.sh/paused-replicas=1"
    return DevModeError(
        f"KEDA scales {target.label} (ScaledObject `{owner['name']}`), and would undo what dev mode writes",
        hint=f"pause it while you develop: `kubectl -n {meta.get('namespace', 'default')} {pause}`",
    )


_WHY = {
    "Pod": "nobody makes another pod in its place",
    "Job": "the pods of a Job that exists never change",
    "CronJob": "it makes its pods when it is their time, and they end",
}


def _by_hand(name: str, kubectl: str) -> str:
    """Return how such a workload is developed all the same: as a fresh object, whose pod a person makes."""
    return (
        f"make it anew by hand: `{kubectl} delete {name}`, then `devcfg render SERVICE | {kubectl} apply -f -`; "
        f"its pod waits, and the base applied again leads back"
    )


_ROLLING = '\'{"spec":{"updateStrategy":{"type":"RollingUpdate"}}}\''
