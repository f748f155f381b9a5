"""`devcfg doctor`: what keeps a session from working, each with a way to put it right. Never changes anything."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

from devcfg.runtime import console
from devcfg.runtime.base import CLUSTER, STDIN
from devcfg.runtime.checkup.bundle import write_bundle
from devcfg.runtime.checkup.finding import Finding, Verdict, failed, has_failures
from devcfg.runtime.checkup.machine import (
    check_config,
    check_kustomize,
    check_preferences,
    check_versions,
    check_watcher,
)
from devcfg.runtime.cluster.cluster import Identity
from devcfg.runtime.cluster.errors import UnreachableError
from devcfg.runtime.commands.validate import findings_of
from devcfg.runtime.project import Sources
from devcfg.runtime.reach import kustomization_of
from devcfg.runtime.workspace import Workspace, open_workspace
from devcfg.schemas.errors import ConfigError, DevcfgError

_MARKS = {Verdict.OK: "ok", Verdict.WARNING: "warn", Verdict.FAILURE: "FAIL", Verdict.SKIPPED: "skip"}
_COLOURS = {
    Verdict.OK: console.GREEN,
    Verdict.WARNING: console.YELLOW,
    Verdict.FAILURE: console.RED,
    Verdict.SKIPPED: console.DIM,
}


@dataclass(slots=True)
class Visit:
    """What was found so far, shown as it comes where people read it."""

    shown: bool
    found: list[Finding] = field(default_factory=list)
    workspace: Workspace | None = None
    identity: Identity | None = None

    def take(self, one: Finding) -> None:
        """Keep a finding, and show it."""
        self.found.append(one)
        if self.shown:
            mark = console.paint(f"{_MARKS[one.verdict]:4}", _COLOURS[one.verdict], stream="stdout")
            console.data(f"{mark}  {console.printable(f'{one.check}: {one.words}')}\n", now=True)
            if one.fix:
                console.data(f"      → {console.printable(one.fix)}\n", now=True)


def doctor(file: str | None, services: tuple[str, ...], output: str, bundle: str | None) -> int:
    """Look at everything, print it, and return the exit code: 1 where a session would fail."""
    visit = Visit(output == "human")
    _look_here(visit, file, services)
    asyncio.run(_look_there(visit, file, services))
    if output == "json":
        console.data(json.dumps({"version": 1, "checks": [one.to_json() for one in visit.found]}, indent=2) + "\n")
    if bundle is not None:
        write_bundle(bundle, visit.found, visit.workspace, visit.identity)
        console.say(f"wrote {bundle}: findings and config, names and values taken out; look at it before you send it")
    return 1 if has_failures(visit.found) else 0


def _look_here(visit: Visit, file: str | None, services: tuple[str, ...]) -> None:
    visit.take(check_versions())
    visit.take(check_preferences())
    try:
        visit.workspace = workspace = open_workspace(file, with_local=True)
    except ConfigError as error:
        visit.take(check_config(file or "devcfg.yaml", error.diagnostics))
        return
    except DevcfgError as error:
        visit.take(failed("config", error))
        return
    word = workspace.parsed.config.base
    if word not in (CLUSTER, STDIN) and kustomization_of(workspace.resolve(word)) is not None:
        visit.take(check_kustomize(word))
    if word == STDIN:
        visit.take(Finding("base", Verdict.SKIPPED, "the base is standard input, which is not read here"))
    else:
        try:
            visit.take(check_config(workspace.path, findings_of(workspace, Sources(file, services=services))))
        except DevcfgError as error:
            visit.take(failed("config", error))
    for one in check_watcher(workspace, services):
        visit.take(one)


async def _look_there(visit: Visit, file: str | None, services: tuple[str, ...]) -> None:
    from devcfg.runtime.checkup.place import examine
    from devcfg.runtime.cluster.kube import open_cluster
    from devcfg.runtime.devmode.live import Wish

    try:
        cluster = await open_cluster()
    except UnreachableError as error:
        visit.take(Finding("cluster", Verdict.SKIPPED, error.message, error.hint))
        return
    visit.identity = cluster.identity
    try:
        if visit.workspace is not None:
            async for one in examine(cluster, Wish(file, services)):
                visit.take(one)
    finally:
        await cluster.close()
