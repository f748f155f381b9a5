"""Kubernetes manifests as they stand in a base: YAML or JSON text in, plain objects out, read as kustomize reads them.

Built straight from parser events, because a base may hold thousands of objects. Never looks at what an object means.
"""

from __future__ import annotations

import re

from devcfg.compiler.limits import BASE, MOST_FINDINGS, UnreadableError, decode, split_lines
from devcfg.compiler.scalars import annotation_after_patch, through_patch
from devcfg.compiler.stream import Loader, Stream, line_span, place_name
from devcfg.schemas.diagnostic import Diagnostic
from devcfg.schemas.errors import BaseError
from devcfg.schemas.manifest import Manifest
from devcfg.schemas.patch import Json
from devcfg.schemas.scalar import PlainScalar, clip

_KUSTOMIZE_GROUP = "kustomize.config.k8s.io/"
_KUSTOMIZATION_FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}")
_VERSION = re.compile(r"([A-Za-z0-9][A-Za-z0-9.-]{0,252}/)?[A-Za-z0-9][A-Za-z0-9.-]{0,62}")


def read_manifests(text: str | bytes, *, file: str) -> tuple[Manifest, ...]:
    """Return every object of a base file, `List` kinds taken apart. `file` may be `-` for standard input.

    Values are what `kubectl kustomize` prints for an untouched object; see `as_patched` for the others. Documents
    that are empty and kustomize's own files are left out. Raises `BaseError` with every finding and its place.
    """
    try:
        source = decode(text, BASE, file="<stdin>" if file == "-" else file)
        stream = Loader(source, file).load()
        return _Sorter(source, file, stream).manifests()
    except UnreadableError as refused:
        raise BaseError((refused.diagnostic,)) from None


def as_patched(value: Json) -> Json:
    """Return an object as kustomize has it once a JSON6902 patch touched it: every number went through a float.

    An annotation without quotes then reads as its value does: `1.0` as "1", `2024-01-02` as a whole timestamp.
    Parts that do not change are shared with the input.
    """
    match value:
        case dict():
            new: Json = {key: as_patched(below) for key, below in value.items()}
            return new if any(new[key] is not below for key, below in value.items()) else value
        case list():
            new = [as_patched(below) for below in value]
            return new if any(one is not below for one, below in zip(new, value, strict=True)) else value
        case PlainScalar():
            return annotation_after_patch(value)
        case int() if not isinstance(value, bool):
            return value if -(2**53) <= value <= 2**53 else through_patch(value)
        case _:
            return value


class _Sorter:
    """Turns loaded documents into manifests and collects what is wrong with them."""

    def __init__(self, text: str, file: str, stream: Stream) -> None:
        self.text = text
        self.file = file
        self.stream = stream
        self.found: list[Manifest] = []
        self.wrong: list[Diagnostic] = []
        self.texts: list[Json] = []
        self.lines: tuple[str, ...] = ()

    def manifests(self) -> tuple[Manifest, ...]:
        for number, (document, start) in enumerate(zip(self.stream.documents, self.stream.starts, strict=True)):
            self._add(document, start, number, ())
            if len(self.wrong) >= MOST_FINDINGS:
                break
        if self.wrong:
            raise BaseError(tuple(self.wrong))
        return tuple(self.found)

    def _complain(self, code: str, message: str, start: tuple[int, int], number: int, hint: str = "") -> None:
        self.lines = self.lines or split_lines(self.text)
        span = line_span(self.lines, *start)
        self.wrong.append(Diagnostic(code, message, hint=hint, file=place_name(self.file, number + 1), span=span))

    def _add(self, document: Json, start: tuple[int, int], number: int, path: tuple[int, ...]) -> None:
        if document is None or document == {}:
            return
        if not isinstance(document, dict):
            message, hint = f"wanted a Kubernetes object, found {_kind_of(document)}", "take it out of the base"
            self._complain("not-an-object", message, start, number, hint)
            return
        kind, version = document.get("kind"), document.get("apiVersion")
        items = document.get("items", [] if kind == "List" else "")
        if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list | None):
            for at, item in enumerate(items or ()):
                self._add(item, self.stream.items.get(id(item), start), number, (*path, at))
            return
        if self._is_kustomize(kind, version):
            return
        if self._is_complete(document, start, number):
            line = 0 if self.file == "-" else start[0] + 1
            found = self._as_untouched(document, number, path)
            self.found.append(Manifest(found, place_name(self.file, number + 1), line))

    def _is_kustomize(self, kind: Json, version: Json) -> bool:
        if isinstance(version, str) and version.startswith(_KUSTOMIZE_GROUP):
            return True
        return kind in (None, "Kustomization") and version is None and self.file.endswith(_KUSTOMIZATION_FILES)

    def _is_complete(self, document: dict[str, Json], start: tuple[int, int], number: int) -> bool:
        metadata = document.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        for code, field, value in (
            ("no-kind", "kind", document.get("kind")),
            ("no-kind", "apiVersion", document.get("apiVersion")),
            ("no-name", "metadata.name", name),
        ):
            if isinstance(value, str) and value:
                continue
            found = "is missing in this object"
            if value is not None:
                found = f"must be a text in this object, found {_kind_of(value)}"
            hint = "every object of a base needs `apiVersion`, `kind` and `metadata.name`"
            if value not in (None, ""):
                hint = f'write `"{clip(str(value))}"`'
            elif code == "no-name" and isinstance(metadata, dict) and "generateName" in metadata:
                hint = "`generateName` is not enough: kustomize cannot build such an object either"
            self._complain(code, f"`{field}` {found}", start, number, hint)
            return False
        namespace = document["metadata"].get("namespace")
        if not isinstance(namespace, str | None):
            found = _kind_of(namespace)
            self._complain(
                "no-name", f"`metadata.namespace` must be a text in this object, found {found}", start, number
            )
            return False
        return self._is_named_well(document, start, number)

    def _is_named_well(self, document: dict[str, Json], start: tuple[int, int], number: int) -> bool:
        """Refuse what Kubernetes takes for no name: files and commands are named after what stands here."""
        kind, version, metadata = document["kind"], document["apiVersion"], document["metadata"]
        namespace = metadata.get("namespace")
        for field, value, is_fine in (
            ("kind", kind, _KIND.fullmatch(kind) is not None),
            ("apiVersion", version, _VERSION.fullmatch(version) is not None),
            ("metadata.name", metadata["name"], _is_name(metadata["name"])),
            ("metadata.namespace", namespace, not namespace or _is_name(namespace)),
        ):
            if not is_fine:
                message = f"`{field}` must be a name in this object, found {_kind_of(value)}"
                self._complain("bad-name", message, start, number, "Kubernetes takes no such name")
                return False
        return True

    def _as_untouched(self, document: dict[str, Json], number: int, path: tuple[int, ...]) -> dict[str, Json]:
        """Give annotations the form that kustomize prints: texts only, no empty mapping.

        Not modelled: items of a list that shares its file with other documents, whose bare `1.0` it prints as "1".
        """
        metadata = document["metadata"]
        if "annotations" not in metadata:
            return document
        annotations = metadata["annotations"]
        if isinstance(annotations, dict) and annotations:
            if all(type(value) is str for value in annotations.values()):
                return document
            annotations = {key: _annotation(value) for key, value in self._source(number, path).items()}
            return {**document, "metadata": {**metadata, "annotations": annotations}}
        without = {key: value for key, value in metadata.items() if key != "annotations"}
        return {**document, "metadata": without}

    def _source(self, number: int, path: tuple[int, ...]) -> dict[str, Json]:
        """The annotations again, with the source text of every scalar that is no string."""
        if not self.texts:
            self.texts = Loader(self.text, self.file, keep_text=True).load().documents
        document = self.texts[number]
        for at in path:
            document = document["items"][at]
        annotations: dict[str, Json] = document["metadata"]["annotations"]
        return annotations


def _is_name(text: str) -> bool:
    """Tell whether the API server would take a text as one part of a path, which is its rule for every name."""
    return text not in (".", "..") and "/" not in text and "%" not in text and text.isprintable() and len(text) <= 253


def _annotation(value: Json) -> Json:
    return "" if isinstance(value, dict | list) else value


def _kind_of(value: Json) -> str:
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return f"the text `{clip(value)}`"
        case _:
            return f"`{clip(str(value))}`"
