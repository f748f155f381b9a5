"""Rules across the fields of one service and between config and base, reported together. Never lowers anything."""

from __future__ import annotations

from devcfg.compiler.binder import kind_of
from devcfg.compiler.findings import Findings
from devcfg.schemas.blocks import Resources, SyncRule
from devcfg.schemas.config import Images, Service
from devcfg.schemas.diagnostic import Note, Severity
from devcfg.schemas.naming import (
    AGENT_CONTAINER,
    PLAN_ANNOTATION,
    ROOT,
    SEED_CONTAINER,
    SHARED_VOLUME,
    SOURCE_VOLUME,
    TOOLS_CONTAINER,
)
from devcfg.schemas.patch import Json
from devcfg.schemas.plan import Binding
from devcfg.schemas.quantity import amount_of

Place = tuple[str | int, ...]


def check_service(name: str, service: Service, findings: Findings) -> None:
    """Check what a service says by itself."""
    at: Place = ("services", name)
    for index, rule in enumerate(service.sync):
        for earlier in service.sync[:index]:
            _check_targets(rule, earlier, (*at, "sync", index, "target"), findings)
    paths: set[str] = set()
    for index, one in enumerate(service.persist):
        if one.path in paths:
            findings.add(
                "duplicate-target",
                (*at, "persist", index, "path"),
                f"`{one.path}` is persisted twice",
                hint="say it once",
            )
        paths.add(one.path)
    if service.resources is not None:
        _check_amounts(service.resources, (*at, "resources"), findings)
    for member in ("env", "image", "workdir"):
        value = getattr(service, member)
        values = value.items() if isinstance(value, dict) else [("", value)]
        for key, text in values:
            if "${" in str(text):
                place = (*at, member, key) if key else (*at, member)
                _lint_flux(place, findings)
    if service.resources is not None and "${" in repr(service.resources.dump()):
        _lint_flux((*at, "resources"), findings)
    if "${" in repr(service.patches):
        _lint_flux((*at, "patches"), findings)


def check_images(images: Images, findings: Findings) -> None:
    """Check the mirrors, which become a part of every image."""
    for prefix, mirror in images.rewrite.items():
        if "${" in mirror:
            _lint_flux(("images", "rewrite", prefix), findings)


def check_binding(service: Service, binding: Binding, findings: Findings) -> None:
    """Check a service against the container it is bound to."""
    at: Place = ("services", binding.service)
    container, pod = _container(binding), _pod(binding)
    note = (Note(f"{binding.target.label} is here", binding.manifest.file, binding.manifest.line),)
    _check_fresh(binding, at, note, findings)
    _check_mounts(service, container, at, note, findings)
    _check_names(binding, pod, at, note, findings)
    _check_user(service, container, pod, at, note, findings)
    _check_env(service, container, at, note, findings)
    _check_kind(service, binding, at, note, findings)
    _check_waiting(service, container, at, note, findings)
    limits = (container.get("resources") or {}).get("limits")
    if limits and service.resources is None:
        said = ", ".join(f"{key} {value}" for key, value in limits.items())
        findings.add(
            "tight-limits",
            at,
            f"service `{binding.service}` keeps the base's limits ({said})",
            severity=Severity.NOTE,
            key=True,
            hint="compilers and debuggers often need more: set `resources`",
            notes=note,
        )


def _check_targets(rule: SyncRule, earlier: SyncRule, place: Place, findings: Findings) -> None:
    if rule.target == earlier.target:
        hint = "give each rule a target of its own, or sync both with one rule"
        findings.add("duplicate-target", place, f"`{rule.target}` is the target of two sync rules", hint=hint)
    elif (rule.target + "/").startswith(earlier.target + "/") or (earlier.target + "/").startswith(rule.target + "/"):
        findings.add(
            "nested-target",
            place,
            f"sync targets `{rule.target}` and `{earlier.target}` lie one inside the other",
            hint="sync them with one rule, or side by side",
        )


def _check_amounts(resources: Resources, at: Place, findings: Findings) -> None:
    for name, request in resources.requests.items():
        limit = resources.limits.get(name)
        wanted, most = amount_of(request), amount_of(limit)
        if wanted is not None and most is not None and wanted > most:
            findings.add(
                "requests-over-limits",
                (*at, "requests", name),
                f"this requests more {name} ({request}) than its limit allows ({limit})",
                hint="raise the limit, or lower the request",
            )


def _lint_flux(place: Place, findings: Findings) -> None:
    findings.add(
        "flux-substitution",
        place,
        "Flux would put a value of its own in place of a dollar sign with braces",
        severity=Severity.WARNING,
        hint="write `$NAME`, or double the dollar if Flux applies this",
    )


def _check_fresh(binding: Binding, at: Place, note: tuple[Note, ...], findings: Findings) -> None:
    document = binding.manifest.object
    for token in (*binding.template, "metadata", "annotations"):
        document = (document.get(token) if isinstance(document, dict) else None) or {}
    if PLAN_ANNOTATION in document:
        findings.add(
            "already-dev-mode",
            at,
            f"service `{binding.service}`: {binding.target.label} is in dev mode already",
            hint="point `base` at the manifests without dev mode",
            notes=note,
            key=True,
        )


def _check_mounts(service: Service, container: Json, at: Place, note: tuple[Note, ...], findings: Findings) -> None:
    taken = {str(one.get("mountPath", "")).rstrip("/") or "/": one for one in container.get("volumeMounts") or []}
    places: list[tuple[str, Place]] = [(rule.target, (*at, "sync", i, "target")) for i, rule in enumerate(service.sync)]
    places += [(one.path, (*at, "persist", index, "path")) for index, one in enumerate(service.persist)]
    for path, place in places:
        if path in taken:
            message = f"the base already mounts volume `{taken[path].get('name')}` at `{path}`"
            findings.add("mount-conflict", place, message, hint="choose another target", notes=note)
    if ROOT in taken:
        message, hint = f"the base mounts a volume at `{ROOT}`, which is ours", "mount it elsewhere in the base"
        findings.add("mount-conflict", at, message, hint=hint, notes=note, key=True)


def _check_names(binding: Binding, pod: Json, at: Place, note: tuple[Note, ...], findings: Findings) -> None:
    """`kubectl apply` merges what has one name, without a word: a second volume of that name would be lost."""
    ours = {
        "volumes": ("volume", (SHARED_VOLUME, SOURCE_VOLUME), f"{SHARED_VOLUME}-{binding.service}-"),
        "initContainers": ("init container", (TOOLS_CONTAINER, AGENT_CONTAINER), SEED_CONTAINER),
        "containers": ("container", (TOOLS_CONTAINER, AGENT_CONTAINER), SEED_CONTAINER),
    }
    taken = [
        f"{word} `{name}`"
        for member, (word, names, prefix) in ours.items()
        for name in (str(one.get("name", "")) for one in pod.get(member) or [])
        if name in names or name.startswith(prefix)
    ]
    if taken:
        message = f"the base has {', '.join(taken)}: dev mode gives this name to one of its own"
        findings.add("name-conflict", at, message, hint="name it otherwise in the base", notes=note, key=True)


def _check_user(
    service: Service, container: Json, pod: Json, at: Place, note: tuple[Note, ...], findings: Findings
) -> None:
    own, shared = container.get("securityContext") or {}, pod.get("securityContext") or {}
    uid = own.get("runAsUser", shared.get("runAsUser"))
    non_root = own.get("runAsNonRoot", shared.get("runAsNonRoot")) is True
    if service.user is None:
        if non_root and uid is None:
            findings.add(
                "unknown-user",
                at,
                f"service `{at[1]}`: the base says runAsNonRoot, but no uid, and the dev image may run as root",
                hint="say which uid: `user: 1000`",
                notes=note,
                key=True,
            )
        return
    wanted = int(service.user.partition(":")[0])
    if wanted == 0 and (non_root or uid not in (None, 0)):
        findings.add(
            "weakens-security",
            (*at, "user"),
            "the base does not let this container run as root",
            hint="choose a uid other than 0",
            notes=note,
        )


def _check_env(service: Service, container: Json, at: Place, note: tuple[Note, ...], findings: Findings) -> None:
    names = {one.get("name") for one in container.get("env") or [] if isinstance(one, dict)}
    for name, value in service.env.items():
        if value is None and name not in names:
            findings.add(
                "nothing-to-remove",
                (*at, "env", name),
                f"the base sets no `{name}` in the env of this container",
                severity=Severity.WARNING,
                key=True,
                hint=f"what `envFrom` or the image sets cannot be removed, only emptied: `{name}: ''`",
                notes=note,
            )


def _check_waiting(service: Service, container: Json, at: Place, note: tuple[Note, ...], findings: Findings) -> None:
    """Say where a probe that is kept ends a program that waits for its debugger."""
    if not service.debug.wait:
        return
    kept = {"livenessProbe": service.probes.liveness, "startupProbe": service.probes.startup}
    for probe, treatment in kept.items():
        if probe in container and treatment == "keep":
            findings.add(
                "waiting-probe",
                (*at, "debug", "wait"),
                f"the {probe} is kept, and restarts the container while the program waits for its debugger",
                severity=Severity.WARNING,
                key=True,
                hint="leave `probes` out, which removes it, or `relax` it",
                notes=note,
            )


def _check_kind(service: Service, binding: Binding, at: Place, note: tuple[Note, ...], findings: Findings) -> None:
    kind, label = kind_of(binding.manifest), binding.target.label
    if service.replicas is not None and (kind is None or not kind.scaled):
        findings.add(
            "not-applicable",
            (*at, "replicas"),
            f"a {binding.target.kind} has no replicas ({label})",
            hint="leave the key out",
            notes=note,
        )
    if service.persist and binding.target.kind == "DaemonSet":
        findings.add(
            "not-applicable",
            (*at, "persist"),
            f"the pods of {label} lie on several nodes: one claim cannot serve them",
            hint="leave the key out",
            notes=note,
        )
    if service.persist and (service.replicas or 1) > 1:
        findings.add(
            "shared-claim",
            (*at, "persist"),
            "several pods share one claim that only one node can mount",
            severity=Severity.WARNING,
            hint="set `replicas: 1`",
        )
    if kind is not None and kind.fixed:
        findings.add(
            "fixed-kind",
            at,
            f"the API server refuses a change to the containers of a {binding.target.kind} that exists",
            severity=Severity.NOTE,
            key=True,
            hint=f"delete {label} before you apply the rendered one",
            notes=note,
        )
    why, hint = _keeps_pods(binding)
    if why:
        findings.add(
            "old-pods-stay",
            at,
            f"service `{binding.service}`: {why}, so that the pods of {label} that run already stay as they are",
            severity=Severity.WARNING,
            key=True,
            hint=hint,
            notes=note,
        )


def _keeps_pods(binding: Binding) -> tuple[str, str]:
    """Say why a new pod template replaces no pod, and what does; nothing where it replaces them."""
    spec = binding.manifest.object["spec"]
    strategy = spec.get("updateStrategy")
    delete = "delete its pods when dev mode is applied, and again when it is taken back"
    if (binding.target.group, binding.target.kind) == ("apps", "ReplicaSet"):
        return "a ReplicaSet replaces no pod", delete
    if isinstance(strategy, dict) and strategy.get("type") == "OnDelete":
        return "its update strategy is OnDelete", delete
    if spec.get("paused") is True:
        return "it is paused", "resume it, or take `paused` out of the base"
    return "", ""


def _pod(binding: Binding) -> Json:
    document: Json = binding.manifest.object
    for token in (*binding.template, "spec"):
        document = document[token]
    return document


def _container(binding: Binding) -> Json:
    return _pod(binding)["containers"][binding.index]
