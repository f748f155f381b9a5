"""What dev mode adds beside a workload, ConfigMap and claims: made before the patch, found by label, taken away last.

Never replaces or deletes what is not dev mode's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from devcfg.runtime.cluster.cluster import Cluster, Object, Resource
from devcfg.runtime.cluster.errors import ClusterError, ConflictError, ForbiddenError, MissingError, UnreachableError
from devcfg.runtime.devmode.errors import DevModeError
from devcfg.runtime.devmode.live import Subject
from devcfg.schemas.naming import WORKLOAD_LABEL, config_map_name

CONFIG_MAP = Resource("", "v1", "configmaps", "ConfigMap")
CLAIM = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
_RESOURCES = {"ConfigMap": CONFIG_MAP, "PersistentVolumeClaim": CLAIM}
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Added:
    """An object that was not there before."""

    resource: Resource
    namespace: str
    name: str


def owner_reference(document: Object) -> Object:
    """Return the reference by which an object goes when this one goes."""
    return {
        "apiVersion": document["apiVersion"],
        "kind": document["kind"],
        "name": document["metadata"]["name"],
        "uid": document["metadata"]["uid"],
    }


async def add_all(cluster: Cluster, subject: Subject, made: list[Added]) -> None:
    """Create what the plan adds; each object that was not there yet is put on `made` before it is sent for."""
    if subject.plan is None:
        return
    for one in subject.plan.additions:
        meta = {
            **one["metadata"],
            "namespace": subject.namespace,
            "ownerReferences": [owner_reference(subject.object)],
        }
        await _add(cluster, _RESOURCES[one["kind"]], {**one, "metadata": meta}, subject, made)


async def _add(cluster: Cluster, resource: Resource, body: Object, subject: Subject, made: list[Added]) -> None:
    name = body["metadata"]["name"]
    for _ in range(ATTEMPTS):
        try:
            found = await cluster.get(resource, subject.namespace, name)
        except MissingError:
            made.append(Added(resource, subject.namespace, name))
            try:
                await cluster.create(resource, subject.namespace, body)
            except (ConflictError, UnreachableError):
                continue  # somebody was quicker, or it was ourselves: it is looked at again
            return
        labels = found["metadata"].get("labels") or {}
        if labels.get(WORKLOAD_LABEL) != subject.id:
            raise DevModeError(
                f"{resource.kind} `{name}` is there already and is not devcfg's",
                hint="rename or delete it: dev mode needs that name",
            )
        if resource is CLAIM:
            return  # what a claim is for never changes
        try:
            version = found["metadata"]["resourceVersion"]
            await cluster.replace(
                resource, subject.namespace, {**body, "metadata": {**body["metadata"], "resourceVersion": version}}
            )
        except (ConflictError, MissingError, UnreachableError):
            continue
        return
    raise DevModeError(f"{resource.kind} `{name}` changes all the time", hint="try again")


async def undo(cluster: Cluster, made: list[Added]) -> None:
    """Delete what was made for a patch that never came."""
    for one in reversed(made):
        try:
            await cluster.delete(one.resource, one.namespace, one.name)
        except ClusterError:
            continue
    made.clear()


async def remove_all(cluster: Cluster, namespace: str, workload: str, uid: str, claims: tuple[str, ...]) -> list[str]:
    """Delete what `up` added for a workload (by its ID and uid); return what was deleted, as `kind/name`.

    `claims` are names of claims that its pods mounted, for users who may not list them.
    """
    gone: list[str] = []
    found = [(CONFIG_MAP, one) for one in await _named(cluster, CONFIG_MAP, namespace, (config_map_name(workload),))]
    try:
        listed = await cluster.list(CLAIM, namespace, labels=f"{WORKLOAD_LABEL}={workload}")
    except ForbiddenError:
        listed = await _named(cluster, CLAIM, namespace, claims)
    # The ConfigMap is what an unfinished `down` is found by: it goes last.
    for resource, one in (*((CLAIM, claim) for claim in listed), *found):
        meta = one["metadata"]
        if not _is_ours(one, workload, uid):
            continue
        try:
            await cluster.delete(resource, namespace, meta["name"], uid=meta["uid"])
        except (MissingError, ConflictError):
            continue
        gone.append(f"{resource.kind.lower()}/{meta['name']}")
    return gone


def _is_ours(document: Object, workload: str, uid: str) -> bool:
    """Tell whether `up` made an object for this workload: one that came from files has no owner."""
    meta = document["metadata"]
    owners = {one.get("uid") for one in meta.get("ownerReferences") or []}
    return (meta.get("labels") or {}).get(WORKLOAD_LABEL) == workload and (uid in owners if uid else bool(owners))


async def _named(cluster: Cluster, resource: Resource, namespace: str, names: tuple[str, ...]) -> list[Object]:
    found = []
    for name in names:
        try:
            found.append(await cluster.get(resource, namespace, name))
        except (MissingError, ForbiddenError):
            continue
    return found
