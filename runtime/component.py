"""The component of a project: its files, its directory, and the base that an overlay can name. Never writes."""

from __future__ import annotations

import os

from devcfg.overlays import emit_document, render_component
from devcfg.runtime import console
from devcfg.runtime.base import Form, files_of
from devcfg.runtime.project import Project
from devcfg.runtime.reach import kustomization_of, read_kustomization
from devcfg.runtime.release import version
from devcfg.schemas.errors import UsageError


def component_of(project: Project) -> dict[str, str]:
    """Return the component's files by their path in its directory."""
    name = os.path.basename(project.workspace.path)
    return render_component(project.plan, version=version(), config_file=name)


def directory_of(project: Project, member: str) -> str:
    """Return the directory that `output.component` or `output.overlay` names. Raises `UsageError`."""
    path: str = getattr(project.plan.config.output, member)
    if not project.workspace.holds(path):
        real = project.workspace.real(path)
        raise UsageError(f"`output.{member}` leads out of the project, to `{real}`", hint="name a directory inside")
    return project.workspace.resolve(path)


def base_of(project: Project) -> str:
    """Return the directory that an overlay can name as its base.

    Raises `UsageError` where there is none; what has to be written to have one is printed first.
    """
    base = project.base
    match base.form:
        case Form.KUSTOMIZATION:
            return base.path
        case Form.STDIN | Form.CLUSTER:
            hint = "put the manifests into a directory with a kustomization.yaml, and name it as `base`"
            raise UsageError("an overlay cannot name standard input as its base", hint=hint)
        case Form.DIRECTORY | Form.FILE:
            folder = base.path if base.form is Form.DIRECTORY else os.path.dirname(base.path) or "."
            files = tuple(os.path.basename(one) for one in files_of(project.workspace, base))
    kustomization = kustomization_of(folder)
    found = read_kustomization(kustomization) if kustomization is not None else None
    listed = (found or {}).get("resources")
    known = {os.path.normpath(one) for one in listed if isinstance(one, str)} if isinstance(listed, list) else set()
    missing = [name for name in files if name not in known]
    if not missing:
        return folder
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"} if found is None else {}
    console.data(emit_document({**head, "resources": missing}))
    place = kustomization or os.path.join(folder, "kustomization.yaml")
    verb = "add the lines above to" if found is not None else "write the lines above to"
    raise UsageError(
        f"an overlay cannot name `{base.path}` as its base: kustomize wants a directory whose kustomization lists it",
        hint=f"{verb} {os.path.normpath(place)}, then try again",
    )
