"""The Plan: everything a compile decided, before anything is done. Never holds text of a file to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from devcfg.schemas.config import DevConfig, Service
from devcfg.schemas.diagnostic import Diagnostic
from devcfg.schemas.manifest import Manifest
from devcfg.schemas.patch import Patch, Pointer, Target


@dataclass(frozen=True, slots=True)
class Binding:
    """The workload and container found for a service. `template` and `container` are pointers into the workload."""

    service: str
    manifest: Manifest
    template: Pointer
    index: int
    name: str

    @property
    def target(self) -> Target:
        """The selector of the workload."""
        return self.manifest.target

    @property
    def container(self) -> Pointer:
        """The pointer of the dev container."""
        return self.template / "spec" / "containers" / self.index


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """What a session needs to know of one service beyond the pod: sync, reload, debug, ports, shell, commands."""

    service: str
    spec: Service
    workload: str
    container: str
    directory: str
    """The supervisor's state directory in the pod."""


@dataclass(frozen=True, slots=True)
class ObjectPatch:
    """A base object and the patch that dev mode puts on it."""

    manifest: Manifest
    patch: Patch


@dataclass(frozen=True, slots=True)
class WorkloadPlan:
    """Dev mode of one workload: its patch, the patches of objects beside it (an HPA), and the objects it adds."""

    id: str
    bindings: tuple[Binding, ...]
    workload: ObjectPatch
    beside: tuple[ObjectPatch, ...]
    additions: tuple[dict[str, Any], ...]
    digest: str
    """`v1-HEX`, as the annotation `devcfg.dev/plan` carries it."""
    removes: tuple[Pointer, ...]
    """Fields of the base that dev mode takes away: what `kubectl apply` does not do for objects it did not make."""
    security: tuple[str, ...] = ()
    """Security-relevant changes that `patches` make, in words."""
    bystanders: tuple[ObjectPatch, ...] = ()
    """Autoscalers of other workloads: their patches change nothing, and assert that they do not turn to this one."""
    scaled: bool = False
    """Whether an autoscaler that the base gains could act on this workload."""

    @property
    def target(self) -> Target:
        """The selector of the workload."""
        return self.workload.patch.target

    @property
    def patched(self) -> tuple[ObjectPatch, ...]:
        """The workload first, then the objects beside it."""
        return (self.workload, *self.beside)


@dataclass(frozen=True, slots=True)
class Plan:
    """Dev mode of the selected services: one part a workload, ordered by id, and one session a service."""

    config: DevConfig
    config_digest: str
    """SHA-256 of the canonical JSON of the dev config, defaults filled in."""
    base: tuple[Manifest, ...]
    workloads: tuple[WorkloadPlan, ...]
    sessions: tuple[SessionSpec, ...]
    diagnostics: tuple[Diagnostic, ...]
    """Warnings and notes; a plan exists only where there is no error."""

    @property
    def namespace(self) -> str:
        """The namespace that the config gives to objects that have none; empty if it gives none."""
        return self.config.namespace or ""
