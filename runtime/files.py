"""Writes files whole: a temporary file beside, then a rename. Never leaves half a file."""

from __future__ import annotations

import os

TEMPORARY = ".devcfg-tmp-"


def write_atomically(path: str, text: str | bytes, *, private: bool = False) -> None:
    """Write a file in one step, directories above it included; `private` keeps it from other users.

    Raises `OSError`, which names the file and not the temporary one. A link at the path is replaced, never followed.
    """
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, mode=0o700 if private else 0o777, exist_ok=True)
    temporary = os.path.join(folder, f"{TEMPORARY}{os.getpid()}")
    if os.path.lexists(temporary):
        os.unlink(temporary)
    try:
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        _replace(path, temporary, data, 0o600 if private else 0o666)
    except OSError as error:
        error.filename, error.filename2 = path, None
        raise


def _replace(path: str, temporary: str, data: bytes, mode: int) -> None:
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
