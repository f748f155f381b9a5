"""`devcfg status`: one row a service, for people, programs and prompts. Never changes anything."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from devcfg.runtime import console
from devcfg.runtime.commands.control import Where
from devcfg.runtime.devmode.rows import STATES
from devcfg.runtime.session.control import NoSessionError, ask

DECIDE = 3
"""The exit code where somebody has to decide."""
PAUSE = 1.0
"""Seconds between two looks of `--watch`."""
_AWAY = ("SERVICE", "STATE", "WORKLOAD", "HOLDER", "SINCE", "OWNER")
"""The columns where no session here can say more."""
_ADVICE = {
    "stale": "no session holds it any more: `devcfg up` goes on with it, `devcfg down --stale` restores it",
    "left": "it is half restored: `devcfg down` finishes that",
    "files": "files made it so: applying its base ends that",
}
_HEAD = ("SERVICE", "STATE", "PROCESS", "RESTARTS", "LAST SAVE", "PENDING", "CONFLICTS", "PORTS")


def status(where: Where, output: str, *, watch: bool, prompt: bool) -> int:
    """Print the status and return the exit code: 3 where somebody has to decide something."""
    shown = ""
    while True:
        rows, words, code = _rows(where, quiet=prompt)
        text = _prompt(rows) if prompt else _json(rows) if output == "json" else _table(rows, words)
        if text != shown:
            console.data(text, now=True)
            shown = text
        if not watch:
            return code
        time.sleep(PAUSE)


def _rows(where: Where, *, quiet: bool) -> tuple[list[dict[str, Any]], list[str], int]:
    """Return the rows, what has no place in one, and the exit code."""
    try:
        rows: list[dict[str, Any]] = []
        words: list[str] = []
        code = 0
        for line in ask(where.project, "status", services=list(where.services)):
            rows = line["json"]["services"] if "json" in line else rows
            words += [line["words"]] if "words" in line else []
            code = line.get("end", code)
    except NoSessionError:
        return _from_cluster(where, quiet=quiet)
    return rows, words, code


def _from_cluster(where: Where, *, quiet: bool) -> tuple[list[dict[str, Any]], list[str], int]:
    """Ask the cluster who has what in dev mode; nothing where there is none to ask. A prompt is told no trouble."""
    if not _has_kubeconfig():
        return [], [], 0
    import asyncio

    from devcfg.runtime.cluster.errors import UnreachableError
    from devcfg.runtime.cluster.kube import open_cluster
    from devcfg.runtime.devmode.rows import drift_of, rows_of
    from devcfg.runtime.devmode.stays import Stay, stays_in

    async def read() -> tuple[Stay, ...]:
        cluster = await open_cluster()
        try:
            return await stays_in(cluster, where.namespace or cluster.identity.namespace)
        finally:
            await cluster.close()

    try:
        found = asyncio.run(read())
    except UnreachableError as error:
        if not quiet:
            console.say(f"note: {error.message}", console.DIM)
        return [], [], 0
    rows = [row for row in rows_of(found) if not where.services or row["name"] in where.services]
    workloads = {row["workload"] for row in rows}
    drifted = [f"{one.label}: {words}" for one in found if one.label in workloads and (words := drift_of(one))]
    return rows, drifted, DECIDE if drifted else 0


def _has_kubeconfig() -> bool:
    """Tell whether there may be a cluster to ask: most projects that are tried out have none."""
    return bool(os.environ.get("KUBECONFIG")) or os.path.exists(os.path.expanduser("~/.kube/config"))


def _json(rows: list[dict[str, Any]]) -> str:
    return json.dumps({"version": 1, "services": rows}, indent=2) + "\n"


def _prompt(rows: list[dict[str, Any]]) -> str:
    """Return a word a service for a shell's prompt: nothing where nothing runs."""
    return " ".join(f"{row['name']}:{_state(row)}" for row in rows) + "\n" if rows else ""


def _state(row: dict[str, Any]) -> str:
    if row["target"] == "cluster" and row["state"] in STATES:
        return str(row["state"])
    if sum(rule["conflicts"] for rule in row["sync"]):
        return "conflict"
    return str(row["process"]["state"] if row["state"] == "live" else row["state"])


def _table(rows: list[dict[str, Any]], words: list[str]) -> str:
    if not rows:
        return "nothing is in dev mode here\n"
    away = all(row["target"] == "cluster" and row["state"] in STATES for row in rows)
    lines = _aligned([_AWAY, *map(_cells_away, rows)] if away else [_HEAD, *map(_cells, rows)])
    for row in rows:
        lines += [f"{row['name']}: {_ADVICE[row['state']]}"] if away and row["state"] in _ADVICE else []
        for rule in row["sync"]:
            lines += [f"{row['name']}: halted: {rule['halted']}"] if rule["halted"] else []
            lines += [f"{row['name']}: {rule['degraded']}"] if rule["degraded"] else []
    return "\n".join(map(console.printable, dict.fromkeys([*lines, *words]))) + "\n"


def _aligned(cells: list[tuple[str, ...]]) -> list[str]:
    widths = [max(console.cells(row[at]) for row in cells) for at in range(len(cells[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _cells_away(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        row["state"],
        row["workload"],
        row["holder"] or "-",
        (row["since"] or "-")[:16].replace("T", " "),
        row["owner"] if row["owner"] not in (None, row["holder"]) else "-",
    )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    process, sync = row["process"], row["sync"]
    code = f" {process['exit_code']}" if process["exit_code"] is not None else ""
    last = [rule["last_ms"] for rule in sync if rule["last_ms"] is not None]
    ports = (f"{one['local']}" + (f"→{one['remote']}" * (one["local"] != one["remote"])) for one in row["forwards"])
    return (
        row["name"],
        row["state"],
        process["state"] + code,
        str(process["restarts"]),
        f"{max(last):.0f} ms" if last else "-",
        str(sum(rule["pending"] for rule in sync)),
        str(sum(rule["conflicts"] for rule in sync)),
        " ".join(ports) or "-",
    )
