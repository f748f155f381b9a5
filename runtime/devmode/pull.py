"""Brings dev images to a node before the old pod there stops: a throw-away pod that runs nothing. Never for others.

Only where the old pod ends before the new one starts, and only for who may make and delete pods: an image that is
slow, or is not there, then costs no minute of service.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from devcfg.runtime.cluster.cluster import Access, Cluster, Object
from devcfg.runtime.cluster.errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    MissingError,
    RejectedError,
    UnreachableError,
)
from devcfg.runtime.devmode.additions import owner_reference
from devcfg.runtime.devmode.errors import DevModeError
from devcfg.runtime.devmode.live import Subject, exact
from devcfg.runtime.devmode.pods import POD, is_ready, pods_of, trouble_of
from devcfg.runtime.devmode.steps import Move, Step, Tell
from devcfg.schemas.naming import WORKLOAD_LABEL
from devcfg.schemas.patch import apply_patch, lookup

DEADLINE = 180.0
"""Seconds after which the rollout goes on without: the node pulls on meanwhile."""
LOOK = 0.3
NOTHING = ("/devcfg-pulls-only",)
"""A program that no image has: a container is started only when its image is there, and this one ends at once."""
RESOURCES = {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"cpu": "100m", "memory": "32Mi"}}


async def pull_ahead(cluster: Cluster, subject: Subject, tell: Tell) -> None:
    """Return when the images are on the node of the old pod, or cannot be brought there so.

    Raises `DevModeError` where an image cannot be pulled: nothing was changed then.
    """
    if subject.plan is None:
        return
    after = apply_patch(subject.plan.workload.manifest.object, exact(subject.plan.workload))
    if not _ends_first(subject.resource.kind, after["spec"]):
        return
    template = lookup(after, subject.bindings[0].template)
    old = next((one for one in await pods_of(cluster, subject.object) if is_ready(one)), None)
    node = (old or {}).get("spec", {}).get("nodeName")
    images = _new_images(template["spec"], old or {})
    if not node or not images or not await _may(cluster, subject.namespace):
        return
    body = _pod(subject, template["spec"], images, node)
    try:
        made = await cluster.create(POD, subject.namespace, body)
    except (RejectedError, ForbiddenError, ConflictError, UnreachableError) as error:
        tell(Step(Move.NOTE, subject.target.label, f"images are not pulled ahead: {error.message}"))
        return
    try:
        await _wait(cluster, subject, made["metadata"]["name"], tell)
    finally:
        with contextlib.suppress(ClusterError):
            await cluster.delete(POD, subject.namespace, made["metadata"]["name"], uid=made["metadata"]["uid"])


def _ends_first(kind: str, spec: dict[str, Any]) -> bool:
    """Tell whether the old pod stops before the new one is started: a stateful one, or by `Recreate`."""
    return kind == "StatefulSet" or (spec.get("strategy") or {}).get("type") == "Recreate"


def _new_images(pod: dict[str, Any], old: Object) -> tuple[str, ...]:
    before = {one.get("image") for one in (old.get("spec") or {}).get("containers") or []}
    every = [one.get("image") for one in (*(pod.get("initContainers") or []), *pod["containers"])]
    return tuple(dict.fromkeys(image for image in every if image and image not in before))


async def _may(cluster: Cluster, space: str) -> bool:
    asked = [Access(verb, "", "pods", "", space) for verb in ("create", "delete")]
    return all(await cluster.may(asked))


def _pod(subject: Subject, pod: dict[str, Any], images: tuple[str, ...], node: str) -> Object:
    """Return a pod as strict as the one that will come, with nothing of its volumes, accounts and work."""
    by_image = {one.get("image"): one for one in (*(pod.get("initContainers") or []), *pod["containers"])}
    kept = {key: pod[key] for key in ("imagePullSecrets", "securityContext", "tolerations") if key in pod}
    containers = [
        {
            "name": f"pull-{at}",
            "image": image,
            "command": list(NOTHING),
            "resources": RESOURCES,
            **{key: by_image[image][key] for key in ("imagePullPolicy", "securityContext") if key in by_image[image]},
        }
        for at, image in enumerate(images)
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"devcfg-pull-{subject.uid[:13]}",
            "namespace": subject.namespace,
            "labels": {WORKLOAD_LABEL: subject.id},
            "ownerReferences": [owner_reference(subject.object)],
        },
        "spec": {
            **kept,
            "nodeName": node,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": int(DEADLINE),
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "containers": containers,
        },
    }


async def _wait(cluster: Cluster, subject: Subject, name: str, tell: Tell) -> None:
    label, deadline = subject.target.label, time.monotonic() + DEADLINE
    tell(Step(Move.WAITING, label, "for its images, pulled before the old pod stops"))
    while time.monotonic() < deadline:
        try:
            pod = await cluster.get(POD, subject.namespace, name)
        except MissingError:
            return
        except UnreachableError:
            await asyncio.sleep(LOOK)
            continue
        statuses = (pod.get("status") or {}).get("containerStatuses") or []
        if len(statuses) == len(pod["spec"]["containers"]) and all(map(_is_there, statuses)):
            return
        trouble = await trouble_of(cluster, subject.object, [pod])
        if trouble is not None and "cannot be pulled" in trouble.words:
            raise DevModeError(f"{label}: {trouble.words}", hint="nothing was changed; the old pod still serves")
        await asyncio.sleep(LOOK)
    tell(Step(Move.NOTE, label, f"its images are not there after {DEADLINE:.0f} s: goes on without"))


def _is_there(status: dict[str, Any]) -> bool:
    """Tell whether a container got as far as being started: its image is there then."""
    state = status.get("state") or {}
    reason = str((state.get("waiting") or {}).get("reason") or "")
    return "running" in state or "terminated" in state or reason in ("RunContainerError", "CreateContainerConfigError")
