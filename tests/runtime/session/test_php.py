"""PHP under Xdebug in a real session: it dials the editor here, and needs none that listens."""

import json
import shutil
import socket
import subprocess
import uuid
from http.client import HTTPException

import pytest
from asking import Asking, free_port
from dbgp import Dbgp
from tests.runtime.session.conftest import eventually

APP = """\
<?php
function reply() {
    $answer = 41;
    return $answer + 1;
}
echo reply();
"""


@pytest.fixture(scope="module")
def php():
    """Return where PHP is that has Xdebug, or skip."""
    found = shutil.which("php") or pytest.skip("there is no php here")
    asked = subprocess.run([found, "-m"], capture_output=True, text=True, timeout=60, check=True)
    return found if "xdebug" in asked.stdout.split() else pytest.skip("this php has no Xdebug")


@pytest.fixture
def project(project):
    """Give the project a name of its own: the port that an editor listens on is made of it."""
    named = project.root.with_name(f"project-{uuid.uuid4().hex}")
    project.root = project.root.rename(named)
    return project


@pytest.fixture
def served(project, php):
    """Start a session that serves a page; return it and the port that it is asked at."""
    ups = []

    def start(*options, env=None, **more):
        project.write("src/index.php", APP)
        port = free_port()
        command = {"run": [php, *options, "-S", f"127.0.0.1:{port}"]}
        project.config(web={"command": command, "ports": [f":{port}"], "env": env or {}, **more})
        ups.append(project.up())
        forwarded = ups[-1].wait_for("forwarding")["local"]
        ups[-1].wait_for("restarted", generation=1)
        eventually(lambda: answered(forwarded), "the first answer")
        return ups[-1], forwarded

    yield start
    for up in ups:
        assert up.end() == 0, up.words


def answered(port):
    """Return what a request gets; nothing where it is cut off, or nobody listens."""
    asking = Asking(port)
    try:
        asking.ask()
    except (OSError, HTTPException):
        return ""
    return asking.answer


def debug(project):
    done = project.devcfg("debug", "-o", "json")
    assert done.returncode == 0, f"{done.stderr}\n{project.log()}"
    return json.loads(done.stdout), done.stderr


def stopped(editor, port, **more):
    asking = Asking(port)
    found = editor.stop_at("answer", asking.ask, **more)
    return found, asking.answer


@pytest.mark.parametrize("tunnel", [False, True])
def test_a_request_stops_at_a_breakpoint_of_a_local_path_and_again_after_a_save(project, served, tunnel):
    # Where pod and laptop are one machine, the process dials the editor itself unless it is told another port.
    up, port = served(debug={"port": free_port()} if tunnel else {})
    found, words = debug(project)
    local = project.root / "src" / "index.php"

    assert (found["adapter"], found["editor"], found["host"]) == ("php", "listens", "127.0.0.1")
    assert f"Xdebug dials the editor, which is to listen on 127.0.0.1:{found['port']}" in words
    assert 20000 <= found["port"] < 30000
    assert answered(port) == "42"  # nobody listens yet
    editor = Dbgp(found["port"], found["path_mappings"], local, 4)
    assert stopped(editor, port) == ((str(local), 4, "41"), "42")

    project.write("src/index.php", APP.replace("41", "51"))
    up.wait_for("restarted", generation=3, command="debug")
    eventually(lambda: connects(port), "the new process")
    assert stopped(editor, port) == ((str(local), 4, "51"), "52")
    editor.close()
    assert answered(port) == "52"


def connects(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("tunnel", [False, True])
def test_an_editor_that_goes_at_a_breakpoint_leaves_nothing_frozen(project, served, tunnel):
    _, port = served(debug={"port": free_port()} if tunnel else {})
    found, _ = debug(project)
    editor = Dbgp(found["port"], found["path_mappings"], project.root / "src" / "index.php", 4)
    assert stopped(editor, port, leave=lambda connection: connection.shutdown(socket.SHUT_RDWR))[1] == "42"
    editor.close()
    assert answered(port) == "42"


def test_a_port_that_stays_armed_takes_nothing_from_who_runs_without_a_debugger(project, served):
    up, port = served(debug={"port": free_port()})
    debug(project)
    assert project.devcfg("run").returncode == 0
    up.wait_for("restarted", command="run", generation=3)
    rows = json.loads(project.devcfg("status", "-o", "json").stdout)["services"][0]
    assert len(rows["forwards"]) == 1
    eventually(lambda: answered(port) == "42", "the answer of `run`")
    found, _ = debug(project)  # the tunnel is the one of before
    editor = Dbgp(found["port"], found["path_mappings"], project.root / "src" / "index.php", 4)
    assert stopped(editor, port)[1] == "42"
    editor.close()


def test_a_reverse_port_of_the_config_is_the_way_where_there_is_one(project, served):
    remote, local = free_port(), free_port()
    _, port = served(debug={"port": remote}, reverse=[f"{remote}:{local}"])
    found, _ = debug(project)

    assert found["port"] == local
    editor = Dbgp(local, found["path_mappings"], project.root / "src" / "index.php", 4)
    assert stopped(editor, port)[1] == "42"
    editor.close()


def test_what_the_environment_says_of_xdebug_does_not_switch_it_off(project, served):
    _, port = served(env={"XDEBUG_MODE": "off", "XDEBUG_CONFIG": "client_port=1"})
    found, _ = debug(project)
    editor = Dbgp(found["port"], found["path_mappings"], project.root / "src" / "index.php", 4)
    assert stopped(editor, port)[1] == "42"
    editor.close()


def test_a_php_without_xdebug_is_said_to_be_and_run_goes_on(project, served):
    up, port = served("-n")
    done = project.devcfg("debug")

    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no Xdebug" in done.stderr
    assert "pecl install xdebug" in done.stderr
    up.wait_for("restarted", command="run", generation=3)
    eventually(lambda: answered(port) == "42", "the answer of `run`")


def test_a_port_that_is_taken_leaves_the_process_alone(project, served):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        up, port = served(debug={"port": taken.getsockname()[1]})
        done = project.devcfg("debug")

    assert done.returncode == 1
    assert "Xdebug cannot reach an editor: port" in done.stderr
    assert [one["generation"] for one in up.events if one["event"] == "restarted"] == [1]
    assert answered(port) == "42"


def test_a_command_of_the_config_is_ready_when_it_runs(project, php):
    project.write("src/index.php", APP)
    port, dialled = free_port(), free_port()
    settings = [
        "mode=debug",
        "start_with_request=yes",
        "client_host=127.0.0.1",
        f"client_port={dialled}",
        "log_level=0",
    ]
    command = [php, *(f"-dxdebug.{one}" for one in settings), "-S", f"127.0.0.1:{port}"]
    project.config(web={"command": {"debug": command}, "ports": [f":{port}"]})
    up = project.up()
    forwarded = up.wait_for("forwarding")["local"]
    up.wait_for("synced")
    found, _ = debug(project)
    editor = Dbgp(found["port"], found["path_mappings"], project.root / "src" / "index.php", 4)
    assert stopped(editor, forwarded) == ((str(project.root / "src" / "index.php"), 4, "41"), "42")
    editor.close()
    assert up.end() == 0
