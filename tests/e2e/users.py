"""The users of both sides of a session, and which of their values have to be there. Never looks into the session.

The model knows only what users did: a value has to be there until somebody who could see it replaced it, or until it
went with the one volume that had it.
"""

from __future__ import annotations

import json
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.e2e import hands

SIDES = LOCAL, FAR = ("local", "far")


class Model:
    """What users of both sides wrote, and what became of it as far as users have done it. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written: dict[tuple[str, str], str] = {}
        self._ended: set[tuple[str, str]] = set()
        self._moved: set[str] = set()
        self.edits: Counter[str] = Counter()

    def wrote(self, side: str, path: str, value: str) -> None:
        with self._lock:
            self._written[path, value] = side

    def replaced(self, path: str, value: str | None) -> None:
        """Take note that a user who saw a value replaced it. It may be heard of before the value itself is."""
        if value is not None:
            with self._lock:
                self._ended.add((path, value))

    def doubt(self, path: str) -> None:
        """Take note that nobody knows whether an action at a path was done: its answer never came."""
        with self._lock:
            self._ended |= {one for one in self._written if one[0] == path or one[0].startswith(path + "/")}

    def lost_volume(self) -> None:
        """Take note that what only the far side had has gone with its volume."""
        with self._lock:
            self._ended |= {one for one, side in self._written.items() if side == FAR}

    def agreed(self, here: dict[str, str]) -> None:
        """Take note that the far side's values that are here by now no longer depend on its volume."""
        there = {(path, value_in(text)) for path, text in here.items()}
        with self._lock:
            self._written |= dict.fromkeys(there & self._written.keys(), LOCAL)

    def moved(self, value: str) -> None:
        """Take note that a value was put beside the path that it was written to."""
        with self._lock:
            self._moved.add(value)

    def missing(self, *trees: dict[str, str]) -> list[tuple[str, str]]:
        """Return what has to be there and is not."""
        there = {(path, value_in(text)) for tree in trees for path, text in tree.items()}
        values = {value for _, value in there}
        with self._lock:
            wanted = self._written.keys() - self._ended
            return sorted(one for one in wanted - there if one[1] not in self._moved or one[1] not in values)

    def forget(self, ended: set[tuple[str, str]]) -> None:
        """Take note of what a decision about a conflict gave up."""
        with self._lock:
            self._ended |= ended


class User(threading.Thread):
    """Edits one side all the time, until it is stopped; holds still while somebody has its lock."""

    def __init__(self, side: str, seed: int, model: Model, do: Callable[[dict], dict | None]) -> None:
        super().__init__(daemon=True)
        self.side, self._model, self._do = side, model, do
        self._chance = random.Random(f"{seed} {side}")
        self._number = 0
        self._own: list[str] = []
        self.still = threading.Lock()
        self.stopped = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.stopped.wait(self._chance.choice((0.05, 0.3, 0.3, 1.0))):
                with self.still:
                    self.edit()
        except BaseException as error:  # a thread's failure is the test's
            self.failure = error

    def edit(self) -> None:
        chance, path = self._chance, self._path()
        self._number += 1
        value = f"{self.side} {self._number}"
        match chance.choices(("write", "remove", "folder", "rename"), (12, 2, 0.4, 2))[0]:
            case "write":
                size = chance.choices((0, 3_000, 40_000, 1_500_000), (10, 6, 2, 0.1))[0]
                text = f"{value}\n" + chance.randbytes(size // 2).hex()
                how = chance.choice(("exchange", "in place"))
                self._model.wrote(self.side, path, value)
                answer = self._act(path, do="write", path=path, text=text, how=how)
                if answer is not None and not answer["done"]:
                    self._model.replaced(path, value)
            case "remove":
                self._act(path, do="remove", path=path)
            case "folder":
                folder = f"deep/{chance.randrange(3)}"
                self._act(folder, do="remove", path=folder)
            case "rename":
                to = f"renamed/{self.side}-{self._number}.txt"
                self._act(path, do="rename", path=path, to=to)
                self._own.append(to)
                if len(self._own) > 30:
                    old = self._own.pop(0)
                    self._act(old, do="remove", path=old)

    def _path(self) -> str:
        chance = self._chance
        if self._own and chance.random() < 0.1:
            return chance.choice(self._own)
        if chance.random() < 0.5:
            return f"notes/{chance.randrange(40)}.txt"
        return f"deep/{chance.randrange(3)}/{chance.randrange(4)}/{chance.randrange(6)}.txt"

    def _act(self, place: str, **action: str) -> dict | None:
        answer = self._do(action)
        if answer is None:
            self._model.doubt(place)
            return None
        for path, value in answer["replaced"]:
            self._model.replaced(path, value)
        for path, value in answer["wrote"]:
            self._model.wrote(self.side, path, value)
        if answer["done"]:
            self._model.edits[self.side] += 1
        return answer


class FarHands:
    """A user's hands in the pod that is there now, over an exec of kubectl."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._process: subprocess.Popen[str] | None = None
        self._pod = ""
        self._gone: set[str] = set()

    def do(self, action: dict) -> dict | None:
        """Do an action and return its answer; None where nobody knows what became of it."""
        while self._process is None:
            self._reach()
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.write(json.dumps(action) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
            if line.endswith("\n"):
                return json.loads(line)
        self.let_go()
        return None

    def let_go(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for end in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    end.close()
            self._process = None

    def abandon(self) -> str:
        """Never touch the pod of now again; return its name."""
        self.let_go()
        while not (pod := self.pod()):
            time.sleep(0.5)
        self._gone.add(pod)
        return pod

    def pod(self) -> str:
        """Return a pod of dev mode whose agent runs and that nobody deletes; empty while there is none."""
        words = ("kubectl", "-n", self._namespace, "get", "pods", "-l", "app=web", "-o", "json")
        done = subprocess.run(words, capture_output=True)
        for one in json.loads(done.stdout)["items"] if done.returncode == 0 else ():
            meta, states = one["metadata"], one.get("status", {}).get("containerStatuses", [])
            runs = states and all("running" in state["state"] for state in states)
            ours = "devcfg.dev/plan" in meta.get("annotations", {}) and meta["name"] not in self._gone
            if runs and ours and "deletionTimestamp" not in meta:
                return meta["name"]
        return ""

    def _reach(self) -> None:
        pod = self.pod()
        if not pod:
            time.sleep(0.5)
            return
        program = Path(hands.__file__).read_text()
        words = ("exec", "-i", pod, "-c", "devcfg-agent", "--", "python3", "-u", "-c", program, "/src")
        self._process = subprocess.Popen(
            ["kubectl", "-n", self._namespace, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )


def value_in(text: str) -> str:
    """Return the value of a file out of what `look` says of it."""
    return text.partition(" ")[2]
