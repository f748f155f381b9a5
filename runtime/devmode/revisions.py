"""What a controller keeps of a workload's earlier templates, so that `rollout undo` can lead back to them.

Never changes one.
"""

from __future__ import annotations

from devcfg.runtime.cluster.cluster import Cluster, Object, Resource
from devcfg.runtime.devmode.pods import REPLICA_SET, is_dev, is_ready, owner_uids, pods_of, selector

CONTROLLER_REVISION = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
KEPT_AS = {
    "Deployment": REPLICA_SET,
    "StatefulSet": CONTROLLER_REVISION,
    "DaemonSet": CONTROLLER_REVISION,
}
"""What each kind that can be rolled back keeps its templates in."""


async def dev_revisions(cluster: Cluster, document: Object, resource: Resource) -> tuple[Object, ...]:
    """Return the revisions of a workload that hold dev mode. Raises `ForbiddenError` where they may not be listed."""
    meta = document["metadata"]
    listed = await cluster.list(resource, meta["namespace"], labels=selector(document))
    return tuple(one for one in listed if meta["uid"] in owner_uids(one) and is_dev(_with_template(one)))


async def is_idle(cluster: Cluster, document: Object, revision: Object) -> bool:
    """Tell whether no pod is of a revision any more, and none will be made: its controller has seen the way back."""
    if "data" not in revision:
        spec, status = revision.get("spec") or {}, revision.get("status") or {}
        return not spec.get("replicas") and not status.get("replicas")
    return await _is_seen(cluster, document) and not any(map(is_dev, await pods_of(cluster, document)))


async def is_unready(cluster: Cluster, document: Object, revision: Object) -> bool:
    """Tell whether none of a ReplicaSet's pods is ready, and its Deployment will not give it one more.

    A rolling Deployment keeps them until its own are ready, which may be never; nobody is served by them.
    """
    if "data" in revision or (revision.get("status") or {}).get("readyReplicas"):
        return False
    if not await _is_seen(cluster, document):
        return False
    own = revision["metadata"]["uid"]
    return not any(is_ready(one) for one in await pods_of(cluster, document) if own in owner_uids(one))


async def _is_seen(cluster: Cluster, document: Object) -> bool:
    """Tell whether a workload's controller has seen the way back. What its pods are is only asked after that."""
    meta, resource = document["metadata"], Resource("apps", "v1", f"{document['kind'].lower()}s", document["kind"])
    now = await cluster.get(resource, meta["namespace"], meta["name"])
    seen = int((now.get("status") or {}).get("observedGeneration") or 0)
    return seen >= int(now["metadata"]["generation"])


def _with_template(revision: Object) -> Object:
    """Return a revision with its template where a ReplicaSet has it: a ControllerRevision holds it as a patch."""
    return {**revision, "spec": revision["data"].get("spec") or {}} if "data" in revision else revision
