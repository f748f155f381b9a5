"""The dev processes: speaks to each supervisor through its FIFO, its state file and its cmd files. Starts nothing.

A supervisor is named by its directory. A line in the FIFO is no answer: what was asked is confirmed by the state
file, whose generation goes up with each start.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from typing import Any, Callable, Dict, NamedTuple

STATES = ("waiting", "building", "running", "exited", "build-failed", "stopped")
MODES = ("run", "debug")
COMMANDS = ("run", "debug", "build")
SIGNALS = ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "WINCH")
"""What the supervisor passes on."""
EAGER, LAZY, IDLE = 0.003, 0.03, 0.15
"""Seconds between two looks: at first while something is awaited, later, and while nothing is."""
EAGER_SECONDS = 2.0
STATE_LIMIT = 512
SERVICES = 64


class ProcessError(Exception):
    """A supervisor cannot do it; `code` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class State(NamedTuple):
    """What the state file says; `pid` and `exit_code` where the state has them."""

    generation: int
    state: str
    mode: str
    pid: int | None
    exit_code: int | None

    def members(self) -> dict[str, Any]:
        """Return it for a message."""
        return dict(self._asdict())


NOTHING = State(0, "absent", "", None, None)


def read_state(directory: str) -> State:
    """Return the state of a supervisor; NOTHING while it has written none."""
    try:
        text = _read(os.path.join(directory, "state"))
    except FileNotFoundError:
        return NOTHING
    words = text.split()
    if len(words) < 2 or not words[0].isdigit() or words[1] not in STATES:
        raise ProcessError("bad-state", f"{directory}/state holds no state, but {text[:80]!a}")
    last = int(words[-1]) if len(words) > 2 and words[-1].isdigit() else None
    if words[1] == "running":
        return State(int(words[0]), words[1], words[2] if len(words) > 2 else "", last, None)
    return State(int(words[0]), words[1], "", None, last)


def read_uid(directory: str) -> int | None:
    """Return whom a supervisor runs as; None while it has not said so."""
    try:
        text = _read(os.path.join(directory, "uid")).strip()
    except FileNotFoundError:
        return None
    return int(text) if text.isdigit() else None


def write_command(directory: str, name: str, words: list[str] | None) -> None:
    """Write the words of a command in the form that the supervisor reads; None takes the command away."""
    path = os.path.join(directory, "cmd." + name)
    if words is None:
        try:
            os.unlink(path)
        except FileNotFoundError:
            return
        return
    if not words or not words[0] or any("\0" in word for word in words):
        raise ProcessError("bad-command", "a command is a list of words without NUL, the first not empty")
    text = "set --" + "".join(" '{}'".format(word.replace("'", "'\\''")) for word in words) + "\n"
    descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with open(descriptor, "wb") as file:
        file.write(os.fsencode(text))
    os.replace(path + ".new", path)


def tell(directory: str, line: str) -> None:
    """Write a line to the FIFO; never waits, and knows when nobody listens."""
    path = os.path.join(directory, "ctl")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as exc:
        if exc.errno in (errno.ENXIO, errno.ENOENT):
            raise ProcessError("no-supervisor", f"no supervisor listens at {path}") from exc
        raise
    try:
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            raise ProcessError("no-supervisor", f"{path} is no FIFO")
        if line:
            os.write(descriptor, line.encode("ascii") + b"\n")
    except BlockingIOError as exc:
        raise ProcessError("busy", f"the supervisor at {path} does not read what it is told") from exc
    finally:
        os.close(descriptor)


def _read(path: str) -> str:
    with open(path, "rb") as file:
        return file.read(STATE_LIMIT).decode("ascii", "replace")


Answer = Callable[[Dict[str, Any]], None]
Failure = Callable[[str, str], None]


class _Asked(NamedTuple):
    action: str
    mode: str
    before: State
    since: float
    answer: Answer
    fail: Failure

    def done(self, now: State) -> bool:
        """Tell whether a state is what was asked for, or rules it out."""
        if self.action == "stop":
            return now.state == "stopped"
        newer = now.generation > self.before.generation
        if now.state in ("running", "exited", "build-failed"):
            return newer
        return now.state == "stopped" and now != self.before  # somebody stopped it meanwhile


class Processes:
    """The supervisors that the client named; reports each change of a state, and answers when what was asked is so."""

    def __init__(self, report: Callable[[dict[str, Any]], None]) -> None:
        self._report = report
        self._states: dict[str, State] = {}
        self._asked: dict[str, list[_Asked]] = {}
        self._lock = threading.Condition()
        self._ended = False

    def ask(self, members: dict[str, Any], answer: Answer, fail: Failure) -> None:
        """Do one `process` request; its answer comes now, or from the thread."""
        directory, action = members.get("name"), members.get("action")
        if not isinstance(directory, str) or not os.path.isabs(directory) or "\0" in directory:
            raise ProcessError("bad-request", "`name` is the absolute directory of a supervisor")
        self._follow(directory)
        if action == "state":
            answer(read_state(directory).members())
        elif action == "users":
            answer({"process": read_uid(directory), "agent": os.getuid()})
        elif action == "commands":
            self._set_commands(directory, members.get("commands"))
            answer({})
        elif action in ("start", "restart", "stop"):
            self._steer(directory, action, members.get("mode"), answer, fail)
        elif action == "signal":
            if members.get("signal") not in SIGNALS:
                raise ProcessError("bad-request", "`signal` is one of " + " ".join(SIGNALS))
            tell(directory, "signal " + members["signal"])
            answer({})
        else:
            raise ProcessError("bad-request", "`action` is state, users, commands, start, restart, stop or signal")

    def _follow(self, directory: str) -> None:
        with self._lock:
            if directory not in self._states:
                if len(self._states) == SERVICES:
                    raise ProcessError("bad-request", f"more than {SERVICES} supervisors")
                self._states[directory] = read_state(directory)

    def _set_commands(self, directory: str, commands: Any) -> None:
        if not isinstance(commands, dict) or not set(commands) <= set(COMMANDS):
            raise ProcessError("bad-request", "`commands` has run, debug and build")
        for name, words in commands.items():
            if words is not None and not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
                raise ProcessError("bad-command", f"command.{name} is a list of words")
            write_command(directory, name, words)

    def _steer(self, directory: str, action: str, mode: Any, answer: Answer, fail: Failure) -> None:
        if mode not in (None, *MODES):
            raise ProcessError("bad-request", "`mode` is run or debug")
        since, before = time.monotonic(), read_state(directory)
        if action == "stop":
            line = "stop"
        else:
            mode = mode or self._desired(directory)
            if not os.path.exists(os.path.join(directory, "cmd." + mode)):
                raise ProcessError("no-command", f"there is no command.{mode}")
            # An older process goes on after a build that has failed: the supervisor would leave it as it is.
            word = "restart" if before.state == "build-failed" else action
            line = f"{word} {mode}"
        tell(directory, line)
        if action == "start" and (before.state, before.mode) == ("running", mode):
            answer(dict(before.members(), ms=0.0))  # the supervisor leaves it alone
            return
        with self._lock:
            self._asked.setdefault(directory, []).append(_Asked(action, mode or "", before, since, answer, fail))
            self._lock.notify_all()

    def _desired(self, directory: str) -> str:
        try:
            return "debug" if _read(os.path.join(directory, "desired")).strip() == "debug" else "run"
        except FileNotFoundError:
            return "run"

    # ---- the thread

    def run(self) -> None:
        """Look at every state file until the end: often while somebody waits for an answer."""
        while True:
            with self._lock:
                self._lock.wait(self._pause())
                if self._ended:
                    return
                known = dict(self._states)
            for directory, before in known.items():
                self._look(directory, before)

    def close(self) -> None:
        """End the thread."""
        with self._lock:
            self._ended = True
            self._lock.notify_all()

    def _pause(self) -> float:
        waiting = [one.since for asked in self._asked.values() for one in asked]
        if not waiting:
            return IDLE
        return EAGER if time.monotonic() - max(waiting) < EAGER_SECONDS else LAZY

    def _look(self, directory: str, before: State) -> None:
        try:
            now = read_state(directory)
        except (OSError, ProcessError):
            return  # a state that cannot be read is none; who asks for it is told why
        if now != before:
            with self._lock:
                self._states[directory] = now
            self._report(dict(now.members(), event="state", name=directory))
        with self._lock:
            asked = self._asked.pop(directory, [])
        left = [one for one in asked if not self._settle(directory, one, now)]
        if left:
            with self._lock:
                self._asked[directory] = left + self._asked.get(directory, [])

    def _settle(self, directory: str, one: _Asked, now: State) -> bool:
        elapsed = time.monotonic() - one.since
        if one.done(now):
            one.answer(dict(now.members(), ms=round(elapsed * 1000, 1)))
            return True
        try:
            if elapsed > EAGER_SECONDS:
                tell(directory, "")
        except (OSError, ProcessError) as exc:
            one.fail(exc.code if isinstance(exc, ProcessError) else "system", str(exc))
            return True
        return False
