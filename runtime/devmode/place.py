"""Where the dev container of a service is: its workload, not its pod, which comes and goes. Never asks a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from devcfg.runtime.cluster.cluster import Resource


@dataclass(frozen=True, slots=True)
class PodPlace:
    """What a pod is found by: it is owned by this workload, and its annotation `devcfg.dev/plan` says `plan`."""

    service: str
    namespace: str
    resource: Resource
    name: str
    uid: str
    container: str
    plan: str
