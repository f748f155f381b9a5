"""Finds where the objects of a built kustomization stand in its files, for notes. Never parses: a quick look is enough.

kustomize does not say where an object comes from; the source has the same kind and the same name, or, where a prefix
or suffix was put on, a part of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from itertools import pairwise

from devcfg.schemas.manifest import Manifest

_DOCUMENT = re.compile(r"(?m)^---(?=\s|$)")
_CONTENT = re.compile(r"(?m)^[^\s#]")
_KIND = re.compile(r"""(?m)^["']?kind["']?[ \t]*:[ \t]*["']?([A-Za-z0-9]+)""")
_METADATA = r"""(?m)^["']?metadata["']?[ \t]*:"""
_BLOCK = re.compile(_METADATA + r"[^\n]*\n((?:[ \t]+[^\n]*\n|[ \t]*\n|[ \t]*#[^\n]*\n)*)")
_NAME = re.compile(r"""(?m)^[ \t]+["']?name["']?[ \t]*:[ \t]*["']?([^\s"'#]+)""")
_FLOW = re.compile(_METADATA + r"""[ \t]*\{[^\n]*?["']?\bname["']?[ \t]*:[ \t]*["']?([^\s"',}]+)""")
MOST_BYTES = 32 * 1024 * 1024

Places = dict[tuple[str, str], tuple[str, int]]
"""By kind and name, the file and line (from 1) of an object."""


def locate(manifests: tuple[Manifest, ...], files: Iterable[str]) -> tuple[Manifest, ...]:
    """Return the manifests with the files and lines that they come from, where those can be found."""
    places = places_in(files)
    by_kind: dict[str, list[str]] = {}
    for kind, name in places:
        by_kind.setdefault(kind, []).append(name)
    found = []
    for one in manifests:
        key = (one.kind, one.name)
        if key not in places:
            key = (one.kind, max((name for name in by_kind.get(one.kind, ()) if name in one.name), key=len, default=""))
        file, line = places.get(key, (one.file, 0))
        found.append(Manifest(one.object, file, line))
    return tuple(found)


def places_in(files: Iterable[str]) -> Places:
    """Return where each object of some manifest files stands; the first place of a name counts."""
    places: Places = {}
    for path in files:
        try:
            with open(path, "rb") as file:
                text = file.read(MOST_BYTES).decode("utf-8", "replace").replace("\r\n", "\n")
        except OSError:
            continue
        starts = [0, *(found.end() for found in _DOCUMENT.finditer(text)), len(text)]
        line, counted = 1, 0
        for start, end in pairwise(starts):
            content = _CONTENT.search(text, start, end)
            key = _identity(text[start:end])
            if key is not None and content is not None:
                line, counted = line + text.count("\n", counted, content.start()), content.start()
                places.setdefault(key, (path, line))
    return places


def _identity(document: str) -> tuple[str, str] | None:
    kind = _KIND.search(document)
    name = _FLOW.search(document)
    block = _BLOCK.search(document + "\n") if name is None else None
    if block is not None:
        indents = [len(line) - len(line.lstrip()) for line in block[1].splitlines() if line.strip()]
        shallow = "\n".join(line for line in block[1].splitlines() if len(line) - len(line.lstrip()) == min(indents))
        name = _NAME.search(shallow)
    return (kind[1], name[1]) if kind is not None and name is not None else None


def relative(manifests: tuple[Manifest, ...], folder: str) -> tuple[tuple[dict[str, object], str, int], ...]:
    """Return objects with their places as seen from a directory: the form that does not depend on where that is."""
    real = os.path.realpath(folder)
    return tuple((one.object, os.path.relpath(one.file, real) if one.line else "", one.line) for one in manifests)
