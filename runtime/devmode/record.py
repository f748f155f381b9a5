"""What `up` writes on an object that it changes, and how that is read again: as input from outside. Asks no cluster.

An inverse patch that stands in a cluster may have been written by anybody who may annotate the object. So it is
parsed, held against what dev mode itself changes, and applied group by group: what others changed since is kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from devcfg.compiler.kinds import known_kind
from devcfg.compiler.security import security_changes
from devcfg.runtime.devmode.errors import DriftError
from devcfg.schemas.errors import PatchError
from devcfg.schemas.naming import CONTAINER_ANNOTATION, INVERSE_ANNOTATION, OWNER_ANNOTATION, PLAN_ANNOTATION
from devcfg.schemas.patch import Json, Op, Operation, Pointer, apply_operation, lookup

METADATA = Pointer(("metadata", "annotations"))
REPLICAS = Pointer(("spec", "replicas"))
STRATEGY = Pointer(("spec", "strategy"))
OURS = "devcfg"
"""What the names of containers and volumes begin with that dev mode adds."""
_MEMBERS = frozenset((
    "args", "command", "env", "envFrom", "image", "imagePullPolicy", "lifecycle", "livenessProbe", "ports",
    "readinessProbe", "resources", "startupProbe", "stdin", "tty", "volumeMounts", "workingDir",
))  # fmt: skip
"""What dev mode changes of a dev container, beside the user in its security context."""
_USER = frozenset(("runAsUser", "runAsGroup"))
_LISTS = ("volumes", "initContainers", "imagePullSecrets")
_SCALER = frozenset((Pointer(("spec", "minReplicas")), Pointer(("spec", "maxReplicas"))))


@dataclass(frozen=True, slots=True)
class Owner:
    """Who took an object into dev mode, and what is to be taken back beside the patch."""

    holder: str
    """`user@host`."""
    session: str
    since: str
    """RFC 3339."""
    services: tuple[str, ...] = ()
    template: str = "/spec/template"
    """Where the pod template is, as a JSON Pointer."""
    workload: str = ""
    """The ID of the workload; on an autoscaler, of the one that it scales."""
    paused: bool = False
    """Whether Flux was told to leave the object alone, by the same patch."""

    def to_text(self) -> str:
        """Return what the annotation says."""
        members = {
            "version": 1,
            "holder": self.holder,
            "session": self.session,
            "since": self.since,
            "services": list(self.services),
            "template": self.template,
            "workload": self.workload,
            "paused": self.paused,
        }
        return json.dumps(members, separators=(",", ":"))


def owner_of(document: Json) -> Owner | None:
    """Return the owner that an object names; None without one. What is not understood counts as said by nobody."""
    text = annotations_of(document).get(OWNER_ANNOTATION)
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        found = {}
    services = found.get("services")
    named = tuple(map(str, services)) if isinstance(services, list) else ()
    template = found.get("template")
    return Owner(
        holder=str(found.get("holder") or "somebody"),
        session=str(found.get("session") or ""),
        since=str(found.get("since") or ""),
        services=named,
        template=template if isinstance(template, str) and template.startswith("/spec/") else "/spec/template",
        workload=str(found.get("workload") or ""),
        paused=found.get("paused") is True,
    )


def annotations_of(document: Json) -> dict[str, str]:
    """Return the annotations of an object."""
    found = (document.get("metadata") or {}).get("annotations")
    return found if isinstance(found, dict) else {}


def template_of(document: Json) -> Pointer:
    """Return where an object has its pod template: by its kind, or as its owner annotation says."""
    group, slash, _ = str(document.get("apiVersion", "")).partition("/")
    known = known_kind(group if slash else "", str(document.get("kind", "")))
    owner = owner_of(document)
    return known.template if known else Pointer.parse(owner.template if owner else "/spec/template")


def plan_of(document: Json) -> str | None:
    """Return the digest of the plan that an object's pods run by; None where they are not in dev mode."""
    return template_annotations(document).get(PLAN_ANNOTATION)


def template_annotations(document: Json) -> dict[str, str]:
    """Return the annotations of the pods that a workload makes."""
    for token in (*template_of(document), "metadata", "annotations"):
        document = document.get(token) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def dev_containers(document: Json) -> dict[str, str]:
    """Return the dev containers that the pod template names, by service (where its name was too long, cut)."""
    found = template_annotations(document)
    return {
        key.removeprefix(CONTAINER_ANNOTATION): str(name)
        for key, name in found.items()
        if key.startswith(CONTAINER_ANNOTATION)
    }


def is_taken(document: Json) -> bool:
    """Tell whether `up` took this object into dev mode."""
    return INVERSE_ANNOTATION in annotations_of(document)


def written(document: Json, inverse: tuple[Operation, ...], owner: Owner) -> tuple[Operation, ...]:
    """Return the steps that write the record on an object; they replace what a record said before."""
    text = json.dumps({"version": 1, "patch": [step.to_json() for step in inverse]}, separators=(",", ":"))
    start = () if annotations_of(document) else (Operation(Op.ADD, METADATA, {}),)
    return (
        *start,
        Operation(Op.ADD, METADATA / INVERSE_ANNOTATION, text),
        Operation(Op.ADD, METADATA / OWNER_ANNOTATION, owner.to_text()),
    )


def inverse_of(document: Json) -> tuple[Operation, ...]:
    """Return the inverse patch that an object carries. Raises `DriftError` where it is none."""
    text = annotations_of(document).get(INVERSE_ANNOTATION, "")
    try:
        return tuple(map(_step, json.loads(text)["patch"]))
    except (ValueError, KeyError, TypeError, PatchError):
        name = (document.get("metadata") or {}).get("name")
        hint = "apply the workload's manifest again, and remove the annotations `devcfg.dev/…` from it"
        raise DriftError(f"the annotation `{INVERSE_ANNOTATION}` of `{name}` is damaged", hint=hint) from None


def _step(one: Any) -> Operation:
    return Operation(Op(one["op"]), Pointer.parse(one["path"]), one.get("value"))


@dataclass(frozen=True, slots=True)
class Restoration:
    """The way back as it can be taken now."""

    operations: tuple[Operation, ...]
    """Without the record's own annotations."""
    after: Json
    kept: tuple[Pointer, ...]
    """What others changed since: it stays as they want it."""


def restoration(document: Json, inverse: tuple[Operation, ...], forced: tuple[Pointer, ...] = ()) -> Restoration:
    """Take an inverse patch back in memory, each change with the tests before it; `forced` places are not tested."""
    taken: list[Operation] = []
    kept: list[Pointer] = []
    after = document
    for group in _groups(inverse):
        change = group[-1]
        steps = group[-1:] if change.path in forced else group
        try:
            after = _applied(after, steps)
        except PatchError:
            kept.append(change.path)
        else:
            taken += steps
    return Restoration(tuple(taken), after, tuple(kept))


def _groups(inverse: tuple[Operation, ...]) -> list[tuple[Operation, ...]]:
    found: list[tuple[Operation, ...]] = []
    start = 0
    for at, step in enumerate(inverse):
        if step.op is not Op.TEST:
            found.append(inverse[start : at + 1])
            start = at + 1
    return found


def _applied(document: Json, steps: tuple[Operation, ...]) -> Json:
    for step in steps:
        document = apply_operation(document, step)
    return document


def cleared(document: Json) -> tuple[Operation, ...]:
    """Return the steps that take the record off an object."""
    found = annotations_of(document)
    return tuple(Operation(Op.REMOVE, METADATA / key) for key in (INVERSE_ANNOTATION, OWNER_ANNOTATION) if key in found)


@dataclass(frozen=True, slots=True)
class Reach:
    """What of an inverse patch dev mode itself does not do. `wild` is never done, `own` only where somebody agrees."""

    wild: tuple[Pointer, ...]
    strange: tuple[str, ...]
    """In words."""


def reach(document: Json, inverse: tuple[Operation, ...]) -> Reach:
    """Hold an inverse patch against what dev mode changes in such an object."""
    changes = [step for step in inverse if step.op is not Op.TEST]
    if document.get("kind") == "HorizontalPodAutoscaler":
        return Reach(tuple(step.path for step in changes if step.path not in _SCALER), ())
    template = template_of(document)
    wild = tuple(step.path for step in changes if step.path[:1] != ("spec",) or step.path[:2] == ("spec", "selector"))
    strange = [f"changes `{step.path}`" for step in changes if not _is_own(document, template, step)]
    # Both without what dev mode added to lists: what is left of a list would count as new.
    before = restoration(document, tuple(step for step in inverse if _is_removal(document, template, step))).after
    after = restoration(document, inverse).after
    security = [words for words in security_changes(before, after, template) if "/securityContext/runAs" not in words]
    return Reach(wild, tuple(dict.fromkeys((*strange, *security))))


def _is_own(document: Json, template: Pointer, step: Operation) -> bool:
    """Tell whether dev mode takes such a step back when it leaves."""
    path, pod = step.path, template / "spec"
    if path == REPLICAS:
        return isinstance(step.value, int)
    if STRATEGY.covers(path) or (template / "metadata" / "annotations").covers(path):
        return True
    if not pod.covers(path) or len(path) <= len(pod):
        return path == template / "metadata" and step.op is Op.REMOVE
    rest = path[len(pod) :]
    if rest[0] in _LISTS:
        return step.op is Op.REMOVE and _adds_only(document, path)
    if rest[0] == "containers" and len(rest) > 1:
        name = _value(document, Pointer((*pod, *rest[:2], "name")))
        if len(rest) == 2:
            return step.op is Op.REMOVE and str(name).startswith(OURS)
        user = rest[2] == "securityContext" and (rest[3:4] == () or rest[3] in _USER)
        return name in dev_containers(document).values() and (rest[2] in _MEMBERS or user)
    return False


def _is_removal(document: Json, template: Pointer, step: Operation) -> bool:
    return step.op is Op.REMOVE and step.path[-1].isdecimal() and _is_own(document, template, step)


def _adds_only(document: Json, path: Pointer) -> bool:
    """Tell whether what would be removed is dev mode's own: an element that has its name, or a list of such."""
    value = _value(document, path)
    if "imagePullSecrets" in path or value is None:
        return True
    return all(str(one.get("name", "")).startswith(OURS) for one in (value if isinstance(value, list) else [value]))


def _value(document: Json, path: Pointer) -> Json:
    try:
        return lookup(document, path)
    except PatchError:
        return None
