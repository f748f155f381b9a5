"""Finds each service's workload and container in the base, or says which ones exist. Never changes either."""

from __future__ import annotations

from devcfg.compiler.findings import Findings
from devcfg.compiler.kinds import SHORT_NAMES, Kind, known_kind
from devcfg.compiler.shapes import TEMPLATE, misshapen
from devcfg.schemas.config import DevConfig, Service, template_pointer
from devcfg.schemas.diagnostic import Note
from devcfg.schemas.fields import closest
from devcfg.schemas.manifest import Manifest
from devcfg.schemas.patch import Json, Pointer
from devcfg.schemas.plan import Binding

BUILT_IN = ("", "apps", "batch")
SHOWN = 5
"""How many candidates a finding lists."""


def bind(
    config: DevConfig, manifests: tuple[Manifest, ...], names: tuple[str, ...], findings: Findings
) -> tuple[Binding, ...]:
    """Bind the named services, each to exactly one object and one container; what cannot be bound becomes a finding."""
    bindings: list[Binding] = []
    owners: dict[tuple[int, int], str] = {}
    index = Workloads(manifests)
    for name in names:
        found = _bind_one(name, config.services[name], index, findings)
        if found is None:
            continue
        owner = owners.setdefault((id(found.manifest), found.index), name)
        if owner != name:
            message = f"services `{owner}` and `{name}` both name container `{found.name}` of {found.target.label}"
            hint = "give each its own container, or make them one service"
            findings.add("same-container", ("services", name), message, key=True, hint=hint)
            continue
        bindings.append(found)
    return tuple(bindings)


class Workloads:
    """The base's objects by name, so that each service finds its own without a walk over all."""

    def __init__(self, manifests: tuple[Manifest, ...]) -> None:
        self._by_name: dict[str, list[Manifest]] = {}
        for one in manifests:
            self._by_name.setdefault(one.name, []).append(one)

    def named(self, name: str) -> tuple[Manifest, ...]:
        """Return every object of that name, of any kind."""
        return tuple(self._by_name.get(name, ()))

    def all_with_template(self) -> tuple[Manifest, ...]:
        """Return every object of a known kind of workload."""
        return tuple(
            one for several in self._by_name.values() for one in several if known_kind(one.group, one.kind) is not None
        )


def kind_of(manifest: Manifest) -> Kind | None:
    """Return what is known of a workload's kind."""
    return known_kind(manifest.group, manifest.kind)


def _bind_one(name: str, service: Service, index: Workloads, findings: Findings) -> Binding | None:
    manifest = _find_workload(name, service, index, findings)
    if manifest is None:
        return None
    given, known = template_pointer(service), kind_of(manifest)
    pointer = given if given is not None else known.template if known else None
    note = (_note(manifest, "the workload is here"),)
    if pointer is None:
        findings.add(
            "no-pod-template",
            _workload_place(name, service),
            f"service `{name}`: it is not known where a {manifest.kind} has its pod template",
            hint=f"say where: `podTemplate: {_likely_template(manifest.object) or '/spec/template'}`",
            notes=note,
            key=service.workload is None,
        )
        return None
    containers = _walk(manifest.object, pointer / "spec" / "containers")
    if not isinstance(containers, list) or not all(isinstance(one, dict) for one in containers) or not containers:
        place = ("services", name, "podTemplate") if given is not None else _workload_place(name, service)
        message = f"service `{name}`: {manifest.target.label} has no containers at `{pointer}/spec/containers`"
        likely, hint = _likely_template(manifest.object), "a workload needs a container that dev mode can change"
        label = f"did you mean `{likely}`?" if given is not None and likely else ""
        on_key = given is None and service.workload is None
        findings.add("no-pod-template", place, message, label=label, hint="" if label else hint, notes=note, key=on_key)
        return None
    wrong = misshapen(_walk(manifest.object, pointer), TEMPLATE)
    if wrong is not None:
        where = pointer + wrong.path
        message = f"service `{name}`: `{where}` of {manifest.target.label} must be {wrong.wanted.value}"
        hint = "the API server would refuse it, too"
        key = service.workload is None
        findings.add("wrong-shape", _workload_place(name, service), message, hint=hint, notes=note, key=key)
        return None
    names = [str(one.get("name", "")) for one in containers]
    at = _find_container(name, service, names, manifest, findings)
    return None if at is None else Binding(name, manifest, pointer, at, names[at])


def _find_workload(name: str, service: Service, index: Workloads, findings: Findings) -> Manifest | None:
    wanted = service.workload
    if wanted is None:
        matches = [one for one in index.named(name) if _is_workload(one, service)]
        asked = f"a workload named `{name}`"
    else:
        *scope, kind, object_name = wanted.split("/")
        matches = [one for one in index.named(object_name) if _is_kind(one, scope, kind)]
        # A bare kind means the built-in one where both exist, such as apps and apps.kruise.io StatefulSet.
        matches = [one for one in matches if not scope and one.group in BUILT_IN] or matches
        asked = f"`{wanted}`"
    if len(matches) == 1:
        return matches[0]
    place, key = _workload_place(name, service), wanted is None
    if matches:
        notes = tuple(_note(one, f"{_full(one)} is here") for one in matches[:SHOWN])
        hint = f"say which: `workload: {_full(matches[0])}`"
        if len({_full(one) for one in matches}) == 1:
            hint = "they differ only in their namespace: point `base` at one of them"
        if len({one.target for one in matches}) == 1:
            hint = "the same object stands in the base more than once: take all but one out"
        findings.add(
            "ambiguous-workload",
            place,
            f"service `{name}`: the base has {len(matches)} {_plural(wanted, name)}",
            hint=hint,
            notes=notes,
            key=key,
        )
        return None
    candidates = index.all_with_template()
    labels = tuple(sorted({one.target.label for one in candidates}))
    nearest = _nearest(wanted, name, candidates)
    near = f"did you mean `{nearest[0].target.label}`?" if nearest else ""
    hint = f"say so: `workload: {nearest[0].target.label}`" if nearest and wanted is None else ""
    if not near:
        more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
        hint = f"the base has {', '.join(labels[:SHOWN])}{more}" if labels else "the base has no workload at all"
    notes = tuple(_note(one, f"{one.target.label} is here") for one in (nearest or candidates)[:SHOWN])
    findings.add(
        "unknown-workload",
        place,
        f"service `{name}`: the base has no {asked.removeprefix('a ')}",
        hint=hint,
        label=near,
        notes=notes,
        key=key,
    )
    return None


def _plural(wanted: str | None, name: str) -> str:
    return f"objects `{wanted}`" if wanted else f"workloads named `{name}`"


def _nearest(wanted: str | None, name: str, candidates: tuple[Manifest, ...]) -> tuple[Manifest, ...]:
    """Return what was probably meant: the same name of another kind, or a name that is nearly the same."""
    *_, kind, asked = wanted.split("/") if wanted else ("", name)
    near = closest(asked, tuple(one.name for one in candidates)).split("`")
    for meant in (asked, *near[1:2]):
        found = [one for one in candidates if one.name == meant]
        if found:
            return tuple(sorted(found, key=lambda one: one.kind.lower() != kind.lower()))
    return ()


def _find_container(
    name: str, service: Service, names: list[str], manifest: Manifest, findings: Findings
) -> int | None:
    wanted = service.container or (names[0] if len(names) == 1 else name)
    if names.count(wanted) == 1:
        return names.index(wanted)
    listed = ", ".join(f"`{one}`" for one in names)
    note = (_note(manifest, f"{manifest.target.label} is here"),)
    if service.container is None:
        findings.add(
            "ambiguous-container",
            ("services", name),
            f"service `{name}`: {manifest.target.label} has {len(names)} containers and none is named like the service",
            hint=f"say which: `container: {names[0]}`; it has {listed}",
            notes=note,
            key=True,
        )
    else:
        near = closest(wanted, tuple(names))
        findings.add(
            "unknown-container",
            ("services", name, "container"),
            f"service `{name}`: {manifest.target.label} has no container `{wanted}`",
            hint="" if near else f"it has {listed}",
            label=near,
            notes=note,
        )
    return None


def _is_workload(manifest: Manifest, service: Service) -> bool:
    return kind_of(manifest) is not None or (
        service.podTemplate is not None
        and isinstance(_walk(manifest.object, Pointer.parse(service.podTemplate) / "spec" / "containers"), list)
    )


def _is_kind(manifest: Manifest, scope: list[str], kind: str) -> bool:
    wanted = kind.lower()
    wanted = SHORT_NAMES.get(wanted, wanted)
    found = manifest.kind.lower()
    if wanted not in (found, f"{found}s"):
        return False
    if not scope:
        return True
    group, version = scope if len(scope) == 2 else ("", scope[0])
    return (manifest.group, manifest.version) == (group, version)


def _workload_place(name: str, service: Service) -> tuple[str, ...]:
    return ("services", name, "workload") if service.workload else ("services", name)


def _full(manifest: Manifest) -> str:
    known = manifest.group in BUILT_IN
    return manifest.target.label if known else f"{manifest.group}/{manifest.version}/{manifest.kind}/{manifest.name}"


def _note(manifest: Manifest, message: str) -> Note:
    return Note(message, manifest.file, manifest.line)


def _likely_template(document: Json, at: Pointer = Pointer()) -> Pointer | None:  # noqa: B008  a frozen value
    """Return the first place, as deep as four levels, that holds a pod spec with containers."""
    if not isinstance(document, dict) or len(at) > 4:
        return None
    if at and isinstance(_walk(document, Pointer(("spec", "containers"))), list):
        return at
    places = (_likely_template(below, at / key) for key, below in document.items())
    return next((one for one in places if one is not None), None)


def _walk(document: Json, path: Pointer) -> Json:
    for token in path:
        if isinstance(document, dict):
            document = document.get(token)
        elif isinstance(document, list) and token.isdecimal() and int(token) < len(document):
            document = document[int(token)]
        else:
            return None
    return document
