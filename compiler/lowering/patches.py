"""Lower `patches`: RFC 6902 operations or an RFC 7386 merge patch, to guarded `test`, `add` and `remove`.

Each step asserts what it changes, so that a changed base fails loudly. Never runs before the rest of dev mode.
"""

from __future__ import annotations

from dataclasses import dataclass

from devcfg.compiler.lowering.assumptions import assume, assume_names, assume_value
from devcfg.schemas.environment import holds_values
from devcfg.schemas.errors import PatchError
from devcfg.schemas.patch import Json, Op, Operation, Pointer, apply_operation, apply_patch, lookup, same

IDENTITY = (
    Pointer(("apiVersion",)),
    Pointer(("kind",)),
    Pointer(("metadata", "name")),
    Pointer(("metadata", "namespace")),
)


_MAPS = ("labels", "annotations", "nodeSelector", "limits", "requests")
"""Members that are maps: other mappings may say something by being there, such as `emptyDir: {}`."""
_RUN_LAST = "patches run last: they see the workload as the rest of dev mode leaves it"


@dataclass(frozen=True, slots=True)
class StepError:
    """Why one of the user's operations cannot be lowered. `at` is its index, or None for a merge patch."""

    at: int | None
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Lowered:
    """The guarded operations, and the first step that failed, if one did."""

    operations: tuple[Operation, ...]
    error: StepError | None = None


def lower_patches(document: Json, patches: tuple[Json, ...] | dict[str, Json], field: str) -> Lowered:
    """Lower the user's patches against the workload as the rest of dev mode leaves it."""
    if isinstance(patches, dict):
        try:
            merged = tuple(_merge(document, patches, Pointer(), f"{field}"))
            return Lowered(merged + _sweep(apply_patch(document, merged), merged))
        except PatchError as error:
            return Lowered((), StepError(None, error.message, error.hint or _RUN_LAST))
    steps: list[Operation] = []
    for at, one in enumerate(patches):
        try:
            for step in _lower_one(document, one, f"{field}[{at}]"):
                document = apply_operation(document, step)
                steps.append(step)
        except PatchError as error:
            return Lowered(tuple(steps), StepError(at, error.message, error.hint or _RUN_LAST))
    return Lowered((*steps, *_sweep(document, tuple(steps))))


def _sweep(document: Json, steps: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Remove each list and map that the steps left empty: the API server drops those, and the way back misses them."""
    left: dict[Pointer, Operation] = {}
    for step in steps:
        at = step.path.parent
        if step.op is Op.REMOVE and at and _is_left_empty(document, at):
            left[at] = Operation(Op.REMOVE, at, None, step.source)
    return tuple(left.values())


def _is_left_empty(document: Json, at: Pointer) -> bool:
    try:
        found = lookup(document, at)
    except PatchError:
        return False
    return found == [] or (found == {} and at[-1] in _MAPS)


def _lower_one(document: Json, one: Json, source: str) -> list[Operation]:
    path = Pointer.parse(one["path"])
    _refuse_identity(path)
    match one["op"]:
        case "test":
            return [Operation(Op.TEST, path, one["value"], source)]
        case "add":
            return _add(document, path, one["value"], source)
        case "remove":
            return _remove(document, path, source)
        case "replace":
            _must_exist(document, path)
            return _replace(document, path, one["value"], source)
        case "copy":
            origin = Pointer.parse(one["from"])
            value = _copied(document, origin)
            read = [*assume_names(document, origin, source), *assume(document, origin, source)]
            return read + _add(document, path, value, source)
        case _:
            origin = Pointer.parse(one["from"])
            _refuse_identity(origin)
            if origin.covers(path):
                raise PatchError(f"`{origin}` cannot move into itself", hint="choose a `path` outside of it")
            value = _copied(document, origin)
            removed = _remove(document, origin, source)
            for step in removed:
                document = apply_operation(document, step)
            return removed + _add(document, path, value, source)


def _add(document: Json, path: Pointer, value: Json, source: str) -> list[Operation]:
    guards = assume_names(document, path, source)
    parent = lookup(document, path.parent)
    # Where an element lands depends on all that is there: the whole list is what this step assumes.
    known = assume(document, path.parent if isinstance(parent, list) else path, source)
    return [*guards, *known, Operation(Op.ADD, path, value, source)]


def _remove(document: Json, path: Pointer, source: str) -> list[Operation]:
    _must_exist(document, path)
    known = (*assume_names(document, path, source), *assume(document, path, source))
    return [*known, Operation(Op.REMOVE, path, None, source)]


def _replace(document: Json, path: Pointer, value: Json, source: str) -> list[Operation]:
    known = (*assume_names(document, path, source), *assume(document, path, source))
    if isinstance(lookup(document, path.parent), list):
        # `replace` means different things to different libraries where the member is missing: never emitted.
        return [*known, Operation(Op.REMOVE, path, None, source), Operation(Op.ADD, path, value, source)]
    return [*known, Operation(Op.ADD, path, value, source)]


def _merge(document: Json, patch: dict[str, Json], at: Pointer, source: str) -> list[Operation]:
    steps: list[Operation] = []
    for key, value in patch.items():
        path = at / key
        found = document.get(key) if isinstance(document, dict) else None
        deeper = isinstance(value, dict) and isinstance(found, dict)
        if not deeper and not same(found, value):
            _refuse_identity(path)
        if value and deeper:
            steps += _merge(found, value, path, source)
            continue
        steps += assume_value(found, path, source)
        if value is None and found is not None:
            steps.append(Operation(Op.REMOVE, path, None, source))
        elif not deeper and not same(found, value):
            steps.append(Operation(Op.ADD, path, _without_nulls(value), source))
    return steps


def _without_nulls(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    return {key: _without_nulls(below) for key, below in value.items() if below is not None}


def _refuse_identity(path: Pointer) -> None:
    if any(path.covers(one) or one.covers(path) for one in IDENTITY):
        raise PatchError(f"`{path}` says which object this is: dev mode never changes that", hint="leave it out")


def _must_exist(document: Json, path: Pointer) -> Json:
    found = lookup(document, path)
    if found is None:
        raise PatchError(f"there is nothing at `{path}`")
    return found


def _copied(document: Json, path: Pointer) -> Json:
    """Return what `copy` or `move` brings elsewhere, unless the patch would then hold what may be secret."""
    found = _must_exist(document, path)
    if holds_values(found, path):
        hint = "write the value itself, or take it from its source with `valueFrom`"
        raise PatchError(f"`{path}` holds values of the base's environment, which a patch never copies", hint=hint)
    return found
