"""The names of everything that dev mode adds, fitted to Kubernetes' limits. Never looks at a manifest."""

from __future__ import annotations

import re

from devcfg.schemas.patch import Target

AGENT_CONTAINER = "devcfg-agent"
PLAN_ANNOTATION = "devcfg.dev/plan"
INVERSE_ANNOTATION = "devcfg.dev/inverse"
"""The way back, on a workload that `up` took into dev mode, and on an autoscaler beside it."""
OWNER_ANNOTATION = "devcfg.dev/owner"
"""Who took it, when, and what is to be taken back beside the patch."""
WORKLOAD_LABEL = "devcfg.dev/workload"
CONTAINER_ANNOTATION = "devcfg.dev/container."
ROOT = "/devcfg"
"""Where the shared emptyDir is mounted in the dev container."""
BUSYBOX = f"{ROOT}/bin/busybox"
SUPERVISOR = f"{ROOT}/bin/supervisor.sh"
HOME = f"{ROOT}/home"
AGENT_SOURCE = "/devcfg-source"
"""Where the ConfigMap is mounted: the supervisor's text lies in it, the agent's package `agent` below it."""
SHARED_VOLUME = "devcfg"
SOURCE_VOLUME = "devcfg-source"
TOOLS_CONTAINER = "devcfg-tools"
AGENT_CONTAINER = "devcfg-agent"
SEED_CONTAINER = "devcfg-seed-"
"""What the names of seeding init containers begin with; the service follows."""

_KNOWN_GROUPS = ("", "apps", "batch")


def workload_id(target: Target) -> str:
    """Return `kind.name` in lower case, the group added unless it is core, apps or batch; at most 52 characters.

    Over 52 characters: the first 41, `-`, and 10 hex digits of the SHA-256 of the whole.
    """
    group = "" if target.group in _KNOWN_GROUPS else f".{target.group}"
    return fit(f"{target.kind}{group}.{target.name}".lower(), 52)


def fit(name: str, limit: int) -> str:
    """Cut a name that is too long, with 10 hex digits of its SHA-256 to keep it unique."""
    if len(name) <= limit:
        return name
    from hashlib import sha256  # costs every command as much as this whole room

    # A name must not have a dash behind a dot.
    return f"{name[: limit - 11].rstrip('.')}-{sha256(name.encode()).hexdigest()[:10]}"


def slug(path: str) -> str:
    """Turn an absolute path into the end of a name: `/var/cache` becomes `var-cache`, a hash where it is ambiguous."""
    plain = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-")
    if "/" + plain.replace("-", "/") == path:
        return plain
    from hashlib import sha256  # as above

    return f"{plain or 'root'}-{sha256(path.encode()).hexdigest()[:6]}"


def volume_name(service: str, path: str) -> str:
    """Return the name of the volume for one path of one service (an RFC 1123 label)."""
    return fit(f"devcfg-{service}-{slug(path)}", 63)


def claim_name(workload: str, service: str, path: str) -> str:
    """Return the name of the claim for one path of one service."""
    return fit(f"devcfg-{workload}-{service}-{slug(path)}", 120)


def config_map_name(workload: str) -> str:
    """Return the name of the ConfigMap that carries supervisor and agent."""
    return f"devcfg-{workload}"


def container_annotation(service: str) -> str:
    """Return the template annotation that names a service's dev container; its name part fits 63 characters."""
    return CONTAINER_ANNOTATION + fit(service, 63 - len("container."))


def run_directory(service: str) -> str:
    """Return the supervisor's state directory of one service."""
    return f"{ROOT}/run/{service}"


def agent_directory(service: str) -> str:
    """Return the directory in which the agent of one service holds its lock."""
    return f"{ROOT}/agent/{service}"


def seed_mark(service: str, path: str) -> str:
    """Return the file that says that a volume was just seeded from the image."""
    return f"{ROOT}/run/.seeded-{service}-{slug(path)}"
