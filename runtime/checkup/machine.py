"""The checks that need no cluster: versions, config and base, user config, limits of the file watcher."""

from __future__ import annotations

import glob
import os
import platform
from collections.abc import Iterator

from devcfg.runtime.checkup.finding import Finding, Verdict, failed, ok, places_of
from devcfg.runtime.devmode.preferences import preferences_path, read_preferences
from devcfg.runtime.kustomize import TOOLS
from devcfg.runtime.release import version
from devcfg.runtime.workspace import Workspace
from devcfg.schemas.diagnostic import Diagnostic, Severity
from devcfg.schemas.errors import DevcfgError

LIMITS = "/proc/sys/fs/inotify"
COUNTED = 200_000
"""Directories that are counted before the count is enough."""
SPARE = 2
"""How many times the directories that are there shall find room: a build makes more of them."""


def check_versions() -> Finding:
    """Say what runs here."""
    words = f"devcfg {version()}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    if platform.system() == "Linux":
        return ok("versions", words)
    return Finding("versions", Verdict.WARNING, f"{words}: only Linux is tested", "report what goes wrong")


def check_kustomize(folder: str) -> Finding:
    """Look for a program that builds the base."""
    found = [
        os.path.join(place, name)
        for name in TOOLS
        for place in os.get_exec_path()
        if os.access(os.path.join(place, name), os.X_OK)
    ]
    if found:
        return ok("kustomize", f"`{found[0]}` builds `{folder}`")
    words = f"`{folder}` is a kustomization, and neither kubectl nor kustomize is on the PATH"
    return Finding("kustomize", Verdict.FAILURE, words, "install one of them, or point `base` at plain YAML")


def check_preferences() -> Finding:
    """Read the user config."""
    try:
        found = read_preferences()
    except DevcfgError as error:
        return failed("user config", error)
    places = f"{len(found.allow)} place{'s' * (len(found.allow) != 1)} allowed"
    there = os.path.lexists(preferences_path())
    return ok("user config", f"`{preferences_path()}`: {places}" if there else "none; none is needed")


def check_config(path: str, diagnostics: tuple[Diagnostic, ...]) -> Finding:
    """Say how many errors the config has."""
    errors = [one for one in diagnostics if one.severity is Severity.ERROR]
    warnings = [one for one in diagnostics if one.severity is Severity.WARNING]
    for found, word, verdict in ((errors, "error", Verdict.FAILURE), (warnings, "warning", Verdict.WARNING)):
        if found:
            words = f"`{path}` has {_counted(len(found), word)}, the first: {found[0].message}"
            fix = "`devcfg validate` shows each with its place"
            return Finding("config", verdict, words, fix, places_of(found))
    return ok("config", f"`{path}` is valid")


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def check_watcher(workspace: Workspace, services: tuple[str, ...], limits: str = LIMITS) -> Iterator[Finding]:
    """Hold the limits of inotify against the directories that a session would watch."""
    most, instances = _limit(limits, "max_user_watches"), _limit(limits, "max_user_instances")
    if most is None or instances is None:
        yield Finding("watcher", Verdict.SKIPPED, "this system has no inotify: sync looks for changes in another way")
        return
    roots = sorted(
        {
            workspace.real(rule.path)
            for name, one in workspace.parsed.config.services.items()
            if not services or name in services
            for rule in one.sync
            if workspace.holds(rule.path)
        }
    )
    count = sum(1 for _ in _directories(roots))
    words = f"{count} directories to watch, {most} watches a user"
    fix = f"`sudo sysctl -w fs.inotify.max_user_watches={max(524_288, count * 4)}`, kept in /etc/sysctl.d/"
    if count >= most:
        yield Finding("watcher", Verdict.FAILURE, f"{words}: changes would be found by polling, later", fix)
    elif count * SPARE >= most:
        yield Finding("watcher", Verdict.WARNING, f"{words}: a build may use them up", fix)
    else:
        yield ok("watcher", words)
    used, wanted = _instances(), len(roots)
    if used + wanted > instances:
        yield Finding(
            "watcher",
            Verdict.FAILURE,
            f"{used} of {instances} inotify instances of this user are in use, and a session wants {wanted}",
            "`sudo sysctl -w fs.inotify.max_user_instances=512`, or end an editor or a file watcher",
        )


def _limit(folder: str, name: str) -> int | None:
    try:
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def _directories(roots: list[str]) -> Iterator[str]:
    count = 0
    for root in roots:
        for path, folders, _ in os.walk(root):
            folders[:] = [name for name in folders if name != ".git"]
            yield path
            count += 1
            if count >= COUNTED:
                return


def _instances() -> int:
    """Return how many inotify instances the processes of this user have, as far as it may see."""
    found = 0
    for path in glob.iglob("/proc/[0-9]*/fd/*"):
        try:
            found += os.stat(os.path.dirname(path)).st_uid == os.getuid() and "inotify" in os.readlink(path)
        except OSError:
            continue
    return found
