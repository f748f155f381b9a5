"""Entries for VS Code: what stands in `.vscode/launch.json` and `tasks.json`. Never reads or writes them.

The keys of an attach entry are those that its extension declares in its own package.json.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from devcfg.runtime.ide.entries import HOST, Adapter, Attach
from devcfg.runtime.ide.merge import OURS, Entry, Shelf, settle
from devcfg.schemas.config import DevConfig, Service

LAUNCH = Shelf("configurations", "name", "0.2.0")
COMPOUNDS = Shelf("compounds", "name", "0.2.0", optional=True)
TASKS = Shelf("tasks", "label", "2.0.0")
FOLDER = "${workspaceFolder}"
EXTENSIONS = {
    Adapter.PYTHON: "ms-python.debugpy",
    Adapter.GO: "golang.go",
    Adapter.JAVA: "vscjava.vscode-java-debug",
    Adapter.RUBY: "KoichiSasada.vscode-rdbg",
    Adapter.PHP: "xdebug.php-debug",
    Adapter.GDB: "ms-vscode.cpptools",
    Adapter.LLDB: "vadimcn.vscode-lldb",
}
"""What an entry needs; Node's debugger is part of VS Code."""
MATCHER: Entry = {
    "owner": "devcfg",
    "fileLocation": ["relative", FOLDER],
    "pattern": [
        {"regexp": "^(error|warning)(?:\\[[a-z-]+\\])?: (.*)$", "severity": 1, "message": 2},
        {"regexp": "^ *--> (.*):(\\d+):(\\d+)$", "file": 1, "line": 2, "column": 3},
    ],
    "background": {
        "activeOnStart": True,
        "beginsPattern": "^\\[devcfg\\] (starting|restarting)",
        "endsPattern": "^\\[devcfg\\] (debugger ready|failed)",
    },
}
"""How VS Code reads what `devcfg debug --stay` prints: what is wrong with the config, and when to attach."""


def launch_text(text: str, attaches: Sequence[Attach], services: tuple[str, ...]) -> str:
    """Return launch.json with these entries. Named services are settled by themselves, and no compound with them."""
    stale = staleness(services)
    text = settle(text, LAUNCH, [attach_entry(one) for one in attaches], stale)
    if services:
        return text
    return settle(text, COMPOUNDS, [_compound(attaches)] if len(attaches) > 1 else [], stale)


def tasks_text(text: str, config: DevConfig, attaches: Sequence[Attach], services: tuple[str, ...], file: str) -> str:
    """Return tasks.json with a task for what the services can do; `file` is the config where it has another name."""
    chosen = {name: one for name, one in config.services.items() if not services or name in services}
    attached = {one.service for one in attaches}
    words = ["-f", file] if file else []
    wanted = [task for name, one in chosen.items() for task in _tasks(name, one, words, is_debugged=name in attached)]
    together = [_session(words)] if len(attaches) > 1 and not services else []
    return settle(text, TASKS, [*wanted, _up(words), *together], staleness(services))


def staleness(services: tuple[str, ...]) -> Callable[[str], bool]:
    """Return what tells whether an entry of ours is concerned: any, or those of the named services."""
    return lambda name: not services or name.rpartition(" ")[2] in services


def attach_entry(one: Attach) -> Entry:
    """Return the entry that attaches to a service, once its task says that the debugger answers."""
    return {
        "name": f"{OURS}attach {one.service}",
        **connection(one),
        "preLaunchTask": f"{OURS}debug {one.service}",
        "postDebugTask": f"{OURS}run {one.service}",
    }


def connection(one: Attach) -> Entry:
    """Return the part of an entry that the debugger's extension reads."""
    mappings = [(each.under(FOLDER), each.remote) for each in one.mappings]
    match one.adapter:
        case Adapter.PYTHON:
            roots = [{"localRoot": local, "remoteRoot": remote} for local, remote in mappings]
            entry: Entry = {"type": "debugpy", "request": "attach", "connect": {"host": HOST, "port": one.port}}
            # Without `subProcess` what forks is lost; `justMyCode` would hide the libraries of the pod.
            return entry | {"justMyCode": False, "subProcess": True} | _where("pathMappings", roots)
        case Adapter.GO:
            # `remote` alone would take the old adapter, which knows no path mappings.
            entry = {"type": "go", "request": "attach", "mode": "remote", "debugAdapter": "dlv-dap"}
            paths = [{"from": local, "to": remote} for local, remote in mappings]
            return entry | {"host": HOST, "port": one.port} | _where("substitutePath", paths)
        case Adapter.NODE:
            entry = {"type": "node", "request": "attach", "address": HOST, "port": one.port}
            main = {"localRoot": one.main.under(FOLDER), "remoteRoot": one.main.remote} if one.main else {}
            # `restart` attaches again after a reload.
            return entry | main | {"restart": True, "sourceMaps": True, "skipFiles": ["<node_internals>/**"]}
        case Adapter.JAVA:
            entry = {"type": "java", "request": "attach", "hostName": HOST, "port": one.port, "timeout": 30000}
            # A class is found by its name: where in the pod its source is does not matter.
            return entry | _where("sourcePaths", [local for local, _ in mappings])
        case Adapter.RUBY:
            entry = {"type": "rdbg", "request": "attach", "debugPort": one.address}
            return entry | _where("localfsMap", ",".join(f"{remote}:{local}" for local, remote in mappings))
        case Adapter.PHP:
            # The editor listens, and the process dials it; the session leads there from the pod.
            entry = {"type": "php", "request": "launch", "hostname": HOST, "port": one.port}
            return entry | _where("pathMappings", {remote: local for local, remote in mappings})
        case Adapter.LLDB:
            entry = {"type": "lldb", "request": "attach", "processCreateCommands": [f"gdb-remote {one.address}"]}
            entry |= {"targetCreateCommands": [f"target create '{FOLDER}/{one.program}'"]}
            return entry | _where("sourceMap", {remote: local for local, remote in mappings})
        case Adapter.GDB:
            entry = {"type": "cppdbg", "request": "launch", "MIMode": "gdb", "program": f"{FOLDER}/{one.program}"}
            entry |= {"miDebuggerServerAddress": one.address, "cwd": one.main.under(FOLDER) if one.main else FOLDER}
            return entry | _where("sourceFileMap", {remote: local for local, remote in mappings})


def _where(key: str, paths: Any) -> Entry:
    """Return the part that maps paths; nothing is synced where there is none."""
    return {key: paths} if paths else {}


def _compound(attaches: Sequence[Attach]) -> Entry:
    return {
        "name": f"{OURS}all",
        "configurations": [f"{OURS}attach {one.service}" for one in attaches],
        "preLaunchTask": f"{OURS}session",  # one session for all, before each asks for its debugger
        "stopAll": True,
    }


def _tasks(name: str, service: Service, words: list[str], *, is_debugged: bool) -> list[Entry]:
    found = []
    if is_debugged:
        found.append(
            {
                **_task(f"debug {name}", ["debug", name, *words, "--stay"]),
                "isBackground": True,
                "presentation": {"reveal": "silent", "panel": "dedicated"},
                "problemMatcher": MATCHER,
            }
        )
    if service.command.run or is_debugged:
        found += [
            {
                **_task(f"{verb} {name}", [verb, name, *words]),
                "presentation": {"reveal": "silent"},
                "problemMatcher": [],
            }
            for verb in ("run", "stop")
        ]
    return found


def _up(words: list[str]) -> Entry:
    """Return the task of the session itself: it asks questions, and ends with Ctrl-C in its terminal."""
    task = {**_task("up", ["up", *words]), "isBackground": True}
    return task | {"presentation": {"reveal": "always", "panel": "dedicated"}, "problemMatcher": []}


def _session(words: list[str]) -> Entry:
    """Return the task that ends once a session with all services is up."""
    task = _task("session", ["up", *words, "--detach"])
    return task | {"presentation": {"reveal": "silent", "panel": "dedicated"}, "problemMatcher": []}


def _task(label: str, words: list[str]) -> Entry:
    return {"label": f"{OURS}{label}", "type": "process", "command": "devcfg", "args": words}
