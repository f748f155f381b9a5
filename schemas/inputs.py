"""The leaf types that only a service has: workload names, env values, patches. Nothing here reads another field."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

from devcfg.schemas.block import leaf
from devcfg.schemas.fields import ENV_NAME, LABEL, closest, fail, filled, matching, one_of, text
from devcfg.schemas.scalar import PlainScalar, clip, describe


def as_json(value: Any, at: tuple[str | int, ...] = ()) -> Any:
    """Take any value that JSON can hold; infinity and NaN are errors."""
    match value:
        case PlainScalar():
            if isinstance(value.value, float) and not isfinite(value.value):
                fail("bad-value", f"`{clip(value)}` has no form in JSON", "put quotes around it", at=at)
            return value.value
        case dict():
            return {str(key): as_json(below, (*at, key)) for key, below in value.items()}
        case list():
            return [as_json(below, (*at, index)) for index, below in enumerate(value)]
        case _:
            return value


def env_mapping(value: Any) -> Any:
    """Take a mapping."""
    if not isinstance(value, dict):
        found = describe(value)
        hint = "leave the key out instead" if found == "null" else "write a line `NAME: value` for each"
        fail("wrong-type", f"wanted a mapping of names to values, found {found}", hint)
    return value


def env_value(value: Any) -> Any:
    """Take a string, null, or `{valueFrom: …}` with one known source."""
    if isinstance(value, PlainScalar) and value.value is None:
        return None
    if value is None or isinstance(value, str):
        return None if value is None else text(value)
    if isinstance(value, dict) and "valueFrom" in value:
        return {"valueFrom": _value_source(value)}
    return fail(
        "wrong-type",
        f"wanted a string, null (to remove it) or `{{valueFrom: …}}`, found {describe(value)}",
        "write a list or mapping as one quoted string",
    )


_SOURCES = ("configMapKeyRef", "secretKeyRef", "fieldRef", "resourceFieldRef", "fileKeyRef")


def _value_source(value: dict[str, Any]) -> Any:
    source = as_json(value["valueFrom"], ("valueFrom",))
    if not isinstance(source, dict):
        fail("wrong-type", f"wanted a mapping, found {describe(source)}", at=("valueFrom",))
    known = ", ".join(f"`{one}`" for one in _SOURCES)
    for name in source:
        if name not in _SOURCES:
            hint = closest(name, _SOURCES)
            fail("bad-value", f"wanted one of {known}, found `{clip(name)}`", hint, at=("valueFrom", name), key=True)
    if len(source) != 1:
        fail("bad-value", f"wanted one of {known}, found {len(source) or 'none'}", at=("valueFrom",))
    for name in value:
        if name != "valueFrom":
            hint = "write one of the two"
            fail("bad-value", f"`{clip(name)}` cannot stand beside `valueFrom`", hint, at=(name,), key=True)
    return source


def env_name(value: Any) -> str:
    """Take a name that Kubernetes allows."""
    return matching(ENV_NAME, "a name of an environment variable (letters, digits, `_`, `-`, `.`)")(value)


ENV_KEY = leaf(env_name, type="string")
ENV_VALUE = leaf(
    env_value,
    anyOf=[
        {"type": ["string", "number", "boolean", "null"]},
        {
            "type": "object",
            "required": ["valueFrom"],
            "properties": {"valueFrom": {"type": "object"}},
            "additionalProperties": False,
        },
    ],
)
SERVICE_NAME = leaf(
    matching(LABEL, "a service name (lower case letters, digits and `-`, at most 63)"),
    type="string",
    pattern="^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
)


def workload_name(value: Any) -> str:
    """Take `kind/name` or `group/version/kind/name`."""
    found = filled(value)
    parts = found.split("/")
    if (len(parts) not in (2, 4) and not (len(parts) == 3 and parts[0] == "v1")) or not all(parts):
        fail(
            "bad-value",
            f"wanted `kind/name` or `group/version/kind/name`, found {describe(value)}",
            "for instance `deployment/web`",
        )
    return found


def template_text(value: Any) -> str:
    """Take a JSON Pointer."""
    found = filled(value)
    if not found.startswith("/") or re.search(r"~(?![01])", found) or found.endswith("/"):
        fail("bad-value", f"wanted a JSON Pointer such as `/spec/template`, found {describe(value)}")
    return found


def no_clock(value: Any) -> Any:
    """Refuse the key, whatever it says."""
    return fail(
        "not-supported",
        f"`clock` does not work yet, found {describe(value)}",
        "leave the key out; it comes with a later version",
    )


def only_replace(value: Any) -> str:
    """Take the one mode that works."""
    word = one_of("replace", "duplicate", "mesh", "proxy")(value)
    if word != "replace":
        fail("not-supported", f"mode `{word}` does not work yet", "leave the key out, or write `replace`")
    return word


def patch_list(value: Any) -> Any:
    """Take RFC 6902 operations (a list) or an RFC 7386 merge patch (a mapping)."""
    value = as_json(value)
    if isinstance(value, dict):
        if not value:
            fail("empty-value", "wanted a merge patch, found an empty mapping", "leave the key out instead")
        return value
    if not isinstance(value, list):
        fail("wrong-type", f"wanted a list of RFC 6902 operations or a merge patch, found {describe(value)}")
    if not value:
        fail("empty-value", "wanted operations, found an empty list", "leave the key out instead")
    for at, step in enumerate(value):
        _check_step(step, at)
    return tuple(value)


_MEMBERS = {
    "test": {"value"},
    "add": {"value"},
    "replace": {"value"},
    "remove": set(),
    "move": {"from"},
    "copy": {"from"},
}


def _check_step(step: Any, at: int) -> None:
    if not isinstance(step, dict):
        fail("wrong-type", f"wanted a mapping such as `{{op: remove, path: …}}`, found {describe(step)}", at=(at,))
    op = step.get("op")
    if not isinstance(op, str) or op not in _MEMBERS:
        known = ", ".join(f"`{one}`" for one in _MEMBERS)
        if "op" not in step:
            fail("missing-key", "`op` is missing", f"one of {known}", at=(at,))
        found = f"`{clip(op)}`" if isinstance(op, str) else describe(op)
        fail("bad-value", f"wanted one of {known}, found {found}", at=(at, "op"))
    wanted = {"op", "path"} | _MEMBERS[op]
    missing, extra = wanted - set(step), set(step) - wanted
    if missing:
        fail("missing-key", f"`{min(missing)}` is missing", f"`{op}` needs {_listed(wanted - {'op'})}", at=(at,))
    if extra:
        fail(
            "bad-value",
            f"`{op}` takes no such member",
            f"it takes {_listed(wanted - {'op'})}",
            at=(at, min(extra)),
            key=True,
        )
    for member in ("path", "from"):
        path = step.get(member, "/")
        if not isinstance(path, str) or not path.startswith("/") or re.search(r"~(?![01])", path):
            found, hint = describe(path), ""
            if isinstance(path, str):
                found, hint = f"`{clip(path)}`", "write `~0` for `~` and `~1` for `/` in a name"
                if not path.startswith("/"):
                    hint = f"did you mean `/{clip(path)}`?"
            fail("bad-value", f"wanted a JSON Pointer such as `/spec/replicas`, found {found}", hint, at=(at, member))


def _listed(members: set[str]) -> str:
    return " and ".join(f"`{one}`" for one in sorted(members))
