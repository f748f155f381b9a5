"""Finds the workloads that services mean: by the base where there is one, else by their names in the cluster.

Never compiles one.
"""

from __future__ import annotations

from dataclasses import dataclass

from devcfg.compiler.analysis import analyse, selected
from devcfg.compiler.kinds import KINDS, SHORT_NAMES
from devcfg.compiler.parser import Parsed
from devcfg.runtime.base import CLUSTER, STDIN, find_base, read_base
from devcfg.runtime.cluster.cluster import Cluster, Object, Resource
from devcfg.runtime.cluster.errors import ForbiddenError, MissingError
from devcfg.runtime.workspace import Workspace
from devcfg.schemas.errors import ConfigError, UsageError
from devcfg.schemas.manifest import Manifest
from devcfg.schemas.plan import Binding


@dataclass(frozen=True, slots=True)
class _Sought:
    """A workload to fetch: its kind as it was found or written, and its name."""

    kind: str
    group: str | None
    version: str
    name: str
    namespace: str


def read_live_base(workspace: Workspace) -> tuple[tuple[Manifest, ...], tuple[str, ...]]:
    """Return the base as far as it helps to find workloads, and what is to be said where it cannot be read."""
    if workspace.parsed.config.base in (CLUSTER, STDIN):
        return (), ()
    try:
        return read_base(workspace, find_base(workspace, None)), ()
    except (ConfigError, UsageError) as error:
        return (), (f"the base cannot be read, so workloads are found by their names: {error.message}",)


async def fetch(
    cluster: Cluster,
    workspace: Workspace,
    parsed: Parsed,
    base: tuple[Manifest, ...],
    services: tuple[str, ...],
    space: str,
) -> tuple[list[tuple[Resource, Object]], dict[tuple[str, str], Binding]]:
    """Return every bound workload as it lives, and how the base binds services to it."""
    found: dict[str, tuple[Resource, Object]] = {}
    by_base: dict[tuple[str, str], Binding] = {}
    if base:
        groups = analyse(parsed, base, services).groups
        for binding in (one for group in groups for one in group):
            target = binding.target
            one = _Sought(target.kind, target.group, target.version, target.name, target.namespace or space)
            resource, document = await _get(cluster, one, workspace)
            found[document["metadata"]["uid"]] = resource, document
            by_base[binding.service, document["metadata"]["uid"]] = binding
        return list(found.values()), by_base
    for name in selected(parsed.config, services):
        for resource, document in await _look(cluster, name, parsed.config.services[name].workload, space, workspace):
            found[document["metadata"]["uid"]] = resource, document
    return list(found.values()), by_base


async def _look(
    cluster: Cluster, service: str, workload: str | None, space: str, workspace: Workspace
) -> list[tuple[Resource, Object]]:
    """Find a workload that only the config names."""
    if workload is not None:
        *scope, kind, name = workload.split("/")
        group, version = (scope[0], scope[1]) if len(scope) == 2 else (None, scope[0] if scope else "")
        kind = SHORT_NAMES.get(kind.lower(), kind)
        return [await _get(cluster, _Sought(kind, group, version, name, space), workspace)]
    found: list[tuple[Resource, Object]] = []
    refused: ForbiddenError | None = None
    for one in KINDS:
        try:
            resource = await cluster.find(one.kind, one.group)
            found.append((resource, await cluster.get(resource, space, service)))
        except MissingError:
            continue
        except ForbiddenError as error:
            refused = refused or error
    if not found and refused is not None:
        raise refused
    if not found:
        hint = f"say which one it is: `services.{service}.workload: deployment/…`"
        raise MissingError(f"namespace `{space}` has no workload named `{service}`", hint=hint)
    return found


async def _get(cluster: Cluster, sought: _Sought, workspace: Workspace) -> tuple[Resource, Object]:
    resource = await cluster.find(sought.kind, sought.group, sought.version)
    try:
        return resource, await cluster.get(resource, sought.namespace, sought.name)
    except MissingError:
        label = f"{sought.kind.lower()}/{sought.name}"
        raise MissingError(
            f"{label} is not in namespace `{sought.namespace}`", hint=f"deploy it first: {_apply(workspace, sought)}"
        ) from None


def _apply(workspace: Workspace, sought: _Sought) -> str:
    word = workspace.parsed.config.base
    if word in (CLUSTER, STDIN):
        return "with whatever deploys it"
    from shlex import quote

    from devcfg.runtime.reach import kustomization_of

    path = workspace.resolve(word)
    option = "-k" if kustomization_of(path) is not None else "-f"
    return f"`kubectl -n {sought.namespace} apply {option} {quote(path)}`"
