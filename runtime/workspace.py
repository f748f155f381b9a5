"""Reads the dev config and what it names on this machine. Never writes, and follows nothing out of the project."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

from devcfg.compiler.findings import Findings
from devcfg.compiler.parser import Parsed, read_config
from devcfg.schemas.diagnostic import Diagnostic, Severity
from devcfg.schemas.errors import UsageError
from devcfg.schemas.scalar import PlainScalar

NAMES = ("devcfg.yaml", "devcfg.yml")
LOCAL = "devcfg.local.yaml"
LIMIT = 256 * 1024
"""Bytes of a dev config; one more is read, so that its reader can refuse what is longer."""
QUOTED = 32 * 1024 * 1024
"""Characters of a line that a finding quotes."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A dev config that was read, and where it is. `path` is relative to the working directory, or as it was given."""

    path: str
    parsed: Parsed

    @property
    def root(self) -> str:
        """The directory that every path of the config is relative to, as it is said in messages."""
        return os.path.dirname(self.path)

    def resolve(self, path: str) -> str:
        """Return a path of the config as seen from the working directory."""
        return os.path.normpath(os.path.join(self.root, path))

    def real(self, path: str = ".") -> str:
        """Return where a path of the config really is, every link followed."""
        return os.path.realpath(os.path.join(self.root or ".", path))

    def holds(self, path: str) -> bool:
        """Tell whether a path of the config stays in the project, every link followed."""
        root = self.real()
        return os.path.commonpath((root, self.real(path))) == root


def find_config(given: str | None) -> str:
    """Return the config's path: the given one, or the nearest `devcfg.yaml` here or above."""
    if given is not None:
        return given
    here = folder = os.getcwd()
    while True:
        for name in NAMES:
            if os.path.lexists(os.path.join(folder, name)):
                return os.path.relpath(os.path.join(folder, name), here)
        above = os.path.dirname(folder)
        if above == folder:
            hint = "name one with -f; `devcfg explain services` says what it holds"
            raise UsageError("there is no devcfg.yaml here or above", hint=hint)
        folder = above


def open_workspace(given: str | None, *, with_local: bool = False) -> Workspace:
    """Read and check the config. Raises `ConfigError` with every diagnostic, `UsageError` when there is no file."""
    path = find_config(given)
    parsed = read_config(read_bytes(path), file=path)
    local = os.path.join(os.path.dirname(path), LOCAL)
    if with_local and os.path.lexists(local):
        parsed = _merged(parsed, local)
    return Workspace(path, parsed)


def read_bytes(path: str, limit: int = LIMIT) -> bytes:
    """Read a file whole, but no more than one byte over the limit; no link, and only a regular file. Never waits."""
    with os.fdopen(_open(path), "rb") as file:
        return file.read(limit + 1)


def quote_line(path: str, line: int) -> str | None:
    """Return a source line that a finding names, by its number from 1; None where it cannot be read.

    Reads no further than that line: what is refused for its size must not cost its size.
    """
    try:
        # Python's universal line breaks are those of YAML.
        with os.fdopen(_open(path), encoding="utf-8-sig", errors="replace") as file:
            for _ in range(line - 1):
                if not file.readline(QUOTED).endswith("\n"):
                    return None
            return file.readline(QUOTED).removesuffix("\n")
    except UsageError:
        return None


def _open(path: str) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            target = os.path.relpath(os.path.realpath(path))
            raise UsageError(f"`{path}` is a symbolic link", hint=f"name the file itself: -f {target}") from None
        raise UsageError(f"`{path}` cannot be read: {reason(error)}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(f"`{path}` is not a regular file")
    return descriptor


def check_paths(workspace: Workspace, services: tuple[str, ...]) -> tuple[Diagnostic, ...]:
    """Check the sync paths on disk: a missing one is a warning, one that leads out of the project an error."""
    findings = Findings(workspace.parsed.document, workspace.parsed.file)
    for name, service in workspace.parsed.config.services.items():
        for index, rule in enumerate(service.sync if not services or name in services else ()):
            place = ("services", name, "sync", index, "path")
            if not workspace.holds(rule.path):
                message = f"`{rule.path}` leads out of the project, to `{workspace.real(rule.path)}`"
                findings.add("outside-root", place, message, hint="sync a directory below the config file")
            elif not os.path.isdir(workspace.real(rule.path)):
                there = os.path.exists(workspace.real(rule.path))
                message = f"`{rule.path}` is not a directory" if there else f"there is no `{rule.path}`"
                hint = "a sync rule wants a directory, relative to the config file"
                findings.add("missing-path", place, message, severity=Severity.WARNING, hint=hint)
    return findings.diagnostics


def reason(error: Exception) -> str:
    """Return the system's words for a failure, in lower case."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def _merged(parsed: Parsed, path: str) -> Parsed:
    """Lay the personal file over the config, as RFC 7386 says. What is wrong then is shown in the personal file."""
    from devcfg.compiler.document import read_document
    from devcfg.compiler.parser import check_config

    local = read_document(read_bytes(path), file=path)
    merged = check_config(local, merge_patch(parsed.document.value, local.value), file=path)
    return Parsed(parsed.document, merged.config, parsed.file)


def merge_patch(target: object, patch: object) -> object:
    """Return `target` changed as an RFC 7386 merge patch says; a plain YAML null counts as null."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None or (isinstance(value, PlainScalar) and value.value is None):
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result
