"""Why a path is synced, or why it is not, in words. Never changes anything."""

from __future__ import annotations

from devcfg.runtime.pod.agent import paths
from devcfg.runtime.pod.agent.ignore import Ignores
from devcfg.runtime.sync.conflicts import describe
from devcfg.runtime.sync.rounds import Rounds
from devcfg.runtime.sync.tree import prefixes


def why(path: str, rounds: Rounds, ignores: Ignores) -> str:
    """Say it in one line. `path` is relative to the rule's root."""
    try:
        paths.check(path)
    except ValueError as exc:
        return f"no file of this rule: {exc}"
    return _never(path) or _ignored(path, rounds, ignores) or _stopped(path, rounds) or _here(path, rounds)


def _never(path: str) -> str:
    if paths.is_hard(path):
        return "never synced: `.git`, `.devcfg` and devcfg's temporary files stay where they are"
    if paths.is_hidden(path, paths.HIDDEN):
        return "never synced: tools on the laptop run what stands in it, so the remote side neither sees nor writes it"
    return ""


def _ignored(path: str, rounds: Rounds, ignores: Ignores) -> str:
    entry = rounds.local.snapshot.tree.get(path)
    # A path that nobody has may be either; where a pattern names only directories, it is asked for as one.
    kinds = (entry.kind in "dh",) if entry is not None else (False, True)
    for is_dir in kinds:
        match = ignores.why(path, is_dir=is_dir)
        if match is not None:
            line = f", line {match.number}" if match.number else ""
            return f"ignored by `{match.line.strip()}` ({match.source}{line})"
    return ""


def _stopped(path: str, rounds: Rounds) -> str:
    for place in (path, *prefixes(path)):
        where = "" if place == path else f" at `{place}`"
        if found := rounds.conflicts.get(place):
            local, far = describe(found.local), describe(found.far)
            return f"a conflict{where}: {local} here, {far} on the remote side, both changed since they last agreed"
        for problem in (*rounds.problems, *rounds.failures.problems()):
            if problem.path == place:
                return f"not synced{where}, for the {problem.side.word} side: {problem.reason}"
    return f"sync has stopped: {rounds.halts[0].reason}" if rounds.halts else ""


def _here(path: str, rounds: Rounds) -> str:
    far = rounds.far.snapshot.tree.get(path) if rounds.far else None
    local, ancestor = rounds.local.snapshot.tree.get(path), rounds.ancestor.get(path)
    if rounds.far is None:
        return "it waits for the remote side, which cannot be reached"
    if local is None and far is None:
        return "there is no such file on either side"
    if local == far == ancestor:
        return f"in sync: {describe(local)}, equal on both sides"
    if local is None and rounds.mode.one_way:
        return "only on the remote side, which this rule's mode leaves alone"
    return "changed a moment ago; it is on its way"
