"""Finds and reads the base: kustomization, directory or file of YAML, standard input. Never asks a cluster."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from enum import Enum

from devcfg.runtime.reach import kustomization_of
from devcfg.runtime.workspace import Workspace, reason
from devcfg.schemas.diagnostic import Diagnostic
from devcfg.schemas.errors import BaseError, UsageError
from devcfg.schemas.manifest import Manifest

CLUSTER = "cluster"
STDIN = "-"
LIMIT = 32 * 1024 * 1024
"""Bytes of one file; one more is read, so that its reader can refuse what is longer."""
SUFFIXES = (".yaml", ".yml", ".json")


class Form(Enum):
    """What a base is."""

    KUSTOMIZATION = "kustomization"
    DIRECTORY = "directory"
    FILE = "file"
    STDIN = "stdin"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Base:
    """Where the base is, as seen from the working directory. `given` tells that `--base` named it."""

    form: Form
    path: str
    given: bool


def find_base(workspace: Workspace, given: str | None) -> Base:
    """Find out what the base is. `given` (`--base`) counts from here, the config's own from the config.

    Raises `BaseError` where there is no such thing, `UsageError` where `--base` names it.
    """
    word = given if given is not None else workspace.parsed.config.base
    if word in (STDIN, CLUSTER):
        return Base(Form.STDIN if word == STDIN else Form.CLUSTER, word, given is not None)
    if given is None and (word.startswith("~") or os.path.isabs(word)):
        raise _wrong(workspace, "bad-path", f"wanted a path relative to the config file, found `{word}`", "")
    path = os.path.normpath(given) if given is not None else workspace.resolve(word)
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        said = f"there is no `{path}`" if missing else f"`{path}` cannot be read: {reason(error)}"
        if given is not None:
            raise UsageError(said, hint="`--base` names a directory or file of manifests, or `-`") from None
        raise _wrong(workspace, "no-base", said, _where_to_say(workspace)) from None
    if stat.S_ISDIR(mode):
        return Base(Form.DIRECTORY if kustomization_of(path) is None else Form.KUSTOMIZATION, path, given is not None)
    if stat.S_ISREG(mode):
        return Base(Form.FILE, path, given is not None)
    raise _wrong(workspace, "no-base", f"`{path}` is neither a directory nor a regular file", "")


def read_base(workspace: Workspace, base: Base) -> tuple[Manifest, ...]:
    """Return the base's objects. Raises `BaseError` with every finding; `UsageError` for the cluster."""
    match base.form:
        case Form.KUSTOMIZATION:
            from devcfg.runtime.kustomize import build

            return build(base.path)
        case Form.DIRECTORY:
            files = files_of(workspace, base)
            if not files:
                hint = "it is read without the directories below it; add a kustomization.yaml to take those in"
                raise _wrong(workspace, "empty-base", f"`{base.path}` holds no YAML files", hint)
            return _filled(workspace, base, _read_files(files))
        case Form.FILE:
            return _filled(workspace, base, _read_files((base.path,)))
        case Form.STDIN:
            return _filled(workspace, base, _read_stdin())
        case Form.CLUSTER:
            hint = "name manifests: `--base FILE|DIR|-`, such as `kubectl get -o yaml … | devcfg render --base -`"
            raise UsageError("the base is the cluster, which only a session reads", hint=hint)


def files_of(workspace: Workspace, base: Base) -> tuple[str, ...]:
    """Return the manifest files of a base without a kustomization, in order; the config itself is none of them."""
    if base.form is Form.FILE:
        return (base.path,)
    own = os.path.realpath(workspace.path)
    personal = os.path.join(os.path.dirname(own), "devcfg.local.yaml")
    paths = (os.path.join(base.path, name) for name in sorted(os.listdir(base.path)) if name[0] != ".")
    return tuple(
        os.path.normpath(path)
        for path in paths
        if path.endswith(SUFFIXES) and os.path.isfile(path) and os.path.realpath(path) not in (own, personal)
    )


def _read_files(files: tuple[str, ...]) -> tuple[Manifest, ...]:
    """Read every file; what is wrong in any of them is said at once."""
    from devcfg.compiler.manifests import read_manifests

    found: list[Manifest] = []
    wrong: list[Diagnostic] = []
    for path in files:
        try:
            with open(path, "rb") as file:
                data = file.read(LIMIT + 1)
            found += read_manifests(data, file=path)
        except BaseError as error:
            wrong += error.diagnostics
        except OSError as error:
            wrong.append(Diagnostic("no-base", f"`{path}` cannot be read: {reason(error)}", file=path))
    if wrong:
        raise BaseError(tuple(wrong))
    return tuple(found)


def _read_stdin() -> tuple[Manifest, ...]:
    from devcfg.compiler.manifests import read_manifests

    if sys.stdin is None or sys.stdin.isatty():
        hint = "for instance `helm template web chart/ | devcfg render`"
        raise UsageError("the base is standard input, and nothing is piped into it", hint=hint)
    return read_manifests(sys.stdin.buffer.read(LIMIT + 1), file=STDIN)


def _filled(workspace: Workspace, base: Base, manifests: tuple[Manifest, ...]) -> tuple[Manifest, ...]:
    if manifests:
        return manifests
    name, hint = f"`{base.path}`", "an object has `apiVersion`, `kind` and `metadata.name`"
    if base.form is Form.STDIN:
        name, hint = "standard input", "does the command in front of the pipe print manifests?"
    raise _wrong(workspace, "empty-base", f"{name} holds no Kubernetes object", hint)


def _where_to_say(workspace: Workspace) -> str:
    if "base" in workspace.parsed.document.value:
        return "paths are relative to the config file"
    return "that is the default: say `base: …` where the manifests are"


def _wrong(workspace: Workspace, code: str, message: str, hint: str) -> BaseError:
    """Return the error, with its place where the config names the base."""
    document = workspace.parsed.document
    span = document.value_span(("base",)) if "base" in document.value else None
    place = "/base" if span is not None else ""
    return BaseError((Diagnostic(code, message, hint=hint, file=workspace.parsed.file, span=span, pointer=place),))
