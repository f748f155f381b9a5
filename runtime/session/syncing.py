"""The sync rules of a service as the engine takes them: where each side is, and what remembers it. Never syncs."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from typing import Literal

from devcfg.runtime.sync.ignores import load_ignores
from devcfg.runtime.sync.modes import Mode
from devcfg.runtime.sync.rule import Rule
from devcfg.schemas.blocks import SyncRule
from devcfg.schemas.config import Service


def rules_of(project: str, name: str, service: Service, place: Callable[[str], str]) -> tuple[Rule, ...]:
    """Return a service's rules in the config's order. `place` says where a path of the container is."""
    top, marks = repository(project)
    return tuple(_rule(project, name, at, rule, place(rule.target), top, marks) for at, rule in enumerate(service.sync))


def _rule(project: str, service: str, at: int, rule: SyncRule, far: str, top: str, marks: tuple[str, ...]) -> Rule:
    local = os.path.realpath(os.path.join(project, rule.path))
    # What remembers a rule is named by what it keeps equal: another order of the rules must not mix them up.
    identity = sha256(os.fsencode(f"{rule.path}\0{rule.target}")).hexdigest()[:12]
    write: Literal["atomic", "inplace"] = "inplace" if rule.write == "inplace" else "atomic"
    return Rule(
        name=f"{service}/{at}",
        local=local,
        far=far,
        mode=Mode(rule.mode),
        index=os.path.join(project, ".devcfg", "state", f"{service}-{identity}.db"),
        kept=os.path.join(project, ".devcfg", "conflicts"),
        load=lambda: load_ignores(local, top, rule),
        write=write,
        marks=marks,
    )


def repository(project: str) -> tuple[str, tuple[str, ...]]:
    """Return the directory from which ignore files count (git's top level, or the project), and git's two marks."""
    folder = os.path.realpath(project)
    while True:
        git = os.path.join(folder, ".git")
        if os.path.lexists(git):
            control = _control(git)
            return folder, (os.path.join(control, "HEAD"), os.path.join(control, "index")) if control else ()
        above = os.path.dirname(folder)
        if above == folder:
            return os.path.realpath(project), ()
        folder = above


def _control(git: str) -> str:
    """Return git's own directory; of a worktree, the one that a `.git` file names."""
    if os.path.isdir(git):
        return git
    try:
        with open(git, encoding="utf-8", errors="surrogateescape") as file:
            word, _, path = file.read(4096).partition(":")
    except OSError:
        return ""
    return os.path.normpath(os.path.join(os.path.dirname(git), path.strip())) if word == "gitdir" else ""
