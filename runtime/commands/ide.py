"""`devcfg ide`: attach entries for an editor, shown, written, checked or taken out. Never touches what is not ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from enum import Enum
from shlex import quote

from devcfg.compiler import selected
from devcfg.runtime import console
from devcfg.runtime.debug.choice import choose
from devcfg.runtime.debug.sight import traces_of
from devcfg.runtime.files import write_atomically
from devcfg.runtime.ide import jetbrains, nvim, vscode
from devcfg.runtime.ide.entries import Adapter, Attach, Untold, attach_to
from devcfg.runtime.ide.jsonc import JsoncError, line_of
from devcfg.runtime.ide.merge import Shelf, settle
from devcfg.runtime.ide.ports import local_port
from devcfg.runtime.workspace import NAMES, Workspace, open_workspace, read_bytes, reason
from devcfg.schemas.config import Service
from devcfg.schemas.diagnostic import Diagnostic, Span
from devcfg.schemas.errors import ConfigError, DevcfgError, OverwriteError, StaleError, UsageError

LIMIT = 1024 * 1024
"""Bytes of an editor's file that are read."""


class Action(Enum):
    """What is done with the entries."""

    SHOW = "show"
    WRITE = "--write"
    CHECK = "--check"
    REMOVE = "--remove"


@dataclass(frozen=True, slots=True)
class Change:
    """A file of an editor, as it is and as it should be; None where there is none."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the command line asks for, and what the config says to it."""

    workspace: Workspace
    services: tuple[str, ...]
    attaches: tuple[Attach, ...]
    untold: tuple[Untold, ...]
    is_removal: bool


def ide(file: str | None, editor: str, services: tuple[str, ...], actions: tuple[Action, ...]) -> int:
    """Do what is asked with the entries for an editor, and return the exit code."""
    if len(actions) > 1:
        first, second = actions[0].value, actions[1].value
        raise UsageError(
            f"`{first}` and `{second}` cannot be meant together", hint="without either, nothing is written"
        )
    action = actions[0] if actions else Action.SHOW
    wanted = _look(open_workspace(file), services, is_removal=action is Action.REMOVE)
    changes = tuple(one for one in _changes(wanted, editor) if one.before != one.after)
    match action:
        case Action.SHOW:
            _show(changes)
        case Action.WRITE | Action.REMOVE:
            _write(changes)
        case Action.CHECK:
            _check(changes, " ".join([editor, *services, *(["-f", quote(file)] if file else []), "--write"]))
    if not wanted.is_removal and action is not Action.CHECK:
        _say_needs(wanted, editor)
    return 0


def _look(workspace: Workspace, services: tuple[str, ...], *, is_removal: bool) -> _Wanted:
    config = workspace.parsed.config
    names = selected(config, services)
    if is_removal:
        return _Wanted(workspace, services, (), (), is_removal)
    found = [_attach(workspace.real(), name, config.services[name]) for name in names]
    attaches = tuple(one for one in found if isinstance(one, Attach))
    return _Wanted(workspace, services, attaches, tuple(one for one in found if isinstance(one, Untold)), is_removal)


def _attach(project: str, name: str, service: Service) -> Attach | Untold:
    try:
        debugger = choose(name, service, traces_of(project, service))
    except UsageError as error:
        return Untold(name, error.message, error.hint)
    return attach_to(name, service, debugger, local_port(os.path.basename(project), name))


def _changes(wanted: _Wanted, editor: str) -> Iterator[Change]:
    match editor:
        case "vscode":
            yield from _vscode(wanted)
        case "jetbrains":
            yield from _jetbrains(wanted)
        case _:
            yield from _nvim(wanted)


def _vscode(wanted: _Wanted) -> Iterator[Change]:
    name = os.path.basename(wanted.workspace.path)
    config = name if name not in NAMES else ""
    for file, shelves in (("launch.json", (vscode.LAUNCH, vscode.COMPOUNDS)), ("tasks.json", (vscode.TASKS,))):
        path, before = _read(wanted.workspace, f".vscode/{file}")
        text = before or ""
        try:
            if wanted.is_removal:
                after = _without(text, shelves, wanted.services)
            elif file == "launch.json":
                after = vscode.launch_text(text, wanted.attaches, wanted.services)
            else:
                of = wanted.workspace.parsed.config
                after = vscode.tasks_text(text, of, wanted.attaches, wanted.services, config)
        except JsoncError as error:
            raise _misread(path, text, error) from None
        gone = before is None if after == text else not after
        yield Change(path, before, None if gone else after)


def _without(text: str, shelves: tuple[Shelf, ...], services: tuple[str, ...]) -> str:
    """Return a file without what is ours; an empty text where it holds no more than a new one of ours."""
    after = text
    for shelf in shelves:
        after = settle(after, shelf, [], vscode.staleness(services))
    return "" if after != text and after in [shelf.bare for shelf in shelves] else after


def _jetbrains(wanted: _Wanted) -> Iterator[Change]:
    written = {}
    for one in wanted.attaches:
        text = jetbrains.configuration(one)
        if isinstance(text, str):
            written[jetbrains.file_name(one.service)] = text
    for name in sorted({*written, *_our_files(wanted)}):
        path, before = _read(wanted.workspace, f"{jetbrains.FOLDER}/{name}")
        if before is not None and not jetbrains.is_ours(before):
            if name not in written:
                continue
            raise _foreign(path)
        yield Change(path, before, written.get(name))


def _our_files(wanted: _Wanted) -> Iterator[str]:
    """Yield the files that have a name of ours, of the services that are meant."""
    folder = os.path.join(wanted.workspace.root or ".", jetbrains.FOLDER)
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        found = jetbrains.NAME.fullmatch(name)
        if found and (not wanted.services or found[1] in wanted.services):
            yield name


def _nvim(wanted: _Wanted) -> Iterator[Change]:
    path, before = _read(wanted.workspace, nvim.PATH)
    if before is not None and not nvim.is_ours(before):
        if not wanted.is_removal:
            raise _foreign(path)
        return
    yield Change(path, before, nvim.table(wanted.attaches) if wanted.attaches else None)


def _read(workspace: Workspace, path: str) -> tuple[str, str | None]:
    """Return a file's path and text; None where there is none. Raises `UsageError`, `ConfigError`."""
    shown = workspace.resolve(path)
    if not workspace.holds(path) or os.path.islink(shown):
        raise UsageError(
            f"`{shown}` leads elsewhere, to `{workspace.real(path)}`", hint="put a file of the project in its place"
        )
    if not os.path.lexists(shown):
        return shown, None
    data = read_bytes(shown, LIMIT)
    if len(data) > LIMIT:
        raise UsageError(f"`{shown}` is larger than {LIMIT // 1024} KiB")
    try:
        return shown, data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = len(data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8", "replace")) + 1
        raise _finding(shown, line, column, "this is not UTF-8") from None


def _misread(path: str, text: str, error: JsoncError) -> ConfigError:
    return _finding(path, *line_of(text, error.offset), error.message)


def _finding(path: str, line: int, column: int, message: str) -> ConfigError:
    span = Span(line, column, line, column + 1)
    return ConfigError((Diagnostic("bad-json", message, file=path, span=span, hint="nothing was written"),))


def _foreign(path: str) -> OverwriteError:
    return OverwriteError(f"`{path}` was not made by devcfg", hint="move it away, or give it another name")


def _show(changes: tuple[Change, ...]) -> None:
    """Print new files as they would be, and of the others what would change."""
    for one in changes:
        if one.before is None and len(changes) > 1:
            console.data(f"# ---- {one.path}\n")
        if one.before is None:
            console.data(one.after or "")
        else:
            _print_difference(one)
    if not changes:
        console.say("all is up to date")


def _write(changes: tuple[Change, ...]) -> None:
    for one in changes:
        try:
            if one.after is None:
                os.unlink(one.path)
            else:
                write_atomically(one.path, one.after)
        except OSError as error:
            raise DevcfgError(f"`{one.path}` cannot be written: {reason(error)}") from error
        console.say(f"{'removed' if one.after is None else 'wrote'} {one.path}")
    if not changes:
        console.say("all is up to date")


def _check(changes: tuple[Change, ...], words: str) -> None:
    for one in changes:
        _print_difference(one)
    if changes:
        files = ", ".join(f"`{one.path}`" for one in changes)
        verb = "is" if len(changes) == 1 else "are"
        raise StaleError(f"{files} {verb} stale", hint=f"`devcfg ide {words}` brings it up to date")
    console.say("all is up to date")


def _print_difference(one: Change) -> None:
    old, new = (
        text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else [] for text in (one.before, one.after)
    )
    before = os.devnull if one.before is None else one.path
    after = os.devnull if one.after is None else one.path
    for line in unified_diff(old, new, before, after, lineterm=""):
        colour = {"+": console.GREEN, "-": console.RED, "@": console.CYAN}.get(line[:1], "")
        words = console.printable(line.replace("\ufeff", "").replace("\t", "    "))
        console.data(console.paint(words, *([colour] if colour else []), stream="stdout") + "\n")


def _say_needs(wanted: _Wanted, editor: str) -> None:
    """Say what the editor needs beside the entries, and which services have none, and why."""
    adapters = dict.fromkeys(one.adapter for one in wanted.attaches)
    untold = list(wanted.untold)
    if Adapter.GDB in adapters:
        console.say("needs gdb on this machine: apt-get install gdb, or brew install gdb")
    match editor:
        case "vscode":
            for extension in [vscode.EXTENSIONS[one] for one in adapters if one in vscode.EXTENSIONS]:
                console.say(f"needs {extension}: code --install-extension {extension}")
        case "jetbrains":
            untold += [one for one in map(jetbrains.configuration, wanted.attaches) if isinstance(one, Untold)]
        case _:
            for adapter in [one for one in adapters if one in nvim.NEEDED]:
                console.say(f"needs {nvim.NEEDED[adapter]}")
    ports: dict[int, str] = {}
    for attach in wanted.attaches:
        other = ports.setdefault(attach.port, attach.service)
        if other != attach.service:
            console.say(f"`{other}` and `{attach.service}` share port {attach.port}: debug one at a time")
    for one in untold:
        hint = f"; {one.hint}" if one.hint else ""
        console.say(f"no entry to attach to `{one.service}`: {one.reason}{hint}")
