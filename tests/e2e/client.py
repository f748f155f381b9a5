"""The sessions of one project, each a process of its own that is spoken to by its commands. Never edits anything."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.e2e.relay import Relay

PATIENCE = 240.0
"""Seconds in which everything has settled, on a loaded machine too."""


class Client:
    """The sessions of one project, one after the other, each a process of its own behind a relay."""

    def __init__(self, project: Path, home: Path, say: Callable[[str], None]) -> None:
        self.project, self._home, self._say = project, home, say
        home.mkdir()
        self.relay = Relay()
        self.relay.write_kubeconfig(home / "kubeconfig")
        names = ("XDG_STATE_HOME", "XDG_CONFIG_HOME")
        own = {"KUBECONFIG": str(home / "kubeconfig"), "NO_COLOR": "1", **dict.fromkeys(names, str(home))}
        self._env = {**os.environ, **own}
        self._number = 0
        self.process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start a session and return when it is connected. One that cannot begin says why, and is started again."""
        for _ in range(5):
            self._start()
            deadline = time.monotonic() + PATIENCE
            while self.process.poll() is None:
                if any(one["event"] == "connected" for one in self.events):
                    return
                assert time.monotonic() < deadline, f"no session in {PATIENCE:g} s\n{self.words}"
                time.sleep(0.2)
            self._say(f"`up` ended with {self.process.returncode}: {self.words.strip().splitlines()[-2:]}")
            time.sleep(2)
        raise AssertionError(f"no session could begin\n{self.words}")

    def _start(self) -> None:
        self._number += 1
        with open(self._file("events"), "wb") as out, open(self._file("words"), "wb") as err:
            self.process = subprocess.Popen(
                ["devcfg", "up", "web", "--yes", "--events"],
                cwd=self.project,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def _file(self, kind: str) -> Path:
        return self._home / f"{kind}-{self._number}"

    @property
    def events(self) -> list[dict]:
        lines = self._file("events").read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    @property
    def words(self) -> str:
        return self._file("words").read_text()[-4000:]

    def devcfg(self, *words: str) -> subprocess.CompletedProcess[str]:
        assert self.process.poll() is None, f"the session ended with {self.process.returncode}\n{self.words}"
        return subprocess.run(["devcfg", *words], cwd=self.project, env=self._env, capture_output=True, text=True)

    def json(self, *words: str) -> dict | None:
        """Return what a command beside the session says as JSON; None where it says none."""
        done = self.devcfg(*words, "-o", "json")
        return json.loads(done.stdout) if done.returncode in (0, 3) and done.stdout else None

    def ask(self) -> str:
        """Return what the service answers over its forward; empty while it does not."""
        ports = [one["local"] for one in self.events if one["event"] == "forwarding"]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{ports[-1]}", timeout=30) as answer:
                return answer.read().decode()
        except (OSError, IndexError, urllib.error.URLError):
            return ""

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(PATIENCE) == 0, self.words

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.relay.close()
