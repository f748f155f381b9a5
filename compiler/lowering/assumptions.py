"""What a step of the user's patches takes for granted, as tests. Never holds a value of an environment."""

from __future__ import annotations

from devcfg.compiler.witness import exact_length
from devcfg.schemas.environment import holds_values
from devcfg.schemas.patch import Json, Op, Operation, Pointer, Role, lookup
from devcfg.schemas.quantity import is_quantity

DEFAULTED = frozenset((
    "backoffLimit", "completionMode", "completions", "concurrencyPolicy", "dnsPolicy", "failedJobsHistoryLimit",
    "failureThreshold", "imagePullPolicy", "parallelism", "periodSeconds", "podManagementPolicy",
    "podReplacementPolicy", "progressDeadlineSeconds", "protocol", "replicas", "resources", "restartPolicy",
    "revisionHistoryLimit", "schedulerName", "securityContext", "strategy", "successThreshold",
    "successfulJobsHistoryLimit", "suspend", "terminationGracePeriodSeconds", "terminationMessagePath",
    "terminationMessagePolicy", "timeoutSeconds", "updateStrategy",
))  # fmt: skip
"""Fields that the API server fills in where they are missing: on a live object their absence cannot be asserted."""


def assume(document: Json, path: Pointer, source: str) -> tuple[Operation, ...]:
    """Assert what stands at a place, or that nothing does."""
    return assume_value(lookup(document, path), path, source)


def assume_value(value: Json, path: Pointer, source: str) -> tuple[Operation, ...]:
    """Assert that a value stands at a place: word for word, but of an environment only what it names."""
    if value is None:
        role = Role.PRISTINE if path and path[-1] in DEFAULTED else Role.ASSUME
        return (Operation(Op.TEST, path, None, source, role),)
    if not holds_values(value, path):
        role = Role.PRISTINE if _holds_mapping(value) or is_quantity(path) else Role.ASSUME
        return (Operation(Op.TEST, path, value, source, role),)
    if isinstance(value, dict):
        return tuple(step for key, below in value.items() for step in assume_value(below, path / key, source))
    if isinstance(value, list):
        each = tuple(step for at, below in enumerate(value) for step in assume_value(below, path / at, source))
        return (*each, *exact_length(path, len(value), source))
    return ()


def assume_names(document: Json, path: Pointer, source: str) -> tuple[Operation, ...]:
    """Assert the name of each named list element on the way, so that a reordered list is noticed."""
    tests = []
    for depth in range(1, len(path)):
        element = lookup(document, Pointer(path[:depth]))
        if path[depth - 1].isdecimal() and isinstance(element, dict) and isinstance(element.get("name"), str):
            at = Pointer(path[:depth]) / "name"
            if at != path:
                tests.append(Operation(Op.TEST, at, element["name"], source, Role.ASSUME))
    return tuple(tests)


def _holds_mapping(value: Json) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_holds_mapping, value)))
