"""`devcfg down`: workloads as they were before dev mode, from the cluster alone. Never decides for somebody else."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from devcfg.runtime import console
from devcfg.runtime.cluster.cluster import Cluster
from devcfg.runtime.cluster.errors import MissingError
from devcfg.runtime.cluster.kube import open_cluster
from devcfg.runtime.commands.control import find
from devcfg.runtime.devmode.errors import HeldError
from devcfg.runtime.devmode.lease import this_holder
from devcfg.runtime.devmode.leave import Report, UnfinishedError, go_back, leave_one
from devcfg.runtime.devmode.live import Wish, find_live
from devcfg.runtime.devmode.parting import Parting, part
from devcfg.runtime.devmode.stays import Stay, stay_of, stays_in, with_lease
from devcfg.runtime.devmode.steps import Move, Step
from devcfg.runtime.session import consent
from devcfg.runtime.session.control import NoSessionError, ask, has_session
from devcfg.runtime.workspace import open_workspace
from devcfg.schemas.errors import UsageError

DECIDE = 3


class Ended(Enum):
    """Where the session was that this has ended."""

    HERE = "here"
    IN_CLUSTER = "in a cluster"


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for."""

    file: str | None
    services: tuple[str, ...]
    everything: bool
    stale: bool
    yes: bool


def down(request: Request) -> int:
    """Restore, say what was done, and return the exit code: 3 where what others changed was kept."""
    if request.everything and request.services:
        raise UsageError("`--all` is everything in the namespace: name no services beside it")
    return asyncio.run(_down(request))


async def _down(request: Request) -> int:
    ended = None if request.stale else await _end_session(request)
    if ended is Ended.HERE:
        console.say("it has ended; what was in dev mode in a cluster before is not touched: `devcfg down` restores it")
        return 0
    cluster = await open_cluster()
    try:
        stays = await _stays(cluster, request)
        if request.stale:
            for one in (one for one in stays if one.alive):
                console.say(f"{one.label}: {one.holder} is at it: left alone", console.DIM)
            stays = [one for one in stays if not one.alive]
        for one in stays:
            _check_holder(one, yes=request.yes)

        one_by_one = asyncio.Lock()

        async def agree(label: str, sentences: tuple[str, ...]) -> bool:
            async with one_by_one:
                console.say(f"{label}: the way back does more than dev mode itself ever does:")
                for sentence in sentences:
                    console.say(f"  {sentence}")
                return request.yes or _ask("take it? [y/N] ")

        partings = [_parting(one, request) for one in stays]
        reports = await go_back(
            leave_one(cluster, one, _tell, agree) if parting is None else part(cluster, parting, _tell)
            for one, parting in zip(stays, partings, strict=True)
        )
    except UnfinishedError as error:
        _say(error.reports)
        raise
    finally:
        await cluster.close()
    if ended is not None and not any(one.restored or one.removed or one.left for one in reports):
        console.say("it has ended")
        return 0
    return _say(reports)


async def _end_session(request: Request) -> Ended | None:
    """End the session of this project on this machine, which restores by itself: two would undo each other's work.

    Return which it was; None where there was none.
    """
    try:
        project = find(request.file).project
    except UsageError:
        if request.everything:
            return None  # everything in the namespace needs no config
        raise
    try:
        rows = next(line["json"]["services"] for line in ask(project, "status") if "json" in line)
    except NoSessionError:
        return None
    others = [row["name"] for row in rows if request.services and row["name"] not in request.services]
    if others:
        raise UsageError(f"the session that runs here has {', '.join(others)}, too", hint="`devcfg down` ends it")
    list(ask(project, "end"))
    console.say("the session that runs here ends" + ("" if _is_local(rows) else ", and restores"))
    while has_session(project):
        await asyncio.sleep(0.1)
    return Ended.HERE if _is_local(rows) else Ended.IN_CLUSTER


def _is_local(rows: list[dict[str, Any]]) -> bool:
    return bool(rows) and rows[0]["target"] != "cluster"


async def _stays(cluster: Cluster, request: Request) -> list[Stay]:
    """Return what is to be restored: the config's workloads, or all that are found in the namespace."""
    if not request.everything:
        try:
            found = await find_live(cluster, Wish(request.file, request.services))
        except MissingError as error:
            console.say(f"note: {error.message}", console.DIM)
        else:
            stays = [await with_lease(cluster, stay_of(resource, document)) for resource, document in found]
            return [one for one in stays if _is_meant(one, request.services)]
    stays = list(await stays_in(cluster, _namespace(cluster, request)))
    if request.everything:
        return stays
    names = request.services or tuple(open_workspace(request.file, with_local=True).parsed.config.services)
    return [one for one in stays if one.object is None or _is_meant(one, names)]


def _is_meant(stay: Stay, names: tuple[str, ...]) -> bool:
    """Tell whether a workload is in dev mode for one of these services, or does not say for which."""
    return not names or not stay.services or any(name in stay.services for name in names)


def _parting(stay: Stay, request: Request) -> Parting | None:
    """Return how the named services leave a workload that others of the config share; None where all leave."""
    if not request.services or stay.owner is None or not stay.marked or stay.by_files:
        return None
    staying = tuple(name for name in stay.services if name not in request.services)
    leaving = tuple(name for name in stay.services if name in request.services)
    if not staying:
        return None
    known = open_workspace(request.file, with_local=True).parsed.config.services
    strangers = [name for name in staying if name not in known]
    if strangers:
        raise UsageError(
            f"{stay.label} is in dev mode for {', '.join(strangers)}, too, and this config does not have that",
            hint="`devcfg down` without a name, or with `--all`, restores the workload for all",
        )
    return Parting(request.file, stay.uid, stay.label, leaving, staying)


def _namespace(cluster: Cluster, request: Request) -> str:
    try:
        config = open_workspace(request.file, with_local=True).parsed.config
    except UsageError:
        if request.file is not None or not request.everything:
            raise
        return cluster.identity.namespace
    return config.namespace or cluster.identity.namespace


def _check_holder(stay: Stay, *, yes: bool) -> None:
    """Show that somebody else has a workload, and ask. Raises `HeldError` where it is not to be touched."""
    owner, mine = stay.owner, this_holder()
    if stay.alive and stay.holder == mine:
        console.say(f"{stay.label}: a session of yours has it; it loses it, and stops by itself", console.DIM)
    if stay.by_files or stay.holder in ("", mine):
        return
    since = (owner.since if owner is not None else "") or (stay.held.since if stay.held is not None else "")
    how = "is developing it right now" if stay.alive else "took it and is gone"
    console.say(f"{stay.label}: {stay.holder} {how} (since {since[:19]}; services {', '.join(stay.services) or '-'})")
    if not (yes or _ask("restore it all the same? [y/N] ")):
        hint = "ask them, or `devcfg down --yes`" if stay.alive else "`devcfg down --yes` restores it"
        raise HeldError(f"{stay.label} is {stay.holder}'s; nothing was changed", hint=hint)


def _ask(question: str) -> bool:
    if not consent.can_ask():
        return False
    console.raw(question)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _tell(step: Step) -> None:
    if step.move is Move.WAITING:
        console.say(f"{step.workload}: waiting {step.words}", console.DIM)


def _say(reports: Iterable[Report]) -> int:
    code, done = 0, False
    for one in reports:
        if one.parted:
            done = True
            console.say(f"{one.workload}: {one.parted}")
        if one.restored or one.removed:
            done = True
            words = "restored" if one.restored else "it was restored; what was left of dev mode is gone"
            console.say(f"{one.workload}: {words}")
        if one.kept:
            code = DECIDE
            console.say(f"{one.workload}: somebody else changed these meanwhile, so they stay as they are:")
            for path in one.kept:
                console.say(f"  {path}")
        for sentence in one.left:
            console.say(f"note: {sentence}", console.DIM)
    if not done:
        console.say("nothing is in dev mode here that could be restored")
    return code
