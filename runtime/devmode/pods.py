"""The pods of a workload, found by owner: which are dev pods, which are ready, why one is not. Never changes one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from devcfg.runtime.cluster.cluster import Cluster, Object, Resource
from devcfg.runtime.cluster.errors import ClusterError, ForbiddenError
from devcfg.runtime.devmode.gitops import MANAGER
from devcfg.runtime.devmode.record import template_of
from devcfg.schemas.naming import PLAN_ANNOTATION

POD = Resource("", "v1", "pods", "Pod")
EVENT = Resource("", "v1", "events", "Event")
REPLICA_SET = Resource("apps", "v1", "replicasets", "ReplicaSet")


def selector(document: Object) -> str:
    """Return the label selector of a workload's pods as the API takes it."""
    spec = document.get("spec") or {}
    labels = (spec.get("selector") or {}).get("matchLabels")
    if not isinstance(labels, dict) or not labels:
        template: Object = document
        for token in template_of(document):
            template = template.get(token) or {}
        labels = (template.get("metadata") or {}).get("labels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


async def pods_of(cluster: Cluster, document: Object) -> tuple[Object, ...]:
    """Return the pods that a workload owns, directly or through a ReplicaSet, the ones that go away included."""
    meta = document["metadata"]
    listed = await cluster.list(POD, meta["namespace"], labels=selector(document))
    owners = {meta["uid"]}
    if document.get("kind") not in ("StatefulSet", "DaemonSet", "ReplicaSet"):
        owners |= {one["metadata"]["uid"] for one in await replica_sets(cluster, document)}
    found = tuple(one for one in listed if owners & owner_uids(one))
    # A kind of its own may have a controller that makes pods by way of what we do not know.
    known = document.get("kind") in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
    return found if found or known else tuple(listed)


async def replica_sets(cluster: Cluster, document: Object) -> tuple[Object, ...]:
    """Return the ReplicaSets that a workload owns; none where they may not be listed."""
    meta = document["metadata"]
    try:
        listed = await cluster.list(REPLICA_SET, meta["namespace"], labels=selector(document))
    except ForbiddenError:
        return ()
    return tuple(one for one in listed if meta["uid"] in owner_uids(one))


def owner_uids(document: Object) -> set[str]:
    """Return the uids of an object's owners."""
    return {str(one.get("uid")) for one in document["metadata"].get("ownerReferences") or []}


def is_dev(document: Object, plan: str | None = None) -> bool:
    """Tell whether a pod, or a ReplicaSet's template, is in dev mode (by this plan) and stays."""
    meta = document["metadata"]
    if "template" in (document.get("spec") or {}):
        meta = {**(document["spec"]["template"].get("metadata") or {})}
    said = (meta.get("annotations") or {}).get(PLAN_ANNOTATION)
    return "deletionTimestamp" not in document["metadata"] and said is not None and plan in (None, said)


def is_ready(pod: Object) -> bool:
    """Tell whether a pod is ready."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def is_up(pod: Object, dev: Collection[str]) -> bool:
    """Tell whether a pod is ready, or only waits for its dev containers (by name), which run.

    Where a readiness probe is kept, they are not ready before a session has brought their source.
    """
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    up = (
        "running" in (one.get("state") or {}) if one.get("name") in dev else one.get("ready") is True
        for one in statuses
    )
    return is_ready(pod) or (bool(statuses) and all(up))


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps a dev pod from starting, and why. `lasting` tells that it will not get better by itself."""

    what: str
    why: str
    lasting: bool

    @property
    def words(self) -> str:
        """All of it, in one line."""
        return f"{self.what}: {self.why}" if self.why else self.what


_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_BROKEN = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError")


async def trouble_of(cluster: Cluster, document: Object, pods: Sequence[Object]) -> Trouble | None:
    """Return what keeps the dev pods of a workload from starting; None while nothing is wrong."""
    for pod in pods:
        found = await _pod_trouble(cluster, pod)
        if found is not None:
            return found
    return await _missing_pod(cluster, document) if not pods else None


async def _pod_trouble(cluster: Cluster, pod: Object) -> Trouble | None:
    meta, status = pod["metadata"], pod.get("status") or {}
    for one in status.get("conditions") or []:
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            return Trouble("no node takes the pod", str(one.get("message") or one.get("reason")), lasting=False)
    if status.get("phase") == "Failed":
        said = status.get("message") or status.get("reason") or "it ended"
        return Trouble("the pod failed", str(said), lasting=True)
    kinds = (("initContainerStatuses", "init container"), ("containerStatuses", "container"))
    for one, kind in ((one, kind) for key, kind in kinds for one in status.get(key) or []):
        name, waiting = one.get("name"), (one.get("state") or {}).get("waiting") or {}
        reason, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
        if reason in _IMAGE:
            said = message if reason == "ErrImagePull" or not message else await _pull_error(cluster, pod, message)
            return Trouble(f"image `{one.get('image')}` of {kind} `{name}` cannot be pulled", said, lasting=True)
        if reason in _BROKEN:
            return Trouble(f"{kind} `{name}` cannot start ({reason})", message, lasting=True)
        if reason == "CrashLoopBackOff":
            log = await _last_words(cluster, meta["namespace"], meta["name"], str(name))
            ended = (one.get("lastState") or {}).get("terminated") or {}
            how = "out of memory" if ended.get("reason") == "OOMKilled" else f"exit code {ended.get('exitCode')}"
            return Trouble(f"{kind} `{name}` ends again and again ({how})", log, lasting=True)
    return None


async def _pull_error(cluster: Cluster, pod: Object, otherwise: str) -> str:
    """Return what the node said when it tried: the back-off itself says nothing."""
    for one in reversed(await events_of(cluster, pod)):
        text = str(one.get("message") or "")
        if one.get("reason") == "Failed" and "pull" in text:
            return text
    return otherwise


async def _missing_pod(cluster: Cluster, document: Object) -> Trouble | None:
    """Return why a controller makes no pod."""
    subjects = [document, *(one for one in await replica_sets(cluster, document) if is_dev(one))]
    for one in subjects:
        for condition in (one.get("status") or {}).get("conditions") or []:
            if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
                return Trouble("no pod can be made", str(condition.get("message")), lasting=True)
    since = _taken_at(document)
    for one in subjects:
        said = [event for event in await events_of(cluster, one) if _moment(event) >= since]
        failed = [event for event in said if event.get("reason") == "FailedCreate"]
        if failed:
            return Trouble("no pod can be made", str(failed[-1].get("message")), lasting=True)
    return None


def _taken_at(document: Object) -> str:
    """Return when we changed a workload, by the server's clock: what was said before then is about other pods."""
    fields = document["metadata"].get("managedFields") or []
    return max((str(one.get("time") or "") for one in fields if one.get("manager") == MANAGER), default="")


def _moment(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


async def events_of(cluster: Cluster, document: Object) -> list[Object]:
    """Return the events of an object, the latest last; none where they may not be read."""
    meta = document["metadata"]
    try:
        listed = await cluster.list(EVENT, meta["namespace"], fields=f"involvedObject.uid={meta['uid']}")
    except ClusterError:
        return []
    return sorted(listed, key=_moment)


async def _last_words(cluster: Cluster, namespace: str, pod: str, container: str) -> str:
    """Return the last lines of the log of a container that ended."""
    text = b""
    try:
        async for piece in cluster.log(namespace, pod, container, follow=False, tail=5, previous=True):
            text = (text + piece)[-2000:]
    except (ClusterError, OSError):
        return ""
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return " / ".join(line.strip() for line in lines[-5:])
