"""What is known of each kind of workload: its pod template, its replicas. Closed tables, never logic."""

from __future__ import annotations

from dataclasses import dataclass

from devcfg.schemas.patch import Pointer


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of workload. `scaled` tells whether `/spec/replicas` means pods; `rolling` whether it has a strategy."""

    group: str
    kind: str
    template: Pointer
    scaled: bool = False
    rolling: bool = False
    fixed: bool = False
    """Whether the API server refuses changes of the pod template of an object that exists."""
    completes: bool = False
    """Whether its pods may complete: those of all others are started again for ever."""


_TEMPLATE = Pointer(("spec", "template"))

KINDS = (
    Kind("apps", "Deployment", _TEMPLATE, scaled=True, rolling=True),
    Kind("apps", "StatefulSet", _TEMPLATE, scaled=True),
    Kind("apps", "DaemonSet", _TEMPLATE),
    Kind("apps", "ReplicaSet", _TEMPLATE, scaled=True),
    Kind("batch", "Job", _TEMPLATE, fixed=True, completes=True),
    Kind("batch", "CronJob", Pointer(("spec", "jobTemplate", "spec", "template")), completes=True),
    Kind("", "Pod", Pointer(), fixed=True, completes=True),
    Kind("argoproj.io", "Rollout", _TEMPLATE, scaled=True),
    Kind("apps.kruise.io", "CloneSet", _TEMPLATE, scaled=True),
    Kind("apps.kruise.io", "StatefulSet", _TEMPLATE, scaled=True),
    Kind("apps.kruise.io", "DaemonSet", _TEMPLATE),
)

SHORT_NAMES = {
    "deploy": "deployment",
    "sts": "statefulset",
    "ds": "daemonset",
    "rs": "replicaset",
    "cj": "cronjob",
    "po": "pod",
    "ro": "rollout",
}


def known_kind(group: str, kind: str) -> Kind | None:
    """Return what is known of a kind, or nothing."""
    for one in KINDS:
        if one.group == group and one.kind == kind:
            return one
    return None
