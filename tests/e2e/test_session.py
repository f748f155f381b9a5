"""`devcfg up` on a cluster: saves that are live by the service's own answer, a pod that goes, a link that is cut."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys

import pytest
from user import Up

pytestmark = pytest.mark.cluster

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
          env: [{name: COLOUR, value: red}]
"""
CONFIG = """\
version: 1
base: base.yaml
namespace: NAMESPACE
services:
  web:
    command: {run: [python, -u, app.py], test: [sh, -c, "echo $COLOUR; exit 7"]}
    sync: ["src:/src"]
    ports: [":8000"]
    env: {COLOUR: green}
"""
APP = """\
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"VERSION 1 " + os.environ["COLOUR"].encode())
print("listening", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
"""
NUMBERS = itertools.count()
AGENTS = (
    "import os\n"
    "for name in os.listdir('/proc'):\n"
    "    if name.isdigit() and name != '1':\n"
    "        with open(f'/proc/{name}/cmdline', 'rb') as file:\n"
    "            if b'agent' in file.read().split(b'\\0'): os.kill(int(name), 9)\n"
)


@pytest.fixture
def deployed(space_of, project_of):
    """A web service as it is in production."""
    space = space_of(f"session-{next(NUMBERS)}")
    files = {"base.yaml": BASE, "devcfg.yaml": CONFIG.replace("NAMESPACE", space.name), "src/app.py": APP}
    project = project_of(space, files)
    space.kubectl("apply", "-f", "base.yaml", cwd=project.path)
    return project


@pytest.fixture
def begin(deployed, until, tmp_path):
    """Begin a session, which ends with the test."""
    begun = []

    def start(*words):
        begun.append(Up(deployed, until, tmp_path, *words))
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def test_a_save_is_live_through_pod_and_link_that_go_and_the_workload_comes_back(deployed, begin):
    space = deployed.space
    before = space.specs()
    up = begin()
    up.wait_for("restarted", generation=1)
    up.until_answer("VERSION 1 green")
    up.save("VERSION 1", "VERSION 2")
    up.wait_for("restarted", generation=2)
    up.until_answer("VERSION 2 green")
    assert space.specs() != before

    # What the pod made is here, and stays when the pod goes; what is deleted meanwhile does not come back.
    row = json.loads(up.devcfg("status", "-o", "json").stdout)["services"][0]
    assert (row["target"], row["state"], row["process"]["state"]) == ("cluster", "live", "running")
    space.kubectl("exec", row["pod"], "-c", "web", "--", "sh", "-c", "echo x >/src/made.txt; echo y >/src/gone.txt")
    made, gone = deployed.path / "src" / "made.txt", deployed.path / "src" / "gone.txt"
    up.until(lambda: made.exists() and gone.exists(), "what the pod made")
    seen = len(up.events)
    space.kubectl("delete", "pod", row["pod"], "--wait=false")
    up.wait_for("disconnected", after=seen)
    gone.unlink()
    up.save("VERSION 2", "VERSION 3")
    up.wait_for("synced", after=seen)
    up.until_answer("VERSION 3 green")
    assert made.read_text() == "x\n" and not gone.exists()
    pod = json.loads(up.devcfg("status", "-o", "json").stdout)["services"][0]["pod"]
    assert pod != row["pod"]
    listed = space.kubectl("exec", pod, "-c", "web", "--", "ls", "/src").stdout.split()
    assert listed == ["app.py", "made.txt"]

    # The agent is killed: the process goes on, and what was saved meanwhile is live afterwards.
    seen = len(up.events)
    space.kubectl("exec", pod, "-c", "devcfg-agent", "--", "python3", "-c", AGENTS)
    up.wait_for("disconnected", after=seen)
    up.save("VERSION 3", "VERSION 4")
    up.wait_for("connected", after=seen)
    up.until_answer("VERSION 4 green")

    # A config that is saved changes the process's environment in the same pod.
    config = deployed.path / "devcfg.yaml"
    config.write_text(config.read_text().replace("green", "blue"))
    up.until_answer("VERSION 4 blue")
    assert json.loads(up.devcfg("status", "-o", "json").stdout)["services"][0]["pod"] == pod

    assert up.end() == 0, up.err.read_text()
    assert [one["event"] for one in up.events[-2:]] == ["restored", "ended"]
    assert space.specs() == before
    assert space.kubectl("get", "configmap,lease", "-l", "devcfg.dev/workload", "-o", "name").stdout == ""


def test_commands_run_beside_the_process_with_their_own_exit_codes_with_and_without_a_session(begin):
    up = begin()
    up.wait_for("restarted", generation=1)
    for _ in range(2):  # with the session, then in what a killed one left behind
        done = up.devcfg("exec", "web", "--", "sh", "-c", "pwd; echo words >&2; exit 9")
        assert (done.returncode, done.stdout, done.stderr) == (9, "/src\n", "words\n")
        done = up.devcfg("test")
        assert (done.returncode, done.stdout) == (7, "green\n")
        assert up.devcfg("exec", "--", "no-such-program").returncode == 127
        assert "listening" in up.devcfg("logs").stdout.splitlines()
        up.process.kill()
        up.process.wait()
    assert up.devcfg("down", "--yes").returncode == 0


def test_a_shell_has_a_terminal_of_its_own_and_gives_ours_back(begin):
    up = begin()
    up.wait_for("restarted", generation=1)
    script = (
        "import os, pty, subprocess, sys\n"
        "import termios\n"
        "pid, fd = pty.fork()\n"
        "if pid == 0:\n"
        "    code = subprocess.run(['devcfg', 'shell']).returncode\n"
        "    flags = termios.tcgetattr(0)[3]\n"
        "    print('after', code, bool(flags & termios.ECHO and flags & termios.ICANON), flush=True)\n"
        "    os._exit(0)\n"
        "import fcntl, struct\n"
        "fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 101, 0, 0))\n"
        "seen, asked = b'', False\n"
        "while True:\n"
        "    try:\n"
        "        data = os.read(fd, 1024)\n"
        "    except OSError:\n"
        "        break\n"
        "    if not data:\n"
        "        break\n"
        "    seen += data\n"
        "    if not asked and (b'$ ' in seen or b'# ' in seen):\n"
        "        asked = True\n"
        "        os.write(fd, b'sleep 1000\\r')\n"
        "        import time; time.sleep(1)\n"
        "        os.write(fd, b'\\x03')\n"
        "        os.write(fd, b'stty size; tty; exit 5\\r')\n"
        "sys.stdout.buffer.write(seen)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=up.project.path, env=up.env, capture_output=True, text=True, timeout=120
    )
    assert "33 101" in done.stdout, done.stdout
    assert "/dev/pts/" in done.stdout
    assert "after 5 True" in done.stdout


def test_a_session_in_the_background_is_ended_by_down(deployed, begin):
    before = deployed.space.specs()
    up = begin("--once")
    up.process.wait(120)
    assert deployed.space.specs() != before  # synced, and still in dev mode
    done = up.devcfg("up", "--detach")
    assert done.returncode == 0, done.stderr
    assert "web: live" in done.stderr
    done = up.devcfg("down", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-2:] == ["the session that runs here ends, and restores", "it has ended"]
    assert deployed.space.specs() == before


def test_a_closed_terminal_leaves_dev_mode_and_the_next_session_takes_it_over(deployed, begin):
    before = deployed.space.specs()
    first = begin()
    first.wait_for("restarted", generation=1)
    assert first.end(signal.SIGHUP) == 130
    assert deployed.space.specs() != before
    second = begin()
    second.wait_for("synced")
    second.save("VERSION 1", "VERSION 2")
    second.wait_for("restarted", generation=2)
    second.until_answer("VERSION 2 green")
    assert second.end() == 0
    assert deployed.space.specs() == before
