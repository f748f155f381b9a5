"""The error tree; each class knows the exit code that product.md gives it. Never printed here.

DevcfgError                 exit 1   anything that failed
├─ UsageError               exit 2   the command line asks for something that cannot be
├─ ConfigError              exit 2   the dev config or its base is wrong; carries every diagnostic
│  └─ BaseError             exit 2   the base cannot be read or built
├─ PatchError               exit 2   an operation does not apply to its document
├─ StaleError               exit 1   committed files no longer match config and base
└─ OverwriteError           exit 2   a file that is not ours, or was edited by hand, stands in the way
"""

from __future__ import annotations

from devcfg.schemas.diagnostic import Diagnostic


class DevcfgError(Exception):
    """The base of every error that devcfg raises on purpose."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(DevcfgError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class ConfigError(DevcfgError):
    """The dev config or its base is wrong; `diagnostics` says everything at once."""

    exit_code = 2

    def __init__(self, diagnostics: tuple[Diagnostic, ...], *, hint: str = "") -> None:
        super().__init__(diagnostics[0].message if diagnostics else "the config is wrong", hint=hint)
        self.diagnostics = diagnostics


class BaseError(ConfigError):
    """The base cannot be read or built."""


class PatchError(DevcfgError):
    """An operation does not apply to its document."""

    exit_code = 2


class StaleError(DevcfgError):
    """Committed files no longer match config and base."""


class OverwriteError(DevcfgError):
    """A file that is not ours, or was edited by hand, stands in the way."""

    exit_code = 2
