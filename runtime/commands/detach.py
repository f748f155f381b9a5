"""`devcfg up --detach`: the session as a process of its own in the background, with its log. Never is the session."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from devcfg.runtime import console
from devcfg.runtime.session.control import NoSessionError, ask
from devcfg.runtime.session.local import make_folder
from devcfg.schemas.errors import DevcfgError

LOG = os.path.join(".devcfg", "session.log")
LOOK = 0.1
"""Seconds between two looks at a session that is on its way."""
SHOWN = 20
"""Lines of the log that are shown where a session does not come up."""


def detach(project: str, words: Sequence[str]) -> int:
    """Start `devcfg up` with these words in the background; return when everything is live, or when it has ended."""
    if _rows(project) is not None:
        raise DevcfgError("a session of this project runs already", hint="`devcfg status` shows it")
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
    try:
        while (code := process.poll()) is None:
            rows = _rows(project)
            if rows and all(row["state"] == "live" for row in rows):
                return _say_live(rows)
            time.sleep(LOOK)
    except KeyboardInterrupt:
        console.say("it goes on in the background; `devcfg down` ends it")
        return 0
    with open(log, encoding="utf-8", errors="replace") as file:
        for line in file.read().splitlines()[-SHOWN:]:
            console.say(line)
    return code


def _say_live(rows: list[dict[str, object]]) -> int:
    for row in rows:
        console.say(f"{row['name']}: live", console.GREEN)
    console.say("`devcfg status` and `devcfg logs --follow` show it, `devcfg down` ends it")
    return 0


def _rows(project: str) -> list[dict[str, object]] | None:
    """Return the rows of the session that runs; None where none does."""
    try:
        found: list[dict[str, object]] = next(
            line["json"]["services"] for line in ask(project, "status") if "json" in line
        )
    except NoSessionError:
        return None
    except (DevcfgError, StopIteration):
        return []  # it has only begun, or is about to end
    return found
