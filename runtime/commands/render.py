"""`devcfg render`: dev mode as text on standard output, or handed on to be written or checked. Never applies it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from devcfg.runtime import console
from devcfg.runtime.project import Project, Sources, compile_project
from devcfg.runtime.workspace import quote_line
from devcfg.schemas.diagnostic import Severity
from devcfg.schemas.errors import UsageError
from devcfg.schemas.plan import WorkloadPlan

OLDEST = (1, 27)
"""The oldest Kubernetes that our output was built and tried for."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks `render` for."""

    form: str = "plain"
    everything: bool = False
    write: bool = False
    check: bool = False
    force: bool = False
    kube_version: str | None = None


def render(sources: Sources, request: Request) -> int:
    """Print, write or check dev mode, and return the exit code."""
    _check_request(sources, request)
    project = compile_project(sources)
    warnings = tuple(one for one in project.diagnostics if one.severity is Severity.WARNING)
    console.say_diagnostics(warnings, quote_line)
    if request.check:
        from devcfg.runtime.commands.check import check

        return check(project)
    if request.write:
        from devcfg.runtime.commands.write import write

        return write(project, force=request.force)
    _print(project, request)
    return 0


def _print(project: Project, request: Request) -> None:
    match request.form:
        case "component":
            from devcfg.runtime.component import component_of

            console.data("".join(f"# ---- {path}\n{text}" for path, text in component_of(project).items()))
        case "json-patch":
            from devcfg.overlays import render_json_patch
            from devcfg.runtime.advice import patch_by_hand

            workload = _only_workload(project, request)
            console.data(render_json_patch(workload.workload))
            _say(patch_by_hand(project, workload))
        case "inverse":
            from devcfg.overlays import render_inverse
            from devcfg.runtime.advice import take_back_by_hand

            workload = _only_workload(project, request)
            console.data(render_inverse(workload.workload))
            _say(take_back_by_hand(project, workload))
        case _:
            from devcfg.overlays import render_plain
            from devcfg.runtime.advice import apply_by_hand

            console.data(render_plain(project.plan, everything=request.everything))
            _say(apply_by_hand(project))


def _say(lines: tuple[str, ...]) -> None:
    for line in lines:
        console.say(line)


def _only_workload(project: Project, request: Request) -> WorkloadPlan:
    workloads = project.plan.workloads
    if len(workloads) == 1:
        return workloads[0]
    names = ", ".join(one.target.label for one in workloads[:5]) + ", …" * (len(workloads) > 5)
    first = workloads[0].bindings[0].service
    raise UsageError(
        f"`--format {request.form}` is for one workload, and these services lie on {len(workloads)}: {names}",
        hint=f"name one, for instance `devcfg render {first} --format {request.form}`",
    )


def _check_request(sources: Sources, request: Request) -> None:
    """Refuse what cannot be meant together."""
    if request.kube_version is not None:
        _check_version(request.kube_version)
    committed = "--write" if request.write else "--check"
    if request.write and request.check:
        raise UsageError("`--write` and `--check` cannot be meant together", hint="`--check` writes nothing")
    if request.force and not request.write:
        raise UsageError("`--force` is for `--write` alone")
    if (request.write or request.check) and request.form not in ("plain", "component"):
        raise UsageError(f"`{committed}` is for the component, not for `--format {request.form}`")
    if request.everything and (request.form != "plain" or request.write or request.check):
        raise UsageError("`--all` is for objects on standard output alone")
    if sources.services and (request.write or request.check):
        hint = f"leave {', '.join(f'`{one}`' for one in sources.services)} out; an overlay may list single parts of it"
        raise UsageError(f"`{committed}` is for the whole component", hint=hint)


def _check_version(given: str) -> None:
    found = re.fullmatch(r"v?(\d{1,4})\.(\d{1,4})(\.\d+)?([-+].*)?", given)
    if found is None:
        raise UsageError(f"`--kube-version` wants a version such as `1.31`, found `{given}`")
    if (int(found[1]), int(found[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        hint = "newer versions all get the same output"
        raise UsageError(f"Kubernetes {given} is too old: dev mode needs {oldest} or newer", hint=hint)
