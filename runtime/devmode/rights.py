"""What the user must be allowed to do for a dev config, as lines of a Role. Never more than that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from devcfg.runtime.cluster.cluster import Access, Cluster
from devcfg.runtime.cluster.errors import ForbiddenError


@dataclass(frozen=True, slots=True)
class Need:
    """Some verbs on one resource, and what for. `optional` ones make things better; without them it works, too."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    what_for: str
    names: tuple[str, ...] = ()
    """The objects; all where there are none."""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Post:
    """A workload as far as rights go: its resource in the plural, and what dev mode has beside it."""

    id: str
    group: str
    resource: str
    kind: str
    name: str
    claims: tuple[str, ...] = ()
    scalers: tuple[str, ...] = ()


def needs_of(posts: Iterable[Post]) -> tuple[Need, ...]:
    """Return what developing these workloads of one namespace asks for."""
    listed = list(posts)
    maps = tuple(f"devcfg-{one.id}" for one in listed)
    claims = tuple(name for one in listed for name in one.claims)
    scalers = tuple(name for one in listed for name in one.scalers)
    kinds = {one.kind for one in listed}
    found = [
        *_workloads(listed),
        Need("", "pods", ("get", "list", "watch"), "find the dev pod, and say why it does not start"),
        Need("", "pods/log", ("get",), "show the log"),
        Need("", "pods/exec", ("get", "create"), "sync, restart, shell"),
        Need("", "pods/portforward", ("get", "create"), "forward ports"),
        Need("", "events", ("list",), "say why a pod does not start"),
        Need("", "configmaps", ("create",), "bring supervisor and agent along"),
        Need("", "configmaps", ("get", "update", "delete"), "and take them away", maps),
        Need("coordination.k8s.io", "leases", ("create",), "one developer a workload"),
        Need("coordination.k8s.io", "leases", ("get", "update", "delete"), "and who that is", maps),
    ]
    if claims:
        found += [
            Need("", "persistentvolumeclaims", ("create", "list"), "`persist`"),
            Need("", "persistentvolumeclaims", ("get", "delete"), "`persist`", claims),
        ]
    if scalers:
        what = "hold the autoscaler while you develop"
        found.append(Need("autoscaling", "horizontalpodautoscalers", ("get", "patch"), what, scalers))
    if "ReplicaSet" in kinds:
        found.append(Need("", "pods", ("delete",), "a ReplicaSet does not replace its pods by itself"))
    else:
        what = "pull images before the old pod stops; a StatefulSet may wait for a broken pod for ever"
        found.append(Need("", "pods", ("delete",), what, optional=True))
    if "Deployment" in kinds:
        found += [
            Need("apps", "replicasets", ("list",), "tell dev pods from others"),
            Need("apps", "replicasets", ("delete",), "`rollout undo` never enters dev mode", optional=True),
        ]
    if kinds & {"StatefulSet", "DaemonSet"}:
        what = "`rollout undo` never enters dev mode"
        found.append(Need("apps", "controllerrevisions", ("list", "delete"), what, optional=True))
    what = "see autoscalers, which would scale dev mode up"
    found += [
        Need("autoscaling", "horizontalpodautoscalers", ("list",), what, optional=not scalers),
        Need("", "pods", ("create",), "a dry run before anything is changed: policies, quota", optional=True),
        Need("", "configmaps", ("list",), "`down --all` and `status` of the whole namespace", optional=True),
        Need("coordination.k8s.io", "leases", ("list",), "`down --all` and `status`", optional=True),
    ]
    return tuple(found)


def _workloads(posts: Sequence[Post]) -> list[Need]:
    by_resource: dict[tuple[str, str], list[str]] = {}
    for one in posts:
        by_resource.setdefault((one.group, one.resource), []).append(one.name)
    return [
        Need(group, resource, ("get", "watch", "patch"), "the workload itself", tuple(names))
        for (group, resource), names in by_resource.items()
    ]


def accesses(needs: Iterable[Need], namespace: str) -> tuple[Access, ...]:
    """Return each verb on each object as a question to the cluster."""
    return tuple(
        Access(verb, one.group, resource, subresource, namespace, name)
        for one in needs
        for resource, _, subresource in (one.resource.partition("/"),)
        for verb in one.verbs
        for name in (one.names or ("",))
    )


async def check(cluster: Cluster, needs: Iterable[Need], namespace: str) -> None:
    """Ask for all that is needed at once. Raises `ForbiddenError` that names what is missing first."""
    asked = accesses((one for one in needs if not one.optional), namespace)
    answers = await cluster.may(asked)
    missing = [one for one, allowed in zip(asked, answers, strict=True) if not allowed]
    if not missing:
        return
    first = missing[0]
    said = [f"`{one.verb} {spelled(one)}`" for one in missing]
    more = f" and {len(said) - 4} more" if len(said) > 4 else ""
    raise ForbiddenError(
        f"you may not {', '.join(said[:4])}{more} in namespace `{namespace}`; nothing was changed",
        verb=first.verb,
        resource=spelled(first),
        hint="`devcfg rbac` prints the Role that is needed",
    )


async def may(cluster: Cluster, verb: str, group: str, resource: str, namespace: str) -> bool:
    """Tell whether one thing is allowed."""
    (allowed,) = await cluster.may((Access(verb, group, resource, "", namespace),))
    return allowed


def spelled(one: Access) -> str:
    """Return the resource as a Role has it."""
    return f"{one.resource}/{one.subresource}" if one.subresource else one.resource


def render_role(needs: Iterable[Need], namespace: str) -> str:
    """Return a Role as YAML, each rule with what it is for."""
    lines = [
        "apiVersion: rbac.authorization.k8s.io/v1",
        "kind: Role",
        "metadata:",
        "  name: devcfg",
        f"  namespace: {namespace}",
        "rules:",
    ]
    for one in sorted(needs, key=lambda need: need.optional):
        lines.append(f"  # {'optional: ' * one.optional}{one.what_for}")
        lines.append(f'  - apiGroups: ["{one.group}"]')
        lines.append(f"    resources: [{one.resource}]")
        lines += [f"    resourceNames: [{', '.join(one.names)}]"] * bool(one.names)
        lines.append(f"    verbs: [{', '.join(one.verbs)}]")
    return "\n".join(lines) + "\n"
