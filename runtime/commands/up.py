"""`devcfg up --local`: the session on this machine, from the plan to the orderly end. Never reaches a cluster."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from shlex import join

from devcfg.runtime import console
from devcfg.runtime.session import consent
from devcfg.runtime.session.session import Session
from devcfg.runtime.session.wanted import Brief, Wanted, read_brief
from devcfg.schemas.errors import UsageError


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for."""

    file: str | None
    services: tuple[str, ...]
    local: bool
    yes: bool
    events: bool
    once: bool
    dry_run: bool


def up(request: Request) -> int:
    """Run a session and return the exit code: 0 where it ended in order."""
    if not request.local:
        raise UsageError("`up` in a cluster is not supported yet", hint="`devcfg up --local` runs it on this machine")
    brief = read_brief(request.file, request.services)
    _plan(brief)
    if request.dry_run:
        return 0
    consent.ask(_commands(brief), yes=request.yes)

    async def reread() -> Brief:
        found = await asyncio.to_thread(read_brief, request.file, request.services)
        await _ask_again(_commands(found), yes=request.yes)
        return found

    asyncio.run(Session(brief, reread, events=request.events, once=request.once).run())
    console.say("ended; the files of the remote side stay in .devcfg/local", console.DIM)
    return 0


async def _ask_again(commands: consent.Commands, *, yes: bool) -> None:
    """Ask while the session goes on: what changed the config may have been a `git pull`. Raises `UsageError`."""
    if not commands.new:
        return
    if not yes:
        if not consent.can_ask():
            changed = ", ".join(f"`{name}`" for name in commands.new)
            hint = "start the session again, which asks; with `--yes` it accepts what is saved while it runs"
            raise UsageError(f"commands of {changed} changed and were not accepted; {hint}")
        console.raw("\r\x1b[K" if sys.stderr.isatty() else "")  # in place of the live line
        consent.show(commands)
        console.say(consent.QUESTION)
        consent.check(await _line())
    consent.remember(commands)


async def _line() -> str:
    """Return the next line of the terminal; a thread that waits for one would outlive the session."""
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), came.set)
    try:
        await came.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return sys.stdin.readline()


def _commands(brief: Brief) -> consent.Commands:
    return consent.commands_of(brief.project, {one.name: one.spec for one in brief.services})


def _plan(brief: Brief) -> None:
    """Say what is about to happen, a line a service."""
    for one in brief.services:
        console.say(f"{one.name}: {'; '.join(_steps(one))}")
    for note in brief.notes:
        console.say(f"note: {note}", console.DIM)


def _steps(one: Wanted) -> list[str]:
    command, spec = one.spec.command, one.spec
    found = [
        f"{rule.path} ⇄ {rule.target}" if "two" in rule.mode else f"{rule.path} → {rule.target}" for rule in spec.sync
    ]
    found += [f"build `{join(command.build)}`"] if command.build else []
    found += [f"run `{join(command.run)}`"] if command.run else ["nothing runs: there is no `command.run`"]
    found += [f"ports {', '.join(spec.ports)}"] if spec.ports else []
    return found
