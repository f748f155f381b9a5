"""What attaching to a service needs, whatever the editor: debugger, port, path mappings. Never an editor's own form."""

from __future__ import annotations

import posixpath
import shlex
from dataclasses import dataclass
from enum import Enum

from devcfg.runtime.ide.ports import local_port
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


_PROGRAMS = {
    Adapter.PYTHON: ("python", "python3", "uvicorn", "gunicorn", "flask", "debugpy", "django-admin"),
    Adapter.GO: ("go", "dlv"),
    Adapter.NODE: ("node", "npm", "npx", "yarn", "pnpm", "tsx", "nodemon"),
    Adapter.JAVA: ("java", "gradle", "gradlew", "mvn", "mvnw"),
    Adapter.RUBY: ("ruby", "rdbg", "bundle", "rails", "rake"),
    Adapter.PHP: ("php", "php-fpm", "composer", "apache2-foreground"),
    Adapter.GDB: ("gdbserver",),
    Adapter.LLDB: ("lldb-server",),
}


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


def attach_to(directory: str, name: str, service: Service) -> Attach | Untold:
    """Return how to attach to a service; `directory` is the project directory's name. Raises `UsageError`."""
    adapter = adapter_of(name, service)
    if isinstance(adapter, Untold):
        return adapter
    mappings = tuple(sorted(map(_mapping, service.sync), key=lambda one: -one.remote.count("/")))
    workdir = service.workdir or (service.sync[0].target if service.sync else "/")
    main = _holding(mappings, workdir)
    program = ""
    if adapter in (Adapter.GDB, Adapter.LLDB):
        remote = _program(service, workdir)
        holding = _holding(mappings, remote)
        if holding is None:
            reason = f"{adapter.value} wants `{remote or 'the program'}` on this machine, too, and no sync rule has it"
            return Untold(name, reason, "build it in a sync target")
        _check(remote)
        program = posixpath.normpath(posixpath.join(holding.local, posixpath.relpath(remote, holding.remote)))
    return Attach(name, adapter, local_port(directory, name), mappings, main or next(iter(mappings), None), program)


def adapter_of(name: str, service: Service) -> Adapter | Untold:
    """Return the debugger that the config names, or that the first word of its command tells."""
    given = service.debug.adapter
    if given is not None:
        known = {one.value: one for one in Adapter}
        return known.get(given) or Untold(name, f"there are no entries for the adapter `{given}` yet")
    command = service.command.debug or service.command.run
    word = _first_word(command or ())
    program = posixpath.basename(word)
    for adapter, programs in _PROGRAMS.items():
        if program in programs or program.rstrip("0123456789.-") in programs:
            return adapter
    if not command:
        return Untold(name, "it has no command to debug")
    return Untold(name, f"`{word}` does not tell which debugger it runs under", "set `debug.adapter`")


def _first_word(command: tuple[str, ...]) -> str:
    """Return the program that a command starts, past `env`, `exec` and variables; of `sh -c` the text's first."""
    words = list(command)
    if len(words) == 3 and posixpath.basename(words[0]) in ("sh", "bash") and words[1] == "-c":
        try:
            words = shlex.split(words[2])
        except ValueError:
            words = words[2].split()
    for word in words:
        if word not in ("env", "exec") and "=" not in word:
            return word
    return ""


def _program(service: Service, workdir: str) -> str:
    """Return the program that gdbserver or lldb-server runs, as it is named in the container."""
    words = service.command.debug or service.command.run or ()
    if words and posixpath.basename(words[0]).startswith("lldb-server"):
        words = words[words.index("--") + 1 :] if "--" in words else ()
    if words and posixpath.basename(words[0]) == "gdbserver":
        words = tuple(one for one in words[1:] if not one.startswith("-"))[1:]
    return posixpath.normpath(posixpath.join(workdir, words[0])) if words else ""


def _holding(mappings: tuple[Mapping, ...], path: str) -> Mapping | None:
    """Return the mapping whose remote side holds a path."""
    return next((one for one in mappings if path == one.remote or path.startswith(one.remote.rstrip("/") + "/")), None)


def _mapping(rule: SyncRule) -> Mapping:
    """Take a sync rule for a path mapping."""
    _check(rule.path)
    _check(rule.target)
    return Mapping(rule.path, rule.target)


def _check(path: str) -> None:
    """Refuse what an editor would replace, by a variable or by what a command gives. Raises `UsageError`."""
    if "${" in path or not path.isprintable():
        message = f"`{path}` cannot stand in an editor's file: it would not be read as it is written"
        raise UsageError(message, hint="give it another name")
