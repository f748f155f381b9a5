"""What kustomize does with a generated component, in memory: an honest twin for tests, made of other people's parts.

It reads the committed text with PyYAML and applies patches with the library `jsonpatch`; none of our code takes part.
Known only: what our components use. `test_the_twin_builds_what_kubectl_builds` holds it to the real one.
"""

import copy
import functools
import posixpath
import re

import jsonpatch
import jsonpointer
import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RefusedError(Exception):
    """Kustomize would fail; the message has the path of each component on the way, as kustomize's has."""


def build(objects, files, root="", namespace=""):
    """Return the objects with the component at `root` of `files` over them. Raises `RefusedError`."""
    found = list(objects)
    seen = set()
    for one in found:
        _register(one, seen)
    _accumulate(found, seen, files, root)
    return found


@functools.lru_cache(maxsize=4096)
def parse(text):
    """Read YAML once a text: nothing here changes what it returns."""
    return yaml.load(text, Loader=_LOADER)


def apply(document, operations):
    """Apply RFC 6902 operations as kustomize's library does: a missing member equals null where it is tested."""
    document = copy.deepcopy(document)
    for step in operations:
        try:
            if step["op"] == "test" and step["value"] is None:
                _test_null(document, step["path"])
            else:
                document = jsonpatch.apply_patch(document, [copy.deepcopy(step)], in_place=True)
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, KeyError, TypeError) as error:
            raise RefusedError(f"{step['op']} {step['path']}: {error}") from error
    return document


def _test_null(document, path):
    parent, _, last = path.rpartition("/")
    holder = jsonpointer.resolve_pointer(document, parent)
    if isinstance(holder, list):
        found = jsonpointer.resolve_pointer(document, path)
    else:
        if not isinstance(holder, dict):
            raise RefusedError(f"test {path}: there is nothing below {parent}")
        found = holder.get(last.replace("~1", "/").replace("~0", "~"))
    if found is not None:
        raise RefusedError(f"testing value {path} failed")


def identity(one):
    """Return what a selector sees: group, version, kind, name, namespace."""
    group, _, version = one["apiVersion"].rpartition("/")
    meta = one["metadata"]
    return {
        "group": group,
        "version": version,
        "kind": one["kind"],
        "name": meta["name"],
        "namespace": meta.get("namespace") or "",
    }


def _register(one, seen):
    label = identity(one)
    key = (label["group"], label["version"], label["kind"], label["name"], label["namespace"])
    if key in seen:
        raise RefusedError(f"may not add resource with an already registered id: {label['kind']} {label['name']}")
    seen.add(key)


def _accumulate(found, seen, files, path):
    here = parse(files[posixpath.join(path, "kustomization.yaml")])
    try:
        for name in here.get("resources", ()):
            one = copy.deepcopy(parse(files[posixpath.join(path, name)]))
            _register(one, seen)
            found.append(one)
        for name in here.get("components", ()):
            _accumulate(found, seen, files, posixpath.normpath(posixpath.join(path, name)))
        for entry in here.get("patches", ()):
            text = files[posixpath.join(path, entry["path"])] if "path" in entry else entry["patch"]
            for at, one in enumerate(found):
                if all(re.fullmatch(wanted, identity(one)[key]) for key, wanted in entry["target"].items()):
                    found[at] = apply(one, parse(text))
        for entry in here.get("replacements", ()):
            _replace(found, entry)
    except RefusedError as error:
        raise RefusedError(f"recursed accumulation of path '{path}': {error}") from error


def _replace(found, entry):
    source = dict(entry["source"])
    steps = _steps(source.pop("fieldPath"))
    sources = [one for one in found if _selects(source, one)]
    if len(sources) != 1:
        said = "multiple matches for selector" if sources else "nothing selected by"
        raise RefusedError(f"{said} {source}")
    value = _find(sources[0], steps)
    if value is None:
        raise RefusedError(f"fieldPath `{entry['source']['fieldPath']}` is missing for replacement source {source}")
    for target in entry["targets"]:
        rejected = target.get("reject", ())
        for at, one in enumerate(found):
            if _selects(target["select"], one) and not any(_selects(reject, one) for reject in rejected):
                found[at] = copy.deepcopy(one)
                for path in target["fieldPaths"]:
                    _put(found[at], path, value, target.get("options") or {})


def _selects(selector, one):
    return all(identity(one)[key] == wanted for key, wanted in selector.items())


def _put(one, path, value, options):
    steps = _steps(path)
    if not options.get("create") and _find(one, steps) is None:
        raise RefusedError(f'unable to find field "{path}" in replacement target')
    for step in steps[:-1]:
        one = one.setdefault(step, {})
    one[steps[-1]] = value


def _steps(path):
    """Split a field path at its dots; brackets hold a name with dots, or `[key=value]` for an element of a list."""
    return [
        found[1:-1] if re.fullmatch(r"\[[^=]*\]", found) else found for found in re.findall(r"\[[^]]*\]|[^.]+", path)
    ]


def _find(document, steps):
    for step in steps:
        if step.startswith("["):
            key, _, wanted = step[1:-1].partition("=")
            elements = document if isinstance(document, list) else ()
            document = next((one for one in elements if one.get(key) == wanted), None)
        else:
            document = document.get(step) if isinstance(document, dict) else None
    return document
