"""One Kubernetes object as it stands in a base, with the place it came from. Never changed after reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from devcfg.schemas.patch import Target


@dataclass(frozen=True, slots=True, eq=False)
class Manifest:
    """An object of a base: plain JSON values, the file it stands in and the line (from 1; 0 if unknown)."""

    object: dict[str, Any]
    file: str
    line: int = 0

    @property
    def kind(self) -> str:
        """`kind`, as written."""
        return str(self.object.get("kind", ""))

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        group, slash, _ = str(self.object.get("apiVersion", "")).partition("/")
        return group if slash else ""

    @property
    def version(self) -> str:
        """The API version without its group."""
        return str(self.object.get("apiVersion", "")).rpartition("/")[2]

    @property
    def metadata(self) -> dict[str, Any]:
        """`metadata`, empty when missing."""
        return self.object.get("metadata") or {}

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return str(self.metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        """`metadata.namespace`; empty when the object does not carry one."""
        return str(self.metadata.get("namespace") or "")

    @property
    def target(self) -> Target:
        """The selector that names exactly this object."""
        return Target(self.group, self.version, self.kind, self.name, self.namespace)

    @property
    def place(self) -> str:
        """`FILE:LINE`, or the file alone."""
        return f"{self.file}:{self.line}" if self.line else self.file
