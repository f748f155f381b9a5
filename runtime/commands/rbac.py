"""`devcfg rbac`: the Role that a config needs, as YAML. Never asks the cluster, and grants nothing itself."""

from __future__ import annotations

from devcfg.compiler.pipeline import compile_plan
from devcfg.runtime import console
from devcfg.runtime.base import find_base, read_base
from devcfg.runtime.devmode.rights import Post, needs_of, render_role
from devcfg.runtime.project import shipped
from devcfg.runtime.workspace import open_workspace
from devcfg.schemas.patch import Target
from devcfg.schemas.plan import WorkloadPlan


def rbac(file: str | None, services: tuple[str, ...], namespace: str | None) -> int:
    """Print the Role of a config's services, one a namespace, and return the exit code."""
    workspace = open_workspace(file, with_local=True)
    manifests = read_base(workspace, find_base(workspace, None))
    plan = compile_plan(workspace.parsed, manifests, shipped=shipped(), services=services)
    by_space: dict[str, list[Post]] = {}
    for one in plan.workloads:
        space = one.target.namespace or namespace or plan.namespace or "default"
        by_space.setdefault(space, []).append(_post(one))
    console.data("---\n".join(render_role(needs_of(posts), space) for space, posts in sorted(by_space.items())))
    return 0


def _post(plan: WorkloadPlan) -> Post:
    target = plan.target
    return Post(
        id=plan.id,
        group=target.group,
        resource=plural(target),
        kind=target.kind,
        name=target.name,
        claims=tuple(one["metadata"]["name"] for one in plan.additions if one["kind"] == "PersistentVolumeClaim"),
        scalers=tuple(one.patch.target.name for one in plan.beside),
    )


def plural(target: Target) -> str:
    """Return the resource of a kind, by the rule that all known kinds and nearly all others follow."""
    word = target.kind.lower()
    if word.endswith(("s", "x", "ch")):
        return f"{word}es"
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
