"""The user config, `$XDG_CONFIG_HOME/devcfg/config.yaml`: allowed places, images, editor. Nothing in a repo counts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import ValidationError

from devcfg.compiler.document import read_document, to_json
from devcfg.runtime.workspace import read_bytes
from devcfg.schemas.config import Images
from devcfg.schemas.errors import ConfigError, UsageError

KEYS = ("allow", "images", "editor")


@dataclass(frozen=True, slots=True)
class Spot:
    """A namespace of a server: what the guard lets in or not."""

    server: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the user config says."""

    allow: tuple[Spot, ...] = ()
    images: dict[str, Any] = field(default_factory=dict)
    """Members of the config's `images`, for configs that do not say them."""
    editor: str = ""


def preferences_path() -> str:
    """Return where the user config is."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return os.path.join(home if os.path.isabs(home) else os.path.expanduser("~/.config"), "devcfg", "config.yaml")


def read_preferences() -> Preferences:
    """Read the user config; a missing one says nothing. Raises `ConfigError` or `UsageError` where it is wrong."""
    path = preferences_path()
    if not os.path.lexists(path):
        return Preferences()
    data = read_bytes(os.path.realpath(path))  # it is the user's own: a link to a dotfiles directory is fine
    try:
        value = read_document(data, file=path).value
    except ConfigError as error:
        if any(one.code == "empty-file" for one in error.diagnostics):
            return Preferences()
        raise
    found: dict[str, Any] = to_json(value)
    unknown = [key for key in found if key not in KEYS]
    if unknown:
        raise _wrong(path, f"unknown key `{unknown[0]}`", f"it may have {', '.join(f'`{key}`' for key in KEYS)}")
    images = found.get("images") or {}
    try:
        Images.validate(images)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise _wrong(path, f"`images.{place}` is wrong", "it has the form of `images` in devcfg.yaml") from None
    return Preferences(_spots(path, found.get("allow") or []), images, str(found.get("editor") or ""))


def _spots(path: str, given: Any) -> tuple[Spot, ...]:
    entries = given if isinstance(given, list) else [given]
    for one in entries:
        right = isinstance(one, dict) and one.keys() == {"server", "namespace"}
        if not right or not all(isinstance(text, str) and text for text in one.values()):
            raise _wrong(path, "an entry of `allow` is wrong", "write `- {server: https://…, namespace: …}`")
    return tuple(Spot(one["server"].rstrip("/"), one["namespace"]) for one in entries)


def _wrong(path: str, message: str, hint: str) -> UsageError:
    return UsageError(f"user config `{path}`: {message}", hint=hint)
