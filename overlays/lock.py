"""`devcfg.lock`: digests of config, base objects and files, so that a stale overlay knows why. Never values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from devcfg.overlays.emitter import escaped
from devcfg.schemas.errors import DevcfgError
from devcfg.schemas.manifest import Manifest
from devcfg.schemas.patch import Json
from devcfg.schemas.plan import Plan

DEPTH = 3
"""How many levels of a container, or of anything else, have a digest of their own."""


@dataclass(frozen=True, slots=True)
class Lock:
    """What a lock file says. `objects` maps an object's label to the digests of its fields by name."""

    version: str
    config: str
    objects: dict[str, dict[str, str]]
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as it was when the files were generated."""

    subject: str
    """`config`, or the label of an object of the base."""
    words: str
    place: str = ""


def lock_text(plan: Plan, *, version: str, files: dict[str, str]) -> str:
    """Return the lock as JSON, keys in order, one entry a line."""
    lock = {
        "version": 1,
        "devcfg": version,
        "config": plan.config_digest,
        "objects": {_label(one): fields_of(one) for one in _objects(plan)},
        "files": {path: text_digest(text) for path, text in sorted(files.items())},
    }
    return escaped(json.dumps(lock, indent=2, ensure_ascii=False)) + "\n"


def read_lock(text: str) -> Lock:
    """Read a lock. Raises `DevcfgError` when it is not one of ours."""
    try:
        found = json.loads(text)
        if found["version"] != 1:
            raise DevcfgError(f"devcfg.lock has version {found['version']!r}, and only 1 is known", hint=_REGENERATE)
        objects = {label: _digests(fields) for label, fields in found["objects"].items()}
        return Lock(str(found["devcfg"]), str(found["config"]), objects, _digests(found["files"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DevcfgError("devcfg.lock cannot be read", hint=_REGENERATE) from error


def _digests(found: dict[str, str]) -> dict[str, str]:
    return {name: str(digest) for name, digest in found.items()}


_REGENERATE = "regenerate it: `devcfg render --write --force`"


def compare(lock: Lock, plan: Plan) -> tuple[Change, ...]:
    """Return what changed since the lock was written, the base's changes field by field."""
    changes = []
    if lock.config != plan.config_digest:
        changes.append(Change("config", "the dev config changed"))
    known = dict(lock.objects)
    for one in _objects(plan):
        before, now = known.pop(_label(one), None), fields_of(one)
        place = one.place
        if before is None:
            changes.append(Change(_label(one), "is new to dev mode", place))
            continue
        changes += [Change(_label(one), words, place) for words in _differences(before, now)]
    changes += [Change(label, "is no longer part of dev mode") for label in known]
    return tuple(changes)


def _differences(before: dict[str, str], now: dict[str, str]) -> tuple[str, ...]:
    """Say which fields differ; a named element that came or went is said once, not field by field."""
    words: dict[str, None] = {}
    for field in dict.fromkeys([*before, *now]):
        if before.get(field) == now.get(field):
            continue
        if field.endswith("[]") and not (field in before and field in now):
            continue  # its elements say so, each by its name
        present, absent, word = (now, before, "is new") if field not in before else (before, now, "is gone")
        if field in before and field in now:
            words[f"the order of {field[:-2]} changed" if field.endswith("[]") else f"{field} changed"] = None
            continue
        element = field[: field.rindex("]") + 1] if "]" in field else ""
        whole = element and not any(other.startswith(element) for other in absent) and element in "".join(present)
        words[f"{element if whole else field} {word}"] = None
    if any("] is " in word for word in words):
        words = {word: None for word in words if not word.startswith("the order of ")}
    return tuple(words)


def text_digest(text: str) -> str:
    """Return the SHA-256 of a file's text, in hex."""
    return sha256(text.encode()).hexdigest()


def fields_of(one: Manifest) -> dict[str, str]:
    """Return a short digest for each field of a base object, named as `spec.template.spec.containers[web].env`."""
    return {name: sha256(_text(value).encode()).hexdigest()[:12] for name, value in _fields(one.object)}


def _fields(document: Json, name: str = "", depth: int = 0) -> Iterator[tuple[str, Json]]:
    if isinstance(document, dict) and document and depth < DEPTH:
        for key, value in document.items():
            # Templates and lists of named things are ways, not fields: they cost no depth.
            deeper = depth + (key not in ("spec", "template", "jobTemplate", "metadata"))
            yield from _fields(value, f"{name}.{key}" if name else key, deeper)
    elif depth < DEPTH and document and _is_named(document):
        yield name + "[]", [one["name"] for one in document]
        for one in document:
            yield from _fields(one, f"{name}[{one['name']}]", DEPTH - 1)
    else:
        yield name, document


def _is_named(document: Json) -> bool:
    return isinstance(document, list) and all(isinstance(one, dict) and "name" in one for one in document)


def _text(value: Json) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _label(one: Manifest) -> str:
    target = one.target
    return f"{target.namespace}/{target.label}" if target.namespace else target.label


def _objects(plan: Plan) -> tuple[Manifest, ...]:
    """Return what the plan depends on, each object once: what it patches, and the scalers that must leave it alone."""
    found = [one.manifest for workload in plan.workloads for one in (*workload.patched, *workload.bystanders)]
    return tuple({id(one): one for one in found}.values())
