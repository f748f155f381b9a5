"""`python3 -m agent STATE_DIRECTORY`: one session over stdin and stdout. Starts the parts and ends, no more."""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import sys
import time
from contextlib import suppress

from . import frames
from .lock import LockError, acquire
from .outbox import Outbox
from .serve import Serving, SupersededError, say
from .verbs import Verbs, features

SWITCH = 0.0005
"""Seconds a thread keeps the interpreter: with the usual 5 ms, each read would wait for the worker as long."""
SET_PIPE_SIZE, PIPE_SIZE = 1031, 1 << 20
"""Linux's F_SETPIPE_SZ: with the usual 64 KiB between them, both ends of a transfer would wake each other for each."""
CYCLES = 100_000
"""New objects after which to look for cycles: rows and changes come by the thousand, and are in none."""


def main() -> int:
    """Serve one client; return the exit code."""
    if len(sys.argv) != 2:
        say("usage: python3 -m agent STATE_DIRECTORY")
        return 64
    signal.signal(signal.SIGUSR1, _supersede)
    sys.setswitchinterval(SWITCH)
    gc.freeze()
    gc.set_threshold(CYCLES)
    try:
        acquire(sys.argv[1])
        # Nothing that prints or reads by itself may touch the link.
        source, sink = os.dup(0), os.dup(1)
        with suppress(OSError):  # no pipe, no Linux, or more than a user may have
            fcntl.fcntl(source, SET_PIPE_SIZE, PIPE_SIZE)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(2, 1)
        outbox = Outbox(sink)
        verbs = Verbs(outbox)
        hello = {
            "protocol": frames.PROTOCOL,
            "oldest": frames.OLDEST,
            "side": "agent",
            "pid": os.getpid(),
            "python": ".".join(map(str, sys.version_info[:3])),
            "features": features(),
            "clock_ns": time.time_ns(),
        }
        return Serving(source, outbox, verbs.handle).run(hello)
    except SupersededError:
        say("a newer session has taken over")
    except (LockError, OSError) as exc:
        say(str(exc))
    return 1


def _supersede(_number: int, _stack: object) -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # it is repeated, and must not interrupt the goodbye
    raise SupersededError


if __name__ == "__main__":
    # Not through the interpreter's own end: it would wait for threads that wait for the client.
    os._exit(main())
