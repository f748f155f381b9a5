"""A plan as a diff: per object, each place that changes with the config field that causes it. Never coloured here."""

from __future__ import annotations

from dataclasses import dataclass

from devcfg.overlays.emitter import emit_document
from devcfg.schemas.patch import Json, Op, Operation, Pointer, Role, apply_operation, lookup
from devcfg.schemas.plan import ObjectPatch, Plan


@dataclass(frozen=True, slots=True)
class Hunk:
    """One place of an object, before and after, as lines of YAML; no lines where there is nothing."""

    source: str
    """The config field, such as `services.web.image`; empty for what dev mode itself needs."""
    path: Pointer
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ObjectDiff:
    """What happens to one object; `place` is where it stands in the base, empty for an object that is added."""

    label: str
    place: str
    hunks: tuple[Hunk, ...]


def diff_plan(plan: Plan) -> tuple[ObjectDiff, ...]:
    """Return every object that the plan changes or adds, in its order."""
    found = []
    for workload in plan.workloads:
        found += [ObjectDiff(one.patch.target.label, one.manifest.place, diff_object(one)) for one in workload.patched]
        for one in workload.additions:
            label = f"{one['kind'].lower()}/{one['metadata']['name']}"
            found.append(ObjectDiff(label, "", (Hunk("", Pointer(), (), _lines(one)),)))
    return tuple(found)


def diff_object(one: ObjectPatch) -> tuple[Hunk, ...]:
    """Return the places that a patch changes, in the patch's order; what ends as it began is left out."""
    document: Json = one.manifest.object
    hunks: list[Hunk] = []
    for step in one.patch.operations:
        if step.op is Op.TEST or step.role is Role.ASSUME:
            document = apply_operation(document, step)
            continue
        element = isinstance(lookup(document, step.path.parent), list)
        hunk, document = _hunk(document, step)
        # Elements of a list move, so two steps at one index are one change only where the first made room or mark.
        if hunks and hunks[-1].path == hunk.path and not (element and bool(hunks[-1].after) == bool(hunk.after)):
            hunk = Hunk(hunk.source, hunk.path, hunks.pop().before, hunk.after)
        hunks.append(hunk)
    return tuple(_folded([hunk for hunk in hunks if hunk.before != hunk.after]))


def _hunk(document: Json, step: Operation) -> tuple[Hunk, Json]:
    path, parent = step.path, lookup(document, step.path.parent)
    if isinstance(parent, list) and path[-1] == "-":
        path = path.parent / len(parent)
    there = path[-1] in parent if isinstance(parent, dict) else step.op is Op.REMOVE
    before = _lines(lookup(document, path)) if there else ()
    after = () if step.op is Op.REMOVE else _lines(step.value)
    return Hunk(step.source, path, before, after), apply_operation(document, step)


def _folded(hunks: list[Hunk]) -> list[Hunk]:
    """Leave out the empty list or mapping that is made only to be filled by the next step."""
    return [
        hunk
        for hunk, following in zip(hunks, (*hunks[1:], None), strict=False)
        if not (following and hunk.after in (("[]",), ("{}",)) and hunk.path == following.path.parent)
    ]


def _lines(value: Json) -> tuple[str, ...]:
    return tuple(emit_document(value).splitlines())
