"""`devcfg validate`: every finding in config and base, for people and machines. Never compiles more than it must."""

from __future__ import annotations

from devcfg.runtime import console
from devcfg.runtime.base import Form, find_base, read_base
from devcfg.runtime.project import Sources, together
from devcfg.runtime.workspace import Workspace, check_paths, open_workspace, quote_line
from devcfg.schemas.diagnostic import Diagnostic, Severity, has_errors
from devcfg.schemas.errors import ConfigError


def validate(sources: Sources, form: str) -> int:
    """Check everything, print the findings, and return the exit code."""
    said = ""
    try:
        workspace = open_workspace(sources.file)
        said, found = _summary(workspace, sources), findings_of(workspace, sources)
    except ConfigError as error:
        found = error.diagnostics
    _print(found, form, said)
    return 2 if has_errors(found) else 0


def findings_of(workspace: Workspace, sources: Sources) -> tuple[Diagnostic, ...]:
    """Return every finding in config and base."""
    from devcfg.compiler import check_plan, selected

    selected(workspace.parsed.config, sources.services)
    found = check_paths(workspace, sources.services)
    try:
        base = find_base(workspace, sources.base)
        if base.form is Form.CLUSTER:
            return together(found, _check_alone(workspace, sources))
        return together(found, check_plan(workspace.parsed, read_base(workspace, base), services=sources.services))
    except ConfigError as error:
        return together(found, error.diagnostics)


def _check_alone(workspace: Workspace, sources: Sources) -> tuple[Diagnostic, ...]:
    """Check what the config says by itself, where its base is the cluster."""
    from devcfg.compiler import selected
    from devcfg.compiler.checks import check_service
    from devcfg.compiler.findings import Findings

    config, findings = workspace.parsed.config, Findings(workspace.parsed.document, workspace.parsed.file)
    for name in selected(config, sources.services):
        check_service(name, config.services[name], findings)
    findings.add(
        "cluster-base",
        ("base",),
        "the base is the cluster: only the file itself was checked",
        severity=Severity.NOTE,
        hint="`--base FILE|DIR|-` checks it against manifests",
    )
    return findings.diagnostics


def _summary(workspace: Workspace, sources: Sources) -> str:
    count = len(set(sources.services) or workspace.parsed.config.services)
    return f"{workspace.path} is valid: {count} service{'s' * (count != 1)}"


def _print(found: tuple[Diagnostic, ...], form: str, said: str) -> None:
    if form == "human":
        console.say_diagnostics(found, quote_line)
        if not has_errors(found):
            console.say(said, console.GREEN)
        return
    from devcfg.runtime.reports import as_github, as_json, as_sarif

    write = {"json": as_json, "sarif": as_sarif, "github": as_github}[form]
    console.data(write(found))
