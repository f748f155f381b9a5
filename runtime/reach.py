"""Everything local that a kustomization reads, so that a built base can be kept by its digest. Never builds.

Where it cannot be known what kustomize would read, the reach is open: nothing is kept then.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
MOST_BYTES = 64 * 1024 * 1024
MOST_FILES = 5_000
"""Above these nothing is kept: reading it all would cost more than building."""

_LISTS = (
    "resources",
    "components",
    "bases",
    "crds",
    "configurations",
    "transformers",
    "generators",
    "validators",
    "patchesStrategicMerge",
)
_WITH_PATH = ("patches", "patchesJson6902", "replacements")
_GENERATORS = ("configMapGenerator", "secretGenerator")
_OPEN = ("helmCharts", "helmChartInflationGenerator", "generators")
"""What may run, or take in, more than the files that it names."""
_KEYS = frozenset((*_LISTS, *_WITH_PATH, *_GENERATORS, *_OPEN, "openapi", "path", "files", "envs", "env"))
_FOLDED = frozenset(key.casefold() for key in _KEYS)


@dataclass(slots=True)
class Reach:
    """What a kustomization reads: directories (as a whole), files, and those of them that hold objects.

    `special` is what it names although it is neither: a FIFO or a device, which a build would wait for.
    """

    roots: dict[str, None] = field(default_factory=dict)
    files: dict[str, None] = field(default_factory=dict)
    resources: dict[str, None] = field(default_factory=dict)
    special: dict[str, None] = field(default_factory=dict)
    is_open: bool = False


def kustomization_of(folder: str) -> str | None:
    """Return the path of a directory's kustomization, if it has one."""
    paths = (os.path.join(folder, name) for name in NAMES)
    return next((path for path in paths if os.path.isfile(path)), None)


def reach_of(folder: str) -> Reach:
    """Follow a kustomization through everything local that it names."""
    reach = Reach()
    _walk(os.path.realpath(folder), reach)
    return reach


def read_kustomization(path: str) -> dict[str, Any] | None:
    """Return what a kustomization says; None where it is not one that can be understood."""
    from devcfg.compiler.limits import UnreadableError
    from devcfg.compiler.stream import Loader

    try:
        with open(path, "rb") as file:
            text = file.read(MOST_BYTES).decode()
        documents = Loader(text, path).load().documents
    except (OSError, UnicodeDecodeError, UnreadableError):
        return None
    return documents[0] if len(documents) == 1 and isinstance(documents[0], dict) else None


def digest_of(reach: Reach, folder: str, *salt: str) -> str | None:
    """Return the SHA-256 over the name (from `folder` on) and content of every file in reach; None where it is open."""
    if reach.is_open:
        return None
    start = os.path.realpath(folder)
    paths = sorted({*reach.files, *(path for root in reach.roots for path in _files_below(root))})
    digest, size = sha256(), 0
    for word in salt:
        digest.update(f"{len(word)}:{word}".encode("utf-8", "surrogateescape"))
    try:
        if len(paths) > MOST_FILES or sum(os.stat(path).st_size for path in paths) > MOST_BYTES:
            return None
        for path in paths:
            with open(path, "rb") as file:
                content = file.read(MOST_BYTES + 1)
            size += len(content)
            if size > MOST_BYTES:
                return None
            head = f"{os.path.relpath(path, start)}\0{len(content)}\0"
            digest.update(head.encode("utf-8", "surrogateescape"))
            digest.update(content)
    except OSError:
        return None
    return digest.hexdigest()


def _walk(root: str, reach: Reach) -> None:
    """Read one kustomization. Its directory counts as a whole, because kustomize reads only below its root."""
    if root in reach.roots:
        return
    reach.roots[root] = None
    path = kustomization_of(root)
    found = read_kustomization(path) if path is not None else None
    if found is None or any(key in found for key in _OPEN) or _is_spelled_otherwise(found):
        reach.is_open = True
        return
    for key in _LISTS:
        for entry in _list(found, key):
            _follow(root, entry, reach, holds_objects=key in ("resources", "bases"))
    for key in _WITH_PATH:
        for entry in _list(found, key):
            _follow(root, entry.get("path") if isinstance(entry, dict) else None, reach)
    for key in _GENERATORS:
        for generator in _list(found, key):
            _generator(root, generator if isinstance(generator, dict) else {}, reach)
    openapi = found.get("openapi")
    _follow(root, openapi.get("path") if isinstance(openapi, dict) else None, reach)


def _is_spelled_otherwise(value: object) -> bool:
    """Tell whether a key that names files stands there in other letters: kustomize takes `Resources`, too."""
    match value:
        case dict():
            return any(
                (key not in _KEYS and str(key).casefold() in _FOLDED) or _is_spelled_otherwise(below)
                for key, below in value.items()
            )
        case list():
            return any(map(_is_spelled_otherwise, value))
        case _:
            return False


def _generator(root: str, generator: dict[str, Any], reach: Reach) -> None:
    for entry in _list(generator, "files"):
        _follow(root, str(entry).partition("=")[2] or entry, reach)
    for entry in (*_list(generator, "envs"), generator.get("env")):
        _follow(root, entry, reach)
        if isinstance(entry, str) and _borrows(os.path.join(root, entry)):
            reach.is_open = True


def _borrows(path: str) -> bool:
    """Tell whether an env file names a variable without a value: some versions take it from the environment."""
    if not os.path.isfile(path):
        return False
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return any(line.strip() and line.lstrip()[0] != "#" and "=" not in line for line in file)
    except OSError:
        return False


def _follow(root: str, entry: object, reach: Reach, *, holds_objects: bool = False) -> None:
    if not isinstance(entry, str) or "\n" in entry:
        return  # nothing is named, or it is written out in place
    path = os.path.realpath(os.path.join(root, entry))
    if "://" in entry or not os.path.exists(path):
        reach.is_open = True  # fetched from elsewhere, or missing: only kustomize knows
    elif os.path.isdir(path):
        _walk(path, reach)
    elif os.path.isfile(path):
        reach.files[path] = None
        if holds_objects:
            reach.resources[path] = None
    else:
        reach.is_open = True
        reach.special[path] = None


def _files_below(root: str) -> list[str]:
    """Return every file below a root. A link that leads out of it is left out: kustomize refuses to follow that."""
    found: list[str] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != ".git"]
        paths = (os.path.join(folder, name) for name in names)
        found += [path for path in paths if os.path.isfile(path) and not _leads_out(path, root)]
        if len(found) > MOST_FILES:
            break
    return found


def _leads_out(path: str, root: str) -> bool:
    return os.path.islink(path) and not os.path.realpath(path).startswith(os.path.join(root, ""))


def _list(mapping: dict[str, Any], key: str) -> list[Any]:
    found = mapping.get(key)
    return found if isinstance(found, list) else []
