"""The passes in order: bind and check (`analysis`), lower, merge, prove. The only file that knows the order."""

from __future__ import annotations

from collections.abc import Mapping

from devcfg.compiler.analysis import analyse
from devcfg.compiler.autoscalers import Beside, is_scalable
from devcfg.compiler.binder import kind_of
from devcfg.compiler.canonical import config_digest, plan_digest
from devcfg.compiler.findings import Findings
from devcfg.compiler.lowering.agent import config_map
from devcfg.compiler.lowering.command import lower_command
from devcfg.compiler.lowering.environment import lower_environment
from devcfg.compiler.lowering.fragment import Bound, Fragment
from devcfg.compiler.lowering.image import lower_image
from devcfg.compiler.lowering.patches import lower_patches
from devcfg.compiler.lowering.pod import (
    lower_annotations,
    lower_autoscaler,
    lower_bystander,
    lower_pod,
    lower_replicas,
    lower_strategy,
    replicas,
)
from devcfg.compiler.lowering.probes import lower_probes, lower_resources
from devcfg.compiler.lowering.security import lower_user
from devcfg.compiler.lowering.volumes import lower_volumes
from devcfg.compiler.merging import collision, follow, merge, writers
from devcfg.compiler.parser import Parsed
from devcfg.compiler.prover import declared, labels_of, lost_selectors, removed, touched, undeclared
from devcfg.compiler.security import security_changes
from devcfg.compiler.witness import Witness, append_all
from devcfg.schemas.config import DevConfig
from devcfg.schemas.diagnostic import Note, Severity
from devcfg.schemas.errors import ConfigError, DevcfgError
from devcfg.schemas.manifest import Manifest
from devcfg.schemas.naming import run_directory, workload_id
from devcfg.schemas.patch import Json, Operation, Patch, apply_patch, lookup
from devcfg.schemas.plan import Binding, ObjectPatch, Plan, SessionSpec, WorkloadPlan

LOWERINGS = (lower_image, lower_command, lower_environment, lower_resources, lower_probes, lower_user, lower_volumes)
"""One a config block; their order is the order of the patch."""


def compile_plan(
    parsed: Parsed, manifests: tuple[Manifest, ...], *, shipped: Mapping[str, str], services: tuple[str, ...] = ()
) -> Plan:
    """Compile the selected services (all, when none is named) against a base.

    `shipped` is what the pod runs of ours, supervisor and agent, by file name.
    Raises `ConfigError` with every diagnostic, and `UsageError` for a service that the config does not have.
    """
    found = analyse(parsed, manifests, services)
    config, findings = found.config, found.findings
    workloads = [_compile_workload(config, group, manifests, found.beside, shipped, findings) for group in found.groups]
    if findings.failed:
        raise ConfigError(findings.diagnostics)
    return Plan(
        config=config,
        config_digest=config_digest(config),
        base=manifests,
        workloads=tuple(sorted(workloads, key=lambda one: one.id)),
        sessions=tuple(_session(config, binding) for group in found.groups for binding in group),
        diagnostics=findings.diagnostics,
    )


def _compile_workload(
    config: DevConfig,
    group: tuple[Binding, ...],
    base: tuple[Manifest, ...],
    beside: Beside,
    shipped: Mapping[str, str],
    findings: Findings,
) -> WorkloadPlan:
    first = group[0]
    manifest, kind, digest = first.manifest, kind_of(first.manifest), _digest(config, group)
    witness, identity = Witness(manifest.object), workload_id(first.target)
    bounds = tuple(Bound(one, config.services[one.service], config.images, identity, witness) for one in group)
    for bound in bounds:
        witness.read(bound.at / "name", bound.field("container"))
    shared, operations = Fragment(), lower_annotations(bounds, digest)
    for bound in bounds:
        own = sum((lower(bound) for lower in LOWERINGS), Fragment())
        operations += own.operations
        operations += append_all(witness, bound.at / "volumeMounts", own.mounts, exact=True)
        shared += own
    operations += lower_pod(bounds, shared, kind)
    operations += lower_replicas(bounds, kind)
    operations += lower_strategy(bounds, kind, shared.claims)
    operations = merge(witness.tests(), operations)
    user, security = _lower_user_patches(bounds, operations, findings)
    operations += user
    after = apply_patch(manifest.object, operations)
    _prove(bounds, user, after, base, findings)
    wanted, source = replicas(bounds)
    return WorkloadPlan(
        id=identity,
        bindings=group,
        workload=ObjectPatch(manifest, Patch(first.target, operations)),
        beside=tuple(
            ObjectPatch(one, Patch(one.target, lower_autoscaler(Witness(one.object), wanted, source)))
            for one in beside.autoscalers(first)
        ),
        bystanders=tuple(
            ObjectPatch(one, Patch(one.target, lower_bystander(Witness(one.object))))
            for one in beside.bystanders(first)
        ),
        scaled=is_scalable(first),
        additions=(config_map(bounds[0], shipped), *shared.claims),
        digest=digest,
        removes=tuple(removed(manifest.object, after)),
        security=security,
    )


def _lower_user_patches(
    bounds: tuple[Bound, ...], operations: tuple[Operation, ...], findings: Findings
) -> tuple[tuple[Operation, ...], tuple[str, ...]]:
    manifest, added, words = bounds[0].binding.manifest, (), ()  # type: Manifest, tuple[Operation, ...], tuple[str, ...]
    if not any(bound.service.patches for bound in bounds):
        return added, words
    written = writers(manifest.object, operations)
    document: Json = apply_patch(manifest.object, operations)
    for bound in bounds:
        if not bound.service.patches:
            continue
        place = ("services", bound.name, "patches")
        lowered = lower_patches(document, bound.service.patches, bound.field("patches"))
        clash = collision(written, document, lowered.operations)
        if lowered.error:
            at = place if lowered.error.at is None else (*place, lowered.error.at)
            message = f"service `{bound.name}`: {lowered.error.message}"
            findings.add("patch-fails", at, message, hint=lowered.error.hint)
            continue
        if clash:
            index = clash.second[len(bound.field("patches")) :].strip("[]")
            findings.add(
                "conflicting-writers",
                (*place, index) if index else place,
                f"`{clash.path}` is already written by `{clash.first}`",
                hint="use that field instead of a patch",
            )
            continue
        before, document = document, apply_patch(document, lowered.operations)
        written = follow(written, before, lowered.operations)
        changes = security_changes(before, document, bound.binding.template)
        if changes:
            findings.add(
                "security-relevant",
                place,
                f"these patches change what the pod may do: {'; '.join(changes)}",
                severity=Severity.WARNING,
                hint="look twice: dev mode itself never needs this",
            )
        added, words = added + lowered.operations, words + changes
    return added, words


def _prove(
    bounds: tuple[Bound, ...], user: tuple[Operation, ...], after: Json, base: tuple[Manifest, ...], findings: Findings
) -> None:
    first = bounds[0].binding
    before, template = first.manifest.object, first.template
    containers = template / "spec" / "containers"
    ours = (*(one.at for one in bounds), containers / len(lookup(before, containers)))
    allowed = declared(template, ours, touched(before, user))
    for path in undeclared(before, after, allowed):
        raise DevcfgError(
            f"{first.target.label}: dev mode would change `{path}`, which nothing declares",
            hint="this is a fault of devcfg: please report it with the config and the manifest",
        )
    old, new = labels_of(before, template), labels_of(after, template)
    for one in lost_selectors(base, first.manifest.namespace, old, new):
        name = next((bound.name for bound in bounds if bound.service.patches), first.service)
        findings.add(
            "selector-broken",
            ("services", name, "patches"),
            f"with these labels {one.target.label} selects other pods than before",
            hint="leave the labels that it selects by as they are",
            notes=(Note("its selector is here", one.file, one.line),),
        )


def _digest(config: DevConfig, group: tuple[Binding, ...]) -> str:
    return plan_digest({one.service: config.services[one.service] for one in group})


def _session(config: DevConfig, binding: Binding) -> SessionSpec:
    name = binding.service
    return SessionSpec(name, config.services[name], workload_id(binding.target), binding.name, run_directory(name))
