"""Reads the ignore files of a sync rule, for both sides. Never decides about a path: that is the value's own work."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from devcfg.runtime.pod.agent.ignore import Ignores, Layer, Level
from devcfg.runtime.pod.agent.paths import DIRECTORY, FILE, join
from devcfg.schemas.blocks import SyncRule
from devcfg.schemas.errors import DevcfgError

FILES = (".gitignore", ".devcfgignore")
DEFAULTS = ("__pycache__/", "*.pyc", ".venv/")
LIMIT = 4 << 20
"""Bytes of one ignore file."""


class IgnoreFileError(DevcfgError):
    """An ignore file cannot be used; to go on without it could send what must not be sent."""


def load_ignores(root: str, top: str, rule: SyncRule) -> Ignores:
    """Return what a rule ignores: the files from `top` (git's top-level, or the project) down to those in the root.

    As git does, a file in an ignored directory is not read, and one that is a link is no ignore file. A case-folding
    file system folds patterns too.
    """
    layers = [Layer("", "", "devcfg's defaults", list(DEFAULTS))]
    if rule.gitignore:
        layers += _above(root, top)
        layers = _below(root, layers)
    layers.append(Layer("", "", "exclude", list(rule.exclude)))
    return Ignores(layers, rule.include, fold=_folds(root))


def _above(root: str, top: str) -> Iterator[Layer]:
    """Yield the layers of the directories from the top down to the root, the root's own left out."""
    way = os.path.relpath(os.path.realpath(root), os.path.realpath(top))
    if way == os.curdir or way.split(os.sep)[0] == os.pardir:
        return
    names = way.split(os.sep)
    for depth in range(len(names)):
        folder = os.path.join(top, *names[:depth])
        fd = os.open(folder, DIRECTORY & ~os.O_NOFOLLOW)
        try:
            yield from _files(fd, "", "/".join(names[depth:]), folder)
        finally:
            os.close(fd)


def _below(root: str, above: list[Layer]) -> list[Layer]:
    fd = os.open(root, DIRECTORY & ~os.O_NOFOLLOW)
    try:
        found = Ignores([*above, *_files(fd, "", "", root)], fold=_folds(root))
        _folder(fd, found.root, root, found)
    finally:
        os.close(fd)
    return found.layers


def _folder(fd: int, level: Level, shown: str, found: Ignores) -> None:
    """Add the layers of the directories below one that are not ignored by what was found so far."""
    with os.scandir(fd) as listing:
        names = sorted(each.name for each in listing if each.is_dir(follow_symlinks=False))
    for name in names:
        if level.ignores(name, is_dir=True):
            continue
        try:
            opened = os.open(name, DIRECTORY, dir_fd=fd)
        except OSError:
            continue  # the scan reports a directory that cannot be read
        try:
            below = os.path.join(shown, name)
            for layer in _files(opened, join(level.path, name), "", below):
                found.add(layer)
            _folder(opened, level.below(name, ignored=False), below, found)
        finally:
            os.close(opened)


def _files(fd: int, base: str, above: str, shown: str) -> Iterator[Layer]:
    for name in FILES:
        try:
            opened = os.open(name, FILE, dir_fd=fd)
        except OSError as problem:
            if isinstance(problem, FileNotFoundError) or _is_link(fd, name):
                continue
            raise IgnoreFileError(
                f"`{os.path.join(shown, name)}` cannot be read: {problem.strerror}",
                hint="make it readable, or set `gitignore: false` in the sync rule",
            ) from problem
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            continue
        with os.fdopen(opened, "rb") as file:
            content = file.read(LIMIT + 1)
        if len(content) > LIMIT:
            raise IgnoreFileError(
                f"`{os.path.join(shown, name)}` has more than {LIMIT >> 20} MiB of patterns",
                hint="shorten it, or set `gitignore: false` in the sync rule",
            )
        lines = os.fsdecode(content.removeprefix(b"\xef\xbb\xbf")).split("\n")
        yield Layer(base, above, os.path.join(shown, name), lines)


def _is_link(fd: int, name: str) -> bool:
    return stat.S_ISLNK(os.lstat(name, dir_fd=fd).st_mode)


def _folds(root: str) -> bool:
    """Tell whether the file system takes the root's name in another case for the root."""
    above, name = os.path.split(os.path.realpath(root))
    other = name.swapcase()
    try:
        return other != name and os.path.samefile(os.path.join(above, other), root)
    except OSError:
        return False
