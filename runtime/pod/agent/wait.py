"""`python3 -m agent.wait [--until-quit] ROOT SERVICE...`: the sidecar's own process. Never serves a client.

Each session starts an agent of its own beside it, through exec. This one says in the log what the pod waits for and
who comes and goes; as PID 1 it buries what agents leave, and it ends at once when it is told to.
"""

from __future__ import annotations

import os
import signal
import sys

from .lock import holder
from .serve import say

LOOK = 1.0
"""Seconds between two looks at who is there."""
ENDING = frozenset({signal.SIGTERM, signal.SIGINT})
AWAITED = ENDING | {signal.SIGCHLD}


def main() -> int:
    """Wait until told to end, or with `--until-quit` until every supervisor has quit: a Job could never complete."""
    words = sys.argv[1:]
    until_quit = words[:1] == ["--until-quit"]
    root, services = words[until_quit : until_quit + 1], words[until_quit + 1 :]
    if not services:
        say("usage: python3 -m agent.wait [--until-quit] ROOT SERVICE...")
        return 64
    # What is blocked is kept, even for PID 1, which hears of no signal that it does not handle.
    signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    served: dict[str, int] = {}
    for service in services:
        say(f"waiting for a session: devcfg up {service}")
    while True:
        found = signal.sigtimedwait(AWAITED, LOOK)
        if found is not None and found.si_signo in ENDING:
            return 0
        _bury()
        for service in services:
            _tell(service, holder(os.path.join(root[0], "agent", service)), served)
        if until_quit and all(_has_quit(os.path.join(root[0], "run", service)) for service in services):
            say("every supervisor has quit: ending, too")
            return 0


def _bury() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _tell(service: str, agent: int, served: dict[str, int]) -> None:
    before = served.get(service, 0)
    served[service] = agent
    if agent and agent != before:
        say(f"{service}: a session has begun")
    elif before and not agent:
        say(f"{service}: the session has ended; waiting for the next: devcfg up {service}")


def _has_quit(directory: str) -> bool:
    try:
        with open(os.path.join(directory, "state"), "rb") as file:
            return file.read(80).split()[1:] == [b"stopped", b"quit"]
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
