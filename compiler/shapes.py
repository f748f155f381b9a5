"""Whether what devcfg reads of a base object has the shape that Kubernetes gives it. Never looks at what it means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from devcfg.schemas.patch import Json, Pointer

EACH = "*"
"""Stands for every element of a list, which must be one."""


class Form(Enum):
    """What stands at a place, if anything does."""

    TEXT = "a text"
    MAPPING = "a mapping"
    LIST = "a list"


@dataclass(frozen=True, slots=True)
class Misshape:
    """A place that holds something else than it must."""

    path: Pointer
    wanted: Form


Shape = tuple[tuple[str, Form], ...]
"""Places, the outer before the inner, and what they hold."""

TEMPLATE: Shape = (
    ("metadata", Form.MAPPING),
    ("metadata/labels", Form.MAPPING),
    ("metadata/labels/*", Form.TEXT),
    ("metadata/annotations", Form.MAPPING),
    ("spec", Form.MAPPING),
    ("spec/securityContext", Form.MAPPING),
    ("spec/volumes", Form.LIST),
    ("spec/volumes/*", Form.MAPPING),
    ("spec/volumes/*/persistentVolumeClaim", Form.MAPPING),
    ("spec/initContainers", Form.LIST),
    ("spec/initContainers/*", Form.MAPPING),
    ("spec/imagePullSecrets", Form.LIST),
    ("spec/imagePullSecrets/*", Form.MAPPING),
    ("spec/containers", Form.LIST),
    ("spec/containers/*", Form.MAPPING),
    ("spec/containers/*/name", Form.TEXT),
    ("spec/containers/*/image", Form.TEXT),
    ("spec/containers/*/env", Form.LIST),
    ("spec/containers/*/env/*", Form.MAPPING),
    ("spec/containers/*/env/*/name", Form.TEXT),
    ("spec/containers/*/volumeMounts", Form.LIST),
    ("spec/containers/*/volumeMounts/*", Form.MAPPING),
    ("spec/containers/*/volumeMounts/*/mountPath", Form.TEXT),
    ("spec/containers/*/livenessProbe", Form.MAPPING),
    ("spec/containers/*/readinessProbe", Form.MAPPING),
    ("spec/containers/*/startupProbe", Form.MAPPING),
    ("spec/containers/*/securityContext", Form.MAPPING),
    ("spec/containers/*/resources", Form.MAPPING),
    ("spec/containers/*/resources/limits", Form.MAPPING),
)
SCALER: Shape = (
    ("spec", Form.MAPPING),
    ("spec/scaleTargetRef", Form.MAPPING),
    ("spec/scaleTargetRef/kind", Form.TEXT),
    ("spec/scaleTargetRef/name", Form.TEXT),
    ("spec/scaleTargetRef/apiVersion", Form.TEXT),
)
SELECTOR: Shape = (
    ("matchLabels", Form.MAPPING),
    ("matchLabels/*", Form.TEXT),
    ("matchExpressions", Form.LIST),
    ("matchExpressions/*", Form.MAPPING),
    ("matchExpressions/*/key", Form.TEXT),
    ("matchExpressions/*/values", Form.LIST),
)


def misshapen(document: Json, shape: Shape) -> Misshape | None:
    """Return the first place that does not hold what it must; what is missing or null is well shaped."""
    for place, form in shape:
        wrong = _first_wrong(document, Pointer(), place.split("/"), form)
        if wrong is not None:
            return Misshape(wrong, form)
    return None


def _first_wrong(document: Json, at: Pointer, steps: list[str], form: Form) -> Pointer | None:
    if document is None:
        return None
    if not steps:
        match form:
            case Form.TEXT:
                return None if isinstance(document, str) else at
            case Form.MAPPING:
                return None if isinstance(document, dict) else at
            case Form.LIST:
                return None if isinstance(document, list) else at
    step, rest = steps[0], steps[1:]
    if step == EACH and isinstance(document, list):
        # An element that is null is no element: what must be a mapping is missing there.
        inner = ((at / index, below, below is None and not rest) for index, below in enumerate(document))
    elif step == EACH:
        inner = ((at / key, below, False) for key, below in document.items())
    else:
        inner = (one for one in [(at / step, document.get(step), False)])
    for place, below, gone in inner:
        wrong = place if gone else _first_wrong(below, place, rest, form)
        if wrong is not None:
            return wrong
    return None
