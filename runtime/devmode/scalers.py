"""Autoscalers of a workload in dev mode: held at its number by a patch with a way back of its own. Never KEDA's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from devcfg.overlays.inverse import invert
from devcfg.runtime.cluster.cluster import Cluster, Object, Resource
from devcfg.runtime.cluster.errors import ConflictError, ForbiddenError, GuardError, MissingError, UnreachableError
from devcfg.runtime.devmode.errors import DevModeError, DriftError
from devcfg.runtime.devmode.live import Subject, exact
from devcfg.runtime.devmode.prepare import guards
from devcfg.runtime.devmode.record import (
    Owner,
    cleared,
    inverse_of,
    is_taken,
    owner_of,
    reach,
    restoration,
    written,
)
from devcfg.schemas.patch import Pointer
from devcfg.schemas.plan import ObjectPatch

SCALER = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
ATTEMPTS = 5
PAUSE = 0.5
"""Seconds before a look at what became of a request whose answer was lost."""


async def hold_all(cluster: Cluster, subject: Subject, owner: Owner) -> None:
    """Hold the autoscalers of a workload that was patched. Raises `DevModeError`."""
    for resource, one in subject.scalers:
        await _hold(cluster, resource, one, subject, owner)


async def _hold(cluster: Cluster, resource: Resource, one: ObjectPatch, subject: Subject, owner: Owner) -> None:
    name, steps = one.patch.target.name, exact(one)
    for _ in range(ATTEMPTS):
        found = await cluster.get(resource, subject.namespace, name)
        first = restoration(found, inverse_of(found)) if is_taken(found) else None
        before = found if first is None else first.after
        inverse = invert(before, steps)
        back = first.operations if first is not None else ()
        try:
            operations = (*guards(found), *back, *steps, *written(found, inverse, owner))
            await cluster.patch(resource, subject.namespace, name, operations)
        except (GuardError, ConflictError):
            continue
        except UnreachableError:
            await asyncio.sleep(PAUSE)
            continue  # where it was done, doing it again changes nothing
        return
    raise DevModeError(f"HorizontalPodAutoscaler `{name}` changes all the time", hint="try again")


async def scalers_of(cluster: Cluster, namespace: str, kind: str, name: str) -> tuple[Object, ...]:
    """Return the autoscalers of a workload; none where they may not be listed."""
    try:
        listed = await cluster.list(SCALER, namespace)
    except (MissingError, ForbiddenError):
        return ()
    return tuple(
        {"apiVersion": SCALER.api_version, "kind": SCALER.kind, **one}
        for one in listed
        if (target := (one.get("spec") or {}).get("scaleTargetRef") or {}).get("name") == name
        and target.get("kind") == kind
    )


async def release_all(
    cluster: Cluster, namespace: str, workload: str, found: tuple[Object, ...], keep: Callable[[str, Pointer], None]
) -> None:
    """Give autoscalers back what they said; `keep` hears of each field that somebody else changed since."""
    for one in found:
        owner = owner_of(one)
        if is_taken(one) and owner is not None and owner.workload in (workload, ""):
            await _release(cluster, namespace, one, keep)


async def _release(cluster: Cluster, namespace: str, found: Object, keep: Callable[[str, Pointer], None]) -> None:
    name = found["metadata"]["name"]
    for _ in range(ATTEMPTS):
        if not is_taken(found):
            return
        inverse = inverse_of(found)
        wild = reach(found, inverse).wild
        if wild:
            raise DriftError(f"the way back of HorizontalPodAutoscaler `{name}` reaches `{wild[0]}`: it is not taken")
        back = restoration(found, inverse)
        try:
            operations = (*guards(found), *back.operations, *cleared(found))
            await cluster.patch(SCALER, namespace, name, operations)
        except (GuardError, ConflictError):
            found = {
                "apiVersion": SCALER.api_version,
                "kind": SCALER.kind,
                **await cluster.get(SCALER, namespace, name),
            }
            continue
        except MissingError:
            return
        for path in back.kept:
            keep(name, path)
        return
    raise DevModeError(f"HorizontalPodAutoscaler `{name}` changes all the time", hint="try `devcfg down` again")
