"""What an adapter is: the facts of one debugger, and how it is guessed and written. Never knows which there are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from posixpath import basename

from devcfg.runtime.debug.adapters.words import Words, plain, program_of

HOST = "127.0.0.1"
"""Where every debugger listens: nobody else in a cluster reaches a pod's loopback."""


class Asking(Enum):
    """What a debugger is asked to learn whether it answers."""

    DAP = "dap"
    DELVE = "delve"
    INSPECTOR = "inspector"
    JDWP = "jdwp"
    NOTHING = "nothing"
    """Being asked would do harm: its own line in the log tells that it listens."""
    PROCESS = "process"
    """It listens nowhere and prints nothing: all there is to see of it is that the process runs."""


class Speaks(Enum):
    """What an editor speaks to a debugger, as far as it can be kept attached while the process starts anew."""

    DAP = "dap"
    DAP_ONCE = "dap once"
    """The debug adapter protocol, in one session of the process's life."""
    OTHER = "other"
    """Something that editors take up again by themselves, or not at all."""


class Certainty(IntEnum):
    """How much a sign says; a stronger one outweighs all weaker ones."""

    FILE = 1
    IMAGE = 2
    BUILD = 3
    PROGRAM = 4
    DEBUGGER = 5


@dataclass(frozen=True, slots=True)
class Traces:
    """What a service shows of its language."""

    run: Words | None = None
    debug: Words | None = None
    build: Words | None = None
    image: str = ""
    files: tuple[str, ...] = ()
    """Names at the top of the directories that are synced."""


@dataclass(frozen=True, slots=True)
class Guess:
    """That a service is debugged with an adapter, how sure that is, and by what."""

    certainty: Certainty
    reason: str


@dataclass(frozen=True, slots=True)
class Signs:
    """By what an adapter is known; each a regular expression that must match as a whole."""

    debugger: str
    """A word of a command that already runs under it."""
    program: str
    """The last part of the path of what a command starts."""
    image: str
    """The last part of an image's name, without tag and digest."""
    files: str
    """The name of a file of the project."""
    unless: str = r"(?!)"
    """A word of a command by which it is another's, whatever else stands there."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What `debug` of the config wants of the command that is written."""

    port: int
    wait: bool
    build: Words | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """`command.run` as it is started under the debugger."""

    command: Words
    notes: tuple[str, ...] = ()
    """What whoever debugs should know of it, in words."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Why `command.run` cannot be written anew, and what to write as `command.debug`."""

    reason: str
    write: str


@dataclass(frozen=True, slots=True)
class Adapter:
    """One debugger."""

    name: str
    """As `debug.adapter` has it."""
    debugger: str
    """What the program is called."""
    port: int
    """What it listens on where nobody says otherwise."""
    needs: str
    """What has to be in the container, as a sentence goes on after `it needs`."""
    signs: Signs
    ports: re.Pattern[str]
    """Finds the port, its first group, in the words of a command, joined by spaces."""
    announces: re.Pattern[str] | None
    """Finds the port, its first group, in the line that it prints once it listens; None where it prints none."""
    missing: re.Pattern[str]
    """Finds, in what the process printed, that it is not there."""
    speaks: Speaks
    rewrite: Callable[[Words, Wish], Written | Advice]
    """Writes a plain `command.run` anew."""
    asking: Callable[[Words], Asking]
    """Tells from a command how the debugger that it starts is asked. Raises `UsageError` where it cannot be used."""
    dials: bool = False
    """Whether it listens nowhere, and dials an editor that does: `port` is the one that it dials, in the pod."""
    ends_with_client: bool = False
    """Whether a client that goes leaves its program standing still, or ended: then `command.run` is to go on."""
    brought: Callable[[Words, str], Words] | None = None
    """Writes a command of `rewrite` for a debugger that was brought along to a directory; None where none can be."""

    def guess(self, traces: Traces) -> Guess | None:
        """Return by what this debugger is the service's; None where nothing says so."""
        for field, words in (("debug", traces.debug), ("run", traces.run)):
            found = plain(words or ()) or ()
            if any(re.fullmatch(self.signs.unless, basename(word)) for word in found):
                continue
            for word in found:
                if re.fullmatch(self.signs.debugger, basename(word)) or re.fullmatch(self.signs.debugger, word):
                    return Guess(Certainty.DEBUGGER, f"`{word}` in `command.{field}`")
        for field, words in (("debug", traces.debug), ("run", traces.run)):
            if (program := program_of(words or ())) and re.fullmatch(self.signs.program, basename(program)):
                return Guess(Certainty.PROGRAM, f"`command.{field}` starts `{program}`")
        if (program := program_of(traces.build or ())) and re.fullmatch(self.signs.program, basename(program)):
            return Guess(Certainty.BUILD, f"`command.build` starts `{program}`")
        image = basename(traces.image).partition("@")[0].partition(":")[0]
        if image and re.fullmatch(self.signs.image, image):
            return Guess(Certainty.IMAGE, f"the image is `{image}`")
        for name in sorted(traces.files):
            if re.fullmatch(self.signs.files, name):
                return Guess(Certainty.FILE, f"there is `{name}`")
        return None

    def port_of(self, command: Words) -> int | None:
        """Return the port that a command says the debugger listens on."""
        found = self.ports.search(" ".join(plain(command) or command))
        return int(found[1]) if found else None
