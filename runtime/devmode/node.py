"""The node whose pod is to be the dev pod, of workloads that have one on each: `--node`. Never schedules anything."""

from __future__ import annotations

from collections.abc import Iterable

from devcfg.runtime.cluster.cluster import Cluster, Resource
from devcfg.runtime.devmode.live import Subject
from devcfg.runtime.devmode.pods import pods_of
from devcfg.schemas.errors import UsageError


def has_nodes(resource: Resource) -> bool:
    """Tell whether a kind has a pod on each node."""
    return resource.kind == "DaemonSet"


async def check_node(cluster: Cluster, subjects: Iterable[Subject], node: str) -> None:
    """Return where the node has a pod of each DaemonSet. Raises `UsageError` with the nodes that have one."""
    found = [one for one in subjects if has_nodes(one.resource)]
    if not found:
        raise UsageError("`--node` is for a DaemonSet, and none of the services is one", hint="leave it out")
    for one in found:
        pods = await pods_of(cluster, one.object)
        nodes = sorted({str(pod["spec"]["nodeName"]) for pod in pods if pod["spec"].get("nodeName")})
        if node not in nodes:
            has = ", ".join(f"`{name}`" for name in nodes[:10]) + ", …" * (len(nodes) > 10)
            raise UsageError(f"{one.target.label} has no pod on node `{node}`", hint=f"it has one on {has or 'none'}")
