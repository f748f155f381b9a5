"""Which pod a service lives in: found by its owner, or the reason why there is none. Remembers no pod.

A pod comes and goes; what stays is the workload. Its pods are taken by its selector, and believed by the chain of
their owners' uids, so that a pod that only carries the same labels is never spoken to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from devcfg.runtime.cluster.cluster import Cluster, Object, Resource
from devcfg.runtime.cluster.errors import ForbiddenError, MissingError
from devcfg.runtime.devmode.place import PodPlace
from devcfg.runtime.devmode.pods import events_of
from devcfg.schemas.errors import DevcfgError
from devcfg.schemas.naming import AGENT_CONTAINER, PLAN_ANNOTATION, container_annotation

PODS = Resource("", "v1", "pods", "Pod")


class LeftError(DevcfgError):
    """The workload is not in the dev mode of this session any more."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a container: how often it came to that, why, and whether it runs again."""

    times: int
    how: str
    runs: bool

    @property
    def words(self) -> str:
        """Say it."""
        if self.runs:
            return f"its container ended ({self.how}) and runs again"
        if self.times == 1:
            return f"its container ended ({self.how}): Kubernetes starts it again"
        often = f"its container ended ({self.how}), {self.times} times by now"
        return f"{often}: Kubernetes waits longer each time before it starts it again"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod whose agent can be started."""

    name: str
    uid: str
    restarts: int
    """How often its dev container was restarted."""
    ended: Ended | None
    """How its dev container ended the last time; None where it never did."""
    environment: tuple[dict[str, Any], ...]
    """The `env` of its dev container."""


class Pods:
    """The pods of one place."""

    def __init__(self, cluster: Cluster, place: PodPlace, node: str = "") -> None:
        self._cluster = cluster
        self._place = place
        self._node = node
        self._selector: str | None = None
        self._owners: dict[str, bool] = {}

    async def find(self) -> Pod | str:
        """Return the newest pod whose agent can be started, or why there is none.

        Raises `LeftError` where there will be none, and `ClusterError`.
        """
        if self._selector is None:
            self._selector = selector_of(await self._workload())
        found = [one for one in await self._listed(self._selector) if await self._ours(one)]
        usable = [one for one in found if _running(one, AGENT_CONTAINER)]
        if usable:
            return _pod(max(usable, key=lambda one: (_running(one, self._place.container), _made(one))), self._place)
        await self._workload()
        what = f"{self._place.resource.kind.lower()}/{self._place.name}"
        return await self._why_not(max(found, key=_made)) if found else f"{what} has no pod{self._where} yet"

    async def fate(self, pod: Pod) -> str:
        """Return why a pod that was found once has ended; nothing where it was deleted, as pods are, or goes on."""
        try:
            found = await self._cluster.get(PODS, self._place.namespace, pod.name)
        except MissingError:
            return ""
        ended = (found.get("status") or {}).get("phase") in ("Failed", "Succeeded")
        return await self._why_not(found) if ended and found["metadata"]["uid"] == pod.uid else ""

    async def _why_not(self, found: Object) -> str:
        status = found.get("status") or {}
        if status.get("phase") != "Succeeded" or status.get("reason"):
            return why_not(found)
        # Where its containers end in order, the kubelet calls an evicted pod succeeded, and says why in an event alone.
        evicted = [one for one in await events_of(self._cluster, found) if _evicts(one)][-1:]
        said = {name: one.get(name) for one in evicted for name in ("reason", "message")}
        return why_not({**found, "status": {**status, **said}})

    async def _listed(self, labels: str) -> Sequence[Object]:
        fields = f"spec.nodeName={self._node}" if self._node else ""
        return await self._cluster.list(PODS, self._place.namespace, labels=labels, fields=fields)

    @property
    def _where(self) -> str:
        return f" on node {self._node}" if self._node else ""

    async def _workload(self) -> Object:
        """Return the workload, as long as it is the one that was entered, in this dev mode."""
        place = self._place
        what = f"{place.resource.kind.lower()}/{place.name}"
        try:
            found = await self._cluster.get(place.resource, place.namespace, place.name)
        except MissingError as error:
            raise LeftError(f"{what} was deleted while it was in dev mode") from error
        if found["metadata"]["uid"] != place.uid:
            raise LeftError(f"{what} was deleted and made anew: it is not in dev mode", hint="`devcfg up` enters it")
        return found

    async def _ours(self, pod: Object) -> bool:
        meta = pod["metadata"]
        if "deletionTimestamp" in meta or (meta.get("annotations") or {}).get(PLAN_ANNOTATION) != self._place.plan:
            return False
        references = meta.get("ownerReferences") or []
        for one in references:
            if await self._leads_here(one):
                return True
        # A controller that we do not know may own its pods in a way of its own: then selector and plan have to do.
        return not references and self._place.resource.group not in ("", "apps", "batch")

    async def _leads_here(self, reference: dict[str, Any]) -> bool:
        uid = reference["uid"]
        if uid == self._place.uid:
            return True
        if uid not in self._owners:
            self._owners[uid] = await self._owned(reference)
        return self._owners[uid]

    async def _owned(self, reference: dict[str, Any]) -> bool:
        """Tell whether an owner is itself owned by the workload."""
        group, _, version = reference["apiVersion"].rpartition("/")
        try:
            resource = await self._cluster.find(reference["kind"], group, version)
            owner = await self._cluster.get(resource, self._place.namespace, reference["name"])
        except MissingError:
            return False
        except ForbiddenError:
            return True  # whoever may not look has selector and plan alone
        references = owner["metadata"].get("ownerReferences") or []
        same = owner["metadata"]["uid"] == reference["uid"]
        return same and any(one["uid"] == self._place.uid for one in references)


async def find_dev_pod(cluster: Cluster, namespace: str, service: str) -> tuple[Pod, str]:
    """Return the newest pod of a service in dev mode and its dev container, for whoever has no session.

    Raises `MissingError`.
    """
    key, best = container_annotation(service), None
    for one in await cluster.list(PODS, namespace):
        annotations = one["metadata"].get("annotations") or {}
        known = key in annotations and PLAN_ANNOTATION in annotations and "deletionTimestamp" not in one["metadata"]
        if known and _running(one, annotations[key]) and (best is None or _made(one) > _made(best)):
            best = one
    if best is None:
        hint = f"`devcfg up {service}` brings it there"
        raise MissingError(f"no pod of service `{service}` in namespace `{namespace}` is in dev mode", hint=hint)
    container = best["metadata"]["annotations"][key]
    place = PodPlace(service, namespace, PODS, best["metadata"]["name"], best["metadata"]["uid"], container, "")
    return _pod(best, place), container


def selector_of(workload: Object) -> str:
    """Return a workload's own label selector as the API takes it; empty where it has none that we know."""
    found = workload.get("spec", {}).get("selector")
    if not isinstance(found, dict):
        return ""
    if "matchLabels" not in found and "matchExpressions" not in found:
        return ""
    parts = [f"{name}={value}" for name, value in (found.get("matchLabels") or {}).items()]
    for one in found.get("matchExpressions") or []:
        values = ",".join(one.get("values") or [])
        match one["operator"]:
            case "In" | "NotIn":
                parts.append(f"{one['key']} {one['operator'].lower()} ({values})")
            case "Exists":
                parts.append(one["key"])
            case "DoesNotExist":
                parts.append(f"!{one['key']}")
    return ",".join(parts)


def why_not(pod: Object) -> str:
    """Say what keeps a pod's agent from being started, in the kubelet's or the scheduler's own words."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    for one in (*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])):
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            return f"pod {name}: container {one['name']}: {_joined(waiting)}"
    for one in status.get("conditions") or []:
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            return f"pod {name}: {_joined(one)}"
    phase = status.get("phase") or "Pending"
    if phase in ("Pending", "Running"):
        return f"pod {name} is being started"
    return f"pod {name} has ended: {_joined(status) or phase}"


def _evicts(event: Object) -> bool:
    return event.get("type") == "Warning" and event.get("reason") in ("Evicted", "Preempted", "NodeShutdown")


def _joined(state: dict[str, Any]) -> str:
    return ": ".join(text for text in (state.get("reason"), state.get("message")) if text)


def _pod(found: Object, place: PodPlace) -> Pod:
    meta = found["metadata"]
    env = next((one.get("env") for one in found["spec"]["containers"] if one["name"] == place.container), None)
    status = _status(found, place.container)
    return Pod(meta["name"], meta["uid"], status.get("restartCount", 0), _ended(status), tuple(env or ()))


def _ended(status: dict[str, Any]) -> Ended | None:
    state, last = (status.get(key) or {} for key in ("state", "lastState"))
    runs = "terminated" not in state and (state.get("waiting") or {}).get("reason") != "CrashLoopBackOff"
    found = state.get("terminated") or last.get("terminated")
    if not found:
        return None
    killed = found.get("reason") == "OOMKilled"
    how = "it took more memory than its limit" if killed else f"exit code {found.get('exitCode')}"
    return Ended(status.get("restartCount", 0) + (not runs), how, runs)


def _status(pod: Object, container: str) -> dict[str, Any]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return next((one for one in statuses if one["name"] == container), {})


def _running(pod: Object, container: str) -> bool:
    return "running" in (_status(pod, container).get("state") or {})


def _made(pod: Object) -> str:
    return str(pod["metadata"].get("creationTimestamp", ""))
