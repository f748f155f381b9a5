"""All that is looked at before anything is changed: guard, kinds, rights, owners, a dry run. Never changes anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from devcfg.compiler.kinds import known_kind
from devcfg.overlays.inverse import invert
from devcfg.runtime.cluster.cluster import Cluster, Object
from devcfg.runtime.cluster.errors import ForbiddenError, GuardError, MissingError, RejectedError
from devcfg.runtime.devmode.errors import DevModeError
from devcfg.runtime.devmode.gitops import PAUSE_ANNOTATION, PAUSED, Tool, advice, is_paused, steward_of
from devcfg.runtime.devmode.guard import Ask, admit
from devcfg.runtime.devmode.kinds import RECREATED, keda_obstacle, obstacle
from devcfg.runtime.devmode.live import Bound, State, Subject, Wish, bind_live, exact
from devcfg.runtime.devmode.pods import POD, replica_sets
from devcfg.runtime.devmode.preferences import read_preferences
from devcfg.runtime.devmode.record import METADATA, Owner, written
from devcfg.runtime.devmode.rights import Post, check, may, needs_of
from devcfg.schemas.diagnostic import Diagnostic
from devcfg.schemas.patch import Op, Operation, Pointer, apply_patch, lookup


@dataclass(frozen=True, slots=True)
class Prepared:
    """What would be done, and what is to be said before."""

    bound: Bound
    notes: tuple[str, ...]

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The workloads."""
        return self.bound.subjects

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Warnings and notes of the compiler."""
        return self.bound.diagnostics

    @property
    def security(self) -> tuple[str, ...]:
        """Security-relevant changes, in words."""
        return tuple(words for one in self.subjects if one.plan for words in one.plan.security)


async def prepare(cluster: Cluster, wish: Wish, *, yes: bool, ask: Ask | None) -> Prepared:
    """Look whether a wish can be met. Raises what stands in the way; nothing was changed then."""
    preferences = read_preferences()
    bound = await bind_live(cluster, wish, preferences)
    for space in sorted({one.namespace for one in bound.subjects}):
        admit(cluster.identity, space, preferences, yes=yes, ask=ask)
    notes = list(bound.notes)
    for one in bound.subjects:
        found = obstacle(one.object, one.target, _wanted(one)) if one.state is not State.FILES else None
        scalers = (keda_obstacle(each.manifest.object, one.target) for _, each in one.scalers)
        found = found or next(filter(None, scalers), None)
        if found is not None:
            raise found
    for space in sorted({one.namespace for one in bound.subjects}):
        await check(cluster, needs_of(map(post_of, _of(bound.subjects, space))), space)
    overlay = _overlay(bound)
    for one in bound.subjects:
        if not one.is_new:
            continue
        steward = steward_of(one.object)
        notes += advice(steward, one.target.label, overlay) if steward is not None else ()
        notes += await _history(cluster, one)
        notes += await rehearse(cluster, one)
    return Prepared(bound, tuple(notes))


def _of(subjects: Iterable[Subject], space: str) -> list[Subject]:
    return [one for one in subjects if one.namespace == space]


def post_of(subject: Subject) -> Post:
    """Return a workload as far as rights go."""
    additions = subject.plan.additions if subject.plan is not None else ()
    return Post(
        id=subject.id,
        group=subject.resource.group,
        resource=subject.resource.plural,
        kind=subject.resource.kind,
        name=subject.target.name,
        claims=tuple(one["metadata"]["name"] for one in additions if one["kind"] == "PersistentVolumeClaim"),
        scalers=tuple(one.patch.target.name for _, one in subject.scalers),
    )


def pauses(subject: Subject) -> bool:
    """Tell whether Flux is to be told to leave the workload alone, and was not told so by somebody else."""
    steward = steward_of(subject.object)
    return steward is not None and steward.tool is Tool.FLUX and not is_paused(subject.object)


def _wanted(subject: Subject) -> int:
    if subject.plan is None:
        return 1
    after = apply_patch(subject.plan.workload.manifest.object, exact(subject.plan.workload))
    wanted = after["spec"].get("replicas", 1)
    return wanted if isinstance(wanted, int) else 1


def _overlay(bound: Bound) -> str:
    import os

    path = bound.parsed.config.output.overlay
    return path if os.path.isdir(bound.workspace.resolve(path)) else ""


async def _history(cluster: Cluster, subject: Subject) -> tuple[str, ...]:
    """Warn where the dev revision would push the oldest one out."""
    limit = subject.object["spec"].get("revisionHistoryLimit", 10)
    if subject.resource.kind != "Deployment" or not isinstance(limit, int):
        return ()
    old = [one for one in await replica_sets(cluster, subject.object) if not (one.get("spec") or {}).get("replicas")]
    if len(old) < limit or not limit:
        return ()
    return (f"{subject.target.label} keeps {limit} old revisions and has them: the oldest one goes",)


async def rehearse(cluster: Cluster, subject: Subject) -> tuple[str, ...]:
    """Have the cluster judge patch and pod without keeping them. Raises `DevModeError` with its words."""
    label = subject.target.label
    operations, _ = operations_of(subject, Owner("nobody", "", ""))
    try:
        after = await cluster.patch(subject.resource, subject.namespace, subject.target.name, operations, dry_run=True)
    except GuardError:
        return ()  # it changed meanwhile: the patch itself is made anew then
    except RejectedError as error:
        raise DevModeError(f"the cluster refuses dev mode of {label}: {error.message}") from None
    if not await may(cluster, "create", "", "pods", subject.namespace):
        return (f"{label}: without the right to create pods, policies and quota show only after the change",)
    try:
        await cluster.create(POD, subject.namespace, _pod(subject, after), dry_run=True)
    except RejectedError as error:
        if "exceeded quota" in error.message and _ends_first(after, subject.resource.kind):
            return ()  # the old pod gives back what it has before the new one starts
        raise DevModeError(
            f"the cluster refuses a dev pod of {label}: {error.message}", hint="nothing was changed"
        ) from None
    except (ForbiddenError, MissingError):
        return ()
    return ()


def _ends_first(document: Object, kind: str) -> bool:
    return kind in RECREATED or (document["spec"].get("strategy") or {}).get("type") == "Recreate"


def _pod(subject: Subject, after: Object) -> Object:
    """Return a pod as the controller would make it of the patched template."""
    template: dict[str, Any] = lookup(after, subject.bindings[0].template)
    meta = template.get("metadata") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"devcfg-rehearsal-{subject.target.name[:20].rstrip('.-')}-",
            "namespace": subject.namespace,
            "labels": meta.get("labels") or {},
            "annotations": meta.get("annotations") or {},
        },
        "spec": template["spec"],
    }


def operations_of(subject: Subject, owner: Owner) -> tuple[tuple[Operation, ...], tuple[Operation, ...]]:
    """Return the one patch of a workload, and the way back that is in it."""
    if subject.plan is None:
        raise ValueError("there is nothing to patch")
    operations = exact(subject.plan.workload)
    inverse = invert(subject.plan.workload.manifest.object, operations)
    first = subject.restored.operations if subject.restored is not None else ()
    record = written(subject.object, inverse, owner)
    # In the very same request: a pause that came before it would be copied to the ReplicaSet that serves now.
    pause = (Operation(Op.ADD, METADATA / PAUSE_ANNOTATION, PAUSED),) if owner.paused else ()
    return (*guards(subject.object), *first, *operations, *record, *pause), inverse


def guards(document: Object) -> tuple[Operation, ...]:
    """Return the tests that an object is the very one that was read."""
    meta = Pointer(("metadata",))
    return tuple(Operation(Op.TEST, meta / key, document["metadata"][key]) for key in ("uid", "resourceVersion"))


def scales(subject: Subject) -> bool:
    """Tell whether the kind has replicas that an autoscaler may change."""
    kind = known_kind(subject.target.group, subject.target.kind)
    return kind is None or kind.scaled
