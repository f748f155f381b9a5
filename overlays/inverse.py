"""The way back: from an object and its patch to the patch that restores it. Never touches what is not ours.

The way back is taken on a live object, where the API server has filled in defaults beside our values and dropped the
empty ones. So each of our values is tested leaf by leaf, as far as those two leave them alone.
"""

from __future__ import annotations

from devcfg.overlays.jsonpatch import TYPED, leaves, render_array
from devcfg.schemas.errors import PatchError
from devcfg.schemas.patch import Json, Op, Operation, Pointer, Role, apply_operation, lookup
from devcfg.schemas.plan import ObjectPatch
from devcfg.schemas.quantity import is_quantity


def invert(document: Json, operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Return the operations that take `operations` back, each behind `test`s that our value is still there.

    Raises `PatchError` where the operations do not apply to `document`.
    """
    undone: list[tuple[Pointer, tuple[Operation, ...]]] = []
    typed = _group(document) in TYPED
    for step in operations:
        after = apply_operation(document, step)
        if step.op is not Op.TEST and step.role is not Role.FRAME:
            path = _landed(document, step.path)
            undo = _undo(document, step, path, typed=typed)
            if undone and undone[-1][0] == path:
                last = undone.pop()[1]
                if isinstance(lookup(document, path.parent), list):
                    # Elements of a list move: only one that was put there and taken away again leaves nothing to undo.
                    added_before = step.op is Op.REMOVE and last[-1].op is Op.REMOVE
                    undone += [] if added_before else [(path, last), (path, undo)]
                    document = after
                    continue
                undo = _joined(step, undo, last)
            if undo:
                undone.append((path, undo))
        document = after
    return tuple(one for _, undo in reversed(undone) for one in undo)


def render_inverse(one: ObjectPatch) -> str:
    """Return the inverse patch of one object as a JSON array."""
    return render_array(invert(one.manifest.object, one.patch.operations))


def _group(document: Json) -> str:
    version = document.get("apiVersion") if isinstance(document, dict) else None
    return str(version or "").rpartition("/")[0]


def _landed(document: Json, path: Pointer) -> Pointer:
    if not path:
        raise PatchError("a step that replaces the whole document cannot be taken back")
    parent = lookup(document, path.parent)
    return path.parent / len(parent) if isinstance(parent, list) and path[-1] == "-" else path


def _undo(document: Json, step: Operation, path: Pointer, *, typed: bool) -> tuple[Operation, ...]:
    parent = lookup(document, path.parent)
    there = step.op is Op.REMOVE or (isinstance(parent, dict) and path[-1] in parent)
    back = Operation(Op.ADD, path, lookup(document, path), step.source) if there else None
    if step.op is Op.ADD:
        return (
            *_tests(path, step.value, step.source, typed=typed),
            back or Operation(Op.REMOVE, path, None, step.source),
        )
    assert back is not None  # noqa: S101  a removal found what it removed
    if isinstance(parent, dict):
        return (Operation(Op.TEST, path, None, step.source), back)
    return (back,)


def _joined(step: Operation, undo: tuple[Operation, ...], earlier: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Undo two steps on one member at once: assert what the later one left, restore what the earlier one found."""
    final = earlier[-1]
    # Missing now and missing at first: such is a removal that works whether the member is there or not.
    return () if step.op is Op.REMOVE and final.op is Op.REMOVE else (*undo[:-1], final)


def _tests(path: Pointer, value: Json, source: str, *, typed: bool) -> tuple[Operation, ...]:
    found = tuple(leaves(path, value, typed=typed)) or (() if typed and is_quantity(path) else ((path, value),))
    return tuple(Operation(Op.TEST, at, leaf, source) for at, leaf in found)
