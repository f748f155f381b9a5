"""The lock of the state directory: one agent at a time, and the newest wins. Holds nothing but who that is."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time

PATIENCE = 1.0
"""Seconds an older agent has to end by itself on SIGUSR1 before it is killed; it may be killed at any instruction."""
TRIES = 500


class LockError(Exception):
    """An older agent cannot be made to end."""


def acquire(directory: str) -> int:
    """Return the descriptor that holds the lock, after an older agent has ended; it falls with the process."""
    os.makedirs(directory, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(os.path.join(directory, "agent.lock"), flags, 0o666)
    started = time.monotonic()
    for _ in range(TRIES):
        if _taken(descriptor):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {_born(os.getpid())}".encode(), 0)
            return descriptor
        _end(descriptor, signal.SIGUSR1 if time.monotonic() - started < PATIENCE else signal.SIGKILL)
        time.sleep(0.01)
    os.close(descriptor)
    raise LockError(f"another agent holds {directory}/agent.lock and does not end")


def holder(directory: str) -> int:
    """Return the process that holds the lock of a directory, 0 where none does; looks, and touches nothing."""
    try:
        descriptor = os.open(os.path.join(directory, "agent.lock"), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        pid, born = _holder(descriptor)
    finally:
        os.close(descriptor)
    return pid if pid > 0 and _born(pid) == born else 0


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        if exc.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True


def _end(descriptor: int, number: int) -> None:
    pid, born = _holder(descriptor)
    # The birth tells the holder from a stranger who got its number after a crash.
    if pid > 1 and pid != os.getpid() and _born(pid) == born:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


def _holder(descriptor: int) -> tuple[int, str]:
    words = os.pread(descriptor, 64, 0).decode("ascii", "replace").split()
    return (int(words[0]), words[1]) if len(words) == 2 and words[0].isdigit() else (0, "")


def _born(pid: int) -> str:
    """Return when a process started, in the kernel's ticks; `-` where there is no /proc or no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode("ascii")
    except (OSError, IndexError):
        return "-"
