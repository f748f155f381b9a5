"""The live objects that services are bound to, compiled as they stand. Never changes one.

What the base says counts for finding the workload alone: dev mode is made of what runs in the cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from devcfg.compiler.analysis import selected
from devcfg.compiler.autoscalers import SCALERS
from devcfg.compiler.binder import bind
from devcfg.compiler.canonical import plan_digest
from devcfg.compiler.findings import Findings
from devcfg.compiler.kinds import known_kind
from devcfg.compiler.parser import Parsed, check_config
from devcfg.compiler.pipeline import compile_plan
from devcfg.runtime.cluster.cluster import Cluster, Object, Resource
from devcfg.runtime.cluster.errors import ForbiddenError, MissingError
from devcfg.runtime.devmode.companions import companions
from devcfg.runtime.devmode.differences import differences
from devcfg.runtime.devmode.errors import DriftError
from devcfg.runtime.devmode.preferences import Preferences
from devcfg.runtime.devmode.record import Restoration, inverse_of, is_taken, plan_of, reach, restoration
from devcfg.runtime.devmode.search import fetch, read_live_base
from devcfg.runtime.project import shipped
from devcfg.runtime.workspace import Workspace, open_workspace
from devcfg.schemas.diagnostic import Diagnostic
from devcfg.schemas.errors import ConfigError
from devcfg.schemas.manifest import Manifest
from devcfg.schemas.naming import workload_id
from devcfg.schemas.patch import Op, Operation, Role, Target
from devcfg.schemas.plan import Binding, ObjectPatch, WorkloadPlan

PLACE = "the cluster"
"""What findings name as the file of a live object."""


class State(Enum):
    """How a live workload is."""

    BASE = "not in dev mode"
    FILES = "in dev mode by files"
    OURS = "in dev mode by a former session"
    CHANGED = "in dev mode by a former session, and the config has changed"


@dataclass(frozen=True, slots=True)
class Subject:
    """A live workload with the services that are bound to it."""

    id: str
    resource: Resource
    namespace: str
    object: Object
    """As it was read."""
    bindings: tuple[Binding, ...]
    digest: str
    state: State
    plan: WorkloadPlan | None
    """What dev mode is here; None where files made it."""
    restored: Restoration | None
    """How the object comes back first, where it is to be patched anew."""
    scalers: tuple[tuple[Resource, ObjectPatch], ...]

    @property
    def target(self) -> Target:
        """The selector of the workload."""
        return self.bindings[0].target

    @property
    def is_new(self) -> bool:
        """Whether the workload itself is to be patched."""
        return self.state in (State.BASE, State.CHANGED)

    @property
    def uid(self) -> str:
        """`metadata.uid`."""
        return str(self.object["metadata"]["uid"])


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to go into dev mode: the config (`-f`) and some of its services."""

    file: str | None = None
    services: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    """Services that are not kept beside them, where their workload is in dev mode for these, too."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a config means in a cluster."""

    workspace: Workspace
    parsed: Parsed
    subjects: tuple[Subject, ...]
    diagnostics: tuple[Diagnostic, ...]
    notes: tuple[str, ...]


async def bind_live(cluster: Cluster, wish: Wish, preferences: Preferences) -> Bound:
    """Find the services' workloads in the cluster and compile them as they stood before dev mode.

    Raises `ConfigError` with every diagnostic, `MissingError` where something is not deployed, `DriftError` where it
    is in dev mode by other files.
    """
    workspace = open_workspace(wish.file, with_local=True)
    parsed = _with_images(workspace.parsed, preferences)
    selected(parsed.config, wish.services)
    base, notes = read_live_base(workspace)
    space = parsed.config.namespace or cluster.identity.namespace
    found, sought = await fetch(cluster, workspace, parsed, base, wish.services, space)
    subjects, diagnostics, said = await _compile(cluster, parsed, base, found, wish, space)
    notes += said + tuple(note for one in subjects for note in differences(one.bindings, one.uid, sought))
    return Bound(workspace, parsed, subjects, diagnostics, notes)


async def find_live(cluster: Cluster, wish: Wish) -> list[tuple[Resource, Object]]:
    """Return the services' workloads as they live. Raises `MissingError` where one is not deployed."""
    workspace = open_workspace(wish.file, with_local=True)
    space = workspace.parsed.config.namespace or cluster.identity.namespace
    found, _ = await fetch(cluster, workspace, workspace.parsed, read_live_base(workspace)[0], wish.services, space)
    return found


def _with_images(parsed: Parsed, preferences: Preferences) -> Parsed:
    if not preferences.images:
        return parsed
    value = parsed.document.value
    images = {**preferences.images, **(value.get("images") or {})}
    return check_config(parsed.document, {**value, "images": images}, file=parsed.file)


async def _compile(
    cluster: Cluster,
    parsed: Parsed,
    base: tuple[Manifest, ...],
    found: list[tuple[Resource, Object]],
    wish: Wish,
    space: str,
) -> tuple[tuple[Subject, ...], tuple[Diagnostic, ...], tuple[str, ...]]:
    homes = {document["metadata"]["uid"]: (resource, document) for resource, document in found}
    restored = {uid: _restored(document) for uid, (_, document) in homes.items()}
    manifests = tuple(
        Manifest(_plain(document if restored[uid] is None else restored[uid].after), PLACE)  # type: ignore[union-attr]
        for uid, (_, document) in homes.items()
    )
    scalers = await _scalers(cluster, {document["metadata"]["namespace"] for _, document in found})
    found_here = {(one.group, one.kind, one.namespace, one.name) for one in manifests}
    placed = (_placed(one, space) for one in base if not _is_live(one))
    rest = tuple(one for one in placed if (one.group, one.kind, one.namespace, one.name) not in found_here)
    every = (*manifests, *(one for _, one in scalers), *rest)
    documents = (document for _, document in homes.values())
    kept, notes = companions(parsed, tuple(zip(documents, manifests, strict=True)), wish.services, wish.leaving)
    groups = _bind(parsed, every, (*wish.services, *kept))
    states = {_uid(group): _state(group, parsed, homes[_uid(group)][1]) for group in groups}
    fresh = tuple(one.service for group in groups for one in group if states[_uid(group)][0] is not State.FILES)
    plans: dict[str, WorkloadPlan] = {}
    diagnostics: tuple[Diagnostic, ...] = ()
    if fresh:
        plan = compile_plan(parsed, every, shipped=shipped(), services=fresh)
        plans = {_uid(one.bindings): one for one in plan.workloads}
        diagnostics = plan.diagnostics
    resources = {id(manifest): resource for resource, manifest in scalers}
    subjects = [
        _subject(group, homes[_uid(group)], states[_uid(group)], plans.get(_uid(group)), restored, resources)
        for group in groups
    ]
    return tuple(sorted(subjects, key=lambda one: one.id)), diagnostics, notes


def _bind(
    parsed: Parsed, manifests: tuple[Manifest, ...], services: tuple[str, ...]
) -> tuple[tuple[Binding, ...], ...]:
    """Bind the services to live workloads. Dev mode that files made is bound, too; the compiler refuses it."""
    findings = Findings(parsed.document, parsed.file)
    by_workload: dict[int, list[Binding]] = {}
    for one in bind(parsed.config, manifests, selected(parsed.config, services), findings):
        by_workload.setdefault(id(one.manifest), []).append(one)
    if findings.failed:
        raise ConfigError(findings.diagnostics)
    return tuple(tuple(group) for group in by_workload.values())


def _subject(
    group: tuple[Binding, ...],
    home: tuple[Resource, Object],
    state: tuple[State, str],
    plan: WorkloadPlan | None,
    restored: dict[str, Restoration | None],
    resources: dict[int, Resource],
) -> Subject:
    resource, document = home
    uid = document["metadata"]["uid"]
    return Subject(
        id=workload_id(group[0].target),
        resource=resource,
        namespace=document["metadata"]["namespace"],
        object=document,
        bindings=group,
        digest=state[1],
        state=state[0],
        plan=plan,
        restored=restored[uid] if plan is not None else None,
        scalers=tuple((resources[id(one.manifest)], one) for one in plan.beside) if plan is not None else (),
    )


def _uid(group: tuple[Binding, ...]) -> str:
    return str(group[0].manifest.metadata["uid"])


def _restored(document: Object) -> Restoration | None:
    """Return how an object comes back that a former session took; a way back that reaches too far is not gone."""
    if not is_taken(document):
        return None
    inverse = inverse_of(document)
    found = reach(document, inverse)
    if found.wild:
        raise DriftError(f"the way back of `{document['metadata']['name']}` reaches `{found.wild[0]}`: it is not taken")
    return restoration(document, inverse)


def _state(group: tuple[Binding, ...], parsed: Parsed, document: Object) -> tuple[State, str]:
    digest = plan_digest({one.service: parsed.config.services[one.service] for one in group})
    there = plan_of(document)
    if is_taken(document):
        return (State.OURS if there == digest else State.CHANGED), digest
    if there is None:
        return State.BASE, digest
    if there != digest:
        label = group[0].target.label
        hint = "apply what `devcfg render` makes of it now, or the base to leave dev mode"
        raise DriftError(f"{label} is in dev mode by files that another config made", hint=hint)
    return State.FILES, digest


def _plain(document: Object) -> Object:
    """Return a live object without what nobody may patch."""
    meta = {key: value for key, value in document["metadata"].items() if key != "managedFields"}
    return {**{key: value for key, value in document.items() if key != "status"}, "metadata": meta}


def _is_live(one: Manifest) -> bool:
    """Tell whether a base object is of a kind that is read from the cluster."""
    return known_kind(one.group, one.kind) is not None or (one.group, one.kind) in SCALERS


def _placed(one: Manifest, space: str) -> Manifest:
    if one.namespace:
        return one
    return replace(one, object={**one.object, "metadata": {**one.metadata, "namespace": space}})


async def _scalers(cluster: Cluster, spaces: set[str]) -> list[tuple[Resource, Manifest]]:
    """Return the autoscalers of the namespaces; where they may not be listed, there are none that may be changed."""
    found: list[tuple[Resource, Manifest]] = []
    for group, kind in SCALERS:
        for space in sorted(spaces):
            try:
                resource = await cluster.find(kind, group)
                listed = await cluster.list(resource, space)
            except (MissingError, ForbiddenError):
                continue
            named = ({"apiVersion": resource.api_version, "kind": kind, **one} for one in listed)
            found += [(resource, Manifest(_plain(_unpinned(one)), PLACE)) for one in named]
    return found


def _unpinned(document: Object) -> Object:
    """Return an autoscaler as it was before a former session held it."""
    found = _restored(document) if document.get("kind") == "HorizontalPodAutoscaler" else None
    return document if found is None else found.after


def exact(one: ObjectPatch) -> tuple[Operation, ...]:
    """Return a patch for the very object that it was compiled from: nothing in it is left to a guard component."""
    return tuple(
        replace(step, role=Role.ASSUME if step.op is Op.TEST else Role.CHANGE) if step.role is Role.FRAME else step
        for step in one.patch.operations
    )
