"""The sidecar's own process: what it says, whom it buries, when it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devcfg.runtime.pod.agent.lock import holder

POD = Path(__file__).resolve().parents[4] / "runtime" / "pod"
AGENT = [sys.executable, "-S", "-m", "agent"]
SECONDS = 60
AFTER = "web: the session has ended; waiting for the next: devcfg up web"


class Waiting:
    """One `python3 -m agent.wait` on a directory that stands for `/devcfg`."""

    def __init__(self, root, eventually):
        self.root, self.eventually, self.started = root, eventually, []
        for name in ("agent", "run"):
            (root / name).mkdir()

    def start(self, *words, prefix=()):
        argv = [*prefix, sys.executable, "-S", "-m", "agent.wait", *words]
        with open(self.root / "log", "wb") as log:
            return self._start(argv, stderr=log)

    def agent(self, service):
        """Start an agent, as a session does through exec."""
        return self._start([*AGENT, str(self.root / "agent" / service)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _start(self, argv, **streams):
        self.started.append(subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(POD)}, **streams))
        return self.started[-1]

    @property
    def log(self):
        return (self.root / "log").read_text().splitlines()

    def until(self, *lines):
        wanted = [f"[devcfg-agent] {line}" for line in lines]
        self.eventually(lambda: self.log == wanted, f"the log {wanted}", lambda: repr(self.log))

    def state(self, service, text):
        (self.root / "run" / service).mkdir(exist_ok=True)
        (self.root / "run" / service / "state").write_text(text + "\n")


@pytest.fixture
def waiting(tmp_path, supervisor):
    (tmp_path / "devcfg").mkdir()
    made = Waiting(tmp_path / "devcfg", supervisor.eventually)
    yield made
    for process in made.started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


def test_it_says_for_what_each_service_waits_and_ends_at_term(waiting):
    process = waiting.start(str(waiting.root), "web", "api")
    waiting.until("waiting for a session: devcfg up web", "waiting for a session: devcfg up api")
    process.terminate()

    assert process.wait(SECONDS) == 0


def test_it_tells_when_an_agent_comes_and_goes(waiting):
    waiting.start(str(waiting.root), "api", "web")
    begun = ["waiting for a session: devcfg up api", "waiting for a session: devcfg up web"]
    waiting.until(*begun)
    agent = waiting.agent("web")
    begun.append("web: a session has begun")
    waiting.until(*begun)
    assert holder(str(waiting.root / "agent" / "web")) == agent.pid
    agent.kill()
    agent.wait()
    waiting.until(*begun, AFTER)
    assert holder(str(waiting.root / "agent" / "web")) == 0


def test_the_lock_of_an_agent_that_another_took_over_from_is_told_as_one_more_session(waiting):
    waiting.start(str(waiting.root), "web")
    waiting.agent("web")
    begun = ["waiting for a session: devcfg up web", "web: a session has begun"]
    waiting.until(*begun)
    waiting.agent("web")

    waiting.until(*begun, "web: a session has begun")


def test_a_pod_that_may_complete_is_left_when_every_supervisor_has_quit(waiting):
    waiting.state("web", "3 running run 17")
    waiting.state("api", "1 stopped quit")
    process = waiting.start("--until-quit", str(waiting.root), "web", "api")
    begun = ["waiting for a session: devcfg up web", "waiting for a session: devcfg up api"]
    waiting.until(*begun)
    waiting.agent("web")
    waiting.until(*begun, "web: a session has begun")  # it has looked once
    waiting.state("web", "3 stopped")
    waiting.agent("api")
    waiting.until(*begun, "web: a session has begun", "api: a session has begun")
    assert process.poll() is None
    waiting.state("web", "3 stopped quit")

    assert process.wait(SECONDS) == 0
    assert waiting.log[-1] == "[devcfg-agent] every supervisor has quit: ending, too"


def test_as_pid_1_it_buries_orphans_and_ends_at_term(waiting, namespace, supervisor):
    orphan = ("sh", "-c", f'({" ".join(supervisor.sleep)} &) ; exec "$@"', "sh")
    process = waiting.start(str(waiting.root), "web", prefix=[*namespace, *orphan])
    waiting.until("waiting for a session: devcfg up web")
    (init,) = (pid for _, pid in supervisor.children(process.pid))
    ((_, child),) = supervisor.eventually(lambda: supervisor.children(init), "an orphan")
    os.kill(child, signal.SIGKILL)
    supervisor.eventually(lambda: not supervisor.children(init), "nobody left", lambda: repr(supervisor.children(init)))
    os.kill(init, signal.SIGTERM)

    assert process.wait(SECONDS) == 0


@pytest.mark.parametrize("words", [[], ["/devcfg"], ["--until-quit"], ["--until-quit", "/devcfg"]])
def test_without_a_service_it_says_how_it_is_used(waiting, words):
    assert waiting.start(*words).wait(SECONDS) == 64
    waiting.until("usage: python3 -m agent.wait [--until-quit] ROOT SERVICE...")
