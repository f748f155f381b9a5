"""Workloads in dev mode as rows of `devcfg status`, where no session on this machine can say more. Asks no cluster."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from devcfg.runtime.devmode.gitops import steward_of

if TYPE_CHECKING:
    from devcfg.runtime.devmode.stays import Stay


STATES = ("held", "stale", "files", "left")
"""What the state of such a row may be."""


def rows_of(stays: Iterable[Stay]) -> list[dict[str, Any]]:
    """Return the documented row of each service; what only its session knows is null or empty."""
    return [_row(stay, service) for stay in stays for service in (stay.services or (stay.name,))]


def _row(stay: Stay, service: str) -> dict[str, Any]:
    owner = stay.owner
    steward = steward_of(stay.object) if stay.object is not None else None
    return {
        "name": service,
        "workload": stay.label,
        "mode": "replace",
        "target": "cluster",
        "state": state_of(stay),
        "holder": stay.holder or None,
        "since": (owner.since if owner is not None else "") or None,
        "pod": None,
        "process": {"state": "waiting", "command": None, "generation": 0, "exit_code": None, "restarts": 0},
        "sync": [],
        "forwards": [],
        "owner": steward.label if steward is not None else None,
    }


def state_of(stay: Stay) -> str:
    """Return a word: `held` by a session, `stale` without one, in dev mode by `files`, or `left` half restored."""
    if stay.by_files:
        return "files"
    if stay.alive:
        return "held"
    return "stale" if stay.marked else "left"
