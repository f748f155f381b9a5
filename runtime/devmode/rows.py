"""Workloads in dev mode as rows of `devcfg status`, where no session on this machine can say more. Asks no cluster."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from devcfg.runtime.devmode.errors import DriftError
from devcfg.runtime.devmode.gitops import steward_of, writer_of
from devcfg.runtime.devmode.record import inverse_of, is_taken, restoration

if TYPE_CHECKING:
    from devcfg.runtime.devmode.stays import Stay


STATES = ("held", "stale", "files", "left", "drift")
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
        "owner": steward.label if steward is not None else (owner.holder if owner is not None else None),
    }


def state_of(stay: Stay) -> str:
    """Return a word: `held` by a session, `stale` without one, in dev mode by `files`, or `left` half restored.

    `drift` goes before all of them: somebody has to decide about it.
    """
    if stay.by_files:
        return "files"
    if drift_of(stay):
        return "drift"
    if stay.alive:
        return "held"
    return "stale" if stay.marked else "left"


def drift_of(stay: Stay) -> str:
    """Return who changed what of a workload since it was taken into dev mode, in words; empty where nobody did."""
    found = stay.object
    if found is None or not is_taken(found):
        return ""
    try:
        kept = restoration(found, inverse_of(found)).kept
    except DriftError as error:
        return f"{error.message}: {error.hint}"
    if not kept:
        return ""
    paths = ", ".join(map(str, kept[:3])) + ", …" * (len(kept) > 3)
    by = writer_of(found, kept) or "somebody"
    return f"{by} changed {paths} since it is in dev mode: `devcfg down` restores the rest, and keeps that"
