"""The commands that bring a plan into a cluster by hand, exact to the option. Never runs one."""

from __future__ import annotations

import json
from shlex import quote

from devcfg.overlays.inverse import invert
from devcfg.overlays.jsonpatch import live_operations
from devcfg.runtime.base import Form
from devcfg.runtime.project import Project
from devcfg.schemas.naming import WORKLOAD_LABEL
from devcfg.schemas.patch import Operation, Target
from devcfg.schemas.plan import WorkloadPlan

PLAIN_GROUPS = ("", "apps", "batch", "autoscaling")
FIXED = ("Pod", "Job")
"""Kinds whose pod the API server lets nobody patch."""
_ONLY_APPLIED = "`kubectl apply` removes only what an earlier `kubectl apply` put there"
SHOWN = 6
"""How many commands are spelled out."""


def apply_by_hand(project: Project) -> tuple[str, ...]:
    """Return lines that say how dev mode gets into objects that `kubectl apply` did not make; often none."""
    parts = [one for one in project.plan.workloads if one.removes and one.target.kind not in FIXED]
    if not parts:
        return ()
    commands = [command for one in parts for command in _patches(project, one)]
    fed = " (each with the same standard input)" if project.base.form is Form.STDIN else ""
    taken = ", ".join(one.target.label for one in parts)
    more = len(commands) - SHOWN
    return (
        f"note: dev mode takes fields away from {taken}; {_ONLY_APPLIED}.",
        f"For objects made by Helm or `kubectl create`, first what is added, then the exact patches{fed}:",
        f"  {_devcfg(project, tuple(project.sources.services))} | kubectl apply -l {WORKLOAD_LABEL} -f -",
        *(f"  {one}" for one in commands[:SHOWN]),
        *((f"  … and {more} more: name a service to see its own",) if more > 0 else ()),
    )


def patch_by_hand(project: Project, workload: WorkloadPlan) -> tuple[str, ...]:
    """Return lines that say what the patch of a workload alone does not do; often none."""
    if workload.target.kind in FIXED:
        refused = f"note: the API server refuses this patch on a {workload.target.kind} that exists"
        return (f"{refused}: delete {workload.target.label}, then apply what `devcfg render` prints",)
    beside = _patches_beside(project, workload)
    labels = ", ".join(one.patch.target.label for one in workload.beside)
    return (f"note: {labels} needs a patch of its own:", *(f"  {one}" for one in beside)) if beside else ()


def take_back_by_hand(project: Project, workload: WorkloadPlan) -> tuple[str, ...]:
    """Return lines that say what an inverse patch of the workload leaves: objects beside it, objects added."""
    lines = []
    for one in workload.beside:
        steps = invert(one.manifest.object, one.patch.operations)
        lines.append(f"  {_kubectl_patch(project, one.patch.target)} -p {quote(_flow(steps))}")
    maps = [one["metadata"]["name"] for one in workload.additions if one["kind"] == "ConfigMap"]
    claims = [one["metadata"]["name"] for one in workload.additions if one["kind"] == "PersistentVolumeClaim"]
    namespace = _namespace(project, workload.target)
    lines += [f"  kubectl delete{namespace} {quote(f'configmap/{name}')}" for name in maps]
    lines += [
        f"  kubectl delete{namespace} {quote(f'persistentvolumeclaim/{name}')} # with its files" for name in claims
    ]
    return ("note: beside this patch, dev mode is taken back by:", *lines)


def _patches(project: Project, workload: WorkloadPlan) -> list[str]:
    services = tuple(one.service for one in workload.bindings)
    again = _devcfg(project, services)
    found = [f'{_kubectl_patch(project, workload.target)} -p "$({again} --format json-patch)"']
    return found + _patches_beside(project, workload)


def _patches_beside(project: Project, workload: WorkloadPlan) -> list[str]:
    return [
        f"{_kubectl_patch(project, one.patch.target)} -p {quote(_flow(live_operations(one)))}"
        for one in workload.beside
    ]


def _devcfg(project: Project, services: tuple[str, ...]) -> str:
    return " ".join(["devcfg render", *services]) + project.sources.words


def _kubectl_patch(project: Project, target: Target) -> str:
    kind = target.kind.lower()
    if target.group not in PLAIN_GROUPS:
        kind = f"{kind}.{target.version}.{target.group}"
    return f"kubectl patch {quote(f'{kind}/{target.name}')}{_namespace(project, target)} --type json"


def _namespace(project: Project, target: Target) -> str:
    namespace = target.namespace or project.plan.namespace
    return f" -n {quote(namespace)}" if namespace else ""


def _flow(steps: tuple[Operation, ...]) -> str:
    return json.dumps([one.to_json() for one in steps], ensure_ascii=False, separators=(",", ":"))
