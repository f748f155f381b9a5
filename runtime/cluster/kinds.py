"""Finding how a kind is served: the usual ones from a table, the others by what discovery says. Asks nothing itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from devcfg.runtime.cluster.cluster import Resource

# They are served by every cluster of our time: none of them is worth two round trips.
_USUAL = """
v1 Pod pods po
v1 Service services svc
v1 ConfigMap configmaps cm
v1 Secret secrets
v1 Event events ev
v1 ServiceAccount serviceaccounts sa
v1 PersistentVolumeClaim persistentvolumeclaims pvc
v1 ResourceQuota resourcequotas quota
v1 LimitRange limitranges limits
v1 ReplicationController replicationcontrollers rc
v1 !Namespace namespaces ns
v1 !Node nodes no
apps/v1 Deployment deployments deploy
apps/v1 StatefulSet statefulsets sts
apps/v1 DaemonSet daemonsets ds
apps/v1 ReplicaSet replicasets rs
apps/v1 ControllerRevision controllerrevisions
batch/v1 Job jobs
batch/v1 CronJob cronjobs cj
autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers hpa
coordination.k8s.io/v1 Lease leases
rbac.authorization.k8s.io/v1 Role roles
rbac.authorization.k8s.io/v1 RoleBinding rolebindings
authorization.k8s.io/v1 !SelfSubjectAccessReview selfsubjectaccessreviews
"""


@dataclass(frozen=True, slots=True)
class Served:
    """A resource, and the words that people call it by, in lower case."""

    resource: Resource
    words: frozenset[str]


def _read() -> Iterable[Served]:
    for line in _USUAL.strip().splitlines():
        version, kind, plural, *short = line.split()
        group, _, version = version.rpartition("/")
        resource = Resource(group, version, plural, kind.removeprefix("!"), namespaced=not kind.startswith("!"))
        yield Served(resource, frozenset({resource.kind.lower(), plural, *short}))


USUAL = tuple(_read())


@dataclass(frozen=True, slots=True)
class Wanted:
    """A kind as it was asked for; a group of None is any, an empty version the preferred one."""

    word: str
    group: str | None = None
    version: str = ""

    @classmethod
    def parse(cls, kind: str, group: str | None, version: str) -> Wanted:
        """Read `kind`, `plural`, `version/kind` of the core group, or `group/version/kind`."""
        match kind.split("/"):
            case [first, second, third]:
                return cls(third.lower(), first, second)
            case [first, second]:
                return cls(second.lower(), "", first)
        return cls(kind.lower(), group, version)

    def pick(self, served: Iterable[Served]) -> Resource | None:
        """Return the first that it means."""
        for one in served:
            group, version = one.resource.group, one.resource.version
            if self.word in one.words and self.group in (None, group) and self.version in ("", version):
                return one.resource
        return None

    def __str__(self) -> str:
        return "/".join(part for part in (self.group, self.version, self.word) if part)


def read_list(document: Any) -> tuple[Served, ...]:
    """Read an `APIResourceList` of discovery, without subresources."""
    group, _, version = str(document.get("groupVersion", "")).rpartition("/")
    return tuple(
        Served(
            Resource(group, version, one["name"], one["kind"], namespaced=bool(one.get("namespaced"))),
            frozenset(
                {
                    one["kind"].lower(),
                    one["name"],
                    *filter(None, [one.get("singularName")]),
                    *(one.get("shortNames") or ()),
                }
            ),
        )
        for one in document.get("resources") or ()
        if "/" not in one["name"]
    )


def versions(document: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Read an `APIGroupList`: each group with its versions, the preferred one first."""
    return tuple((one["name"], group_versions(one)) for one in document.get("groups") or ())


def group_versions(group: Any) -> tuple[str, ...]:
    """Read an `APIGroup`: its versions, the preferred one first."""
    preferred = (group.get("preferredVersion") or {}).get("version")
    found = [one["version"] for one in group.get("versions") or ()]
    return tuple(sorted(found, key=lambda one: one != preferred))
