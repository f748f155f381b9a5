"""Lower `sync` targets, `persist`, seeds and the writable /tmp of a read-only root to volumes and mounts."""

from __future__ import annotations

from devcfg.compiler.lowering.command import is_read_only
from devcfg.compiler.lowering.fragment import Bound, Element, Fragment
from devcfg.compiler.lowering.image import mirrored
from devcfg.compiler.lowering.security import init_security
from devcfg.schemas.blocks import Persist
from devcfg.schemas.naming import (
    BUSYBOX,
    ROOT,
    SEED_CONTAINER,
    SHARED_VOLUME,
    WORKLOAD_LABEL,
    claim_name,
    fit,
    seed_mark,
    volume_name,
)
from devcfg.schemas.patch import Json, Role

SEED_SCRIPT = (
    "while [ $# -gt 0 ]; do b=/devcfg/bin/busybox; from=$1 to=$2 mark=$3; shift 3; "
    'if [ -d "$from" ] && ! $b ls -A "$to" | $b grep -qvx lost+found; '
    'then $b cp -dR "$from/." "$to/" && : >"$mark" || exit 1; fi; done'
)
SEED_RESOURCES: Json = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}}


def lower_volumes(bound: Bound) -> Fragment:
    """Mount one volume a sync target and persisted path, `/devcfg`, and `/tmp` where the root is read-only."""
    service = bound.service
    persisted = {one.path: (at, one) for at, one in enumerate(service.persist)}
    synced: list[Element] = []
    mounts: list[Element] = [({"name": SHARED_VOLUME, "mountPath": ROOT}, bound.field("command"))]
    volumes: list[Element] = []
    claims: list[Json] = []
    paths = [(rule.target, bound.field(f"sync[{at}].target")) for at, rule in enumerate(service.sync)]
    targets = {path for path, _ in paths}
    paths += [
        (one.path, bound.field(f"persist[{at}]")) for at, one in enumerate(service.persist) if one.path not in targets
    ]
    for path, field in paths:
        name = volume_name(bound.name, path)
        mounts.append(({"name": name, "mountPath": path}, field))
        # What is persisted inside a target is another volume: without it, the agent would see what lies beneath.
        if any(f"{path}/".startswith(f"{target}/") for target in targets):
            synced.append(mounts[-1])
        if path in persisted:
            at, wanted = persisted[path]
            claim = claim_name(bound.workload, bound.name, path)
            claims.append(_claim(bound, claim, wanted))
            volumes.append(
                ({"name": name, "persistentVolumeClaim": {"claimName": claim}}, bound.field(f"persist[{at}]"))
            )
        else:
            volumes.append(({"name": name, "emptyDir": {}}, field))
    taken = set(bound.witness.items(bound.at / "volumeMounts", "mountPath") or ()) | {path for path, _ in paths}
    if is_read_only(bound) and "/tmp" not in taken:  # noqa: S108  the pod's, not ours
        name = volume_name(bound.name, "/tmp")  # noqa: S108
        mounts.append(({"name": name, "mountPath": "/tmp"}, bound.field("command")))  # noqa: S108
        volumes.append(({"name": name, "emptyDir": {}}, bound.field("command")))
    return Fragment(
        mounts=tuple(mounts), volumes=tuple(volumes), inits=_seed(bound), claims=tuple(claims), synced=tuple(synced)
    )


def _seed(bound: Bound) -> tuple[Element, ...]:
    """Copy what the image has at a target into its volume, in an init container where nothing is mounted over it."""
    seeded = [(at, rule) for at, rule in enumerate(bound.service.sync) if rule.seed == "image"]
    if not seeded:
        return ()
    image = bound.service.image or str(bound.witness.read(bound.at / "image", bound.field("sync[0].seed")))
    words: list[str] = []
    mounts: list[Json] = [{"name": SHARED_VOLUME, "mountPath": ROOT}]
    for at, rule in seeded:
        place = f"/devcfg-seed/{at}"
        words += [rule.target, place, seed_mark(bound.name, rule.target)]
        mounts.append({"name": volume_name(bound.name, rule.target), "mountPath": place})
    container: Json = {
        "name": fit(SEED_CONTAINER + bound.name, 63),
        "image": mirrored(image, bound.images) if bound.service.image else image,
        "command": [BUSYBOX, "sh", "-c", SEED_SCRIPT, "seed", *words],
        "resources": SEED_RESOURCES,
    }
    policy = _pull_policy(bound, f"sync[{seeded[0][0]}].seed")
    if policy:
        container["imagePullPolicy"] = policy
    container.update(init_security(bound))
    container["volumeMounts"] = mounts
    return ((container, bound.field(f"sync[{seeded[0][0]}].seed")),)


def _pull_policy(bound: Bound, field: str) -> str:
    """Return the dev container's own: a node that must not pull its image must not pull it for the seed either."""
    if bound.service.imagePullPolicy:
        return bound.service.imagePullPolicy
    # Where it is missing, the API server fills it in by the image's tag, for both containers alike.
    return str(bound.witness.read(bound.at / "imagePullPolicy", bound.field(field), Role.PRISTINE) or "")


def _claim(bound: Bound, name: str, wanted: Persist) -> Json:
    spec: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": wanted.size}}}
    if wanted.storageClass:
        spec["storageClassName"] = wanted.storageClass
    metadata: Json = {"name": name, "labels": {WORKLOAD_LABEL: bound.workload}}
    if bound.binding.manifest.namespace:
        metadata["namespace"] = bound.binding.manifest.namespace
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
