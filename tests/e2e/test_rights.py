"""A session of a user who may do what `devcfg rbac` prints and nothing else, and two services of one pod."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import threading
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.cluster

USER = Path(__file__).resolve().parents[3] / "shared" / "cluster" / "user"
NUMBERS = itertools.count()
SLEEP = "import time; time.sleep(100000)"
BASE = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "annotations": {"team": "shop"}},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {"name": name, "image": "python:3-slim", "command": ["python", "-c", SLEEP]}
                    for name in ("web", "side")
                ],
            },
        },
    },
}
CONFIG = """\
base: base.yaml
namespace: NAMESPACE
services:
  web:
    container: web
    command: {run: [python, -m, http.server, "8000", --bind, 127.0.0.1]}
    sync: ["src:/src"]
    ports: [":8000"]
  side:
    workload: deployment/web
    container: side
    command: {run: [sleep, "100000"]}
    sync: ["src:/side"]
"""


@pytest.fixture
def shop(space_of, project_of):
    """A pod of two containers, and its project."""
    space = space_of(f"rights-{next(NUMBERS)}")
    files = {"devcfg.yaml": CONFIG.replace("NAMESPACE", space.name), "base.yaml": json.dumps(BASE), "src/a": "one\n"}
    project = project_of(space, files)
    space.kubectl("apply", "-f", "base.yaml", cwd=project.path)
    return project


@pytest.fixture
def up(shop, until, tmp_path):
    """Return a function that begins a session, which ends with the test, and waits until its services are live."""
    begun = []

    def begin(*words, kubeconfig=None):
        env = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "NO_COLOR": "1"}
        env |= {"KUBECONFIG": kubeconfig} if kubeconfig is not None else {}
        said = tmp_path / f"events-{len(begun)}"
        with open(said, "wb") as out, open(f"{said}.words", "wb") as err:
            process = subprocess.Popen(
                ["devcfg", "up", "--yes", "--events", *words], cwd=shop.path, env=env, stdout=out, stderr=err,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        begun.append(process)

        def wait_for(event):
            def look():
                lines = said.read_text().splitlines(keepends=True)
                found = [json.loads(line) for line in lines if line.endswith("\n")]
                one = next((one for one in found if one["event"] == event), None)
                assert one is not None or process.poll() is None, Path(f"{said}.words").read_text()
                return one

            return until(look, event, lambda: Path(f"{said}.words").read_text())

        return process, wait_for, env

    yield begin
    for process in begun:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_exactly_the_role_of_rbac_suffices_for_a_session_with_its_forwards_and_commands(shop, up):
    if not USER.exists():
        pytest.skip("no users can be made for this cluster: there is no script of its own")
    space = shop.space
    before = space.specs()
    space.kubectl("apply", "-f", "-", stdin=shop.devcfg("rbac").stdout)
    made = subprocess.run([USER, "dev", space.name, "devcfg"], check=True, capture_output=True, text=True)

    process, wait_for, env = up("web", kubeconfig=made.stdout.strip())
    wait_for("restarted")
    port = wait_for("forwarding")["local"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/a", timeout=60) as answer:
        assert answer.read() == b"one\n"
    for words, said in ((("exec", "web", "--", "cat", "/src/a"), "one\n"), (("status", "web", "--prompt"), "running")):
        done = subprocess.run(["devcfg", *words], cwd=shop.path, env=env, capture_output=True, text=True)
        assert said in done.stdout, done.stderr
    process.send_signal(signal.SIGINT)

    assert process.wait(120) == 0
    assert space.specs() == before


def test_a_port_in_the_pod_reaches_the_laptop(shop, up):
    """A reverse forward, from a program in the pod to a server here and back."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        one, _ = listener.accept()
        with one:
            one.sendall(b"from here: " + one.recv(100))

    threading.Thread(target=serve, daemon=True).start()
    config = shop.path / "devcfg.yaml"
    reverse = f'    reverse: ["9123:{listener.getsockname()[1]}"]\n    ports'
    config.write_text(config.read_text().replace("    ports", reverse))
    process, wait_for, env = up("web")
    wait_for("restarted")
    program = (
        "import socket, time\n"
        "one = socket.create_connection(('127.0.0.1', 9123), timeout=60)\n"
        "one.sendall(b'hello')\n"
        "print(one.recv(100).decode())\n"
    )
    words = ["devcfg", "exec", "web", "--", "python3", "-c", program]
    done = subprocess.run(words, cwd=shop.path, env=env, capture_output=True, text=True, timeout=120)
    listener.close()
    process.send_signal(signal.SIGINT)

    assert done.stdout == "from here: hello\n", done.stderr
    assert process.wait(120) == 0


def test_leaving_one_of_two_services_of_a_pod_keeps_the_other(shop, up):
    space = shop.space
    before = space.specs()

    def commands():
        containers = space.get("deployment", "web")["spec"]["template"]["spec"]["containers"]
        return {one["name"]: one["command"][0] for one in containers if one["name"] in ("web", "side")}

    process, _, env = up("side", "--once")
    assert process.wait(120) == 0
    process, wait_for, _ = up("web")
    wait_for("restarted")
    both = commands()
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 0
    left = commands()
    again = subprocess.run(["devcfg", "down", "side"], cwd=shop.path, env=env, capture_output=True, text=True)

    assert again.returncode == 0, again.stderr
    assert "python" not in both.values()
    assert left == {"web": "python", "side": both["side"]}
    assert space.specs() == before
    assert space.kubectl("get", "configmap,lease", "-l", "devcfg.dev/workload", "-o", "name").stdout == ""
