"""Commands beside the dev process: shell, exec, test; through the session, or straight in the pod. Never starts one."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from devcfg.runtime import console
from devcfg.runtime.commands.control import find_one
from devcfg.runtime.session.control import NoSessionError, ask
from devcfg.runtime.session.site import Here, There
from devcfg.schemas.errors import UsageError

SHELLS = ("zsh", "bash", "sh")


@dataclass(frozen=True, slots=True)
class Beside:
    """Where a command runs, and what the config has for it."""

    service: str
    test: tuple[str, ...]
    shell: str | None
    place: Here | There


def test(file: str | None, service: str | None) -> int:
    """Run `command.test` beside the dev process: its exit code is ours."""
    found = _beside(file, service)
    if not found.test:
        hint = "add it to the config: `test: [pytest, -q]`"
        raise UsageError(f"service `{found.service}` has no `command.test`", hint=hint)
    return _run(found.place, found.test[:1], found.test[1:])


def execute(file: str | None, service: str | None, words: Sequence[str]) -> int:
    """Run a command beside the dev process."""
    return _run(_beside(file, service).place, words[:1], words[1:])


def shell(file: str | None, service: str | None) -> int:
    """Open a shell beside the dev process."""
    found = _beside(file, service)
    return _run(found.place, (found.shell,) if found.shell else SHELLS, ())


def _beside(file: str | None, service: str | None) -> Beside:
    project, name = find_one(file, service)
    try:
        found = next(line["json"] for line in ask(project, "beside", service=name) if "json" in line)
    except NoSessionError:
        if name is None:
            raise
        return asyncio.run(_in_cluster(file, name))
    place = Here(**found["here"]) if "here" in found else There(**found["there"])
    return Beside(found["service"], tuple(found["test"] or ()), found["shell"], place)


async def _in_cluster(file: str | None, name: str) -> Beside:
    """Find the pod of a service that is in dev mode although nobody here has a session."""
    from devcfg.runtime.commands.unattended import unattended
    from devcfg.runtime.session.pod import folder_of

    async with unattended(file) as found:
        spec = found.config.services[name]
        pod, container = await found.pod(name)
        identity = found.cluster.identity
        place = There(identity.context, identity.server, found.namespace, pod.name, container, folder_of(spec))
    return Beside(name, spec.command.test or (), spec.shell, place)


def _run(place: Here | There, programs: Sequence[str], arguments: Sequence[str]) -> int:
    match place:
        case Here():
            return _become(place, programs, arguments)
        case There():
            return asyncio.run(_have_executed(place, programs, arguments))


def _become(place: Here, programs: Sequence[str], arguments: Sequence[str]) -> int:
    path = place.environment.get("PATH")
    program = next((one for one in programs if shutil.which(one, path=path)), programs[-1])
    try:
        os.chdir(place.folder)
        os.execvpe(program, [program, *arguments], place.environment)  # noqa: S606  a list: no shell reads it
    except FileNotFoundError:
        console.say(f"error: no program `{program}`, or no directory `{place.folder}`")
        return 127


async def _have_executed(place: There, programs: Sequence[str], arguments: Sequence[str]) -> int:
    from devcfg.runtime.cluster.kube import open_cluster
    from devcfg.runtime.session.terminal import launched, run_there

    cluster = await open_cluster(place.context)
    try:
        if cluster.identity.server != place.server:
            wanted = f"context `{place.context}` is {cluster.identity.server} here, and {place.server} for the session"
            raise UsageError(wanted, hint="use the KUBECONFIG that the session was started with")
        return await run_there(cluster, place, launched(place, programs, arguments))
    finally:
        await cluster.close()
