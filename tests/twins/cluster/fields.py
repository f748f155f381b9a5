"""Managed fields, in short form, and what else is computed of an object's JSON."""

import json


def controllers(one):
    """Return the uid of an object's controller, in a set: other owners only take it along when they go."""
    return {ref["uid"] for ref in one["metadata"].get("ownerReferences") or () if ref.get("controller")}


def managed(entries, old, new, manager, resource, subresource):
    """Return the managed fields after a write: what a manager changes becomes its own."""
    changed = _fields(
        {key: value for key, value in old.items() if key not in ("apiVersion", "kind")},
        {key: value for key, value in new.items() if key not in ("apiVersion", "kind")},
    )
    mine = {"manager": manager, "operation": "Update", "apiVersion": resource.api_version, "fieldsType": "FieldsV1"}
    mine["time"] = "2026-01-01T00:00:00Z"
    if subresource:
        mine["subresource"] = subresource
    kept, own = [], {}
    for one in entries:
        if one["manager"] == manager and one.get("subresource", "") == subresource:
            own = one["fieldsV1"]
        else:
            left = _without(one["fieldsV1"], changed)
            kept += [{**one, "fieldsV1": left}] if left else []
    return [*kept, {**mine, "fieldsV1": _with(own, changed)}]


VOLATILE = ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "namespace", "name")


def _fields(old, new):
    found = {}
    for key, value in new.items():
        if old.get(key) == value or key in VOLATILE:
            continue
        inner = old.get(key)
        if isinstance(value, dict) and value:
            below = _fields(inner if isinstance(inner, dict) else {}, value)
            found |= {f"f:{key}": below} if below else {}
        else:
            found[f"f:{key}"] = {}
    return found


def _with(left, right):
    return {key: _with(left.get(key, {}), right.get(key, {})) for key in (*left, *(k for k in right if k not in left))}


def _without(left, taken):
    kept = {}
    for key, inner in left.items():
        if key not in taken:
            kept[key] = inner
        elif taken[key] and inner:
            rest = _without(inner, taken[key])
            if rest:
                kept[key] = rest
    return kept


def digest(value):
    """Return ten characters that stand for a value, as a template's hash does."""
    import hashlib

    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]
