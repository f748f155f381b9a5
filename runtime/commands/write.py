"""`devcfg render --write`: the component brought up to date, the overlay made once. Never touches what is not ours."""

from __future__ import annotations

import os
from shlex import quote

from devcfg.overlays import render_overlay
from devcfg.runtime import console
from devcfg.runtime.component import base_of, component_of, directory_of
from devcfg.runtime.files import write_atomically
from devcfg.runtime.project import Project
from devcfg.runtime.reach import NAMES, kustomization_of, read_kustomization
from devcfg.runtime.tree import survey, write_tree
from devcfg.runtime.workspace import reason
from devcfg.schemas.errors import DevcfgError


def write(project: Project, *, force: bool) -> int:
    """Write component and overlay, say what was done, and return the exit code."""
    base = base_of(project)
    folder, overlay = directory_of(project, "component"), directory_of(project, "overlay")
    written, removed = write_tree(survey(folder, component_of(project)), force=force)
    if written or removed:
        away = f", {_count(removed)} removed" if removed else ""
        console.say(f"wrote {folder}: {_count(written)}{away}")
    else:
        console.say(f"{folder} is up to date")
    made = _make_overlay(project, base=base, folder=folder, overlay=overlay)
    if made:
        console.say(f"wrote {made}: yours from now on")
    elif not _is_listed(folder, overlay):
        console.say(f"note: {overlay} is yours, and lists no part of {folder}: add what it shall have, such as")
        console.say(f"  components: [{os.path.relpath(os.path.realpath(folder), os.path.realpath(overlay))}]")
        return 0
    if made or written or removed:
        console.say(f"apply it: kubectl apply -k {quote(overlay)}")
    return 0


def _is_listed(folder: str, overlay: str) -> bool:
    """Tell whether an overlay lists the component or a part of it; one that cannot be read is the user's affair."""
    found = read_kustomization(kustomization_of(overlay) or "")
    listed = (found or {}).get("components") or []
    if found is None or not isinstance(listed, list):
        return True
    paths = [os.path.realpath(os.path.join(overlay, one)) for one in listed if isinstance(one, str)]
    return any(path == os.path.realpath(folder) or path.startswith(os.path.realpath(folder) + os.sep) for path in paths)


def _make_overlay(project: Project, *, base: str, folder: str, overlay: str) -> str:
    """Make the overlay where there is none, and return its path; an empty string where there is one."""
    if any(os.path.lexists(os.path.join(overlay, name)) for name in NAMES):
        return ""
    real = os.path.realpath(overlay)
    text = render_overlay(
        base=os.path.relpath(os.path.realpath(base), real),
        component=os.path.relpath(os.path.realpath(folder), real),
        namespace=project.plan.namespace,
    )
    path = os.path.join(overlay, "kustomization.yaml")
    try:
        write_atomically(path, text)
    except OSError as error:
        raise DevcfgError(f"`{path}` cannot be written: {reason(error)}") from error
    return path


def _count(paths: tuple[str, ...]) -> str:
    return f"{len(paths)} file{'s' * (len(paths) != 1)}"
