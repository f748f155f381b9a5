"""The real supervisor under the shells it must work in, driven through its files as a client would."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")
SCRIPT = Path(__file__).resolve().parents[3] / "runtime" / "pod" / "supervisor.sh"
MARK = "DEVCFG_TEST_MARK"
SLEEP = (shutil.which("busybox") or "busybox", "sleep", "1000")
SLOW = (
    "import signal, sys, time\n"
    "signal.signal(15, lambda *_: (time.sleep(0.3), sys.exit()))\n"
    "print('up', flush=True)\n"
    "while 1: signal.pause()\n"
)
ESCAPE = (
    "import os, signal, sys\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork(): os._exit(0)\n"
    "    signal.signal(15, signal.SIG_IGN if 'deaf' in sys.argv else signal.SIG_DFL)\n"
    "print('up', os.getpid(), flush=True)\n"
    "while 1: signal.pause()\n"
)
SECONDS = 30.0  # patience on a loaded machine; nothing waits this long when it works
FRESH_NAMESPACE = ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child")


def eventually(look: Callable[[], T], what: str, detail: Callable[[], str] = lambda: "") -> T:
    """Return the first true value of `look`; fail with `what` when none comes within `SECONDS`."""
    deadline = time.monotonic() + SECONDS
    while not (seen := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {SECONDS} s; last seen {seen!r}\n{detail()}")
        time.sleep(0.005)
    return seen


def read(path: Path) -> str:
    """Return the text of a file, empty while it is not there."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def marked(mark: str) -> set[int]:
    """Return every live process that carries the mark of one test in its environment."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if mark.encode() in (process / "environ").read_bytes():
                    found.add(int(process.name))
            except OSError:
                continue
    return found - {os.getpid()}


def alive(pid: int) -> bool:
    """Return whether a process exists and is more than a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def words_of(pid: int) -> list[str]:
    """Return the words that a process was started with; none once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    except OSError:
        return []


@dataclass
class Supervisor:
    """One state directory, and the supervisors that a test starts on it one after the other."""

    home: Path
    shell: tuple[str, ...]
    mark: str = field(default_factory=lambda: f"{MARK}={uuid.uuid4()}")
    process: subprocess.Popen[bytes] | None = None
    script = SCRIPT
    sleep = SLEEP
    slow = SLOW  # takes a moment to end
    escape = ESCAPE  # leaves a child in a session of its own
    eventually = staticmethod(eventually)
    alive = staticmethod(alive)
    words_of = staticmethod(words_of)

    @property
    def directory(self) -> Path:
        return self.home / "run" / "reviews"

    @property
    def state(self) -> str:
        return read(self.directory / "state").strip()

    @property
    def log(self) -> str:
        return read(self.home / "err")

    @property
    def out(self) -> str:
        return read(self.home / "out")

    @property
    def pid(self) -> int:
        """Return the process id that the state names; 0 while nothing runs."""
        words = self.state.split()
        return int(words[3]) if words[1:2] == ["running"] else 0

    def start(
        self,
        *options: str,
        run: Sequence[str | bytes] | None = None,
        build: Sequence[str | bytes] | None = None,
        prefix: Sequence[str] = (),
        env: dict[str, str] | None = None,
    ) -> None:
        """Start a supervisor with the arguments that the compiler would emit."""
        argv: list[str | bytes] = [*prefix, *self.shell, str(SCRIPT), f"--dir={self.directory}", *options]
        for name, words in (("build", build), ("run", run)):
            if words is not None:
                argv += [f"--{name}={len(words)}", *words]
        mark, _, value = self.mark.partition("=")
        with open(self.home / "out", "ab") as out, open(self.home / "err", "ab") as err:
            self.process = subprocess.Popen(
                argv,
                env={"PATH": os.environ["PATH"], "BB": busybox(), mark: value, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def tell(self, *lines: str) -> None:
        """Write lines to the FIFO at once, as `echo line 1<>ctl` does."""
        descriptor = os.open(self.directory / "ctl", os.O_RDWR)
        try:
            os.write(descriptor, "".join(line + "\n" for line in lines).encode())
        finally:
            os.close(descriptor)

    def until(self, *states: str) -> str:
        """Wait until the state is one of these, or begins with one of them and a space; return it."""
        return eventually(
            lambda: next((s for s in [self.state] if any(f"{s} ".startswith(f"{w} ") for w in states)), ""),
            f"state {' or '.join(states)}",
            lambda: f"state {self.state!r}, log:\n{self.log}",
        )

    def until_log(self, text: str, times: int = 1) -> None:
        """Wait until the log has the text that often."""
        eventually(
            lambda: self.log.count(text) >= times,
            f"log line {text!r} ({times})",
            lambda: f"state {self.state!r}, log:\n{self.log}",
        )

    def ended(self) -> int:
        """Wait until the supervisor itself ended and return its exit code."""
        assert self.process is not None
        try:
            return self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the supervisor did not end; state {self.state!r}, log:\n{self.log}")

    def processes(self) -> set[int]:
        """Return the live processes of this test."""
        return {pid for pid in marked(self.mark) if alive(pid)}

    def init(self) -> int:
        """Return the process id, seen from here, of the PID 1 that `unshare` started."""
        assert self.process is not None
        return next(pid for _, pid in self.children(self.process.pid))

    def children(self, parent: int) -> list[tuple[str, int]]:
        """Return state letter and process id of every child, zombies included."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                letter, ppid = stat.read_text().rpartition(")")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(ppid) == parent:
                found.append((letter, int(stat.parent.name)))
        return found

    def kill(self) -> None:
        """Kill everything at once, as the end of a container does."""
        for _ in range(200):
            left = marked(self.mark)
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            if self.process is not None:
                self.process.poll()
            if not left:
                return
            time.sleep(0.005)
        pytest.fail(f"these processes do not end: {marked(self.mark)}")


def busybox() -> str:
    """Return the busybox of this machine, or skip."""
    found = shutil.which("busybox")
    if found is None:
        pytest.skip("busybox is not installed")
    return found


@pytest.fixture(params=["busybox", "dash"])
def supervisor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Supervisor]:
    """A supervisor under busybox sh, then under dash; whatever it started is ended by process id."""
    if request.param == "busybox":
        shell: tuple[str, ...] = (busybox(), "sh")
    else:
        busybox()
        if shutil.which("dash") is None:
            pytest.skip("dash is not installed")
        shell = ("dash",)
    made = Supervisor(tmp_path, shell)
    try:
        yield made
    finally:
        made.kill()
        if made.process is not None:
            made.process.wait(SECONDS)


@pytest.fixture
def namespace() -> tuple[str, ...]:
    """The command prefix that makes what follows PID 1, or skip where that is not permitted."""
    for prefix in (FRESH_NAMESPACE, ("unshare", "--user", "--map-root-user", *FRESH_NAMESPACE[1:])):
        if shutil.which("unshare") and not subprocess.run([*prefix, "true"], capture_output=True).returncode:
            return prefix
    pytest.skip("no permission to make a process namespace")


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], tuple[str, ...]]:
    """Write a Python program; return the words that run it."""

    def write(text: str) -> tuple[str, ...]:
        path = tmp_path / f"program-{uuid.uuid4().hex[:8]}.py"
        path.write_text(text)
        return (sys.executable, "-S", "-E", str(path))

    return write


@pytest.fixture
def build(supervisor: Supervisor, program: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    """A build that does what the file `how` says, and counts itself in `builds`."""
    text = (
        "import pathlib, sys, time\n"
        f"home = pathlib.Path({str(supervisor.home)!r})\n"
        "open(home / 'builds', 'a').write('x')\n"
        "while (home / 'hold').exists(): time.sleep(0.005)\n"
        "sys.exit(int((home / 'code').read_text()) if (home / 'code').exists() else 0)\n"
    )
    return program(text)
