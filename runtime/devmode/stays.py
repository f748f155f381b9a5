"""Which workloads of a namespace are in dev mode, and by whom: read from the cluster alone. Never changes anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from devcfg.runtime.cluster.cluster import Cluster, Object, Resource
from devcfg.runtime.cluster.errors import ForbiddenError, MissingError
from devcfg.runtime.devmode.additions import CONFIG_MAP
from devcfg.runtime.devmode.lease import LEASE, Held, read_held
from devcfg.runtime.devmode.record import Owner, dev_containers, is_taken, owner_of, plan_of
from devcfg.schemas.naming import WORKLOAD_LABEL, workload_id
from devcfg.schemas.patch import Operation, Target

LISTED = (("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet"), ("apps", "ReplicaSet"))
"""Kinds that are looked through where they may be listed; all others are found by what dev mode added."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A workload in dev mode, or with something of dev mode left."""

    id: str
    resource: Resource
    namespace: str
    name: str
    uid: str = ""
    """Of the workload as it was seen; empty where it is gone."""
    object: Object | None = None
    held: Held | None = None
    trusted: tuple[Operation, ...] = ()
    """The way back that we wrote ourselves: it needs nobody's consent."""

    @property
    def label(self) -> str:
        """`kind/name`."""
        return f"{self.resource.kind.lower()}/{self.name}"

    @property
    def owner(self) -> Owner | None:
        """Who took it."""
        return owner_of(self.object) if self.object is not None else None

    @property
    def holder(self) -> str:
        """Who has it: by the lease, or by what stands on the object; empty where nobody says."""
        owner = self.owner
        return (self.held.holder if self.held is not None else "") or (owner.holder if owner is not None else "")

    @property
    def alive(self) -> bool:
        """Whether a session renewed its lease lately."""
        return self.held is not None and self.held.alive

    @property
    def marked(self) -> bool:
        """Whether the workload itself says that it is in dev mode, or was."""
        found = self.object
        return found is not None and (is_taken(found) or owner_of(found) is not None or plan_of(found) is not None)

    @property
    def by_files(self) -> bool:
        """Whether it is in dev mode, but no `up` took it."""
        return self.object is not None and plan_of(self.object) is not None and not is_taken(self.object)

    @property
    def services(self) -> tuple[str, ...]:
        """The services in it."""
        owner = self.owner
        named = owner.services if owner is not None else ()
        return named or tuple(dev_containers(self.object) if self.object is not None else ())


async def stays_in(cluster: Cluster, namespace: str) -> tuple[Stay, ...]:
    """Return every workload of a namespace that dev mode has something on, as far as this user may look."""
    found: dict[str, Stay] = {}
    for group, kind in LISTED:
        try:
            resource = await cluster.find(kind, group)
            listed = await cluster.list(resource, namespace)
        except (ForbiddenError, MissingError):
            continue
        for one in listed:
            document = {"apiVersion": resource.api_version, "kind": kind, **one}
            owned = any(ref.get("controller") for ref in one["metadata"].get("ownerReferences") or [])
            stay = stay_of(resource, document)
            if stay.marked and not owned:
                found[stay.id] = stay
    for one in await _traces(cluster, namespace):
        id_, owners = one["metadata"]["labels"][WORKLOAD_LABEL], one["metadata"].get("ownerReferences") or []
        if id_ not in found and owners:
            found[id_] = await _owner_stay(cluster, namespace, id_, owners[0])
    return tuple([await with_lease(cluster, one) for _, one in sorted(found.items())])


def stay_of(resource: Resource, document: Object) -> Stay:
    """Return a workload as it was read."""
    meta = document["metadata"]
    target = Target(resource.group, resource.version, resource.kind, meta["name"], meta["namespace"])
    return Stay(workload_id(target), resource, meta["namespace"], meta["name"], meta["uid"], document)


async def with_lease(cluster: Cluster, stay: Stay) -> Stay:
    """Return a stay with what its lease says."""
    try:
        lease = await cluster.get(LEASE, stay.namespace, f"devcfg-{stay.id}")
    except (MissingError, ForbiddenError):
        return stay
    return replace(stay, held=read_held(lease, datetime.now(UTC)))


async def _traces(cluster: Cluster, namespace: str) -> Iterable[Object]:
    found: list[Object] = []
    for resource in (CONFIG_MAP, LEASE):
        try:
            found += await cluster.list(resource, namespace, labels=WORKLOAD_LABEL)
        except (ForbiddenError, MissingError):
            continue
    return found


async def _owner_stay(cluster: Cluster, namespace: str, id_: str, owner: Object) -> Stay:
    group, slash, version = str(owner["apiVersion"]).rpartition("/")
    try:
        resource = await cluster.find(owner["kind"], group if slash else "", version)
        return stay_of(resource, await cluster.get(resource, namespace, owner["name"]))
    except MissingError:
        gone = Resource(group, version, f"{owner['kind'].lower()}s", owner["kind"])
        return Stay(id_, gone, namespace, owner["name"])
