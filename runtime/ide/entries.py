"""What attaching to a service needs, whatever the editor: debugger, port, path mappings. Never an editor's own form."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from devcfg.runtime.debug.adapters.words import Words, plain
from devcfg.runtime.debug.choice import Debugger
from devcfg.schemas.blocks import SyncRule
from devcfg.schemas.config import Service
from devcfg.schemas.errors import UsageError

HOST = "127.0.0.1"


class Adapter(Enum):
    """A debugger that editors get an entry for."""

    PYTHON = "python"
    GO = "go"
    NODE = "node"
    JAVA = "java"
    RUBY = "ruby"
    PHP = "php"
    GDB = "gdb"
    LLDB = "lldb"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A directory here, relative to the project, and the same one in the dev container."""

    local: str
    remote: str

    def under(self, root: str) -> str:
        """Return the local side under an editor's name for the project."""
        return root if self.local == "." else f"{root}/{self.local}"


@dataclass(frozen=True, slots=True)
class Attach:
    """How to attach to one service from this machine."""

    service: str
    adapter: Adapter
    port: int
    mappings: tuple[Mapping, ...]
    """The deepest directory in the container first: some editors take the first one that fits."""
    main: Mapping | None
    """The one that the process starts in, for editors that know only one."""
    program: str = ""
    """For gdb and lldb: the program with its symbols, relative to the project."""

    @property
    def address(self) -> str:
        """Host and port in one word."""
        return f"{HOST}:{self.port}"


@dataclass(frozen=True, slots=True)
class Untold:
    """Why a service gets no entry, in words."""

    service: str
    reason: str
    hint: str = ""


def attach_to(
    name: str, service: Service, debugger: Debugger, port: int, place: Callable[[str], str] = str
) -> Attach | Untold:
    """Return how to attach to a service at a port of this machine. `place` tells where a target is in the container.

    Raises `UsageError` where a path cannot stand in an editor's file.
    """
    adapter = Adapter(debugger.adapter.name)
    found = [_mapping(rule, place) for rule in service.sync]
    mappings = tuple(sorted(found, key=lambda one: -one.remote.count("/")))
    workdir = place(service.workdir or (service.sync[0].target if service.sync else "/"))
    main = _holding(mappings, workdir)
    program = ""
    if adapter in (Adapter.GDB, Adapter.LLDB):
        remote = _program(debugger.command, workdir)
        holding = _holding(mappings, remote)
        if holding is None:
            reason = f"{adapter.value} wants `{remote or 'the program'}` on this machine, too, and no sync rule has it"
            return Untold(name, reason, "build it in a sync target")
        _check(remote)
        program = posixpath.normpath(posixpath.join(holding.local, posixpath.relpath(remote, holding.remote)))
    return Attach(name, adapter, port, mappings, main or next(iter(mappings), None), program)


def _program(command: Words, workdir: str) -> str:
    """Return the program that gdbserver or lldb-server runs, as it is named in the container."""
    words = plain(command) or ()
    at = next((at for at, word in enumerate(words) if posixpath.basename(word) == "gdbserver"), len(words))
    named = [word for word in words[at + 1 :] if not word.startswith("-")]  # the address, the program, its words
    return posixpath.normpath(posixpath.join(workdir, named[1])) if len(named) > 1 else ""


def _holding(mappings: tuple[Mapping, ...], path: str) -> Mapping | None:
    """Return the mapping whose remote side holds a path."""
    return next((one for one in mappings if path == one.remote or path.startswith(one.remote.rstrip("/") + "/")), None)


def _mapping(rule: SyncRule, place: Callable[[str], str]) -> Mapping:
    """Take a sync rule for a path mapping."""
    mapping = Mapping(rule.path, place(rule.target))
    _check(mapping.local)
    _check(mapping.remote)
    return mapping


def _check(path: str) -> None:
    """Refuse what an editor would replace, by a variable or by what a command gives. Raises `UsageError`."""
    if "${" in path or not path.isprintable():
        message = f"`{path}` cannot stand in an editor's file: it would not be read as it is written"
        raise UsageError(message, hint="give it another name")
