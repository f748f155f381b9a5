"""Where the values of a container's environment stand in an object. They may be secret: never shows or copies one."""

from __future__ import annotations

from devcfg.schemas.patch import Json, Pointer

ENV = "env"
_VALUE = "value"


def is_value(path: Pointer) -> bool:
    """Tell whether a pointer names the value of a variable, such as `/…/env/0/value`."""
    return len(path) > 2 and path[-1] == _VALUE and path[-3] == ENV and path[-2].isdecimal()


def holds_values(value: Json, at: Pointer) -> bool:
    """Tell whether the value at a pointer is the value of a variable, or holds one."""
    if is_value(at):
        return True
    if isinstance(value, dict):
        return any(holds_values(below, at / key) for key, below in value.items())
    return isinstance(value, list) and any(holds_values(below, at / index) for index, below in enumerate(value))


def without_values(value: Json, at: Pointer, instead: str) -> Json:
    """Return the value at a pointer with each value of a variable replaced."""
    if is_value(at):
        return instead
    if isinstance(value, dict):
        return {key: without_values(below, at / key, instead) for key, below in value.items()}
    if isinstance(value, list):
        return [without_values(below, at / index, instead) for index, below in enumerate(value)]
    return value
