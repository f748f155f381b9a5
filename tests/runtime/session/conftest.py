"""Projects with a real session: `devcfg up --local` in a process of its own, with its supervisor, agent and engine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from asking import free_port

SECONDS = 60.0  # patience on a loaded machine; nothing waits this long when it works
PYTHON = sys.executable
DEVCFG = [sys.executable, "-m", "devcfg.runtime"]


def eventually(look, what, detail=lambda: ""):
    """Return the first true value of `look`; fail with `what` when none comes."""
    deadline = time.monotonic() + SECONDS
    while not (seen := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {SECONDS} s; last seen {seen!r}\n{detail()}")
        time.sleep(0.02)
    return seen


def alive(pid):
    """Return whether a process exists and is more than a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Up:
    """One `devcfg up --local` and what it has said."""

    def __init__(self, project, words):
        self.project = project
        self.out, self.err = project.home / "events", project.home / "words"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(
                [*DEVCFG, "up", "--local", "--events", *words],
                cwd=project.root,
                env=project.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def events(self):
        lines = self.out.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    @property
    def words(self):
        return self.err.read_text()

    def wait_for(self, event, *, after=0, **members):
        """Return the first event of this name and members, none of the first `after` events counted."""

        def look():
            assert self.process.poll() is None or self.find(event, after, members), self.words
            return self.find(event, after, members)

        return eventually(look, f"{event} {members}", lambda: f"{self.out.read_text()}\n{self.words}")

    def find(self, event, after, members):
        found = [one for one in self.events[after:] if one["event"] == event]
        return next((one for one in found if members.items() <= one.items()), None)

    def wait_for_words(self, text):
        eventually(lambda: text in self.words, text, lambda: self.words)

    def end(self, number=signal.SIGINT):
        """Ask it to end, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Project:
    """A directory with a dev config whose commands are small programs, and the sessions that ran in it."""

    def __init__(self, root, home):
        self.root, self.home = root, home
        self.sessions = []
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("XDG_")},
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
            "NO_COLOR": "1",
        }

    def write(self, path, text):
        """Write a file of the project as an editor does that replaces it."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        new = place.with_name(f".{place.name}.new")
        new.write_text(text)
        new.replace(place)

    def config(self, **services):
        """Write the dev config; a service that does not say otherwise syncs `src` to `/app`."""
        full = {name: {"sync": ["src:/app"], **spec} for name, spec in services.items()}
        self.write("devcfg.yaml", yaml.safe_dump({"version": 1, "services": full}, width=1000))

    def up(self, *words):
        self.sessions.append(Up(self, words or ("--yes",)))
        return self.sessions[-1]

    def devcfg(self, *words):
        """Run a command to its end."""
        return subprocess.run(
            [*DEVCFG, *words], cwd=self.root, env=self.env, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    def far(self, path, service="web"):
        """Return where a file is on the far side."""
        return self.root / ".devcfg" / "local" / service / "root" / "app" / path

    def log(self, service="web"):
        """Return all that process and supervisor printed."""
        path = self.root / ".devcfg" / "local" / service / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_for_log(self, text, service="web"):
        eventually(lambda: text in self.log(service), text, lambda: self.log(service))

    def owned(self):
        """Return the live processes that have their files or words in this project."""
        mark, found = str(self.root).encode(), []
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and int(process.name) != os.getpid():
                try:
                    words = (process / "cmdline").read_bytes()
                    if mark in words or os.readlink(process / "cwd").startswith(str(self.root)):
                        found.append((int(process.name), words))
                except OSError:
                    continue
        return [one for one in found if alive(one[0])]

    def close(self):
        for one in self.sessions:
            if one.process.poll() is None:
                one.process.kill()
                one.process.wait()
        for _ in range(100):
            if not (left := self.owned()):
                break
            for pid, _ in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.02)


SERVER = """\
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("VERSION 1", flush=True)
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def project(tmp_path):
    if not Path("/proc/self").is_dir():
        pytest.skip("the supervisor reads Linux's /proc")
    # Its name decides on the debugger's local port, and tests run side by side.
    root, home = tmp_path / f"project-{os.getpid()}", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    made = Project(root, home)
    made.config(web={"command": {"run": [PYTHON, "app.py"]}})
    made.write("src/app.py", SERVER)
    yield made
    made.close()


@pytest.fixture
def program():
    """Return where a program of another toolchain is, or skip."""

    def find(name):
        return shutil.which(name) or pytest.skip(f"there is no {name} here")

    return find


@pytest.fixture
def debugged(project):
    """Start a session of one program, and return its session and the port that its requests go to."""
    ups = []

    def start(program, text, command, **more):
        project.write(f"src/{program}", text)
        listens = free_port()
        debug = {"port": free_port(), **more.pop("debug", {})}
        project.config(
            web={"command": command, "env": {"PORT": str(listens)}, "ports": [f":{listens}"], "debug": debug, **more}
        )
        ups.append(project.up())
        port = ups[-1].wait_for("forwarding")["local"]
        ups[-1].wait_for("restarted", generation=1)
        return ups[-1], port

    yield start
    for up in ups:
        assert up.process.poll() is not None or up.end() == 0, up.words


def debug(project):
    """Run `devcfg debug` and return what it says for programs."""
    done = project.devcfg("debug", "-o", "json")
    assert done.returncode == 0, f"{done.stderr}\n{project.log()}"
    return json.loads(done.stdout)
