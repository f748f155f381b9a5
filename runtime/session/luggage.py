"""A debugger of this machine for a container that has none: found on the disk, brought through the agent.

Never runs or imports what it finds, and takes no compiled part of it, so that it fits any Python.
"""

from __future__ import annotations

import glob
import os
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from devcfg.runtime.link.agent import Agent
from devcfg.runtime.link.errors import RequestError
from devcfg.runtime.pod.agent.entries import DIRECTORY as FOLDER
from devcfg.runtime.pod.agent.entries import DONE, FILE, Change, Digested, Entry, Row, Wanted, words
from devcfg.runtime.pod.agent.paths import ancestors
from devcfg.runtime.pod.agent.root import Root
from devcfg.runtime.sync.local import LocalEnd
from devcfg.schemas.errors import DevcfgError

PACKAGE = "debugpy"
ENVIRONMENTS = (".venv", "venv")
"""What the Python of a project is called, in its directory or in one that is synced."""
RULE = "debugger"
"""The name of its root on the link; those of sync rules have a slash."""
_SOURCES = (".py", ".json")
"""The whole of its pure form: what else is there is compiled, or what it was compiled from."""


@dataclass(frozen=True, slots=True)
class Luggage:
    """A debugpy of this machine."""

    package: str
    """Its directory."""
    version: str
    origin: str
    """Whose it is, in words."""

    @property
    def folder(self) -> str:
        """Return the directory that it has to itself on the other side; one of another version is another."""
        return f"{PACKAGE}-{self.version}"


def find(project: str, folders: Iterable[str], variables: Mapping[str, str]) -> Luggage | None:
    """Return the debugpy of the project's Python, of `$VIRTUAL_ENV`, or of devcfg's own; None where none has it.

    `folders` are those of the project that are synced, relative to it.
    """
    places = [os.path.normpath(os.path.join(one, name)) for one in (".", *folders) for name in ENVIRONMENTS]
    for place in dict.fromkeys(places):
        for packages in _packages(os.path.join(project, place)):
            found = _look(packages, f"`{place}`")
            # A project says nothing about what is read outside of it: its links lead no further than itself.
            if found is not None and _below(os.path.realpath(found.package), os.path.realpath(project)):
                return found
    if environment := variables.get("VIRTUAL_ENV"):
        for packages in _packages(environment):
            if found := _look(packages, "`$VIRTUAL_ENV`"):
                return found
    for name in ("purelib", "platlib"):
        if found := _look(sysconfig.get_path(name), "devcfg's own Python"):
            return found
    return None


def _packages(environment: str) -> Iterator[str]:
    yield from sorted(glob.glob(os.path.join(glob.escape(environment), "lib*", "python3*", "site-packages")))


def _look(packages: str, origin: str) -> Luggage | None:
    package = os.path.join(packages, PACKAGE)
    known = sorted(glob.glob(os.path.join(glob.escape(packages), f"{PACKAGE}-*.dist-info")))
    version = os.path.basename(known[-1])[len(PACKAGE) + 1 : -len(".dist-info")] if known else ""
    if not _is_version(version) or not os.path.isfile(os.path.join(package, "__main__.py")):
        return None
    return Luggage(package, version, origin)


def _is_version(text: str) -> bool:
    """Tell whether it is one, and nothing that leads elsewhere as part of a path."""
    return text[:1].isdigit() and all(one.isalnum() or one in ".+!_" for one in text)


def _below(path: str, top: str) -> bool:
    return os.path.commonpath((path, top)) == top


async def bring(luggage: Luggage, agent: Agent, directory: str) -> str:
    """Have it below a directory of the far side, and return where: what is there already is not sent again.

    Raises `LinkError`, and `DevcfgError` where it cannot be read here or written there.
    """
    try:
        root = Root(os.path.realpath(luggage.package))
    except OSError as error:
        raise DevcfgError(f"`{luggage.package}` cannot be read: {words(error)}") from error
    try:
        await _open(agent, directory, luggage.folder)
        try:
            await _fill(LocalEnd(root), agent)
        finally:
            await agent.clean(RULE)
    finally:
        root.close()
    return f"{directory}/{luggage.folder}/{PACKAGE}"


async def _open(agent: Agent, directory: str, folder: str) -> None:
    """Open the directory of the package there, which is made where there is none."""
    place = f"{folder}/{PACKAGE}"
    try:
        await agent.open(RULE, f"{directory}/{place}")
    except RequestError as error:
        if error.code != "gone":
            raise
        await agent.open(RULE, directory)
        changes = [_made(path) for path in (folder, place)]
        async for _ in agent.apply(RULE, changes):
            pass  # what is wrong with it, opening it says
        await agent.open(RULE, f"{directory}/{place}")


async def _fill(end: LocalEnd, agent: Agent) -> None:
    """Make the sources there equal to those here."""
    rows = {one.path: one for one in (await end.scan(None)).rows if one.kind == FILE and one.path.endswith(_SOURCES)}
    here = _digests(await end.digest(list(rows)))
    theirs = {one.path: one for one in (await agent.scan(RULE)).rows or ()}
    there = _digests(await agent.digest(RULE, [one for one in here if one in theirs and theirs[one].kind == FILE]))
    missing = [one for one in here if one not in there or there[one].digest != here[one].digest]
    if not missing:
        return
    folders = sorted({above for one in missing for above in ancestors(one)} - theirs.keys())
    changes = [_made(one) for one in folders]
    changes += [_change(rows[one], here[one], theirs.get(one), there.get(one)) for one in missing]
    asked = [Wanted(one, here[one].digest, here[one].stat, None, None) for one in missing]
    wrong = [one.problem for one in await agent.stage(RULE, end.send(asked))]
    async for outcomes in agent.apply(RULE, changes):
        wrong += [one.message or one.result for one in outcomes if one.result != DONE]
    if wrong:
        raise DevcfgError(f"{PACKAGE} could not be brought along: {wrong[0]}")


def _digests(found: Mapping[str, Digested | str]) -> dict[str, Digested]:
    return {path: one for path, one in found.items() if isinstance(one, Digested)}


def _made(folder: str) -> Change:
    return Change(folder, None, None, Entry(FOLDER, "", executable=False), 0)


def _change(row: Row, here: Digested, theirs: Row | None, there: Digested | None) -> Change:
    old = Entry(FILE, there.digest, theirs.executable) if there is not None and theirs is not None else None
    new = Entry(FILE, here.digest, row.executable)
    return Change(row.path, old, there and there.stat, new, here.stat.mtime_ns)
