"""`devcfg up`: from the command line to a session, in a cluster or on this machine. Never is the session."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from shlex import join
from typing import TYPE_CHECKING

from devcfg.runtime import console
from devcfg.runtime.commands.control import view
from devcfg.runtime.commands.detach import detach
from devcfg.runtime.debug.choice import choose
from devcfg.runtime.debug.sight import traces_of
from devcfg.runtime.link.agent import Mode
from devcfg.runtime.session import consent
from devcfg.runtime.session.session import Session
from devcfg.runtime.session.sites import LocalSites
from devcfg.runtime.session.wanted import Brief, Wanted, read_brief
from devcfg.schemas.errors import UsageError

if TYPE_CHECKING:
    from devcfg.runtime.cluster.cluster import Identity
    from devcfg.runtime.devmode.pods import Trouble
    from devcfg.runtime.devmode.prepare import Prepared
    from devcfg.runtime.devmode.rollout import GiveUp
    from devcfg.runtime.session.locations import View


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for."""

    file: str | None
    services: tuple[str, ...]
    local: bool = False
    yes: bool = False
    events: bool = False
    once: bool = False
    dry_run: bool = False
    debug: bool = False
    detach: bool = False
    steal: bool = False
    node: str = ""
    raw: bool = False

    @property
    def mode(self) -> Mode:
        """The mode that the dev processes start in."""
        return "debug" if self.debug else "run"

    @property
    def view(self) -> View | None:
        """From where their lines are read; None where they are wanted as they were printed."""
        return None if self.raw else view(self.file)

    @property
    def words(self) -> list[str]:
        """The command line again, for a session in the background."""
        flags = {"--local": self.local, "--yes": self.yes, "--debug": self.debug, "--steal": self.steal}
        flags["--raw"] = self.raw
        words = [*self.services, *(flag for flag, given in flags.items() if given)]
        words += ["--node", self.node] if self.node else []
        return words + (["-f", self.file] if self.file is not None else [])


def up(request: Request) -> int:
    """Run a session and return the exit code: 0 where it ended in order."""
    for option in ("once", "events"):
        if request.detach and getattr(request, option):
            raise UsageError(f"`--detach` and `--{option}` exclude each other")
    brief = read_brief(request.file, request.services, local=request.local)
    if request.debug:
        for one in brief.services:
            choose(one.name, one.spec, traces_of(brief.project, one.spec))  # it says what to write where it cannot
    return _up_here(request, brief) if request.local else asyncio.run(_up_in_cluster(request, brief))


def _up_here(request: Request, brief: Brief) -> int:
    _plan(brief)
    if request.dry_run:
        return 0
    consent.ask(_commands(brief), yes=request.yes)
    if request.detach:
        return detach(brief.project, request.words, request.services)

    async def reread() -> Brief:
        found = await asyncio.to_thread(read_brief, request.file, request.services)
        await _ask_again(_commands(found), yes=request.yes)
        return found

    sites = LocalSites(brief.project)
    session = Session(
        brief, reread, sites, events=request.events, once=request.once, mode=request.mode, view=request.view
    )
    asyncio.run(session.run())
    console.say("ended; the files of the remote side stay in .devcfg/local", console.DIM)
    return 0


async def _up_in_cluster(request: Request, brief: Brief) -> int:
    from devcfg.runtime.cluster.kube import open_cluster

    # Logging in is another process: it goes on while what follows is imported.
    opening = asyncio.create_task(open_cluster())
    await asyncio.sleep(0)
    from devcfg.runtime.devmode.enter import Request as Entry
    from devcfg.runtime.devmode.live import Wish
    from devcfg.runtime.devmode.node import check_node
    from devcfg.runtime.devmode.prepare import prepare
    from devcfg.runtime.devmode.rollout import give_up
    from devcfg.runtime.session.podsites import PodSites

    wish = Wish(request.file, tuple(one.name for one in brief.services))
    ask = _asked if consent.can_ask() else None
    cluster = await opening
    try:
        # Before the session, which hears Ctrl-C in its own way: here it ends a question.
        prepared = await prepare(cluster, wish, yes=request.yes, ask=ask)
        if request.node:
            await check_node(cluster, prepared.subjects, request.node)
        show_plan(cluster.identity, prepared, brief)
        if request.dry_run:
            return 0
        if request.detach:
            return await asyncio.to_thread(detach, brief.project, request.words, request.services)

        async def reread() -> Brief:
            return await asyncio.to_thread(read_brief, request.file, request.services, local=False)

        choose = _back_by_key() if consent.can_ask() and not request.yes else give_up
        entry = Entry(wish, yes=request.yes, steal=request.steal, ask=ask, give_up=choose)
        sites = PodSites(cluster, entry, brief.project, node=request.node, keep=request.once)
        session = Session(
            brief,
            reread,
            sites,
            events=request.events,
            once=request.once,
            mode=request.mode,
            agreed=_entered_key if consent.can_ask() else None,
            view=request.view,
        )
        await session.run()
    finally:
        await cluster.close()
    return 0


def _asked(question: str) -> bool:
    console.raw(question)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _back_by_key() -> GiveUp:
    """Return what waits for Enter, one at a time: what does not start may be put right while it waits."""
    one = asyncio.Lock()

    async def back(trouble: Trouble) -> bool:
        if trouble.lasting and trouble.why:
            console.say(f"  {trouble.why}", console.YELLOW)
        async with one:
            console.say("Enter takes it back; until then it waits, since that may be put right meanwhile")
            await _line()
        return True

    return back


async def _entered_key() -> None:
    await _line()


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


def show_plan(identity: Identity, prepared: Prepared, brief: Brief) -> None:
    """Say what is about to happen to which workload, what of it concerns security apart."""
    by_name = {one.name: one for one in brief.services}
    for subject in prepared.subjects:
        where = f"{subject.target.label} in namespace {subject.namespace} of context {identity.context}"
        console.say(f"{where}: {subject.state.value}")
        for binding in subject.bindings:
            wanted = by_name.get(binding.service)
            said = "; ".join(_steps(wanted)) if wanted is not None else "is there already, and stays in dev mode"
            console.say(f"  {binding.service}: {said}")
    for words in prepared.security:
        console.say(f"  security: {words}", console.YELLOW)


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
