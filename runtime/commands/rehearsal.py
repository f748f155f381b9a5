"""The first half of the demo: a session on this machine, from `up` to its end. Never touches more than the copy."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import IO, Any

from devcfg.runtime import console
from devcfg.runtime.commands.stage import Stage, lines, read
from devcfg.runtime.files import write_atomically

PATIENCE = 60.0
"""Seconds that the demo waits for one thing before it says that it failed."""
SOURCE = "services/storefront/storefront.py"
PAGE = "services/storefront/page.html"
NOTE = "services/storefront/note.txt"
REVIEWS = "services/reviews/Reviews.java"
LOCAL = "devcfg.local.yaml"


def play_session(stage: Stage, folder: str) -> None:
    """Play it in the working directory; `folder` is the demo's own."""
    if not os.path.isdir("/proc/self") or not (shutil.which("busybox") or shutil.which("mkfifo")):
        stage.say("`devcfg up --local` needs Linux and its usual programs, which are not here: on to the files.")
        return
    java = bool(shutil.which("javac") and shutil.which("java"))
    services = ("storefront", "reviews") if java else ("storefront",)
    with _surroundings(folder):
        _Rehearsal(stage, services).play()


@contextlib.contextmanager
def _surroundings(folder: str) -> Iterator[None]:
    """Keep what a session remembers, and its socket, in the demo's own directory; have a `python`."""
    before = dict(os.environ)
    os.environ["XDG_STATE_HOME"] = os.path.join(folder, "state")
    os.environ["XDG_RUNTIME_DIR"] = folder
    if not shutil.which("python"):
        os.mkdir(os.path.join(folder, "bin"))
        os.symlink(sys.executable, os.path.join(folder, "bin", "python"))
        os.environ["PATH"] = f"{os.path.join(folder, 'bin')}:{os.environ.get('PATH', '')}"
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class _Rehearsal:
    """One session, and what is done while it runs."""

    def __init__(self, stage: Stage, services: tuple[str, ...]) -> None:
        self._stage = stage
        self._services = services
        self._port = 0

    def play(self) -> None:
        """Play every scene; what does not come is remembered as the demo's failure."""
        self._give_ports()
        self._stage.say("And go. Its commands run on this machine, which is why they have to be accepted:")
        words = ["up", "--local", "--yes", *self._services]
        self._stage.shown(f"devcfg {' '.join(words)}")
        with _Session(words) as session:
            try:
                self._scenes(session)
            except _MissingError as error:
                self._stage.failed.append(str(error))
            code = session.end()
        if code != 0:
            self._stage.failed.append(f"`devcfg up` ended with {code}")

    def _scenes(self, session: _Session) -> None:
        for name in self._services:
            session.wait(name, "restarted")
        self._port = session.wait("storefront", "forwarding")["local"]
        self._answer("/healthz", "ok")
        self._save(session)
        self._break(session)
        self._disagree(session)
        self._stage.say("Ctrl-C ends it in order: no process stays, and the files are yours.")

    def _give_ports(self) -> None:
        """On one machine the services cannot all listen on one port."""
        self._stage.say(
            "Today without a cluster: the pod is a directory and a process tree on this machine, all the rest is the "
            "same. What differs here goes into a personal file, which only `up` reads:"
        )
        ports = dict(zip(("storefront", "reviews"), _free_ports(2), strict=True))
        for name, port in ports.items():
            for path in (f"k8s/base/{name}.yaml", "k8s/base/manifests.yaml"):
                if os.path.exists(path):
                    write_atomically(path, _renumbered(read(path), name, port))
        urls = {f"{name.upper()}_URL": f"http://127.0.0.1:{ports.get(name, 1)}" for name in BACKENDS}
        text = "services:\n"
        for name, port in ports.items():
            known = ", ".join(f'{key}: "{url}"' for key, url in urls.items())
            text += f'  {name}:\n    ports: [":{port}"]\n    env: {{{known}}}\n'
        write_atomically(LOCAL, text)
        self._stage.shown(f"cat {LOCAL}")
        lines(text.rstrip())

    def _save(self, session: _Session) -> None:
        self._stage.say("Every save is live before you look up. A Python file restarts the process:")
        began = time.monotonic()
        self._stage.save(SOURCE, '"text/plain", "ok\\n")', '"text/plain", "saved a moment ago\\n")')
        session.wait("storefront", "restarted")
        self._answer("/healthz", "saved a moment ago")
        console.say(f"from the save to the new answer: {time.monotonic() - began:.2f} s", console.GREEN)
        self._stage.say('A page is read at every request, so it restarts nothing (`reload: {watch: ["*.py"]}`):')
        self._stage.save(PAGE, "<main>", "<main><!-- live -->")
        session.wait("storefront", "changed")
        self._answer("/", "<!-- live -->")

    def _break(self, session: _Session) -> None:
        if "reviews" in self._services:
            self._stage.say("A build that fails costs nothing: what ran before goes on, and the compiler is heard.")
            self._stage.save(REVIEWS, "int port = Integer", "int port == Integer")
            session.wait("reviews", "build-failed")
            self._stage.save(REVIEWS, "int port == Integer", "int port = Integer")
            session.wait("reviews", "restarted")
            return
        self._stage.say("A slip ends the process, never the session: the next save brings it back.")
        self._stage.save(SOURCE, "def ask(", "def ask((")
        session.wait("storefront", "exited")
        self._stage.save(SOURCE, "def ask((", "def ask(")
        session.wait("storefront", "restarted")

    def _disagree(self, session: _Session) -> None:
        self._stage.say(
            "Sync goes both ways, and no edit is ever lost. While the laptop sleeps, here and there the same file is "
            "changed: neither wins by itself, and you decide:"
        )
        far = ".devcfg/local/storefront/root/src/note.txt"
        write_atomically(NOTE, "as it was\n")
        session.wait("storefront", "changed")
        with session.asleep():
            for path, text in ((NOTE, "changed here"), (far, "changed there")):
                self._stage.shown(f"echo {text} > {path}")
                write_atomically(path, f"{text}\n")
        session.wait("storefront", "conflict")
        self._stage.command("sync conflicts", wanted=3)
        self._stage.command("sync resolve storefront note.txt --remote")
        self._stage.shown(f"cat {NOTE}")
        lines(read(NOTE))
        self._stage.command("status")

    def _answer(self, path: str, wanted: str) -> None:
        """Show what the storefront answers once it is what is wanted."""
        url, until = f"http://127.0.0.1:{self._port}{path}", time.monotonic() + PATIENCE
        while wanted not in (text := _fetch(url)):
            if time.monotonic() > until:
                raise _MissingError(f"`{url}` does not answer `{wanted}`")
            time.sleep(0.02)
        self._stage.shown(f"curl -s {url}{' | grep live' if path == '/' else ''}")
        lines(next(line for line in text.splitlines() if wanted in line))


class _MissingError(Exception):
    """Something that the demo waits for did not come."""


class _Session:
    """`devcfg up` in a process of its own: its words are shown as they come, its events are waited for."""

    def __init__(self, words: list[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "devcfg.runtime", *words, "--events"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._seen: list[dict[str, Any]] = []
        self._threads = [
            threading.Thread(target=self._read_words, args=(self._process.stderr,), daemon=True),
            threading.Thread(target=self._read_events, args=(self._process.stdout,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.end()

    def wait(self, service: str, event: str) -> dict[str, Any]:
        """Return the next event of this name that was not waited for yet."""
        until = time.monotonic() + PATIENCE
        while True:
            for at, one in enumerate(self._seen):
                if (one["service"], one["event"]) == (service, event):
                    return self._seen.pop(at)
            try:
                self._seen.append(self._events.get(timeout=0.2))
            except queue.Empty:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise _MissingError(f"no `{event}` of {service} came") from None

    @contextlib.contextmanager
    def asleep(self) -> Iterator[None]:
        """Have it see nothing for a while."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def end(self) -> int:
        """End it as Ctrl-C does; return its exit code."""
        self._process.send_signal(signal.SIGINT)
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        for thread in self._threads:
            thread.join()
        return code

    def _read_words(self, stream: IO[str]) -> None:
        for line in stream:
            text = re.sub(r"^\d\d:\d\d:\d\d ", "", line.rstrip("\n"))
            console.say(text, *_tone(text))

    def _read_events(self, stream: IO[str]) -> None:
        for line in stream:
            self._events.put(json.loads(line))


BACKENDS = ("details", "authors", "reviews", "ratings")


def _tone(line: str) -> tuple[str, ...]:
    if " > " not in line:
        return (console.DIM,)
    return (console.YELLOW,) if "conflict" in line or "failed" in line or "exited" in line else (console.CYAN,)


def _renumbered(text: str, name: str, port: int) -> str:
    """Return manifests in which one service's objects name another port."""
    parts = re.split(r"(?m)^---\n", text)
    named = re.compile(rf"(?m)^  name: {name}$")
    return "---\n".join(part.replace("9080", str(port)) if named.search(part) else part for part in parts)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def _fetch(url: str) -> str:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
            found: str = answer.read().decode()
            return found
    except OSError:
        return ""
