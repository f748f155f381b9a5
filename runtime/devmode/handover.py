"""The dev pods of a workload that was put back give way to its own, and no revision leads back to them.

Never takes a dev pod away that serves while none of its own does: that is for its controller to do.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from devcfg.runtime.cluster.cluster import Cluster, Object, Resource
from devcfg.runtime.cluster.errors import ConflictError, ForbiddenError, MissingError
from devcfg.runtime.devmode.kinds import BY_HAND, ORDERED
from devcfg.runtime.devmode.pods import POD, Trouble, is_dev, is_ready, pods_of, trouble_of
from devcfg.runtime.devmode.revisions import KEPT_AS, dev_revisions, is_idle, is_unready
from devcfg.runtime.devmode.stays import Stay
from devcfg.runtime.devmode.steps import Move, Step, Tell

PATIENCE = 180.0
"""Seconds that dev pods are given to be replaced, before `down` leaves their revision to a later one."""
BROKEN = 20.0
"""The same, where pods of its own do not start and will not by themselves."""
LOOK = 0.3


@dataclass(slots=True)
class Handover:
    """What went, and in sentences what could not."""

    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


async def hand_over(cluster: Cluster, stay: Stay, document: Object, tell: Tell) -> Handover:
    """Wait until no dev pod of a workload is left (document: as it was put back), and take its dev revisions away."""
    done = Handover()
    await _end_pods(cluster, document, done)
    resource = KEPT_AS.get(stay.resource.kind)
    if resource is None or stay.resource.group != resource.group:
        return done
    began = time.monotonic()
    said: str | None = None
    while found := await _revisions(cluster, stay, document, resource, done):
        if not await _take_away(cluster, document, resource, found, done):
            return done
        trouble = await _own_trouble(cluster, document)
        broken = trouble is not None and trouble.lasting
        if time.monotonic() - began > (BROKEN if broken else PATIENCE):
            why = f" since its own do not start ({trouble.words})" if trouble is not None else ""
            done.left.append(f"{stay.label} still has dev pods{why}: `devcfg down` later takes their revision away")
            return done
        words = "for its own pods to take over" + (f": {trouble.words}" if trouble is not None else "")
        if words != said:
            tell(Step(Move.WAITING, stay.label, words))
            said = words
        await asyncio.sleep(LOOK)
        await _end_pods(cluster, document, done)
    return done


async def _revisions(
    cluster: Cluster, stay: Stay, document: Object, resource: Resource, done: Handover
) -> tuple[Object, ...]:
    try:
        return await dev_revisions(cluster, document, resource)
    except ForbiddenError:
        done.left.append(f"{stay.label} may have a revision of dev mode: you may not list its {resource.plural}")
        return ()


async def _take_away(
    cluster: Cluster, document: Object, resource: Resource, found: tuple[Object, ...], done: Handover
) -> bool:
    """Delete the revisions whose pods are gone, or serve nobody; return whether that may be done."""
    for one in found:
        meta = one["metadata"]
        try:
            if await is_idle(cluster, document, one) or await is_unready(cluster, document, one):
                await cluster.delete(resource, meta["namespace"], meta["name"], uid=meta["uid"])
                done.removed.append(f"{resource.kind.lower()}/{meta['name']}")
        except ForbiddenError:
            done.left.append(f"{resource.kind.lower()}/{meta['name']} stays: you may not delete it")
            return False
        except (MissingError, ConflictError):
            continue
    return True


async def _own_trouble(cluster: Cluster, document: Object) -> Trouble | None:
    found = [one for one in await pods_of(cluster, document) if not is_dev(one) and not is_ready(one)]
    own = [one for one in found if "deletionTimestamp" not in one["metadata"]]
    return await trouble_of(cluster, document, own) if own else None


async def _end_pods(cluster: Cluster, document: Object, done: Handover) -> None:
    """Delete the dev pods that no controller replaces: of a kind that never does, and broken ones of an ordered one."""
    kind = document["kind"]
    if kind in BY_HAND or kind == ORDERED:
        for pod in await pods_of(cluster, document):
            if is_dev(pod) and (kind in BY_HAND or not is_ready(pod)):
                await _delete_pod(cluster, pod, done)


async def _delete_pod(cluster: Cluster, pod: Object, done: Handover) -> None:
    meta = pod["metadata"]
    try:
        await cluster.delete(POD, meta["namespace"], meta["name"], uid=meta["uid"])
    except ForbiddenError:
        said = f"pod/{meta['name']} stays: you may not delete it, and its controller does not replace it"
        if said not in done.left:
            done.left.append(said)
    except (MissingError, ConflictError):
        pass
