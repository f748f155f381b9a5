"""The sites of a cluster: workloads that a session takes into dev mode, holds, and takes back. Follows no pod."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from devcfg.compiler.canonical import IN_PLACE, IN_PLACE_SYNC
from devcfg.runtime.cluster.cluster import Cluster
from devcfg.runtime.devmode.enter import Entered, Request, enter
from devcfg.runtime.devmode.errors import LostError
from devcfg.runtime.devmode.hold import hold, leave
from devcfg.runtime.devmode.leave import Report, UnfinishedError
from devcfg.runtime.devmode.live import State
from devcfg.runtime.devmode.node import has_nodes
from devcfg.runtime.devmode.steps import Move, Step
from devcfg.runtime.session.display import seconds
from devcfg.runtime.session.events import Event, Happening
from devcfg.runtime.session.pod import PodSite
from devcfg.runtime.session.podlog import Told
from devcfg.runtime.session.sites import Hearer
from devcfg.runtime.session.wanted import Brief, Wanted
from devcfg.schemas.config import Service


class PodSites:
    """The workloads of one session. Implements `Sites`."""

    def __init__(self, cluster: Cluster, request: Request, project: str, *, node: str, keep: bool) -> None:
        """Take the request; with `keep`, what was entered stays in dev mode at the end."""
        self._cluster = cluster
        self._request = request
        self._project = project
        self._node = node
        self._keep = keep
        self._entered: Entered | None = None
        self._hearer: Hearer | None = None
        self._holding: asyncio.Task[None] | None = None
        self._told: dict[str, Told] = {}  # until when the log of each service was told
        self._lost = False
        self._since = time.monotonic()

    @property
    def target(self) -> str:
        """Return the word for a cluster."""
        return "cluster"

    @property
    def stays(self) -> bool:
        """Say that dev mode goes on until somebody ends it."""
        return True

    async def enter(self, brief: Brief, hearer: Hearer) -> None:
        """Take the services into dev mode."""
        self._hearer, self._since = hearer, time.monotonic()
        if self._holding is not None:
            self._holding.cancel()
        wish = replace(self._request.wish, services=tuple(one.name for one in brief.services))
        self._request = replace(self._request, wish=wish)
        self._entered = await enter(self._cluster, self._request, self._tell)
        self._holding = asyncio.create_task(hold(self._cluster, self._entered, self._tell))
        for place in (one for one in self._entered.places if one.service in wish.services):
            hearer.event(Event(time.time(), place.service, Happening.ROLLED_OUT))

    def site(self, wanted: Wanted, hearer: Hearer) -> PodSite:
        """Return the dev container of a service."""
        places = self._entered.places if self._entered is not None else ()
        place = next(one for one in places if one.service == wanted.name)
        taken = self._entered.taken if self._entered is not None else ()
        fresh = any(one.subject.is_new and one.subject.uid == place.uid for one in taken)
        return PodSite(
            self._cluster,
            place,
            wanted.spec,
            self._project,
            say=lambda words: hearer.words(wanted.name, words),
            fresh=fresh,
            node=self._node if has_nodes(place.resource) else "",
            told=self._told.setdefault(wanted.name, {}),
        )

    def moves(self, before: Wanted | None, after: Wanted) -> tuple[str, ...]:
        """Return what of a service stands in its pod, and is another now."""
        return needs_new_pod(before.spec, after.spec) if before is not None else ("it is new in the config",)

    async def held(self) -> None:
        """Hold leases and watch the workloads. Raises `LostError`."""
        while True:
            holding = self._holding
            if holding is None:
                await asyncio.sleep(0.1)
                continue
            await asyncio.wait((holding,))
            if holding.cancelled() or holding is not self._holding:
                await asyncio.sleep(0.1)  # entered anew meanwhile
                continue
            self._lost = isinstance(holding.exception(), LostError)
            holding.result()

    async def leave(self, hearer: Hearer) -> None:
        """Take the workloads back, unless they are somebody else's by now or shall stay."""
        if self._holding is not None:
            self._holding.cancel()
            await asyncio.gather(self._holding, return_exceptions=True)
        entered = self._entered
        if entered is None or self._lost:
            return
        if self._keep:
            for one in entered.taken:
                await one.lease.release()
            hearer.step("everything stays in dev mode; `devcfg down` restores it")
            return
        self._since = time.monotonic()
        try:
            _say(await leave(self._cluster, entered, self._tell), hearer)
        except UnfinishedError as error:
            _say(error.reports, hearer)
            raise
        for taken in entered.taken:
            if taken.subject.state is State.FILES:
                hearer.step(f"{taken.subject.target.label}: stays in dev mode, as its files made it")

    def _tell(self, step: Step) -> None:
        if self._hearer is None:
            return
        took = seconds((time.monotonic() - self._since) * 1000)
        head = f"{step.workload}: " if step.workload else ""
        match step.move:
            case Move.NOTE:
                self._hearer.step(f"note: {head}{step.words}")
            case Move.TAKEN | Move.READY | Move.RESTORED:
                self._hearer.step(f"{head}{step.words} ({took})")
            case Move.WAITING if step.words.startswith("for "):
                self._hearer.step(f"{head}waiting {step.words}")
            case _:
                self._hearer.step(f"{head}{step.words}")
        members: dict[str, Any] = {}
        match step.move:
            case Move.TAKEN:
                what = Happening.APPLIED
            case Move.RESTORED:
                what = Happening.RESTORED
            case Move.DRIFT:
                what, members = Happening.DRIFT, {"fields": list(step.fields), "by": step.by}
            case _:
                return
        for name in self._services(step.workload):
            self._hearer.event(Event(time.time(), name, what, members))

    def _services(self, workload: str) -> tuple[str, ...]:
        """Return the services of a workload, also before all was entered."""
        if self._entered is None:
            return self._request.wish.services if len(self._request.wish.services) == 1 else ()
        taken = (one.subject for one in self._entered.taken if one.subject.target.label == workload)
        services = (binding.service for subject in taken for binding in subject.bindings)
        return tuple(name for name in services if name in self._request.wish.services)


def _say(reports: Iterable[Report], hearer: Hearer) -> None:
    for report in reports:
        for kept in report.kept:
            hearer.step(f"{report.workload}: {kept} was changed by somebody else, and stays so")
        for left in report.left:
            hearer.step(f"{report.workload}: {left}")
        if report.restored and not report.left:
            hearer.step(f"{report.workload}: nothing of dev mode is left")


def needs_new_pod(before: Service, after: Service) -> tuple[str, ...]:
    """Return the fields that differ and stand in the pod. What a session brings in place is none of them."""
    old, new = before.dump(), after.dump()
    found = [name for name in new if name not in IN_PLACE and name != "sync" and new[name] != old[name]]
    if _mounted(old["sync"]) != _mounted(new["sync"]):
        found.append("sync")
    gone = any(name not in new["env"] for name in old["env"])
    passed = any(isinstance(value, dict) and old["env"].get(name) != value for name, value in new["env"].items())
    return tuple(found + ["env"] * (gone or passed))


def _mounted(rules: Any) -> list[dict[str, Any]]:
    return [{name: value for name, value in rule.items() if name not in IN_PLACE_SYNC} for rule in rules]
