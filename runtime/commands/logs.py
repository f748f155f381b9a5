"""`devcfg logs`: what the dev processes printed, from the session, or from the pods where none runs. Steers nothing."""

from __future__ import annotations

import asyncio

from devcfg.runtime import console
from devcfg.runtime.commands.control import Where, find, relay
from devcfg.runtime.commands.unattended import Unattended, unattended
from devcfg.runtime.session.control import NoSessionError
from devcfg.runtime.session.display import visible_log
from devcfg.runtime.session.podlog import lines_of

KEPT = 2000
"""Lines of each log: as many as a session keeps."""


def logs(file: str | None, services: tuple[str, ...], *, follow: bool) -> int:
    """Print what the dev processes printed."""
    where = find(file, services)
    try:
        return relay(where.project, "logs", services=list(services), follow=follow)
    except NoSessionError:
        return asyncio.run(_from_pods(file, where, follow=follow))


async def _from_pods(file: str | None, where: Where, *, follow: bool) -> int:
    async with unattended(file) as found:
        names = where.services or tuple(found.config.services)
        prints = [_print(found, name, follow=follow, several=len(names) > 1) for name in names]
        if follow:
            await asyncio.gather(*prints)
        else:
            for one in prints:
                await one
    return 0


async def _print(found: Unattended, name: str, *, follow: bool, several: bool) -> None:
    pod, container = await found.pod(name)
    head = f"{name} | " if several else ""
    pieces = found.cluster.log(found.namespace, pod.name, container, follow=follow, tail=KEPT)
    async for line in lines_of(pieces):
        console.data(f"{head}{visible_log(line)}\n", now=True)
