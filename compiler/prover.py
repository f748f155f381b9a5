"""Applies each patch in memory and proves what it did: only what was declared, and no selector lost a pod."""

from __future__ import annotations

from collections.abc import Iterator

from devcfg.compiler.shapes import SELECTOR, misshapen
from devcfg.schemas.manifest import Manifest
from devcfg.schemas.patch import Json, Op, Operation, Pointer, Role, same

_POD_OWNED = ("volumes", "initContainers", "imagePullSecrets")


def changed(before: Json, after: Json, at: Pointer = Pointer()) -> Iterator[Pointer]:  # noqa: B008  a frozen value
    """Yield every place where two documents differ, as deep as it goes; a list that only grew yields what is new."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            if key not in before or key not in after:
                yield at / key
            else:
                yield from changed(before[key], after[key], at / key)
    elif isinstance(before, list) and isinstance(after, list) and len(before) <= len(after):
        for index, old in enumerate(before):
            yield from changed(old, after[index], at / index)
        for index in range(len(before), len(after)):
            yield at / index
    elif not same(before, after):
        yield at


def removed(before: Json, after: Json, at: Pointer = Pointer()) -> Iterator[Pointer]:  # noqa: B008  a frozen value
    """Yield every place that was there and is not any more; named list elements are followed by their name."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, old in before.items():
            if key in after:
                yield from removed(old, after[key], at / key)
            elif old is not None:
                yield at / key
    elif isinstance(before, list) and isinstance(after, list):
        names = {one["name"]: one for one in after if _is_named(one)}
        for index, old in enumerate(before):
            if not _is_named(old):
                continue
            if old["name"] in names:
                yield from removed(old, names[old["name"]], at / index)
            else:
                yield at / index


def _is_named(element: Json) -> bool:
    return isinstance(element, dict) and isinstance(element.get("name"), str)


def undeclared(before: Json, after: Json, allowed: tuple[Pointer, ...]) -> tuple[Pointer, ...]:
    """Return the places that differ although nothing declared them."""
    return tuple(one for path in changed(before, after) for one in _outside(before, after, path, allowed))


def _outside(before: Json, after: Json, path: Pointer, allowed: tuple[Pointer, ...]) -> Iterator[Pointer]:
    """Yield a place that nothing declared; of a mapping that was not there before, what nothing in it declared."""
    if any(one.covers(path) for one in allowed):
        return
    value = _at(after, path)
    if isinstance(value, dict) and value and _at(before, path) is None:
        for key in value:
            yield from _outside(before, after, path / key, allowed)
    else:
        yield path


def _at(document: Json, path: Pointer) -> Json:
    for token in path:
        if isinstance(document, dict):
            document = document.get(token)
        elif isinstance(document, list) and token.isdecimal() and int(token) < len(document):
            document = document[int(token)]
        else:
            return None
    return document


def touched(document: Json, operations: tuple[Operation, ...]) -> tuple[Pointer, ...]:
    """Return the places that a user's operations change: of a list that loses or wins an element, all of it."""
    return tuple(
        step.path.parent if step.path[-1] == "-" or isinstance(_at(document, step.path.parent), list) else step.path
        for step in operations
        if step.op is not Op.TEST and step.role is not Role.ASSUME
    )


def declared(template: Pointer, containers: tuple[Pointer, ...], user: tuple[Pointer, ...]) -> tuple[Pointer, ...]:
    """Return the places that dev mode may change: its containers, the pod's other lists, annotations, replicas."""
    pod = template / "spec"
    return (
        *containers,
        *(pod / member for member in _POD_OWNED),
        template / "metadata" / "annotations",
        *(() if template else (Pointer(("metadata", "annotations")),)),
        Pointer(("spec", "replicas")),
        Pointer(("spec", "strategy")),
        *user,
    )


def labels_of(document: Json, template: Pointer) -> dict[str, str]:
    """Return the labels of the pods that a workload makes."""
    for token in (*template, "metadata", "labels"):
        document = document.get(token) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def lost_selectors(
    base: tuple[Manifest, ...], namespace: str, before: dict[str, str], after: dict[str, str]
) -> tuple[Manifest, ...]:
    """Return the objects whose selector takes these pods before but not after, or the other way round."""
    if before == after:
        return ()
    return tuple(
        one
        for one in base
        if (not one.namespace or not namespace or one.namespace == namespace)
        and (selector := selector_of(one)) is not None
        and selects(selector, before) != selects(selector, after)
    )


def selector_of(manifest: Manifest) -> dict[str, Json] | None:
    """Return the selector by which an object takes pods; None where it has none, or one that nothing can select by."""
    spec = manifest.object.get("spec")
    if not isinstance(spec, dict):
        return None
    found = spec.get("podSelector" if manifest.kind == "NetworkPolicy" else "selector")
    if manifest.kind in ("Service", "ReplicationController"):
        found = {"matchLabels": found} if found else None
    return found if isinstance(found, dict) and misshapen(found, SELECTOR) is None else None


def selects(selector: dict[str, Json], labels: dict[str, str]) -> bool:
    """Tell whether a label selector (`matchLabels`, `matchExpressions`) takes pods with these labels."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for one in selector.get("matchExpressions") or []:
        key, values = one.get("key"), one.get("values") or []
        match one.get("operator"):
            case "In" if labels.get(key) not in values:
                return False
            case "NotIn" if key in labels and labels[key] in values:
                return False
            case "Exists" if key not in labels:
                return False
            case "DoesNotExist" if key in labels:
                return False
            case _:
                pass
    return True
