"""Whether a repository's commands may run on this machine: asked once for each content of them. Never assumes a yes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import join

from devcfg.compiler.canonical import digest
from devcfg.runtime import console
from devcfg.runtime.files import write_atomically
from devcfg.schemas.config import Service
from devcfg.schemas.errors import UsageError

QUESTION = "run them? [y/N] "
KEPT = 200
"""How many accepted services are remembered."""


def state_home() -> str:
    """Return our directory for what is remembered between runs."""
    home = os.environ.get("XDG_STATE_HOME", "")
    return os.path.join(home if os.path.isabs(home) else os.path.expanduser("~/.local/state"), "devcfg")


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands of a project's services, and which of them nobody has accepted yet."""

    contents: tuple[str, ...]
    new: dict[str, dict[str, list[str]]]
    """By service and mode."""


def commands_of(project: str, services: Mapping[str, Service]) -> Commands:
    """Look up what was accepted: it counts for this directory and these very commands of a service."""
    contents = {name: _content(project, name, service) for name, service in services.items()}
    known = _known()
    new = {name: _commands(services[name]) for name, content in contents.items() if content not in known}
    return Commands(tuple(contents.values()), {name: by_mode for name, by_mode in new.items() if by_mode})


def ask(commands: Commands, *, yes: bool) -> None:
    """Return when these commands may run here. Raises `UsageError` where they may not. `yes` accepts."""
    if not commands.new:
        return
    show(commands)
    if not yes:
        if not can_ask():
            raise UsageError("they were not accepted yet, and nobody can be asked here", hint="`--yes` accepts them")
        console.raw(QUESTION)
        check(sys.stdin.readline())
    remember(commands)


def can_ask() -> bool:
    """Tell whether there is somebody who can answer."""
    return sys.stdin is not None and sys.stdin.isatty()


def show(commands: Commands) -> None:
    """Show the commands that nobody has accepted yet."""
    console.say("`up --local` runs these commands of the repository on this machine, as you:")
    for name, by_mode in commands.new.items():
        for mode, argv in by_mode.items():
            console.say(f"  {name} {mode}: {join(argv)}")


def check(answer: str) -> None:
    """Return when an answer is a yes. Raises `UsageError`."""
    if answer.strip().lower() not in ("y", "yes"):
        hint = "`devcfg up --local --dry-run` only shows what would happen"
        raise UsageError("the commands were not accepted", hint=hint)


def remember(commands: Commands) -> None:
    """Keep that these commands were accepted."""
    accepted = [*(one for one in _known() if one not in commands.contents), *commands.contents]
    write_atomically(os.path.join(state_home(), "accepted.json"), json.dumps(accepted[-KEPT:]) + "\n", private=True)


def _content(project: str, name: str, service: Service) -> str:
    return digest({"project": os.path.realpath(project), "service": name, "commands": _commands(service)})


def _commands(service: Service) -> dict[str, list[str]]:
    modes = ("build", "run", "debug", "test")
    return {mode: list(argv) for mode in modes if (argv := getattr(service.command, mode)) is not None}


def _known() -> list[str]:
    try:
        with open(os.path.join(state_home(), "accepted.json"), encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
