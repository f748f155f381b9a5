"""What a settled batch of changes does to the dev process: restart it, signal it, or leave it. Never acts itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from devcfg.compiler.lowering.command import seconds
from devcfg.runtime.pod.agent.ignore import Ignores, Layer
from devcfg.schemas.config import Service


class Action(Enum):
    """What to do with the dev process."""

    RESTART = "restart"
    SIGNAL = "signal"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Policy:
    """How one service reloads, decided once. `reason` says in words why it is not what the config's default says."""

    action: Action
    debounce: float
    """Seconds."""
    counting: Ignores | None
    """What counts; None for everything."""
    never: Ignores
    """What does not."""
    signal: str = ""
    reason: str = ""

    @property
    def fatal(self) -> int | None:
        """The exit code of a process that the signal ended, because it does not handle it, or did not yet."""
        return 128 + _NUMBERS[self.signal] if self.action is Action.SIGNAL else None

    def concerns(self, paths: Iterable[str]) -> bool:
        """Tell whether one of these paths, relative to the root of their rule, asks for a reload."""
        return any(
            (self.counting is None or self.counting.ignored(path, is_dir=False))
            and not self.never.ignored(path, is_dir=False)
            for path in paths
        )


_NUMBERS = {"HUP": 1, "INT": 2, "QUIT": 3, "TERM": 15, "USR1": 10, "USR2": 12, "WINCH": 28}
"""What the signals are where the process runs: on Linux, whatever the laptop is."""
_PROGRAMS = frozenset(
    ("air", "entr", "guard", "hupper", "modd", "nodemon", "reflex", "rerun", "ts-node-dev", "tsnd", "vite", "watchexec")
)
"""Programs whose purpose is to run something again when its files change."""
_PAIRS = (
    ("cargo", "watch"),
    ("dotnet", "watch"),
    ("hugo", "server"),
    ("jekyll", "serve"),
    ("mix", "phx.server"),
    ("next", "dev"),
    ("ng", "serve"),
    ("nuxt", "dev"),
    ("quarkus", "dev"),
    ("tsx", "watch"),
    ("webpack", "serve"),
)
"""A program and the word that makes it watch."""
_FLAGS = frozenset(("--reload", "--watch", "--hot", "quarkus:dev"))
_WATCHING_SERVERS = (("flask", "--debug"), ("manage.py", "runserver"))
_NOT = frozenset(("--no-reload", "--noreload", "--no-watch"))


def reloads_itself(argv: Sequence[str]) -> str:
    """Return the word of a command by which it is known to watch its own files; empty where none is.

    `sh -c TEXT` is looked into word by word.
    """
    words = list(argv)
    if len(words) >= 3 and os.path.basename(words[0]) in ("sh", "bash", "dash") and words[1] == "-c":
        words = words[2].replace(";", " ").replace("&", " ").split()
    names = [os.path.basename(word) for word in words]
    if _NOT & set(words):
        return ""
    for at, name in enumerate(names):
        if name in _PROGRAMS and (at == 0 or names[at - 1] in _RUNNERS or name == "nodemon"):
            return name
        if words[at].partition("=")[0] in _FLAGS:
            return words[at]
    for program, word in (*_PAIRS, *_WATCHING_SERVERS):
        if program in names and word in words[names.index(program) + 1 :]:
            return f"{program} {word}"
    return ""


_RUNNERS = frozenset(("-m", "exec", "npx", "pnpm", "yarn", "bunx", "uv", "run", "poetry", "pipenv", "dlx"))
"""What stands in front of a program that it runs."""


def policy_of(service: Service) -> Policy:
    """Return how a service reloads. A command that reloads itself is left alone, unless the config says otherwise."""
    action, signal, reason = _action(service)
    counting = _patterns("reload.watch", service.reload.watch) if service.reload.watch else None
    never = _patterns("reload.ignore", service.reload.ignore)
    return Policy(action, float(seconds(service.reload.debounce)), counting, never, signal, reason)


def _action(service: Service) -> tuple[Action, str, str]:
    on, _, signal = service.reload.on.partition(":")
    if on == "signal":
        return Action.SIGNAL, signal, ""
    if on == "none":
        return Action.NOTHING, "", ""
    word = reloads_itself(service.command.run or ())
    if word and "on" not in service.reload.written:
        return Action.NOTHING, "", f"`{word}` reloads by itself; `reload: restart` restarts it all the same"
    return Action.RESTART, "", ""


def _patterns(source: str, lines: Sequence[str]) -> Ignores:
    return Ignores([Layer("", "", source, list(lines))])
