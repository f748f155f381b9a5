"""A dev config with its base: what every command starts from. Never decides what dev mode is."""

from __future__ import annotations

import os
from dataclasses import dataclass

from devcfg.runtime.base import Base, find_base, read_base
from devcfg.runtime.workspace import Workspace, check_paths, open_workspace
from devcfg.schemas.diagnostic import Diagnostic, Severity, has_errors
from devcfg.schemas.errors import ConfigError
from devcfg.schemas.plan import Plan


@dataclass(frozen=True, slots=True)
class Sources:
    """What the command line says about where to read: `-f`, `--base`, `--with-local`, and the services."""

    file: str | None = None
    base: str | None = None
    with_local: bool = False
    services: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The options again, for commands that we tell the user to run; they begin with a space."""
        from shlex import quote

        given = {"-f": self.file, "--base": self.base}
        words = "".join(f" {option} {quote(value)}" for option, value in given.items() if value is not None)
        return words + " --with-local" * self.with_local


@dataclass(frozen=True, slots=True)
class Project:
    """A compiled dev config: what was read, the plan that was made of it, and what is to be said of both."""

    sources: Sources
    workspace: Workspace
    base: Base
    plan: Plan
    diagnostics: tuple[Diagnostic, ...]


def compile_project(sources: Sources) -> Project:
    """Read config and base and compile the plan. Raises `ConfigError` with every diagnostic, `UsageError`."""
    from devcfg.compiler import compile_plan, selected

    workspace = open_workspace(sources.file, with_local=sources.with_local)
    selected(workspace.parsed.config, sources.services)
    found = check_paths(workspace, sources.services)
    try:
        base = find_base(workspace, sources.base)
        manifests = read_base(workspace, base)
        plan = compile_plan(workspace.parsed, manifests, shipped=shipped(), services=sources.services)
    except ConfigError as error:
        raise ConfigError(together(found, error.diagnostics), hint=error.hint) from None
    diagnostics = together(found, plan.diagnostics)
    if has_errors(diagnostics):
        raise ConfigError(diagnostics)
    return Project(sources, workspace, base, plan, diagnostics)


def shipped() -> dict[str, str]:
    """Return what the pod runs of ours, by file name: the supervisor, then the agent's modules in their order."""
    pod = os.path.join(os.path.dirname(os.path.realpath(__file__)), "pod")
    agent = os.path.join(pod, "agent")
    paths = [os.path.join(pod, "supervisor.sh")]
    paths += [os.path.join(agent, name) for name in sorted(os.listdir(agent)) if name.endswith(".py")]
    return {os.path.basename(path): _text(path) for path in paths}


def _text(path: str) -> str:
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def together(*groups: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """Join findings of several readers in the order of the files, the gravest one a place."""
    ranks = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}
    found = sorted((one for group in groups for one in group), key=lambda one: (one.order[:3], ranks[one.severity]))
    kept: dict[object, Diagnostic] = {}
    for one in found:
        kept.setdefault((one.file, one.span.line, one.span.column) if one.span else one, one)
    return tuple(kept.values())
