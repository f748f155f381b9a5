"""Debuggers, whose parts leave the group of the process, and a client that stands still, under a real session."""

import signal
import subprocess
import time

import pytest
from tests.runtime.session.conftest import PYTHON, SERVER, alive, eventually
from tests.runtime.session.test_programs import edit, fetch, free_port, go, serve  # noqa: F401  fixtures


def listens(port):
    """Tell whether anybody listens on a port of this machine."""
    wanted = f":{port:04X}"
    with open("/proc/net/tcp") as table:
        return any(line.split()[1].endswith(wanted) and line.split()[3] == "0A" for line in table)


def switch_and_stop(project, up, debugger, name):
    """Debug, restart by a save at the yield, go back to run, debug and end: nothing of a debugger may stay.

    `name` is in the words of its processes, and must not be in the name of the test, which is in the path.
    """
    assert project.devcfg("debug").returncode == 0
    up.wait_for("restarted", generation=2, command="debug")
    eventually(lambda: listens(debugger), "the debugger", project.log)
    first = {pid for pid, words in project.owned() if name in words}
    assert first
    up.wait_for("restarted", generation=2)
    yield
    up.wait_for("restarted", generation=3)
    eventually(lambda: listens(debugger), "the debugger after a restart", project.log)
    assert not any(map(alive, first))
    assert project.devcfg("run").returncode == 0
    up.wait_for("restarted", generation=4, command="run")
    assert not [words for _, words in project.owned() if name in words]
    assert not listens(debugger)
    assert project.devcfg("debug").returncode == 0
    eventually(lambda: listens(debugger), "the debugger again", project.log)
    assert up.end() == 0
    assert project.owned() == []
    assert not listens(debugger)


def test_the_debugger_of_python_and_its_adapter_end_with_each_generation(project, serve):  # noqa: F811
    if subprocess.run([PYTHON, "-c", "import debugpy"], capture_output=True, check=False).returncode:
        pytest.skip("there is no debugpy here")
    debugger = free_port()
    debug = [PYTHON, "-Xfrozen_modules=off", "-m", "debugpy", "--listen", f"127.0.0.1:{debugger}", "storefront.py"]
    up, port = serve("storefront", {"run": [PYTHON, "storefront.py"], "debug": debug})
    steps = switch_and_stop(project, up, debugger, b"debugpy")
    next(steps)
    eventually(lambda: fetch(port, "/healthz") == "ok\n", "the server under debugpy", project.log)
    edit(project, "storefront.py", '"ok\\n"', '"fine\\n"')
    eventually(lambda: fetch(port, "/healthz") == "fine\n", "the new answer", project.log)
    next(steps, None)


def test_the_debugger_of_go_and_what_it_debugs_end_with_each_generation(project, serve, program, go):  # noqa: F811
    debugger, delve = free_port(), program("dlv")
    binary = str(project.root / "authors.bin")
    listen = ["--headless", "--accept-multiclient", "--continue", "--check-go-version=false"]
    debug = [delve, "exec", binary, f"--listen=127.0.0.1:{debugger}", *listen]
    command = {"build": [go, "build", "-gcflags=all=-N -l", "-o", binary, "."], "run": [binary], "debug": debug}
    up, port = serve("authors", command)
    steps = switch_and_stop(project, up, debugger, b"dlv")
    next(steps)
    eventually(lambda: fetch(port, "/healthz") == "ok\n", "the server under delve", project.log)
    edit(project, "main.go", '"ok")', '"fine")')
    eventually(lambda: fetch(port, "/healthz") == "fine\n", "the new answer", project.log)
    next(steps, None)


def freeze(project, seconds):
    up = project.up()
    up.wait_for("restarted", generation=1)
    up.process.send_signal(signal.SIGSTOP)
    project.write("src/app.py", SERVER.replace("1", "2", 1))
    project.far("made.txt").write_text("by the process, meanwhile")
    time.sleep(seconds)
    up.process.send_signal(signal.SIGCONT)
    project.wait_for_log("VERSION 2")
    eventually(lambda: project.devcfg("sync", "flush").returncode == 0, "the flush", lambda: up.words)
    assert (project.root / "src" / "made.txt").read_text() == "by the process, meanwhile"
    assert project.far("app.py").read_text() == SERVER.replace("1", "2", 1)
    assert up.end() == 0
    assert project.owned() == []


def test_a_client_that_stands_still_for_a_moment_goes_on(project):
    freeze(project, 3)


@pytest.mark.proof
def test_a_client_that_stands_still_for_a_minute_goes_on(project):
    freeze(project, 60)
