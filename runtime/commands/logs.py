"""`devcfg logs`: what the dev processes printed, from the session, or from the pods where none runs. Steers nothing."""

from __future__ import annotations

import asyncio
import os

from devcfg.runtime import console
from devcfg.runtime.commands.control import Where, find, relay, view
from devcfg.runtime.commands.unattended import Unattended, unattended
from devcfg.runtime.session.control import NoSessionError
from devcfg.runtime.session.display import visible_log
from devcfg.runtime.session.locations import View, respelling
from devcfg.runtime.session.podlog import lines_of

KEPT = 2000
"""Lines of each log: as many as a session keeps."""


def logs(file: str | None, services: tuple[str, ...], *, follow: bool, raw: bool) -> int:
    """Print what the dev processes printed; `raw` as they did, without it with the paths that are here."""
    where, seen = find(file, services), None if raw else view(file)
    spelled = {"spelled": seen.project, "here": seen.here} if seen is not None else {}
    try:
        return relay(where.project, "logs", services=list(services), follow=follow, raw=raw, **spelled)
    except NoSessionError:
        return asyncio.run(_from_pods(file, where, seen, follow=follow))


async def _from_pods(file: str | None, where: Where, seen: View | None, *, follow: bool) -> int:
    async with unattended(file) as found:
        names = where.services or tuple(found.config.services)
        prints = [_print(found, name, seen, follow=follow, several=len(names) > 1) for name in names]
        if follow:
            await asyncio.gather(*prints)
        else:
            for one in prints:
                await one
    return 0


async def _print(found: Unattended, name: str, seen: View | None, *, follow: bool, several: bool) -> None:
    pod, container = await found.pod(name)
    head = f"{name} | " if several else ""
    spec = found.config.services.get(name)
    respell = str if seen is None or spec is None else respelling(seen, spec, str, os.path.isfile)
    pieces = found.cluster.log(found.namespace, pod.name, container, follow=follow, tail=KEPT)
    async for line in lines_of(pieces):
        shown = visible_log(line, respell)
        console.data(f"{head}{shown if seen is None else console.toned(shown, 'stdout')}\n", now=True)
