"""What a session is to run: the selected services, and what the base says of their containers. Never runs anything."""

from __future__ import annotations

from dataclasses import dataclass, replace

from devcfg.compiler.analysis import analyse, selected
from devcfg.compiler.checks import check_service
from devcfg.compiler.findings import Findings
from devcfg.runtime.base import CLUSTER, STDIN, find_base, read_base
from devcfg.runtime.project import together
from devcfg.runtime.session.container import Environment, Probe, environment_of, readiness_of
from devcfg.runtime.workspace import LOCAL, Workspace, check_paths, open_workspace
from devcfg.schemas.config import Service
from devcfg.schemas.diagnostic import Severity, has_errors
from devcfg.schemas.errors import ConfigError, DevcfgError, UsageError
from devcfg.schemas.plan import Binding


@dataclass(frozen=True, slots=True)
class Wanted:
    """One service as it is to run."""

    name: str
    spec: Service
    workload: str
    """`kind/name` as the base or the config has it; empty where neither says."""
    environment: Environment
    probe: Probe | None


@dataclass(frozen=True, slots=True)
class Brief:
    """The services of a session, and what is to be said before it begins."""

    project: str
    files: tuple[str, str]
    """The dev config and the personal file beside it, whether that is there or not."""
    services: tuple[Wanted, ...]
    notes: tuple[str, ...]


def read_brief(file: str | None, services: tuple[str, ...], *, local: bool = True) -> Brief:
    """Read config, personal file and base. Raises `ConfigError` with every diagnostic, `UsageError`.

    A base that cannot be read is no error: a session needs it for environment (where it is `local`) and probe alone.
    """
    workspace = open_workspace(file, with_local=True)
    names = selected(workspace.parsed.config, services)
    _check(workspace, names, services)
    bindings, notes = _bindings(workspace, services)
    found = tuple(_wanted(name, workspace.parsed.config.services[name], bindings.get(name)) for name in names)
    for one in found if local else ():
        if one.environment.missing:
            listed = ", ".join(f"`{name}`" for name in one.environment.missing)
            notes.append(f"{one.name}: only the cluster has {listed}; where it is needed, `env` in {LOCAL} sets it")
    project = workspace.real()
    files = (workspace.path, workspace.resolve(LOCAL))
    return Brief(project, files, found, tuple(notes) if local else ())


def _check(workspace: Workspace, names: tuple[str, ...], services: tuple[str, ...]) -> None:
    findings = Findings(workspace.parsed.document, workspace.parsed.file)
    for name in names:
        check_service(name, workspace.parsed.config.services[name], findings)
    # Whoever only compiles may lack a directory; whoever syncs it may not.
    places = tuple(replace(one, severity=Severity.ERROR) for one in check_paths(workspace, services))
    found = together(findings.diagnostics, places)
    if has_errors(found):
        raise ConfigError(found)


def _bindings(workspace: Workspace, services: tuple[str, ...]) -> tuple[dict[str, Binding], list[str]]:
    lost = "so environment and readiness probe of its containers are missing here"
    if workspace.parsed.config.base in (CLUSTER, STDIN):
        return {}, [f"the base is `{workspace.parsed.config.base}`, {lost}"]
    try:
        manifests = read_base(workspace, find_base(workspace, None))
    except (ConfigError, UsageError) as error:
        return {}, [f"the base cannot be read, {lost}: {error.message}"]
    found = analyse(workspace.parsed, manifests, services)
    return {binding.service: binding for group in found.groups for binding in group}, []


def _wanted(name: str, spec: Service, binding: Binding | None) -> Wanted:
    workload = binding.target.label if binding is not None else spec.workload or ""
    return Wanted(name, spec, workload, environment_of(spec, binding), readiness_of(binding))


def only(brief: Brief, given: str | None) -> str:
    """Return the named service, or the only one. Raises `DevcfgError`."""
    names = [one.name for one in brief.services]
    if given in names:
        return given
    listed = ", ".join(f"`{one}`" for one in names)
    if given is not None:
        raise DevcfgError(f"service `{given}` is not part of the session that runs", hint=f"it runs {listed}")
    if len(names) > 1:
        raise UsageError("which service?", hint=f"name one of {listed}")
    return names[0]
