"""`devcfg up --detach`: the session as a process of its own in the background, with its log. Never is the session."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from devcfg.runtime import console
from devcfg.runtime.session.control import NoSessionError, ask
from devcfg.runtime.session.local import make_folder
from devcfg.schemas.errors import DevcfgError

LOG = os.path.join(".devcfg", "session.log")
LOOK = 0.1
"""Seconds between two looks at a session that is on its way."""
SHOWN = 20
"""Lines of the log that are shown where a session does not come up."""


def detach(project: str, words: Sequence[str], services: Sequence[str]) -> int:
    """Start `devcfg up` with these words in the background; return when everything is live, or when it has ended.

    A session that runs already and has the services is as good.
    """
    if (rows := _rows(project)) is not None:
        return _join(project, rows, services)
    make_folder(project)
    log = os.path.join(project, LOG)
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "devcfg.runtime", "up", *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    console.say(f"the session is on its way; it writes to {LOG}", console.DIM)
    if _await_live(project, process.poll):
        return 0
    with open(log, encoding="utf-8", errors="replace") as file:
        for line in file.read().splitlines()[-SHOWN:]:
            console.say(line)
    return process.wait()


def _join(project: str, rows: list[dict[str, Any]], services: Sequence[str]) -> int:
    """Wait for a session that runs already. Raises `DevcfgError` where it is about other services."""
    lacking = [name for name in services if rows and name not in [row["name"] for row in rows]]
    if lacking:
        message = f"a session of this project runs already, without {', '.join(f'`{name}`' for name in lacking)}"
        raise DevcfgError(message, hint="`devcfg status` shows it; `devcfg down` ends it: then name all services")
    console.say("a session of this project runs already", console.DIM)
    if _await_live(project, lambda: 1 if _rows(project) is None else None):
        return 0
    raise DevcfgError("the session that ran already has ended", hint="`devcfg up` again")


def _await_live(project: str, ended: Callable[[], int | None]) -> bool:
    """Wait until every service is live, and say so; return whether that came before the session's end."""
    try:
        while ended() is None:
            rows = _rows(project)
            if rows and all(row["state"] == "live" for row in rows):
                _say_live(rows)
                return True
            time.sleep(LOOK)
    except KeyboardInterrupt:
        console.say("it goes on in the background; `devcfg down` ends it")
        raise
    return False


def _say_live(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        console.say(f"{row['name']}: live", console.GREEN)
    console.say("`devcfg status` and `devcfg logs --follow` show it, `devcfg down` ends it")


def _rows(project: str) -> list[dict[str, Any]] | None:
    """Return the rows of the session that runs; None where none does."""
    try:
        found: list[dict[str, Any]] = next(
            line["json"]["services"] for line in ask(project, "status") if "json" in line
        )
    except NoSessionError:
        return None
    except (DevcfgError, StopIteration):
        return []  # it has only begun, or is about to end
    return found
