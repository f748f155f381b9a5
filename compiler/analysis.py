"""The first passes: bind and check. What `validate` needs, and where every other compile begins. Never lowers."""

from __future__ import annotations

from dataclasses import dataclass

from devcfg.compiler.autoscalers import Beside
from devcfg.compiler.binder import bind
from devcfg.compiler.checks import check_binding, check_images, check_service
from devcfg.compiler.findings import Findings
from devcfg.compiler.parser import Parsed
from devcfg.compiler.sharing import check_sharing
from devcfg.schemas.config import DevConfig
from devcfg.schemas.diagnostic import Diagnostic, Note, Severity
from devcfg.schemas.errors import ConfigError, UsageError
from devcfg.schemas.fields import closest
from devcfg.schemas.manifest import Manifest
from devcfg.schemas.plan import Binding


@dataclass(frozen=True, slots=True)
class Analysis:
    """Services bound to their containers, grouped by workload, with what was found on the way."""

    config: DevConfig
    groups: tuple[tuple[Binding, ...], ...]
    beside: Beside
    findings: Findings


def analyse(parsed: Parsed, manifests: tuple[Manifest, ...], services: tuple[str, ...]) -> Analysis:
    """Bind the selected services and check the rules. Raises `ConfigError` with every diagnostic."""
    config, findings = parsed.config, Findings(parsed.document, parsed.file)
    names = selected(config, services)
    check_images(config.images, findings)
    for name in names:
        check_service(name, config.services[name], findings)
    bindings = bind(config, manifests, names, findings)
    beside = Beside(manifests, config.namespace or "")
    for binding in bindings:
        check_binding(config.services[binding.service], binding, findings)
        beside.check(binding, findings)
    groups = _by_workload(bindings)
    _check_replicas(config, groups, findings)
    for group in groups:
        _check_scale_down(config, group, findings)
        check_sharing(config, group, findings)
    if findings.failed:
        raise ConfigError(findings.diagnostics)
    return Analysis(config, groups, beside, findings)


def check_plan(
    parsed: Parsed, manifests: tuple[Manifest, ...], *, services: tuple[str, ...] = ()
) -> tuple[Diagnostic, ...]:
    """Return warnings and notes; raise `ConfigError` with every diagnostic where there is an error.

    The user's own patches can only be tried by lowering all the rest: only then is the whole plan compiled.
    """
    names = selected(parsed.config, services)
    if any(parsed.config.services[name].patches for name in names):
        from devcfg.compiler.pipeline import compile_plan

        return compile_plan(parsed, manifests, shipped={}, services=services).diagnostics
    return analyse(parsed, manifests, services).findings.diagnostics


def selected(config: DevConfig, services: tuple[str, ...]) -> tuple[str, ...]:
    """Return the named services in the config's order, or all of them."""
    for name in services:
        if name not in config.services:
            near = closest(name, tuple(config.services))
            hint = near or f"it has {', '.join(f'`{one}`' for one in config.services)}"
            raise UsageError(f"the config has no service `{name}`", hint=hint)
    return tuple(name for name in config.services if not services or name in services)


def _by_workload(bindings: tuple[Binding, ...]) -> tuple[tuple[Binding, ...], ...]:
    groups: dict[int, list[Binding]] = {}
    for binding in bindings:
        groups.setdefault(id(binding.manifest), []).append(binding)
    return tuple(tuple(group) for group in groups.values())


def _check_replicas(config: DevConfig, groups: tuple[tuple[Binding, ...], ...], findings: Findings) -> None:
    for group in groups:
        said = [(one.service, number) for one in group if (number := config.services[one.service].replicas) is not None]
        for name, number in said[1:]:
            if number != said[0][1]:
                findings.add(
                    "replicas-conflict",
                    ("services", name, "replicas"),
                    f"services `{said[0][0]}` and `{name}` want different replicas of {group[0].target.label}",
                    hint="say it once",
                )


def _check_scale_down(config: DevConfig, group: tuple[Binding, ...], findings: Findings) -> None:
    """Refuse to scale a StatefulSet down by default where that deletes claims: no way back brings their files back."""
    target, spec = group[0].target, group[0].manifest.object["spec"]
    policy = spec.get("persistentVolumeClaimRetentionPolicy")
    deletes = isinstance(policy, dict) and policy.get("whenScaled") == "Delete"
    before = spec.get("replicas", 1)
    if target.kind != "StatefulSet" or not deletes or not isinstance(before, int):
        return
    said = next((one for one in group if config.services[one.service].replicas is not None), None)
    wanted = 1 if said is None else config.services[said.service].replicas or 1
    if wanted < before:
        findings.add(
            "claims-deleted",
            ("services", group[0].service) if said is None else ("services", said.service, "replicas"),
            f"{target.label} has {before} replicas and deletes the claims of those that are scaled away",
            severity=Severity.ERROR if said is None else Severity.WARNING,
            key=said is None,
            hint=f"keep them (`replicas: {before}`), or say how many shall stay",
            notes=(Note(f"{target.label} is here", group[0].manifest.file, group[0].manifest.line),),
        )
