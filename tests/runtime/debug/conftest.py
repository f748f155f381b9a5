"""Debuggers that run, each with a small program, on ports that are free."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from adapters import Adapter
from dap import Dap
from delve import find_dlv

from devcfg.runtime.debug.sticky import Sticky
from devcfg.runtime.session.forward import Ports

SECONDS = 60.0  # patience on a loaded machine


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Program:
    """A process under its debugger, and what it has printed."""

    def __init__(self, folder, words):
        self.log = folder / "log"
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def lines(self):
        return self.log.read_text(errors="replace").splitlines()

    def wait_for(self, text):
        deadline = time.monotonic() + SECONDS
        while text not in self.log.read_text(errors="replace"):
            assert time.monotonic() < deadline, self.lines()
            time.sleep(0.02)

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


SOURCES = {
    "app.py": "import time\nprint('STARTED', flush=True)\ntime.sleep(120)\n",
    "app.js": "console.log('STARTED'); setTimeout(() => {}, 120000)\n",
    "App.java": (
        "class App { public static void main(String[] a) throws Exception"
        ' { System.out.println("STARTED"); Thread.sleep(120000); } }\n'
    ),
    "main.go": 'package main\n\nimport "time"\n\nfunc main() { println("STARTED"); time.Sleep(2 * time.Minute) }\n',
    "go.mod": "module app\n\ngo 1.21\n",
}
RUNS = {
    "python": (sys.executable, "app.py"),
    "node": ("node", "app.js"),
    "java": ("java", "-cp", ".", "App"),
    "go": ("go", "run", "."),
    "gdb": ("/bin/sleep", "120"),
}
NEEDS = {"node": ("node",), "java": ("java", "javac"), "go": ("go", "dlv"), "gdb": ("gdbserver",)}


@pytest.fixture
def begin(tmp_path):
    """Start the words of a command in a folder that has a program of each language."""
    for name, text in SOURCES.items():
        (tmp_path / name).write_text(text)
    begun = []

    def start(name, words):
        for program in NEEDS.get(name, ()):
            if shutil.which(program) is None:
                pytest.skip(f"there is no {program} here")
        if name == "go":
            find_dlv()
        if name == "java":
            subprocess.run(["javac", "App.java"], cwd=tmp_path, check=True, timeout=SECONDS, env=os.environ)
        begun.append(Program(tmp_path, words))
        return begun[-1]

    yield start
    for one in begun:
        one.end()


class Proxied:
    """A sticky port in a loop of its own, as a session has one, and what leads to it."""

    def __init__(self, port, **more):
        self.port = port
        self.alive = True
        self.words = []
        self.lefts = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.sticky = Sticky(Ports(0, port), dial, lambda: self.alive, said=self.words.append, **more)
        self.local = self.run(self.sticky.listen())

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    def tasks(self):
        """Return the tasks that are left in its loop, but the one that asks."""

        async def others():
            return [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]

        return self.run(others())

    def resume(self):
        self._loop.call_soon_threadsafe(self.sticky.resume)

    def close(self):
        self.run(self.sticky.close())

    def end(self):
        self.close()
        left = self.tasks()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()
        return left


async def dial(port):
    return await asyncio.open_connection("127.0.0.1", port)


@pytest.fixture
def proxied():
    """Open a sticky port to a debugger's; when all is over, none of its tasks is left."""
    opened = []

    def start(port, **more):
        opened.append(Proxied(port, **more))
        return opened[-1]

    yield start
    assert [one.end() for one in opened] == [[] for _ in opened]


class Served:
    """A program that answers over HTTP, under its debugger: ended and started anew on the same ports."""

    def __init__(self, folder, words, env):
        self._folder = folder
        self._words = words
        self._mark = f"DEVCFG_TEST={folder}"
        self.log = folder / "log"
        self.http = int(env["PORT"])
        self._env = {**os.environ, **env, "DEVCFG_TEST": str(folder)}
        self.process = None
        self.killed = False
        """Whether it had to be killed, as it did not end by the signal."""

    def start(self):
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                self._words,
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def end(self, number=signal.SIGTERM):
        """End it as the supervisor does: the group first, then what has escaped from it, known by its environment."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.killed = True
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        deadline = time.monotonic() + SECONDS
        while escaped := self._escaped():
            assert time.monotonic() < deadline
            for pid in escaped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def _escaped(self):
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/environ", "rb") as file:
                    marked = self._mark.encode() in file.read().split(b"\0")
                if marked and int(name) != os.getpid():
                    with open(f"/proc/{name}/stat") as file:
                        if file.read().rpartition(")")[2].split()[0] != "Z":
                            found.append(int(name))
        return found

    def ask(self):
        """Ask it once it listens, and do not wait for the answer."""
        return Request(self.http)

    def answers(self):
        """Return what it answers, once it does."""
        return self.ask().answer()


class Request:
    """A request under way, as it is while the program stands at a breakpoint."""

    def __init__(self, port):
        self._port = port
        self._found = []
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self):
        """Ask once somebody listens."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + SECONDS
        while not self._found:
            try:
                with opener.open(f"http://127.0.0.1:{self._port}/", timeout=SECONDS) as answer:
                    self._found.append(answer.read().decode())
            except OSError as error:
                refused = isinstance(getattr(error, "reason", error), ConnectionRefusedError)
                if not refused or time.monotonic() > deadline:
                    self._found.append(error)
                time.sleep(0.02)

    def ended(self):
        """Wait until it has come to an end, whichever."""
        self._thread.join(SECONDS)
        assert self._found

    def answer(self):
        self._thread.join(SECONDS)
        (found,) = self._found
        if isinstance(found, OSError):
            raise found
        return found


@pytest.fixture
def served(tmp_path):
    """Start a program of one file under its debugger."""
    begun = []

    def start(words, **env):
        begun.append(Served(tmp_path, words, env))
        begun[-1].start()
        return begun[-1]

    yield start
    for one in begun:
        one.end()


@pytest.fixture
def adapter():
    """Open an adapter that plays scripts."""
    opened = []

    def start(*scripts):
        opened.append(Adapter(*scripts))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


FILE = "/src/app.py"


def attached(proxy, **more):
    editor = Dap(proxy.local, {"request": "attach", **more})
    assert editor.attach(FILE, 7)
    return editor
