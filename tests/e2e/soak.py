"""A session that lives with faults while both sides are edited. Never looks into it but through its commands."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.e2e import hands
from tests.e2e.client import PATIENCE, Client
from tests.e2e.users import FAR, LOCAL, FarHands, Model, User, value_in

BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: web
          image: python:3-slim
          command: [python, -c, "import time; time.sleep(100000)"]
"""
CONFIG = """\
version: 1
base: base.yaml
namespace: NAMESPACE
services:
  web:
    command: {run: [python, -u, app.py]}
    sync: ["src:/src"]
    ports: [":8000"]
    env: {COLOUR: "0"}
    reload: {watch: [app.py]}
"""
APP = """\
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"VERSION 0 COLOUR " + os.environ["COLOUR"].encode())
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
"""
KILL = (
    "import os, sys\n"
    "for name in os.listdir('/proc'):\n"
    "    if name.isdigit() and name != '1':\n"
    "        try:\n"
    "            with open(f'/proc/{name}/cmdline', 'rb') as file: words = file.read().split(b'\\0')\n"
    "        except OSError: continue\n"
    "        if b'python' in words[0] and sys.argv[1].encode() in words[1:] and b'-c' not in words:\n"
    "            os.kill(int(name), 9)\n"
)
EVERY = 10.0
"""Seconds from one fault to the next."""
CHECKED = 60.0
"""Seconds from one check to the next."""
TREE = 1500
BRANCHES = ("main", "topic", "half")
STAGE = ".devcfg-tmp-stage"
OURS = (".devcfg", STAGE)


class Soak:
    """A session, two users, and faults."""

    def __init__(self, project: Path, namespace: str, home: Path, seed: int, log: Path | None) -> None:
        self._log: IO[str] | None = log.open("a") if log is not None else None
        self._began = time.monotonic()
        self._chance = random.Random(seed)
        self._namespace, self._src = namespace, project / "src"
        self.client = Client(project, home, self._say)
        self.model, self._far = Model(), FarHands(namespace)
        self.counts: Counter[str] = Counter()
        self._version = self._colour = 0
        self._due: list[str] = []
        self._plant()
        near = hands.Hands(str(self._src))
        self._near = near
        self.users = [User(LOCAL, seed, self.model, near.do), User(FAR, seed, self.model, self._far.do)]
        self._say(f"seed {seed}")

    # ---- the whole

    def run(self, seconds: float) -> None:
        """Do it for so long, and check it at the end, too."""
        self.client.begin()
        for one in self.users:
            one.start()
        end, checked = time.monotonic() + seconds, time.monotonic()
        due = time.monotonic() + EVERY
        while time.monotonic() < end:
            time.sleep(max(0.0, min(due, end) - time.monotonic()))
            self.fault()
            due = max(due + EVERY, time.monotonic())
            if time.monotonic() - checked > CHECKED:
                self.check()
                checked = time.monotonic()
        self.check()
        for one in self.users:
            one.stopped.set()
            one.join(PATIENCE)
        self.client.end()
        left = [path for path in self._tree(self._near.do) if ".devcfg-tmp" in path]
        assert not left, f"left over by the session's end: {left}"

    def close(self) -> None:
        for one in self.users:
            one.stopped.set()
        self._far.let_go()
        self.client.close()
        if self._log is not None:
            self._log.close()

    def _say(self, words: str) -> None:
        line = f"{time.monotonic() - self._began:7.1f} s  {words}"
        print(line, flush=True)
        if self._log is not None:
            print(line, file=self._log, flush=True)

    @property
    def summary(self) -> str:
        edits = self.model.edits
        faults = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        return f"{sum(self.counts.values())} faults ({faults}), {edits[LOCAL]} + {edits[FAR]} edits"

    # ---- faults

    def fault(self) -> None:
        """Draw one and do it; each comes once before any comes again."""
        kinds = {
            "agent killed": self._kill_agent,
            "pod deleted": self._delete_pod,
            "process killed": self._kill_process,
            "client stopped": self._stop_client,
            "client killed": self._kill_client,
            "connections cut": self._cut,
            "branch switched": self._switch_branch,
            "config saved": self._save_config,
        }
        self._due = self._due or self._chance.sample(sorted(kinds), len(kinds))
        name = self._due.pop()
        began = time.monotonic()
        detail = kinds[name]()
        self.counts[name] += 1
        took = time.monotonic() - began
        edits = self.model.edits
        self._say(f"{name}{f', {detail}' if detail else ''} ({took:.1f} s; {edits[LOCAL]} + {edits[FAR]} edits so far)")
        for one in self.users:
            if one.failure is not None:
                raise one.failure

    def _kubectl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["kubectl", "-n", self._namespace, *words], capture_output=True, text=True)

    def _in_pod(self, container: str, word: str) -> str:
        pod = self._far.pod()
        if not pod:
            return "but there is no pod"
        done = self._kubectl("exec", pod, "-c", container, "--", "python3", "-c", KILL, word)
        return "" if done.returncode == 0 else f"but not reached: {done.stderr.strip()[-80:]}"

    def _kill_agent(self) -> str:
        return self._in_pod("devcfg-agent", "agent")

    def _kill_process(self) -> str:
        return self._in_pod("web", "app.py")

    def _delete_pod(self) -> str:
        with self.users[1].still:
            pod = self._far.abandon()
            self._kubectl("delete", "pod", pod, "--wait=false")
            self.model.lost_volume()
        return pod

    def _stop_client(self) -> str:
        self.client.process.send_signal(signal.SIGSTOP)
        time.sleep(5)
        self.client.process.send_signal(signal.SIGCONT)
        return ""

    def _kill_client(self) -> str:
        self.client.process.kill()
        self.client.process.wait()
        self.client.begin()
        return ""

    def _cut(self) -> str:
        return f"{self.client.relay.cut()} of them"

    def _switch_branch(self) -> str:
        branch = self._chance.choice([one for one in BRANCHES if one != self._git("branch", "--show-current").strip()])
        self._git("switch", "--quiet", branch)
        return branch

    def _save_config(self) -> str:
        config = self.client.project / "devcfg.yaml"
        old, self._colour = f'COLOUR: "{self._colour}"', self._colour + 1
        text = config.read_text()
        assert old in text
        config.write_text(text.replace(old, f'COLOUR: "{self._colour}"'))
        return f"colour {self._colour}"

    # ---- what has to be so

    @contextmanager
    def _still(self) -> Iterator[None]:
        with self.users[0].still, self.users[1].still:
            yield

    def check(self) -> None:
        """Both sides agree but for conflicts, no value is lost, nothing temporary is left, and a save is live."""
        began = time.monotonic()
        with self._still():
            here, there, conflicts = self._settle("agreement")
            missing = self.model.missing(here, there)
            assert not missing, f"lost: {missing[:20]}\nconflicts {sorted(conflicts)}\n{self.client.words}"
            for tree in (here, there):
                left = [path for path in tree if ".devcfg-tmp" in path and path != STAGE]
                assert not left, f"left over: {left}"
            assert not self._git("status", "--porcelain", "--", "tree"), "the far side changed the working tree"
            decided = self._decide(conflicts, here, there)
            if decided:
                here, there, conflicts = self._settle("agreement without conflicts")
                assert not conflicts, conflicts
                missing = self.model.missing(here, there)
                assert not missing, f"lost when conflicts were decided: {missing[:20]}"
            self.model.agreed(here)
            self._is_live()
        edits = self.model.edits
        files = len(here)
        self._say(
            f"checked: {files} paths, {decided} conflicts decided, 0 lost "
            f"({time.monotonic() - began:.1f} s; {edits[LOCAL]} + {edits[FAR]} edits)"
        )

    def _settle(self, what: str) -> tuple[dict[str, str], dict[str, str], set[str]]:
        """Return what is on both sides once they agree but for conflicts, which come third."""
        deadline, last = time.monotonic() + PATIENCE, ""
        while True:
            status, flushed = self.client.json("status"), self.client.json("sync", "flush")
            (row,) = status["services"] if status else ({},)
            if row.get("state") == "live" and flushed is not None:
                conflicts = {one["path"] for one in flushed["conflicts"]}
                here, there = self._tree(self._near.do), self._tree(self._far.do)
                if there and _without(here, conflicts) == _without(there, conflicts):
                    sync = row["sync"][0]
                    assert sync["halted"] is None, row
                    if sync["degraded"] is None:
                        return here, there, conflicts
                differ = [path for path in {*here, *there} if here.get(path) != there.get(path)]
                last = f"differ but for {sorted(conflicts)}: {sorted(differ)[:20]}"
            assert time.monotonic() < deadline, f"no {what} in {PATIENCE:g} s: {row}\n{last}\n{self.client.words}"
            time.sleep(0.5)

    @staticmethod
    def _tree(do: Callable[[dict], dict | None]) -> dict[str, str]:
        answer = do({"do": "look"})
        return dict(answer["wrote"]) if answer is not None and answer["done"] else {}

    def _decide(self, conflicts: set[str], here: dict[str, str], there: dict[str, str]) -> int:
        """End all conflicts as somebody does who looks at each, with a word that is drawn."""
        for path in sorted(conflicts):
            word = self._chance.choice(("--local", "--remote", "--both"))
            at = [{one: text for one, text in tree.items() if _below(one, path)} for tree in (here, there)]
            values = [{(one, value_in(text)) for one, text in tree.items()} for tree in at]
            match word:
                case "--local":
                    self.model.forget(values[1] - values[0])
                case "--remote":
                    self.model.forget(values[0] - values[1])
                case _:
                    for _, value in values[1] - values[0]:
                        self.model.moved(value)
            done = self.client.devcfg("sync", "resolve", "web", path, word)
            assert done.returncode == 0, f"{path} {word}: {done.stderr}"
        return len(conflicts)

    def _is_live(self) -> None:
        """A save of the program is what the service answers, whatever became of its process."""
        app = self._src / "app.py"
        old, self._version = f"VERSION {self._version} ", self._version + 1
        wanted = f"VERSION {self._version} COLOUR {self._colour}"
        app.write_text(app.read_text().replace(old, f"VERSION {self._version} "))
        deadline = time.monotonic() + PATIENCE
        while (found := self.client.ask()) != wanted:
            late = f"wanted {wanted!r}, found {found!r}\n{self.client.json('status')}\n{self.client.words}"
            assert time.monotonic() < deadline, late
            time.sleep(0.5)

    # ---- the tree that branches have

    def _plant(self) -> None:
        """Make a repository of a few branches whose tree is switched, beside what users edit."""
        (self._src / ".gitignore").write_text("*.log\n")
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("config", "user.email", "dev@example.org")
        self._git("config", "user.name", "Dev")
        for branch, step in zip(BRANCHES, (1, 3, 2), strict=True):
            if branch != "main":
                self._git("switch", "--quiet", "-c", branch, "main")
            for number in range(0, TREE, step):
                path = self._src / f"tree/{number % 40}/{number:04}.py"
                if branch == "half":
                    path.unlink()
                else:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(f"{branch} {number}\n" * 20)
            self._git("add", "--all", "tree", ".gitignore")
            self._git("commit", "--quiet", "--message", branch)
        self._git("switch", "--quiet", "main")

    def _git(self, *words: str) -> str:
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        done = subprocess.run(["git", *words], cwd=self._src, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
        return done.stdout


def _below(path: str, top: str) -> bool:
    return path == top or path.startswith(top + "/")


def _without(tree: dict[str, str], conflicts: set[str]) -> dict[str, str]:
    """Return what of a tree no conflict is about; directories above one may be on one side only.

    Left out is also what devcfg needs there while a session goes on.
    """
    return {
        path: text
        for path, text in tree.items()
        if not any(_below(path, one) or _below(one, path) for one in (*conflicts, *OURS))
    }
