"""Notices that the dev config was saved while a session runs. Never reads it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence

PAUSE = 0.25
"""Seconds between two looks: one stat each, so a save takes effect before the eye has left the editor."""


async def saves(paths: Sequence[str]) -> AsyncIterator[None]:
    """Yield whenever one of the files is another than at the last look, once it has stayed so for one look."""
    known = [_look(path) for path in paths]
    pending: list[tuple[int, ...]] | None = None
    while True:
        await asyncio.sleep(PAUSE)
        now = [_look(path) for path in paths]
        if now == known:
            pending = None
        elif now == pending:
            known, pending = now, None
            yield
        else:
            pending = now


def _look(path: str) -> tuple[int, ...]:
    try:
        state = os.stat(path)
    except OSError:
        return ()
    return (state.st_mtime_ns, state.st_size, state.st_ino)
