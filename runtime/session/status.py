"""How a session is right now, in the documented form. Never changes anything."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from devcfg.runtime.session.service import Running
from devcfg.runtime.session.wanted import Wanted
from devcfg.runtime.sync.engine import Engine
from devcfg.runtime.sync.status import Status

STATES = ("starting", "live", "disconnected", "halted")
PROCESS_STATES = ("waiting", "building", "running", "exited", "build-failed", "stopped")


def service_row(wanted: Wanted, running: Running, target: str) -> dict[str, Any]:
    """Return one service's row of `status -o json`."""
    process = running.process.state
    return {
        "name": wanted.name,
        "workload": wanted.workload or None,
        "mode": wanted.spec.mode,
        "target": target,
        "state": _state(running),
        "holder": f"{getpass.getuser()}@{socket.gethostname()}",
        "since": datetime.fromtimestamp(running.since, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "pod": running.site.pod,
        "process": {
            "state": process.state if process.state in PROCESS_STATES else "waiting",
            "command": process.mode or None,
            "generation": process.generation,
            "exit_code": process.exit_code,
            "restarts": running.restarts,
        },
        "sync": [
            _waiting(rule_row(engine, rule.path, rule.target), running.waits_for)
            for engine, rule in zip(running.engines, wanted.spec.sync, strict=False)
        ],
        "forwards": [
            {"local": local, "remote": ports.remote, "state": "open"}
            for ports, local in (running.forwards | running.debugging.forwards).items()
        ],
        "owner": None,
    }


def rule_row(engine: Engine, path: str, target: str) -> dict[str, Any]:
    """Return one sync rule's row."""
    found = engine.status()
    return {
        "path": path,
        "target": target,
        "mode": engine.rule.mode.value,
        "root": engine.rule.far,
        "files": found.files,
        "pending": found.pending,
        "conflicts": found.conflicts,
        "halted": found.halts[0].reason if found.halts else None,
        "last_ms": _rounded(found.last_ms),
        "p50_ms": _rounded(found.p50_ms),
        "p95_ms": _rounded(found.p95_ms),
        "degraded": degraded(found),
    }


def _waiting(row: dict[str, Any], words: str) -> dict[str, Any]:
    """Return a rule's row that says what its service waits for, too: without an agent nothing is synced."""
    return row | {"degraded": "; ".join(one for one in (words, row["degraded"]) if one) or None}


def degraded(found: Status) -> str | None:
    """Return in words what works less well than it should; None where nothing does."""
    problems = [f"{one.path}: {one.reason}" for one in found.problems]
    if len(problems) > 3:
        problems[3:] = [f"and {len(problems) - 3} more paths that cannot be synced"]
    return "; ".join([*found.degraded, *problems]) or None


def needs_decision(rows: list[dict[str, Any]]) -> bool:
    """Tell whether somebody has to decide something."""
    return any(rule["conflicts"] or rule["halted"] for row in rows for rule in row["sync"])


def live_line(services: Iterable[Running]) -> str:
    """Return the services in one line; costs little, since it is drawn anew at every event."""
    return " · ".join(f"{one.name} {_short(one)}" for one in services)


def _short(running: Running) -> str:
    conflicts = sum(len(engine.conflicts()) for engine in running.engines)
    words = running.process.state.state if running.connected and running.ready.is_set() else "connecting"
    return words + (f", {conflicts} conflict{'s' * (conflicts != 1)}" if conflicts else "")


def _state(running: Running) -> str:
    if any(engine.status().halts for engine in running.engines):
        return "halted"
    if not running.ready.is_set():
        return "starting"
    return "live" if running.connected else "disconnected"


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 1)
