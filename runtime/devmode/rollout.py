"""Waits until the dev pods of a workload are ready, and says why they are not. Never changes the workload."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Coroutine

from devcfg.runtime.cluster.cluster import Cluster, Object
from devcfg.runtime.cluster.errors import ClusterError, UnreachableError
from devcfg.runtime.devmode.errors import DevModeError
from devcfg.runtime.devmode.live import Subject
from devcfg.runtime.devmode.pods import POD, Trouble, is_dev, is_up, pods_of, selector, trouble_of
from devcfg.runtime.devmode.steps import Move, Step, Tell

LOOK = 0.25
"""Seconds between two looks, where no change of a pod was seen before."""
LATER = 1.0
"""The same after the first ten seconds."""
SOON = 0.02
"""Seconds from a change of a pod to the look at it: most come several at a time."""
PATIENCE = 30.0
"""Seconds that trouble which may pass is given before somebody is asked."""

GiveUp = Callable[[Trouble], Coroutine[None, None, bool]]
"""Returns whether to go back rather than to wait on, once somebody has said so; called again for each new trouble.

It is cancelled where the trouble passes meanwhile.
"""


async def give_up(trouble: Trouble) -> bool:
    """Go back: what nobody can be asked about ends what cannot work."""
    return trouble is not None


async def wait_ready(cluster: Cluster, subject: Subject, tell: Tell, ask: GiveUp) -> None:
    """Return when as many dev pods are up as are wanted. Raises `DevModeError` where `ask` gives up."""
    began = time.monotonic()
    said: str | None = None
    found: Trouble | None = None  # the last one
    asked: set[str] = set()
    asking: asyncio.Task[bool] | None = None
    changed = asyncio.Event()
    seeing = asyncio.create_task(_see(cluster, subject, changed))
    try:
        while True:
            try:
                ready, trouble, words = await _look(cluster, subject)
            except UnreachableError as error:
                ready, trouble, words = False, None, error.message
            if ready:
                return
            found = trouble or found
            if trouble is not None:
                # What lasts comes whole with the error, or with the question.
                words = trouble.what if trouble.lasting else trouble.words
            if words != said:
                tell(Step(Move.WAITING, subject.target.label, words))
                said = words
            spent = time.monotonic() - began
            if trouble is not None and _kind(trouble) not in asked and (trouble.lasting or spent > PATIENCE):
                asked.add(_kind(trouble))
                if asking is not None:
                    asking.cancel()
                asking = asyncio.create_task(ask(trouble))
            await _first(LOOK if spent < 10 else LATER, changed, asking)
            if asking is not None and asking.done() and asking.result():
                words = found.words if found is not None else words
                raise DevModeError(f"{subject.target.label}: {words}", hint="put that right, then `devcfg up` again")
    finally:
        for task in (seeing, asking):
            if task is not None:
                task.cancel()
        await asyncio.gather(seeing, return_exceptions=True)


async def _see(cluster: Cluster, subject: Subject, changed: asyncio.Event) -> None:
    """Tell when a pod changes. Where that cannot be watched, the looks are as often as they are."""
    with contextlib.suppress(ClusterError):
        async for _ in cluster.watch(POD, subject.namespace, labels=selector(subject.object)):
            changed.set()


async def _first(seconds: float, changed: asyncio.Event, asking: asyncio.Task[bool] | None) -> None:
    """Wait until a pod changes or somebody has answered, so long at most."""
    pods = asyncio.create_task(changed.wait())
    waiting = {pods} if asking is None or asking.done() else {pods, asking}
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        pods.cancel()
    if changed.is_set():
        await asyncio.sleep(SOON)
        changed.clear()


async def _look(cluster: Cluster, subject: Subject) -> tuple[bool, Trouble | None, str]:
    document = await cluster.get(subject.resource, subject.namespace, subject.target.name)
    pods = [one for one in await pods_of(cluster, document) if is_dev(one, subject.digest)]
    wanted = _wanted(document)
    dev = tuple(one.name for one in subject.bindings)
    ready = sum(is_up(one, dev) for one in pods)
    if ready >= wanted:
        return True, None, ""
    trouble = await trouble_of(cluster, document, [one for one in pods if not is_up(one, dev)])
    return False, trouble, _words(pods, ready, wanted, dev)


def _wanted(document: Object) -> int:
    """Return how many dev pods are to be ready: all replicas, or one where every node has its own."""
    replicas = (document.get("spec") or {}).get("replicas")
    return replicas if isinstance(replicas, int) and replicas > 0 else 1


def _words(pods: list[Object], ready: int, wanted: int, dev: Collection[str]) -> str:
    if not pods:
        return "for its controller to make a dev pod"
    if wanted > 1:
        return f"for dev pods: {ready} of {wanted} ready"
    status = pods[0].get("status") or {}
    for key, kind in (("initContainerStatuses", "init container"), ("containerStatuses", "container")):
        for one in status.get(key) or []:
            waiting = (one.get("state") or {}).get("waiting") or {}
            running = "running" in (one.get("state") or {})
            if kind == "init container" and running:
                return f"for {kind} `{one.get('name')}`"
            if waiting and waiting.get("reason") not in ("PodInitializing", None):
                return f"for {kind} `{one.get('name')}` ({waiting['reason']})"
            if kind == "container" and running and not one.get("ready") and one.get("name") not in dev:
                return f"for container `{one.get('name')}` to be ready"
    return f"for pod `{pods[0]['metadata']['name']}` to start"


def _kind(trouble: Trouble) -> str:
    """Return what makes trouble the same trouble: its first words, since a back-off goes on counting."""
    return trouble.words[:60]
