"""Rules across the services of one workload: they share a pod, and so one agent. Never looks at one service alone."""

from __future__ import annotations

from devcfg.compiler.findings import Findings
from devcfg.schemas.config import DevConfig, Service
from devcfg.schemas.diagnostic import Note, Severity
from devcfg.schemas.patch import Json, Pointer
from devcfg.schemas.plan import Binding


def check_sharing(config: DevConfig, group: tuple[Binding, ...], findings: Findings) -> None:
    """Check that one agent can serve all services of a workload."""
    for at, binding in enumerate(group):
        for earlier in group[:at]:
            _check_targets(config, earlier, binding, findings)
    _check_users(config, group, findings)


def _check_targets(config: DevConfig, first: Binding, second: Binding, findings: Findings) -> None:
    """The agent has the targets of both in one file system, at the paths that they have in the dev containers."""
    for earlier in config.services[first.service].sync:
        for index, rule in enumerate(config.services[second.service].sync):
            place = ("services", second.service, "sync", index, "target")
            if rule.target == earlier.target:
                message = f"`{rule.target}` is also a target of service `{first.service}`, of the same pod"
                findings.add("duplicate-target", place, message, hint="give it another: one agent has both")
            elif (rule.target + "/").startswith(earlier.target + "/") or (earlier.target + "/").startswith(
                rule.target + "/"
            ):
                message = f"sync targets `{rule.target}` and `{earlier.target}` (of service `{first.service}`, "
                message += "in the same pod) lie one inside the other"
                findings.add("nested-target", place, message, hint="put them side by side: one agent has both")


def _check_users(config: DevConfig, group: tuple[Binding, ...], findings: Findings) -> None:
    first = group[0]
    lead = _uid(first, config.services[first.service])
    for binding in group[1:]:
        own = _uid(binding, config.services[binding.service])
        if own != lead:
            message = f"service `{binding.service}` runs as {_words(own)}, and the agent that it shares with "
            findings.add(
                "mixed-users",
                ("services", binding.service),
                f"{message}`{first.service}` as {_words(lead)}: files that sync brings belong to the latter",
                severity=Severity.WARNING,
                key=True,
                hint="give both services the same `user`",
                notes=(Note(f"{first.target.label} is here", first.manifest.file, first.manifest.line),),
            )


def _uid(binding: Binding, service: Service) -> int | None:
    """Return the uid that config or manifest say; None where it is the image's."""
    if service.user:
        return int(service.user.partition(":")[0])
    for at in (binding.container, binding.template / "spec"):
        found = _value(binding.manifest.object, at / "securityContext" / "runAsUser")
        if found is not None:
            return int(found)
    return None


def _value(document: Json, path: Pointer) -> Json:
    for token in path:
        document = document[int(token)] if isinstance(document, list) else (document or {}).get(token)
    return document


def _words(uid: int | None) -> str:
    return "whatever user its image says" if uid is None else f"uid {uid}"
