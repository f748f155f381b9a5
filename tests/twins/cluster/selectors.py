"""Label and field selectors, as a server reads them. Knows no object's meaning."""

import re

_SET = re.compile(r"(?P<key>[^\s!]+)\s+(?P<how>in|notin)\s+\((?P<values>[^)]*)\)")


def by_labels(text):
    """Return a test for objects of an equality- or set-based label selector."""
    parts = [one.strip() for one in re.split(r",(?![^(]*\))", text) if one.strip()]
    tests = [_label_test(one) for one in parts]
    return lambda one: all(test(one.get("metadata", {}).get("labels") or {}) for test in tests)


def _label_test(part):
    found = _SET.fullmatch(part)
    if found:
        key, values = found["key"], {one.strip() for one in found["values"].split(",")}
        if found["how"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if "!=" in part:
        key, value = (one.strip() for one in part.split("!="))
        return lambda labels: labels.get(key) != value
    if "=" in part:
        key, value = (one.strip() for one in part.replace("==", "=").split("="))
        return lambda labels: labels.get(key) == value
    if part.startswith("!"):
        return lambda labels: part[1:] not in labels
    return lambda labels: part in labels


def by_fields(text):
    """Return a test for objects of a field selector."""
    tests = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        path, _, value = part.replace("==", "=").partition("=")
        differs = path.endswith("!")
        tests.append((path.rstrip("!").split("."), value, differs))

    def test(one):
        return all((_at(one, path) == value) != differs for path, value, differs in tests)

    return test


def _at(one, path):
    for step in path:
        one = one.get(step) if isinstance(one, dict) else None
    return "" if one is None else str(one)


def matches(selector, labels):
    """Tell whether a workload's `selector` takes these labels."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for one in selector.get("matchExpressions") or ():
        key, values = one["key"], one.get("values") or ()
        holds = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not holds[one["operator"]]:
            return False
    return True
