"""Gives namespaced objects the configured namespace, as kustomize's NamespaceTransformer with `unsetOnly` does.

Never decides by itself which kinds have no namespace: that is kustomize's own list, by API version as it has it. A
kind or version that is not in it counts as namespaced, as it does there.
"""

from __future__ import annotations

from dataclasses import dataclass

from devcfg.schemas.patch import Json

_BOTH = ("v1", "v1beta1")
CLUSTER_SCOPED = frozenset(
    (version if group == "" else f"{group}/{version}", kind)
    for group, versions, kinds in (
        ("", ("v1",), ("ComponentStatus", "Namespace", "Node", "NodeProxyOptions", "PersistentVolume")),
        (
            "admissionregistration.k8s.io",
            _BOTH,
            ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
        ),
        ("apiextensions.k8s.io", _BOTH, ("CustomResourceDefinition",)),
        ("apiregistration.k8s.io", _BOTH, ("APIService",)),
        ("certificates.k8s.io", _BOTH, ("CertificateSigningRequest",)),
        ("flowcontrol.apiserver.k8s.io", ("v1beta1",), ("FlowSchema", "PriorityLevelConfiguration")),
        ("networking.k8s.io", _BOTH, ("IngressClass",)),
        ("node.k8s.io", _BOTH, ("RuntimeClass",)),
        ("policy", ("v1beta1",), ("PodSecurityPolicy",)),
        ("rbac.authorization.k8s.io", _BOTH, ("ClusterRole", "ClusterRoleBinding")),
        ("scheduling.k8s.io", _BOTH, ("PriorityClass",)),
        ("storage.k8s.io", _BOTH, ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment")),
    )
    for version in versions
    for kind in kinds
)
"""`apiVersion` and kind of what kustomize 5.0 to 5.7 knows to have no namespace; found by building one of each."""

_BINDINGS = ("RoleBinding", "ClusterRoleBinding")
_WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


@dataclass(frozen=True, slots=True)
class _Moved:
    """A ServiceAccount or Service with the namespace it had (`default` when unset) and the one it has now."""

    name: str
    before: str
    after: str


def place_all(objects: tuple[Json, ...], namespace: str) -> tuple[Json, ...]:
    """Return the objects with the namespace where they have none, and references to them that follow.

    All of them as they are for an empty namespace.
    """
    if not namespace:
        return objects
    placed = tuple(_default_subjects(place(one, namespace), namespace) for one in objects)
    moved: dict[str, list[_Moved]] = {"ServiceAccount": [], "Service": []}
    for before, after in zip(objects, placed, strict=True):
        if before.get("apiVersion") == "v1" and before.get("kind") in moved:
            old, new = _namespace(before), _namespace(after)
            moved[before["kind"]].append(_Moved(str((after.get("metadata") or {}).get("name")), old, new))
    return tuple(_follow(one, moved["ServiceAccount"], moved["Service"]) for one in placed)


def place(document: Json, namespace: str) -> Json:
    """Return one object with the namespace, unless it has one or its kind has none."""
    metadata = document.get("metadata") or {}
    # An explicit null stays: kustomize sees a field that is there.
    if not namespace or metadata.get("namespace", "") != "":
        return document
    if (document.get("apiVersion"), document.get("kind")) in CLUSTER_SCOPED:
        return document
    return {**document, "metadata": {**metadata, "namespace": namespace}}


def _default_subjects(document: Json, namespace: str) -> Json:
    """Place every subject called `default`, of whatever kind: kustomize does, in a binding of any group."""
    subjects = document.get("subjects")
    if document.get("kind") not in _BINDINGS or not _is_listed(subjects):
        return document
    placed = [
        {**one, "namespace": namespace} if one.get("name") == "default" and one.get("namespace", "") == "" else one
        for one in subjects
    ]
    return {**document, "subjects": placed}


def _follow(document: Json, accounts: list[_Moved], services: list[_Moved]) -> Json:
    """Point the subjects of bindings and the services of webhooks to where the things they name are now."""
    group, kind = str(document.get("apiVersion", "")).rpartition("/")[0], document.get("kind")
    if group == "rbac.authorization.k8s.io" and kind in _BINDINGS and _is_listed(document.get("subjects")):
        subjects: list[Json] = document["subjects"]
        reach = None
        if kind == "RoleBinding":
            reach = {one.get("namespace") for one in subjects if one.get("kind") == "ServiceAccount"}
            reach = {_namespace(document), *(name for name in reach if name)}
        return {**document, "subjects": [_found(one, accounts, reach) for one in subjects]}
    if group == "admissionregistration.k8s.io" and kind in _WEBHOOKS and _is_listed(document.get("webhooks")):
        return {**document, "webhooks": [_webhook(one, services) for one in document["webhooks"]]}
    return document


def _webhook(webhook: Json, services: list[_Moved]) -> Json:
    client = webhook.get("clientConfig")
    if not isinstance(client, dict) or not isinstance(client.get("service"), dict):
        return webhook
    return {**webhook, "clientConfig": {**client, "service": _found(client["service"], services, None)}}


def _is_listed(found: Json) -> bool:
    """Tell whether there is a list of mappings: what has another shape stays as it is."""
    return isinstance(found, list) and all(isinstance(one, dict) for one in found)


def _found(reference: Json, candidates: list[_Moved], reach: set[str] | None) -> Json:
    """Return the reference with the namespace of the one thing it can mean; `reach` None is any namespace.

    Where it can mean several, kustomize refuses to build; here it stays as it is.
    """
    given = reference.get("namespace")
    meant = [
        one.after
        for one in candidates
        if one.name == reference.get("name")
        and (given is None or given in (one.before, one.after))
        and (reach is None or one.after in reach)
    ]
    return {**reference, "namespace": meant[0]} if len(meant) == 1 else reference


def _namespace(document: Json) -> str:
    return (document.get("metadata") or {}).get("namespace") or "default"
