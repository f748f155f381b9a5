"""The local site: a process tree on this machine, its far side a directory under `.devcfg/local`. Never a cluster.

The supervisor is the pod's own, in a session of its own: it outlives a client that was killed, and the next one takes
it over.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence

from devcfg.compiler.canonical import digest
from devcfg.compiler.lowering.command import seconds, supervisor_arguments
from devcfg.runtime.files import write_atomically
from devcfg.runtime.link.stream import LocalStream, Stream
from devcfg.runtime.session.container import Environment
from devcfg.runtime.session.forward import Pair
from devcfg.runtime.session.podlog import RECENT
from devcfg.runtime.session.site import Here
from devcfg.schemas.config import Service
from devcfg.schemas.errors import DevcfgError

POD = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "pod")
"""What is shipped into a pod: the supervisor, and the agent's package."""
PATIENCE = 15.0
"""Seconds that a supervisor may take to end beyond the grace of its process."""
LOG_LIMIT = 8 * 1024 * 1024
"""Bytes of a log that the next session goes on with."""
RECENT_BYTES = 64 * 1024
"""Bytes of a log in which its last lines are looked for."""
LOOK, LOOK_IDLE = 0.01, 0.05
"""Seconds between two looks at the log: while something is printed, and while nothing is."""
_SHIM = """#!/bin/sh
# Stands in for busybox where there is none: the machine's own programs.
[ "$1" = strings ] || exec "$@"
shift 3
grep -aHzo 'DEVCFG_RUN=.*' -- "$@" 2>/dev/null | tr '\\000' '\\n' | sed 's/:/: /'
"""


def make_folder(project: str) -> None:
    """Make `.devcfg` of a project, which keeps itself out of git."""
    ignore = os.path.join(project, ".devcfg", ".gitignore")
    if not os.path.exists(ignore):
        write_atomically(ignore, "*\n")


class LocalSite:
    """One service's directory, supervisor and agent. Implements `Site`."""

    def __init__(
        self, project: str, name: str, service: Service, environment: Environment, *, again: bool = False
    ) -> None:
        """Take a service; `again` tells that this session has had it before, and has told its log."""
        self._again = again
        self._adopted = False
        self._name = name
        self._service = service
        self._environment = environment
        self._folder = os.path.join(os.path.realpath(project), ".devcfg", "local", name)
        self._lock = -1
        self._pid = 0

    @property
    def directory(self) -> str:
        """Return the supervisor's state directory."""
        return os.path.join(self._folder, "run")

    @property
    def beside_agent(self) -> str:
        """Return the directory of the agent."""
        return os.path.join(self._folder, "agent")

    def place(self, path: str) -> str:
        """Return where a path of the container is on this machine."""
        return os.path.join(self._folder, "root", path.lstrip("/"))

    @property
    def _workdir(self) -> str:
        targets = [rule.target for rule in self._service.sync]
        return self.place(self._service.workdir or (targets[0] if targets else "/"))

    @property
    def shared(self) -> bool:
        """Say that the ports of the process are this machine's own."""
        return True

    @property
    def incarnation(self) -> str:
        """Return that there is only one place: a supervisor that ends is followed in it."""
        return ""

    @property
    def pod(self) -> None:
        """Return that it is none."""
        return None

    async def enter(self) -> None:
        """Start the supervisor, or take over the one that was left behind."""
        if not os.path.isdir("/proc/self"):
            hint = "the supervisor reads Linux's /proc; on other systems use a cluster"
            raise DevcfgError("`up --local` works on Linux", hint=hint)
        self._hold()
        for place in (self._workdir, *(self.place(rule.target) for rule in self._service.sync)):
            os.makedirs(place, exist_ok=True)
        arguments = supervisor_arguments(self._service, directory=self.directory, place=self.place, commands=False)
        mark = digest({"arguments": arguments, "environment": self._own()})
        self._adopted = await self._adopt(mark)
        if not self._adopted:
            await self._start(arguments, mark)

    def _hold(self) -> None:
        """Be the only session of this service: two would overwrite each other's far side."""
        if self._lock >= 0:
            return
        os.makedirs(self._folder, exist_ok=True)
        lock = os.open(os.path.join(self._folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise DevcfgError(f"service `{self._name}` is in another session already") from None
        self._lock = lock

    async def _adopt(self, mark: str) -> bool:
        """Take over a supervisor that was left behind, if it was started as we would start it; else end it."""
        try:
            with open(self._record, encoding="utf-8") as file:
                pid, born, known = file.read().split()
        except (OSError, ValueError):
            return False
        if _born(int(pid)) != born:
            return False
        self._pid = int(pid)
        if known == mark:
            return True
        await self._quit()
        return False

    async def _start(self, arguments: list[str], mark: str) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        busybox, log = self._busybox(), self._log_path
        with contextlib.suppress(FileNotFoundError):
            if os.path.getsize(log) > LOG_LIMIT:
                os.replace(log, log + ".old")
        with open(log, "ab") as out:
            process = subprocess.Popen(
                [busybox, "sh", os.path.join(POD, "supervisor.sh"), *arguments],
                cwd=self._folder,
                env={**self._variables(), "BB": busybox},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._pid = process.pid
        write_atomically(self._record, f"{process.pid} {_born(process.pid)} {mark}\n")
        while not os.path.exists(os.path.join(self.directory, "state")):
            if process.poll() is not None:
                raise DevcfgError(f"the supervisor of `{self._name}` has ended", hint=f"`{log}` says why")
            await asyncio.sleep(0.005)

    async def leave(self) -> None:
        """End the supervisor and all that it started; what was synced stays."""
        if self._pid:
            await self._quit()
            self._sweep()
        for name in ("run", "agent"):
            shutil.rmtree(os.path.join(self._folder, name), ignore_errors=True)
        for name in ("busybox", "commands"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self._folder, name))
        self.let_go()

    def let_go(self) -> None:
        """Leave everything running for the next session."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def started_as(self, argv: Sequence[str]) -> list[str]:
        """Return the words as they are: the supervisor has the whole environment."""
        return list(argv)

    def renew(self, commands: str) -> bool:
        """Remember what the process is started with; return whether it is another than before."""
        path, known = os.path.join(self._folder, "commands"), ""
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
            known = file.read().strip()
        write_atomically(path, commands + "\n")
        return commands != known

    async def _quit(self) -> None:
        """End the supervisor and its process, however long its grace is; kill what does not answer."""
        born = _born(self._pid)
        with contextlib.suppress(OSError):
            control = os.open(os.path.join(self.directory, "ctl"), os.O_WRONLY | os.O_NONBLOCK)
            os.write(control, b"quit\n")
            os.close(control)
        until = asyncio.get_running_loop().time() + PATIENCE + float(seconds(self._service.reload.stop.grace))
        while _runs(self._pid, born):
            if asyncio.get_running_loop().time() > until:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._pid, signal.SIGKILL)
            await asyncio.sleep(0.01)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._record)

    def _sweep(self) -> None:
        """End what a supervisor that was killed could not end; its processes carry the mark of its directory."""
        mark = os.fsencode(f"DEVCFG_RUN={self.directory}:")
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                if mark in file.read():
                    os.kill(int(name), signal.SIGKILL)

    async def open_stream(self) -> Stream:
        """Start an agent."""
        words = [sys.executable, "-P", "-S", "-m", "agent", self.beside_agent]
        return await LocalStream.start(words, env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": POD})

    async def dial(self, port: int) -> Pair:
        """Connect to the process."""
        return await asyncio.open_connection("127.0.0.1", port)

    async def log(self) -> AsyncIterator[str]:
        """Yield the lines of the log from now on, and the last before where another session left them behind."""
        with open(self._log_path, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            if self._adopted and not self._again:
                file.seek(max(0, end - RECENT_BYTES))
                *before, rest = file.read(end - file.tell()).split(b"\n")
                for line in before[-RECENT:]:
                    yield line.decode("utf-8", "replace")
                file.seek(end - len(rest))
            rest, pause = b"", LOOK
            while True:
                found = file.read(64 * 1024)
                if not found:
                    await asyncio.sleep(pause)
                    pause = min(pause * 1.2, LOOK_IDLE)
                    continue
                pause = LOOK
                *lines, rest = (rest + found).split(b"\n")
                for line in lines:
                    yield line.decode("utf-8", "replace")
                if len(rest) > LOG_LIMIT:
                    rest = b""

    async def beside(self) -> Here:
        """Return working directory and environment of the process."""
        return Here(self._workdir, self._variables())

    def _variables(self) -> dict[str, str]:
        """The user's own environment under the container's and the config's."""
        values = {**os.environ, **self._environment.values}
        return {name: value for name, value in values.items() if name not in self._environment.removed}

    def _own(self) -> list[object]:
        """What container and config say of the environment: another shell's own variables are no reason to restart."""
        return [self._environment.values, sorted(self._environment.removed)]

    def _busybox(self) -> str:
        found = shutil.which("busybox")
        if found is not None:
            return found
        shim = os.path.join(self._folder, "busybox")
        write_atomically(shim, _SHIM)
        os.chmod(shim, 0o700)
        return shim

    @property
    def _record(self) -> str:
        return os.path.join(self._folder, "supervisor")

    @property
    def _log_path(self) -> str:
        return os.path.join(self._folder, "log")


def _born(pid: int) -> str:
    """Return when a process was started, in the kernel's ticks, which tells it from a later one with its number."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _runs(pid: int, born: str) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return bool(born) and _born(pid) == born
