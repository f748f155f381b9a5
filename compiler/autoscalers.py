"""Finds what scales or protects a bound workload: HorizontalPodAutoscaler, KEDA, PodDisruptionBudget. Never lowers."""

from __future__ import annotations

from devcfg.compiler.binder import kind_of
from devcfg.compiler.findings import Findings
from devcfg.compiler.prover import labels_of, selector_of, selects
from devcfg.compiler.shapes import SCALER, misshapen
from devcfg.schemas.diagnostic import Note, Severity
from devcfg.schemas.manifest import Manifest
from devcfg.schemas.plan import Binding

SCALERS = (("autoscaling", "HorizontalPodAutoscaler"), ("keda.sh", "ScaledObject"))


class Beside:
    """The objects of a base that act on workloads, found once for all services."""

    def __init__(self, base: tuple[Manifest, ...], namespace: str) -> None:
        self._namespace = namespace
        """What objects get that have none."""
        base = tuple(sorted(base, key=lambda one: (one.kind, one.namespace, one.name)))
        # What is not shaped like an autoscaler scales nothing: the API server refuses it.
        scalers = [one for one in base if (one.group, one.kind) in SCALERS and not misshapen(one.object, SCALER)]
        self._scalers = [one for one in scalers if one.kind == "HorizontalPodAutoscaler"]
        self._keda = [one for one in scalers if one.kind == "ScaledObject"]
        self._budgets = [one for one in base if (one.group, one.kind) == ("policy", "PodDisruptionBudget")]

    def autoscalers(self, binding: Binding) -> tuple[Manifest, ...]:
        """Return the HorizontalPodAutoscalers of a workload."""
        return tuple(one for one in self._scalers if self._scales(one, binding))

    def bystanders(self, binding: Binding) -> tuple[Manifest, ...]:
        """Return what scales other workloads, and could turn to this one."""
        if not is_scalable(binding):
            return ()
        return tuple(one for one in (*self._scalers, *self._keda) if not self._scales(one, binding))

    def check(self, binding: Binding, findings: Findings) -> None:
        """Refuse a workload that KEDA scales; note a disruption budget, which is left alone."""
        at = ("services", binding.service)
        for one in self._keda:
            if self._scales(one, binding):
                findings.add(
                    "keda-scaled",
                    at,
                    f"service `{binding.service}`: KEDA scales {binding.target.label} and would undo dev mode",
                    hint='pause it first: annotation `autoscaling.keda.sh/paused-replicas: "1"` in the base',
                    notes=(Note(f"the ScaledObject `{one.name}` is here", one.file, one.line),),
                    key=True,
                )
        labels = labels_of(binding.manifest.object, binding.template)
        for one in self._budgets:
            selector = selector_of(one)
            if selector is not None and self._is_near(one, binding.manifest) and selects(selector, labels):
                findings.add(
                    "disruption-budget",
                    at,
                    f"PodDisruptionBudget `{one.name}` stays as it is: with one pod it may hold up a node drain",
                    severity=Severity.NOTE,
                    key=True,
                    notes=(Note("the budget is here", one.file, one.line),),
                )

    def _scales(self, scaler: Manifest, binding: Binding) -> bool:
        target = (scaler.object.get("spec") or {}).get("scaleTargetRef") or {}
        group, slash, _ = str(target.get("apiVersion", "")).partition("/")
        kind = target.get("kind", "Deployment" if scaler.group == "keda.sh" else "")
        return (
            is_scalable(binding)
            and (kind, target.get("name")) == (binding.target.kind, binding.target.name)
            and (not slash or group == binding.target.group)
            and self._is_near(scaler, binding.manifest)
        )

    def _is_near(self, one: Manifest, other: Manifest) -> bool:
        return (one.namespace or self._namespace) == (other.namespace or self._namespace)


def is_scalable(binding: Binding) -> bool:
    """Tell whether an autoscaler can act on a workload; of a kind that is not known, it may."""
    kind = kind_of(binding.manifest)
    return kind is None or kind.scaled
