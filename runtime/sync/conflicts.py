"""What becomes of a conflict's losers: kept aside, or put next to the winner. Never decides who wins."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from devcfg.runtime.pod.agent import paths
from devcfg.runtime.pod.agent.entries import DONE, Change, Entry, Wanted
from devcfg.runtime.pod.agent.root import Root
from devcfg.runtime.sync.batch import Party
from devcfg.runtime.sync.local import LocalEnd
from devcfg.runtime.sync.planner import Step
from devcfg.runtime.sync.tree import DIRECTORY, Tree, depth_order, prefixes

BESIDE = ".devcfg-conflict-remote"


class Listed(NamedTuple):
    """A conflict in words."""

    path: str
    local: str
    remote: str


def describe(entry: Entry | None) -> str:
    """Say what a side has."""
    match entry.kind if entry else "":
        case "f":
            return "a file, executable" if entry and entry.executable else "a file"
        case "l":
            return f"a link to {entry.content!r}" if entry else ""
        case "d":
            return "a directory"
        case _:
            return "nothing"


async def keep(folder: str, steps: Sequence[Step], far: Party) -> set[str]:
    """Bring the old content of far paths into a new folder; return the paths that could not be kept."""
    os.makedirs(folder)
    root = Root(folder)
    try:
        end = LocalEnd(root)
        entries = {step.path: step.old for step in steps if step.old is not None}
        for path in list(entries):
            entries |= dict.fromkeys(prefixes(path), DIRECTORY)
        return await _copy(entries, far, end, lambda path: path)
    finally:
        root.clean()
        root.close()


async def put_beside(path: str, far: Party, local: Tree, end: LocalEnd) -> str:
    """Bring what the far side has at a path next to it on the local side; return where, empty if it failed."""
    place = beside(path, local)
    entries = {below: far.snapshot.tree.get(below) for below in (path, *far.snapshot.tree.below(path))}
    synced = {below: entry for below, entry in entries.items() if entry is not None and entry.kind in "fld"}
    lost = await _copy(synced, far, end, lambda below: place + below[len(path) :])
    return "" if lost else place


def beside(path: str, local: Tree) -> str:
    """Return the path next to one that nothing has yet."""
    above, _, name = path.rpartition("/")
    for number in itertools.count(1):
        suffix = BESIDE if number == 1 else f"{BESIDE}-{number}"
        stem = os.fsdecode(os.fsencode(name)[: paths.NAME_BYTES - len(suffix)])
        found = paths.join(above, stem + suffix)
        if found not in local:
            return found
    raise AssertionError  # numbers do not end


async def _copy(entries: dict[str, Entry], far: Party, end: LocalEnd, move: Callable[[str], str]) -> set[str]:
    digests = far.snapshot.digests
    wanted = [Wanted(path, entry.content, None, None, None) for path, entry in entries.items() if entry.kind == "f"]
    staged = await end.stage_as(far.endpoint.send(wanted), move) if wanted else ()
    lost = {one.path for one in staged if one.problem}
    changes = []
    for path, entry in sorted(entries.items(), key=lambda item: depth_order(item[0])):
        known = digests.get(path)
        changes.append(Change(move(path), None, None, entry, known.digested.stat.mtime_ns if known else 0))
    moved = {one.path async for outcomes in end.apply(changes) for one in outcomes if one.result != DONE} | lost
    return {path for path in entries if move(path) in moved}
