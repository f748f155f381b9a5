"""What a session takes from the base's container for a process on this machine: environment and readiness probe.

Never takes a secret: what the base does not say in words stays out, and is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from devcfg.schemas.config import Service
from devcfg.schemas.plan import Binding


@dataclass(frozen=True, slots=True)
class Probe:
    """A readiness probe as Kubernetes has it: `httpGet` or `tcpSocket`, its port a number."""

    kind: str
    port: int
    path: str = "/"
    scheme: str = "HTTP"
    headers: tuple[tuple[str, str], ...] = ()
    timeout: float = 1.0
    """Seconds."""

    def members(self) -> dict[str, Any]:
        """Return the probe as the agent takes it."""
        if self.kind == "tcpSocket":
            return {"tcp": {"port": self.port}, "timeout": self.timeout}
        headers = [list(one) for one in self.headers]
        http = {"port": self.port, "path": self.path, "scheme": self.scheme, "headers": headers}
        return {"http": http, "timeout": self.timeout}


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables of a dev process on this machine: set ones, removed ones, and those whose value is elsewhere."""

    values: dict[str, str]
    removed: frozenset[str]
    missing: tuple[str, ...]


def environment_of(service: Service, binding: Binding | None) -> Environment:
    """Lay the config's `env` over the words of the base's container."""
    values: dict[str, str] = {}
    missing: dict[str, None] = {}
    for one in (_container(binding).get("env") or []) if binding is not None else []:
        if isinstance(one.get("value"), str) and "$(" not in one["value"]:
            values[one["name"]] = one["value"]
        elif "value" in one or "valueFrom" in one:
            missing[str(one["name"])] = None
    removed = set()
    for name, value in service.env.items():
        missing.pop(name, None)
        values.pop(name, None)
        if value is None:
            removed.add(name)
        elif isinstance(value, str):
            values[name] = value
        else:
            missing[name] = None
    return Environment(values, frozenset(removed), tuple(missing))


def readiness_of(binding: Binding | None) -> Probe | None:
    """Return the readiness probe of the base's container, where it is one that a process here can answer."""
    container = _container(binding) if binding is not None else {}
    probe = container.get("readinessProbe")
    if not isinstance(probe, dict):
        return None
    timeout = float(probe.get("timeoutSeconds") or 1)
    for kind in ("httpGet", "tcpSocket"):
        asked = probe.get(kind)
        port = _port(container, asked.get("port")) if isinstance(asked, dict) else None
        if not isinstance(asked, dict) or port is None:
            continue
        headers = tuple((str(one.get("name")), str(one.get("value"))) for one in asked.get("httpHeaders") or [])
        return Probe(kind, port, asked.get("path") or "/", asked.get("scheme") or "HTTP", headers, timeout)
    return None


def _port(container: dict[str, Any], port: Any) -> int | None:
    """Return the number of a port that is given by number or by name."""
    if isinstance(port, int):
        return port
    named = [one.get("containerPort") for one in container.get("ports") or [] if one.get("name") == port]
    return int(named[0]) if named else None


def _container(binding: Binding) -> dict[str, Any]:
    document: Any = binding.manifest.object
    for token in (*binding.template, "spec"):
        document = document[token]
    found: dict[str, Any] = document["containers"][binding.index]
    return found
