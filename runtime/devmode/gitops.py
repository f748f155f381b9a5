"""Who else writes a workload: Flux, Argo CD, Helm. Seen from metadata and managedFields alone; never asks them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum

from devcfg.runtime.devmode.record import annotations_of
from devcfg.schemas.patch import Json, Pointer

PAUSE_ANNOTATION = "kustomize.toolkit.fluxcd.io/reconcile"
PAUSED = "disabled"
MANAGER = "devcfg"
"""Our field manager."""
_ARGO = ("argocd-controller", "argocd-application-controller", "argocd-server")


class Tool(Enum):
    """Whose work a workload is."""

    FLUX = "flux"
    FLUX_HELM = "flux helm release"
    ARGO = "argo cd"
    HELM = "helm"


@dataclass(frozen=True, slots=True)
class Steward:
    """The tool that keeps a workload as it wants it, and the name of its object or release where that is said."""

    tool: Tool
    name: str
    namespace: str = ""

    @property
    def label(self) -> str:
        """The tool and its object, as in `flux kustomization apps`."""
        kinds = {
            Tool.FLUX: "flux kustomization",
            Tool.FLUX_HELM: "flux helm release",
            Tool.ARGO: "argo cd application",
            Tool.HELM: "helm release",
        }
        return f"{kinds[self.tool]} `{self.name}`" if self.name else self.tool.value


def steward_of(document: Json) -> Steward | None:
    """Return who keeps a workload; None where nobody says so."""
    meta = document.get("metadata") or {}
    labels, annotations = meta.get("labels") or {}, annotations_of(document)
    managers = {one.get("manager") for one in meta.get("managedFields") or []}
    if "kustomize.toolkit.fluxcd.io/name" in labels or "kustomize-controller" in managers:
        space = labels.get("kustomize.toolkit.fluxcd.io/namespace", "")
        return Steward(Tool.FLUX, labels.get("kustomize.toolkit.fluxcd.io/name", ""), space)
    if "helm.toolkit.fluxcd.io/name" in labels or "helm-controller" in managers:
        space = labels.get("helm.toolkit.fluxcd.io/namespace", "")
        return Steward(Tool.FLUX_HELM, labels.get("helm.toolkit.fluxcd.io/name", ""), space)
    tracking = annotations.get("argocd.argoproj.io/tracking-id")
    if tracking is not None or "argocd.argoproj.io/instance" in labels or managers & set(_ARGO):
        name = tracking.partition(":")[0] if tracking else labels.get("argocd.argoproj.io/instance")
        # An application outside of Argo CD's own namespace is tracked as `NAMESPACE_NAME`.
        space, _, name = str(name or labels.get("app.kubernetes.io/instance", "")).rpartition("_")
        return Steward(Tool.ARGO, name, space)
    if "meta.helm.sh/release-name" in annotations or "helm" in managers:
        space = annotations.get("meta.helm.sh/release-namespace", "")
        return Steward(Tool.HELM, annotations.get("meta.helm.sh/release-name", ""), space)
    return None


def is_paused(document: Json) -> bool:
    """Tell whether Flux was told to leave an object alone."""
    return annotations_of(document).get(PAUSE_ANNOTATION) == PAUSED


def advice(steward: Steward, label: str, overlay: str) -> tuple[str, ...]:
    """Return what is to be known before a workload (`label`) of such a tool goes into dev mode, in sentences.

    `overlay` is the directory of the committed overlay; empty where there is none.
    """
    name = steward.name or "NAME"
    match steward.tool:
        case Tool.FLUX:
            return (f"{label} belongs to {steward.label}: it is told to leave the workload alone until `down`",)
        case Tool.FLUX_HELM:
            command = f"flux suspend helmrelease {name}" + f" -n {steward.namespace}" * bool(steward.namespace)
            return (f"{label} belongs to {steward.label}: its next upgrade ends dev mode; `{command}` holds it off",)
        case Tool.HELM:
            return (f"{label} belongs to {steward.label}: a `helm upgrade` while you develop ends dev mode",)
        case Tool.ARGO:
            first = f"{label} belongs to {steward.label}: self-heal, where it is on, takes dev mode back within seconds"
            return (f"{first}, and devcfg puts it there again only once", *_argo_ways(name, steward.namespace, overlay))


def _argo_ways(application: str, space: str, overlay: str) -> tuple[str, ...]:
    """Return what fits, the best last: Argo CD has no pause for one object."""
    patch = f"kubectl -n {space or 'argocd'} patch application {application} --type merge -p "
    off = '\'{"spec":{"syncPolicy":{"automated":{"enabled":false}}}}\''
    on = off.replace("false", "true")
    parents = (
        "where an ApplicationSet makes the application, that takes it back unless it says "
        "`ignoreApplicationDifferences: [{jsonPointers: [/spec/syncPolicy]}]`"
    )
    hold = f"hold it off while you develop: `{patch}{off}`, and afterwards `{patch}{on}`"
    if overlay:
        named = f"argocd app set {space + '/' * bool(space)}{application}"
        best = f"best point the application at the overlay on a branch: `{named} --revision BRANCH --path {overlay}`"
        return (f"or {hold}; {parents}", best)
    return (parents, f"{hold}; or commit the overlay (`devcfg render --write`) and point the application at it")


def writer_of(document: Json, paths: tuple[Pointer, ...] = ()) -> str:
    """Return which field manager wrote one of these places last, beside us; if none did, who wrote the object last.

    Empty where that is not known. The status does not count.
    """
    fields = (document.get("metadata") or {}).get("managedFields") or []
    others = [one for one in fields if one.get("manager") != MANAGER and one.get("subresource") != "status"]
    owners = [one for one in others if any(_owns(one.get("fieldsV1"), document, path) for path in paths)]
    found = sorted(owners or others, key=lambda one: str(one.get("time") or ""))
    return str(found[-1].get("manager") or "") if found else ""


def _owns(fields: Json, document: Json, path: Pointer) -> bool:
    """Tell whether a set of fields (FieldsV1) has a place; elements of a list are in it by their name."""
    for token in path:
        if not isinstance(fields, dict):
            return False
        if isinstance(document, list):
            at = int(token) if token.isdecimal() and int(token) < len(document) else -1
            document = document[at] if document and at >= 0 else None
            name = document.get("name") if isinstance(document, dict) else None
            keys = [key for key in fields if key.startswith("k:") and json.loads(key[2:]).get("name") == name]
            if name is None or not keys:
                return False
            fields = fields[keys[0]]
        else:
            document = document.get(token) if isinstance(document, dict) else None
            if f"f:{token}" not in fields:
                return False
            fields = fields[f"f:{token}"]
    return True
