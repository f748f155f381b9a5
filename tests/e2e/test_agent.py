"""The agent in the pods that stock kubectl makes: it waits, says for what, answers through exec, and ends at once."""

from __future__ import annotations

import json
import subprocess

import pytest

from devcfg.runtime.pod.agent import frames
from devcfg.runtime.pod.agent.frames import Decoder, Frame

SIDECAR = "devcfg-agent"
NOBODY = {"runAsNonRoot": True, "runAsUser": 65534, "runAsGroup": 65534, "fsGroup": 65534}
STRICT = {**NOBODY, "seccompProfile": {"type": "RuntimeDefault"}}
HARDENED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
SERVICE = {"command": {"run": "sleep 3600"}, "sync": [{"path": "src", "target": "/src"}]}
SECONDS = 60

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def strict(cluster):
    """A namespace that enforces Pod Security `restricted`."""
    return cluster.make("agent", "pod-security.kubernetes.io/enforce=restricted")


def write(project_of, space, spec, services, kind="Deployment"):
    """Write a workload `web` with a dev config."""
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": spec}
    base = {
        "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
        "kind": kind,
        "metadata": {"name": "web"},
        "spec": {"template": template, **({} if kind == "Job" else {"selector": {"matchLabels": labels}})},
    }
    config = {"base": "base.yaml", "namespace": space.name, "services": services}
    files = {"base.yaml": json.dumps(base), "devcfg.yaml": json.dumps(config), "src/x": "local"}
    return project_of(space, files)


def container(name, **more):
    return {"name": name, "image": "busybox:musl", "command": ["sleep", "3600"], **more}


@pytest.fixture(scope="module")
def hard(strict, project_of):
    """A dev container with a read-only root, as nobody, where Pod Security `restricted` is enforced."""
    spec = {"securityContext": STRICT, "containers": [container("web", securityContext=HARDENED)]}
    project = write(project_of, strict, spec, {"web": SERVICE})
    project.apply_dev()
    return project, strict.dev_container("web")


class Session:
    """An agent that exec starts in the sidecar of a pod, spoken to in frames."""

    def __init__(self, space, pod, service):
        words = ("kubectl", "-n", space.name, "exec", "-i", pod, "-c", SIDECAR, "--")
        argv = [*words, "python3", "-S", "-m", "agent", f"/devcfg/agent/{service}"]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._decoder, self._heard = Decoder(frames.FROM_AGENT), []

    def say(self, kind, stream, members, payload=None):
        body = frames.compose(members) if payload is None else payload
        self.process.stdin.write(Frame(kind, 0, stream, body).encode())
        self.process.stdin.flush()

    def hear(self, kind):
        """Return the members of the first frame of a kind, now or later."""
        while True:
            for frame in self._heard:
                if frame.kind == kind:
                    self._heard.remove(frame)
                    return frames.parse(frame.payload)
            data = self.process.stdout.read1(1 << 16)
            assert data, "the agent has ended"
            self._heard += self._decoder.feed(data)

    def greet(self):
        """Exchange greetings; return the agent's."""
        self.say(frames.HELLO, 0, {"protocol": frames.PROTOCOL, "oldest": frames.OLDEST, "side": "client"})
        return self.hear(frames.HELLO)

    def ask(self, stream, **members):
        self.say(frames.REQUEST, stream, members)
        return self.hear(frames.REPLY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(SECONDS)


def log_of(space, pod):
    return space.kubectl("logs", pod, "-c", SIDECAR).stdout.splitlines()


def test_a_strict_pod_waits_and_says_for_what_in_both_logs(hard, strict):
    _, dev = hard
    dev.until("waiting")

    assert log_of(strict, dev.pod)[0] == "[devcfg-agent] waiting for a session: devcfg up web"
    assert "waiting for the source in /src" in dev.log


def test_an_agent_in_a_strict_pod_greets_and_sees_target_and_supervisor(hard, strict, until):
    _, dev = hard
    with Session(strict, dev.pod, "web") as session:
        hello = session.greet()
        assert (hello["protocol"], hello["side"]) == (frames.PROTOCOL, "agent")
        assert hello["features"] == {"inotify": True, "rename_flags": True}
        opened = session.ask(1, verb="open", rule="r", path="/src", write="atomic")
        assert opened["empty"] is True
        assert session.ask(2, verb="mark", rule="r", volume_id="v") == {}
        users = session.ask(3, verb="process", name="/devcfg/run/web", action="users")
        assert users == {"process": 65534, "agent": 65534}
        commands = {"run": ["/devcfg/bin/busybox", "sleep", "3600"]}
        session.ask(4, verb="process", name="/devcfg/run/web", action="commands", commands=commands)
        answer = session.ask(5, verb="process", name="/devcfg/run/web", action="start", mode="run")
        assert (answer["state"], answer["generation"]) == ("running", 1)
        until(lambda: "[devcfg-agent] web: a session has begun" in log_of(strict, dev.pod), "the session in the log")

    assert dev.busybox("cat", "/src/.devcfg/volume-id") == "v\n"
    dev.until("running run")
    until(lambda: "the session has ended" in log_of(strict, dev.pod)[-1], "its end in the log")


def test_the_source_of_the_agent_is_readable_in_the_cluster_and_cannot_be_changed_in_the_pod(hard, strict):
    _, dev = hard
    data = strict.get("configmap", "devcfg-deployment.web")["data"]
    inside = strict.kubectl("exec", dev.pod, "-c", SIDECAR, "--", "cat", "/devcfg-source/agent/wait.py").stdout
    words = ("exec", dev.pod, "-c", SIDECAR, "--", "touch", "/devcfg-source/agent/x", "/made")
    refused = strict.kubectl(*words, code=None).stderr

    assert inside == data["wait.py"]
    assert refused.count("Read-only file system") == 2


def test_rendering_and_applying_again_changes_nothing(hard, strict):
    project, dev = hard
    before = strict.get("deployment", "web")["metadata"]["generation"]
    said = strict.kubectl("apply", "-f", "-", stdin=project.devcfg("render").stdout).stdout

    assert [line.rpartition(" ")[2] for line in said.splitlines()] == ["unchanged", "unchanged"]
    assert strict.get("deployment", "web")["metadata"]["generation"] == before
    assert strict.dev_container("web").pod == dev.pod


def test_all_annotations_of_the_config_map_fit_with_room_to_spare(hard, strict):
    stored = strict.get("configmap", "devcfg-deployment.web")["metadata"]["annotations"]

    assert "kubectl.kubernetes.io/last-applied-configuration" in stored
    assert sum(len(name) + len(value.encode()) for name, value in stored.items()) < 224 * 1024


def test_the_sidecar_ends_at_term_and_not_by_the_grace_period(hard, strict, until):
    _, dev = hard
    script = "import os, signal; os.kill(1, signal.SIGTERM)"
    strict.kubectl("exec", dev.pod, "-c", SIDECAR, "--", "python3", "-c", script, code=None)

    def ended():
        statuses = strict.get("pod", dev.pod)["status"]["containerStatuses"]
        return next(one for one in statuses if one["name"] == SIDECAR)["lastState"].get("terminated")

    assert until(ended, "the end of the sidecar's process")["exitCode"] == 0
    # Were the grace period needed, this would run into the timeout of kubectl.
    strict.kubectl("delete", "pod", dev.pod, "--grace-period=900", "--timeout=90s")


def test_two_services_of_a_pod_share_one_sidecar_that_has_the_targets_of_both(space_of, project_of):
    space = space_of("agent-two")
    spec = {"containers": [container("web"), container("side")]}
    services = {
        "web": {**SERVICE, "workload": "deployment/web", "container": "web"},
        "side": {**SERVICE, "workload": "deployment/web", "container": "side", "sync": ["src:/other"]},
    }
    write(project_of, space, spec, services).apply_dev()
    dev, other = space.dev_container("web"), space.dev_container("side", selector="app=web")
    for one, target in ((dev, "/src"), (other, "/other")):
        with Session(space, one.pod, one.service) as session:
            session.greet()
            assert session.ask(1, verb="open", rule="r", path=target, write="atomic")["empty"] is True
            users = session.ask(2, verb="process", name=f"/devcfg/run/{one.service}", action="users")
            assert users == {"process": 0, "agent": 0}

    assert dev.pod == other.pod
    assert log_of(space, dev.pod)[:2] == [
        "[devcfg-agent] waiting for a session: devcfg up web",
        "[devcfg-agent] waiting for a session: devcfg up side",
    ]


def test_a_job_in_dev_mode_completes_when_its_supervisor_quits(space_of, project_of, until):
    space = space_of("agent-job")
    spec = {"restartPolicy": "Never", "containers": [container("web")]}
    write(project_of, space, spec, {"web": {**SERVICE, "workload": "job/web", "sync": []}}, kind="Job").apply_dev()
    dev = space.dev_container("web")
    dev.until("running run")
    dev.tell("quit")

    until(lambda: space.get("job", "web")["status"].get("succeeded") == 1, "a job that has succeeded")
