"""Verbs that speak to a running session: run, debug, stop, restart, sync. Only debug starts one where none runs."""

from __future__ import annotations

import functools
import json
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from devcfg.runtime import console
from devcfg.runtime.session.control import NoSessionError, ask
from devcfg.runtime.session.locations import View
from devcfg.runtime.workspace import find_config, open_workspace, read_bytes
from devcfg.schemas.errors import ConfigError, DevcfgError, UsageError
from devcfg.schemas.fields import closest

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end `debug --stay`: Ctrl-C, an editor's stop, a terminal that is closed."""


@dataclass(frozen=True, slots=True)
class Where:
    """The project whose session is meant, and the services that were named."""

    project: str
    services: tuple[str, ...]
    known: tuple[str, ...]
    """The config's services; none while it is broken, which must not keep anybody from a session that runs."""
    namespace: str = ""
    """The config's; empty where it names none."""


@dataclass(frozen=True, slots=True)
class Way:
    """How `devcfg debug` goes about it."""

    stay: bool
    """The process is under the debugger as long as the command lives."""
    local: bool
    yes: bool
    """As of `devcfg up`, for a session that has to be started first."""


def find(file: str | None, services: Sequence[str] = ()) -> Where:
    """Find the project by its config, and check the names. Raises `UsageError`."""
    path = find_config(file)
    read_bytes(path)
    try:
        config = open_workspace(path, with_local=True).parsed.config
        known, namespace = tuple(config.services), config.namespace or ""
    except ConfigError:
        known, namespace = (), ""
    for name in services:
        if known and name not in known:
            hint = closest(name, known) or f"it has {', '.join(f'`{one}`' for one in known)}"
            raise UsageError(f"the config has no service `{name}`", hint=hint)
    return Where(os.path.realpath(os.path.dirname(path) or "."), tuple(services), known, namespace)


def find_one(file: str | None, service: str | None) -> tuple[str, str | None]:
    """Return the project and the service that is meant; without one, the session must have only one.

    Raises `UsageError`.
    """
    where = find(file, () if service is None else (service,))
    if service is None and len(where.known) > 1:
        raise UsageError("which service?", hint=f"name one of {', '.join(f'`{one}`' for one in where.known)}")
    return where.project, service or (where.known[0] if where.known else None)


def steer(file: str | None, service: str | None, verb: str) -> int:
    """Switch what the supervisor runs, and return the exit code: 1 where it did not come to that."""
    project, name = find_one(file, service)
    return relay(project, verb, service=name)


def debug(file: str | None, service: str | None, output: str, way: Way) -> int:
    """Put the dev process under its debugger, and say where that is attached to once it answers."""
    project, name = find_one(file, service)
    work = functools.partial(_debug, file, project, name, output, way)
    return _staying(work, project, name) if way.stay else work()


def _debug(file: str | None, project: str, name: str | None, output: str, way: Way) -> int:
    seen = view(file)
    members = {"service": name, "spelled": seen.project, "here": seen.here}
    try:
        return relay(project, "debug", output, **members)
    except NoSessionError:
        if name is None:
            raise
    from devcfg.runtime.commands.up import Request, up

    code = up(Request(file, (name,), local=way.local, yes=way.yes, detach=True, debug=True))
    return code or relay(project, "debug", output, **members)


def _staying(work: Callable[[], int], project: str, name: str | None) -> int:
    """Stay as an editor's task does, with the lines that it is told by; a signal goes back to `command.run`."""
    for number in ENDS:
        signal.signal(number, signal.default_int_handler)
    try:
        console.data("[devcfg] starting\n", now=True)
        code = work()
        return code or relay(project, "debug-stay", service=name)
    except DevcfgError as error:
        console.data(f"[devcfg] failed: {console.printable(error.message)}\n", now=True)
        raise
    except KeyboardInterrupt:
        for number in ENDS:
            signal.signal(number, signal.SIG_IGN)  # the way back is short, and whoever ends a task may say so twice
        return relay(project, "run", service=name)


def view(file: str | None) -> View:
    """Return project and current directory as the user spells them: an editor sets breakpoints by such paths."""
    here, shell = os.getcwd(), os.environ.get("PWD", "")
    if os.path.isabs(shell) and os.path.realpath(shell) == here:
        here = shell
    return View(os.path.normpath(os.path.join(here, os.path.dirname(find_config(file)))), here)


def sync(where: Where, verb: str, output: str, **members: Any) -> int:
    """Ask the session about its sync, and return the exit code: 3 where a conflict or halt needs a decision."""
    return relay(where.project, f"sync-{verb}", output, services=list(where.services), **members)


def relay(project: str, verb: str, output: str = "human", **members: Any) -> int:
    """Print an answer's lines, each where it belongs, and return its exit code."""
    code = 0
    for line in ask(project, verb, **members):
        if "json" in line and output == "json":
            console.data(json.dumps(line["json"], indent=2) + "\n", now=True)
        if "data" in line and output != "json":
            console.data(console.printable(line["data"]) + "\n", now=True)
        if "log" in line:
            log = line["log"] if members.get("raw") else console.toned(line["log"], "stdout")
            console.data(f"{log}\n", now=True)
        if "words" in line:
            console.say(line["words"])
        code = int(line.get("end", code))
    return code
