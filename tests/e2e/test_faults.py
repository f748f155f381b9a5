"""What breaks while a session runs on the real cluster: both sides go on being edited, and no edit is lost."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from user import Up

pytestmark = pytest.mark.cluster

BASE = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "web", "image": "busybox:musl", "command": ["sleep", "100000"]}],
            },
        },
    },
}
APP = "echo version 1; exec sleep 100000\n"
SERVICE = {"command": {"run": ["sh", "app.sh"]}, "sync": ["src:/src"]}
AGENTS = (
    "import os\n"
    "for name in os.listdir('/proc'):\n"
    "    if name.isdigit() and name != '1':\n"
    "        with open(f'/proc/{name}/cmdline', 'rb') as file:\n"
    "            if b'agent' in file.read().split(b'\\0'): os.kill(int(name), 9)\n"
)
# Something like an app that writes while nobody can look: it waits, so that the fault is there by then.
WRITER = "(sleep 2; for n in 1 2 3; do echo far-$n-$1 >/src/far-$n; done; echo new >/src/both-$1) >/dev/null 2>&1 &"
LISTING = 'cd /src && for one in *; do echo "=== $one"; cat "$one"; done'
SCRIPTS = Path(__file__).resolve().parents[3] / "shared" / "cluster"
NUMBERS = itertools.count()


class Edited(Up):
    """A session with one service, both sides of whose source are edited."""

    def __init__(self, project, until, home, *words):
        super().__init__(project, until, home, *words)
        self.space, self.src, self.wanted = project.space, project.path / "src", {"app.sh": APP}

    @property
    def pod(self):
        """The name of the pod that the session is in."""
        return json.loads(self.devcfg("status", "-o", "json").stdout)["services"][0]["pod"]

    def write(self, name, text):
        """Save a file here."""
        (self.src / name).write_text(text)
        self.wanted[name] = text

    def write_far(self, mark):
        """Have three files and one more written in the pod a moment later, also when nobody reaches it."""
        self.space.kubectl("exec", self.pod, "-c", "web", "--", "sh", "-c", WRITER, "writer", mark)
        self.wanted.update({f"far-{n}": f"far-{n}-{mark}\n" for n in (1, 2, 3)} | {f"both-{mark}": "new\n"})

    @property
    def here(self):
        """What is here."""
        return {one.name: one.read_text() for one in self.src.glob("[!.]*")}

    @property
    def there(self):
        """What is in the pod."""
        listed = self.space.kubectl("exec", self.pod, "-c", "web", "--", "sh", "-c", LISTING, code=None).stdout
        parts = [part.partition("\n") for part in listed.split("=== ")[1:]]
        return {name: text for name, _, text in parts}

    def until_equal(self):
        """Wait until both sides have every edit, and nothing else."""
        self.until(
            lambda: self.here == self.wanted == self.there,
            "both sides with every edit",
            lambda: f"wanted {self.wanted}\nhere {self.here}\nthere {self.there}\n{self.words}",
        )

    @property
    def words(self):
        """What it has said."""
        return self.err.read_text()

    def until_said(self, text, after=0):
        """Wait until it says something."""
        self.until(lambda: text in self.words[after:], f"the words {text!r}", lambda: self.words)


@pytest.fixture
def begin(space_of, project_of, until, tmp_path):
    """Deploy a workload, begin a session in it; afterwards end it, and hold the spec against the one before."""
    begun = []

    def start(*words, base=BASE, service=SERVICE, env=None):
        space = space_of(f"faults-{next(NUMBERS)}")
        config = {"version": 1, "base": "base.yaml", "namespace": space.name, "services": {"web": service}}
        files = {"base.yaml": json.dumps(base), "devcfg.yaml": json.dumps(config), "src/app.sh": APP}
        project = project_of(space, files)
        space.kubectl("apply", "-f", "base.yaml", cwd=project.path)
        before = space.specs()
        begun.append((Edited(project, until, tmp_path, *words), before))
        up = begun[-1][0]
        up.wait_for("restarted", generation=1)
        return up

    yield start
    for up, before in begun:
        try:
            assert up.end() == 0, up.words
            assert up.space.specs() == before
            assert up.space.kubectl("get", "configmap,lease", "-l", "devcfg.dev/workload", "-o", "name").stdout == ""
        finally:
            if up.process.poll() is None:
                up.process.kill()
                up.process.wait()


@contextlib.contextmanager
def part(name):
    """The process id of a part of the cluster; afterwards everything that is missing runs again."""
    pids = Path(os.environ.get("CLUSTER_HOME", "/var/lib/devcfg-cluster")) / "pid" / name
    if not (SCRIPTS / "up").exists() or not pids.exists():
        pytest.skip("no parts of this cluster can be stopped: it has no scripts of its own")
    pid = int(pids.read_text().split()[0])
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        subprocess.run([SCRIPTS / "up"], check=True, capture_output=True)


def gone(pid):
    """Tell whether a process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_pod_that_is_deleted_loses_no_edit(begin):
    up = begin()
    up.write("before", "1\n")
    up.until_equal()
    pod = up.pod
    up.space.kubectl("delete", "pod", pod, "--wait=false")
    up.write("meanwhile", "2\n")
    up.write("app.sh", APP.replace("1", "2"))
    up.until_said("goes on in pod")
    up.until_said("version 2")
    up.until_equal()
    assert up.pod != pod


def test_an_agent_that_is_killed_loses_no_edit(begin):
    up = begin()
    pod = up.pod
    for n in range(2):
        up.write_far(f"agent{n}")
        seen = len(up.events)
        up.space.kubectl("exec", pod, "-c", "devcfg-agent", "--", "python3", "-c", AGENTS)
        up.write(f"meanwhile-{n}", f"{n}\n")
        up.wait_for("connected", after=seen)
        up.until_equal()
    assert up.pod == pod


@pytest.mark.parametrize("seconds", [15, pytest.param(60, marks=pytest.mark.proof)])
def test_a_client_that_is_frozen_loses_no_edit(begin, seconds):
    up = begin()
    up.write_far("frozen")
    up.process.send_signal(signal.SIGSTOP)
    up.write("meanwhile", "1\n")
    time.sleep(seconds)
    up.process.send_signal(signal.SIGCONT)
    up.until_equal()


def test_a_kubelet_that_stops_and_starts_loses_no_edit(begin, until):
    up = begin()
    pod = up.pod
    up.write_far("kubelet")
    seen = len(up.events)
    with part("kubelet") as pid:
        os.kill(pid, signal.SIGTERM)
        until(lambda: gone(pid), "the end of the kubelet")
        up.write("meanwhile", "1\n")
        up.wait_for("disconnected", after=seen)
        time.sleep(3)
    up.wait_for("connected", after=seen)
    up.until_equal()
    assert up.pod == pod


@pytest.mark.proof
def test_a_kubelet_that_hangs_loses_no_edit(begin):
    up = begin()
    pod = up.pod
    up.write_far("hangs")
    with part("kubelet") as pid:
        os.kill(pid, signal.SIGSTOP)
        up.write("meanwhile", "1\n")
        time.sleep(15)
    up.until_equal()
    assert up.pod == pod


def test_an_api_server_that_is_killed_and_started_loses_no_edit(begin):
    up = begin()
    pod = up.pod
    up.write_far("server")
    seen = len(up.events)
    with part("apiserver") as pid:
        os.kill(pid, signal.SIGKILL)
        up.write("meanwhile", "1\n")
        up.wait_for("disconnected", after=seen)
        time.sleep(3)
    up.wait_for("connected", after=seen)
    up.until_equal()
    assert up.pod == pod


def test_a_dev_container_that_ends_again_and_again_is_said_and_loses_no_edit(begin):
    up = begin()
    pod = up.pod
    for times in ("its container ended (exit code 0): Kubernetes starts it again", "2 times by now"):
        seen = len(up.events)
        up.space.kubectl("exec", pod, "-c", "web", "--", "sh", "-c", "kill -TERM 1", code=None)
        up.write(f"at-{len(times)}", "1\n")
        up.until_said(times)
        up.wait_for("restarted", after=seen, command="run")
        up.until_equal()
    assert up.pod == pod


def test_an_app_that_takes_too_much_memory_is_said(begin):
    service = {**SERVICE, "resources": {"limits": {"memory": "64Mi"}, "requests": {"memory": "32Mi"}}}
    up = begin(service=service)
    seen = len(up.events)
    up.write("app.sh", "echo eating; x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done\n")
    up.wait_for("exited", after=seen)
    up.until_said("killed: mostly for want of memory")
    up.write("app.sh", "echo version 3; exec sleep 100000\n")
    up.until_said("version 3")
    up.until_equal()


@pytest.mark.proof
def test_a_volume_that_grows_over_its_limit_costs_the_pod_and_no_edit(begin):
    up = begin(service={**SERVICE, "resources": {"limits": {"ephemeral-storage": "3Mi"}}})
    pod = up.pod
    up.write("small", "1\n")
    up.until_equal()
    up.write("large", "x" * 6_000_000)
    up.wait_for("disconnected")
    up.write("large", "x")
    up.until(lambda: up.pod not in (None, pod), "another pod", lambda: up.words)
    up.until_equal()
    up.until_said(f"pod {pod} has ended: Evicted: ")
