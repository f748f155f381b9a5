"""A plan as a diff: per object, each place that changes with the config field that causes it. Never coloured here."""

from __future__ import annotations

from dataclasses import dataclass, replace

from devcfg.overlays.emitter import emit_document
from devcfg.schemas.environment import without_values
from devcfg.schemas.patch import Json, Op, Operation, Pointer, Role, apply_operation, lookup, same
from devcfg.schemas.plan import ObjectPatch, Plan

HIDDEN = "(not shown)"
"""What stands for a value of the base's environment: it may be secret, and a diff ends up in logs."""


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
    found: list[_Change] = []
    for step in one.patch.operations:
        if step.op is not Op.TEST and step.role is not Role.ASSUME:
            change = _change(document, step)
            if found and found[-1].path == change.path and not found[-1].is_apart(change):
                change = replace(change, before=found.pop().before)
            found.append(change)
        document = apply_operation(document, step)
    return tuple(change.shown() for change in _folded([one for one in found if not same(one.before, one.after)]))


@dataclass(frozen=True, slots=True)
class _Change:
    """One place before and after: a list of the value, or an empty one where there is nothing."""

    source: str
    path: Pointer
    before: list[Json]
    after: list[Json]
    is_element: bool

    def is_apart(self, following: _Change) -> bool:
        """Elements of a list move: two steps at one index are one change only where one field removes, then adds."""
        swaps = bool(self.after) != bool(following.after) and self.source == following.source
        return self.is_element and not swaps

    def shown(self) -> Hunk:
        before = [line for one in self.before for line in _lines(without_values(one, self.path, HIDDEN))]
        bare = tuple(line.replace(f'"{HIDDEN}"', HIDDEN) for line in before)
        return Hunk(self.source, self.path, bare, tuple(line for one in self.after for line in _lines(one)))


def _change(document: Json, step: Operation) -> _Change:
    path, parent = step.path, lookup(document, step.path.parent)
    if isinstance(parent, list) and path[-1] == "-":
        path = path.parent / len(parent)
    there = path[-1] in parent if isinstance(parent, dict) else step.op is Op.REMOVE
    before = [lookup(document, path)] if there else []
    after = [] if step.op is Op.REMOVE else [step.value]
    return _Change(step.source, path, before, after, isinstance(parent, list))


def _folded(changes: list[_Change]) -> list[_Change]:
    """Leave out the empty list or mapping that is made only to be filled by the next step."""
    return [
        change
        for change, following in zip(changes, (*changes[1:], None), strict=False)
        if not (following and change.after in ([[]], [{}]) and change.path == following.path.parent)
    ]


def _lines(value: Json) -> tuple[str, ...]:
    return tuple(emit_document(value).splitlines())
