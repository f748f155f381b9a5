"""`devcfg debug` in a real session: an editor attaches by local paths, a request stops, a save is debugged anew."""

import contextlib
import json
import signal
import socket
import subprocess
import sys

import pytest
from asking import Asking, answer_of, free_port, listens
from delve import find_dlv
from editors import Debugpy, Delve
from programs import GO, PYTHON
from tests.runtime.session.conftest import DEVCFG, debug, eventually


def hit(found, port, path, line, name):
    """Attach, have a request stop, and return where it did, a variable's value, and what the request got in the end."""
    editor = Debugpy.to(found)
    assert editor.attach(path, line)
    asking = Asking(port).begin()
    where = editor.stopped(name)
    answer = asking.end()
    return editor, where, answer


def test_a_request_stops_at_a_breakpoint_of_a_local_path_and_again_after_a_save(project, debugged):
    up, port = debugged("app.py", PYTHON, {"run": [sys.executable, "app.py"]})
    found = debug(project)
    local = project.root / "src" / "app.py"

    assert {name: found[name] for name in ("version", "service", "adapter", "host")} == {
        "version": 1,
        "service": "web",
        "adapter": "python",
        "host": "127.0.0.1",
    }
    assert found["path_mappings"] == [{"local": str(local.parent), "remote": str(project.far("").resolve())}]
    assert 20000 <= found["port"] < 30000
    editor, where, answer = hit(found, port, local, 7, "answer")
    assert (where, answer) == ((str(local), 7, "41"), "42")

    project.write("src/app.py", PYTHON.replace("41", "51"))  # while the editor is attached
    up.wait_for("restarted", generation=3, command="debug")
    editor.drop()
    again = debug(project)
    assert again["port"] == found["port"]
    editor, where, answer = hit(again, port, local, 7, "answer")
    assert (where, answer) == ((str(local), 7, "51"), "52")
    editor.leave()
    assert answer_of(port) == "52"

    assert project.devcfg("run").returncode == 0
    up.wait_for("restarted", command="run", after=len(up.events) - 1)
    assert not listens(found["port"])
    assert answer_of(port) == "52"


def test_a_config_saved_under_the_debugger_leaves_a_way_in(project, debugged):
    up, port = debugged("app.py", PYTHON, {"run": [sys.executable, "app.py"]})
    found = debug(project)
    text = (project.root / "devcfg.yaml").read_text()
    project.write(
        "devcfg.yaml", text.replace("env: {", "env: {COLOUR: red, ").replace("env:\n", "env:\n      COLOUR: red\n")
    )
    up.wait_for_words("debugger ready 127.0.0.1:")

    port = up.wait_for("forwarding", after=len(up.events) - 8)["local"]
    editor, where, answer = hit(found, port, project.root / "src" / "app.py", 7, "answer")
    assert (where[1:], answer) == ((7, "41"), "42")
    editor.leave()


def test_debug_without_a_session_starts_one_that_goes_on(project):
    port = free_port()
    project.write("src/app.py", PYTHON)
    command = {"run": [sys.executable, "app.py"]}
    project.config(web={"command": command, "env": {"PORT": str(port)}, "debug": {"port": free_port()}})
    refused = project.devcfg("debug", "--local")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "`--yes` accepts them" in refused.stderr

    done = project.devcfg("debug", "--local", "--yes", "-o", "json")
    try:
        assert done.returncode == 0, done.stderr
        assert "web: live" in done.stderr
        found = json.loads(done.stdout)
        eventually(lambda: answers(port), "the first answer")  # the debugger answers before the program does
        editor, where, answer = hit(found, port, project.root / "src" / "app.py", 7, "answer")
        assert (where[1:], answer) == ((7, "41"), "42")
        editor.leave()
        again = project.devcfg("debug", "--local", "-o", "json")
        assert json.loads(again.stdout)["port"] == found["port"]
        assert "is on its way" not in again.stderr
    finally:
        ended = project.devcfg("down")
    assert ended.returncode == 0, ended.stderr
    assert "it has ended" in ended.stderr
    eventually(lambda: not project.owned(), "the end of the session", lambda: project.owned())


def test_a_session_that_starts_under_the_debugger_says_where_it_answers(project):
    port = free_port()
    project.write("src/app.py", PYTHON)
    command = {"run": [sys.executable, "app.py"]}
    project.config(web={"command": command, "env": {"PORT": str(port)}, "debug": {"port": free_port()}})
    up = project.up("--yes", "--debug")
    up.wait_for("restarted", generation=1, command="debug")
    up.wait_for_words("debugger ready 127.0.0.1:2")
    found = debug(project)
    eventually(lambda: answers(port), "the first answer")
    editor, where, _ = hit(found, port, project.root / "src" / "app.py", 7, "answer")
    assert where[1:] == (7, "41")
    editor.leave()
    assert [one["generation"] for one in up.events if one["event"] == "restarted"] == [1]
    assert up.end() == 0, up.words


def test_a_session_is_not_started_under_a_debugger_that_no_command_can_be_put_under(project):
    project.config(web={"command": {"run": [sys.executable, "-m", "gunicorn", "app"]}})
    done = project.devcfg("up", "--local", "--yes", "--debug")

    assert done.returncode == 2
    assert "works in other processes than its own" in done.stderr
    assert not project.owned()


def test_a_session_in_the_background_is_as_good_when_it_runs_already(project, debugged):
    debugged("app.py", PYTHON, {"run": [sys.executable, "app.py"]})
    done = project.devcfg("up", "--local", "--yes", "--detach", "web")

    assert done.returncode == 0
    assert "a session of this project runs already" in done.stderr
    assert "web: live" in done.stderr


def test_debug_says_what_it_does_and_ends_with_the_line_that_editors_wait_for(project, debugged):
    debugged("app.py", PYTHON, {"run": [sys.executable, "app.py"]})
    done = project.devcfg("debug")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[devcfg] debugger ready 127.0.0.1:2")
    assert done.stdout.count("\n") == 1
    assert "web: python (debugpy), as `command.run` starts `" in done.stderr
    assert "-m debugpy --listen 127.0.0.1:" in done.stderr
    assert 'web: an entry for VS Code: {"name": "devcfg: attach web", "type": "debugpy", ' in done.stderr
    assert project.devcfg("ide", "vscode", "--write").returncode == 0
    assert "web: VS Code: start `devcfg: attach web`" in project.devcfg("debug").stderr
    rows = json.loads(project.devcfg("status", "-o", "json").stdout)["services"][0]
    assert rows["process"]["command"] == "debug"
    assert done.stdout.split(":")[-1].strip() in {str(one["local"]) for one in rows["forwards"]}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_task_that_stays_goes_back_to_run_when_it_is_ended(project, debugged, number):
    up, port = debugged("app.py", PYTHON, {"run": [sys.executable, "app.py"]})
    task = staying(project)
    assert task.stdout.readline() == "[devcfg] starting\n"
    assert task.stdout.readline().startswith("[devcfg] debugger ready 127.0.0.1:2")
    task.send_signal(number)

    assert (task.wait(60), task.stdout.read()) == (0, "")
    up.wait_for("restarted", generation=3, command="run")
    assert answer_of(port) == "42"


def test_a_task_that_stays_says_in_one_line_why_it_does_not(project, debugged):
    debugged("app.py", PYTHON, {"run": [sys.executable, "app.py"]}, debug={"adapter": "dotnet"})
    done = project.devcfg("debug", "--stay")

    assert done.returncode == 2
    first, second = done.stdout.splitlines()
    assert first == "[devcfg] starting"
    assert second.startswith("[devcfg] failed: `devcfg debug` has no adapter `dotnet` yet")


def test_a_task_that_stays_ends_when_somebody_goes_back_to_run(project, debugged):
    debugged("app.py", PYTHON, {"run": [sys.executable, "app.py"]})
    task = staying(project)
    assert task.stdout.readline() == "[devcfg] starting\n"
    assert task.stdout.readline().startswith("[devcfg] debugger ready")
    project.write("src/app.py", PYTHON.replace("41", "51"))
    assert task.stdout.readline() == "[devcfg] restarting\n"
    assert task.stdout.readline().startswith("[devcfg] debugger ready")
    assert project.devcfg("run").returncode == 0
    assert (task.wait(60), task.stdout.read()) == (0, "")


def staying(project):
    return subprocess.Popen(
        [*DEVCFG, "debug", "--stay"], cwd=project.root, env=project.env, stdout=subprocess.PIPE, text=True
    )


def test_a_program_that_waits_starts_when_an_editor_has_come(project, debugged):
    text = "import sys\nsys.stdout.write('BEGUN\\n'); sys.stdout.flush()\n" + PYTHON
    _, port = debugged("app.py", text, {"run": [sys.executable, "app.py"]}, debug={"wait": True})
    found = debug(project)

    assert project.log().count("BEGUN") == 1  # the one that ran before
    editor, where, answer = hit(found, port, project.root / "src" / "app.py", 9, "answer")
    assert (where[1:], answer) == ((9, "41"), "42")
    assert project.log().count("BEGUN") == 2
    editor.leave()


def test_a_debugger_that_is_not_there_is_said_and_run_goes_on(project, debugged):
    run = [sys.executable, "app.py"]
    command = {"run": run, "debug": [run[0], "-I", "-S", "-m", "debugpy", "--listen", "1", run[1]]}
    up, port = debugged("app.py", PYTHON, command, debug={"port": 1})
    done = project.devcfg("debug")

    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no debugpy" in done.stderr
    assert "web | " in done.stderr and "No module named debugpy" in done.stderr
    assert "pip install debugpy" in done.stderr
    up.wait_for("restarted", command="run", after=len(up.events) - 2)
    assert answer_of(port) == "42"


def test_the_last_words_that_are_quoted_lead_to_the_files_here(project, debugged):
    words = "import os, sys; sys.exit(os.path.abspath('app.py') + ':3: no debugging today')"
    command = {"run": [sys.executable, "app.py"], "debug": [sys.executable, "-c", words]}
    debugged("app.py", PYTHON, command, debug={"adapter": "python", "port": 1})
    done = project.devcfg("debug")

    assert done.returncode == 1
    assert "web | src/app.py:3: no debugging today" in done.stderr


def test_a_program_that_ends_at_once_is_quoted_and_run_goes_on(project, debugged):
    port = free_port()
    ends = [sys.executable, "-c", "import sys; sys.exit('no debugging today')", "--listen", f"127.0.0.1:{port}"]
    _, serves = debugged("app.py", PYTHON, {"run": [sys.executable, "app.py"], "debug": ends}, debug={"port": port})
    done = project.devcfg("debug")

    assert done.returncode == 1
    assert "web | no debugging today" in done.stderr
    assert "the process ended with code 1 before debugpy answered" in done.stderr
    eventually(lambda: answer_of(serves) == "42", "the answer of `run`")


@pytest.mark.parametrize("adapter", ["dotnet"])
def test_an_adapter_that_cannot_be_run_leaves_the_process_alone(project, debugged, adapter):
    up, _ = debugged("app.py", PYTHON, {"run": [sys.executable, "app.py"]}, debug={"adapter": adapter})
    done = project.devcfg("debug")

    assert done.returncode == 2
    assert f"no adapter `{adapter}` yet" in done.stderr
    assert [one["generation"] for one in up.events if one["event"] == "restarted"] == [1]


def test_the_services_own_local_port_gives_way_to_the_next_that_is_free(project, debugged):
    debugged("app.py", PYTHON, {"run": [sys.executable, "app.py"]})
    first = debug(project)["port"]
    assert project.devcfg("run").returncode == 0
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a session of another test may have it already
            stack.enter_context(socket.create_server(("127.0.0.1", first)))
        second = debug(project)["port"]

    assert first < second < first + 50 or first == 29999


def test_links_in_the_way_to_the_project_stay_as_the_user_has_them(project, debugged):
    debugged("app.py", PYTHON, {"run": [sys.executable, "app.py"]})
    link = project.home / "link"
    link.symlink_to(project.root)
    project.root, project.env["PWD"] = link, str(link)

    assert debug(project)["path_mappings"][0]["local"] == str(link / "src")


@pytest.fixture
def go(project, program, tmp_path):
    """Return the Go compiler; what dlv compiles is compiled already, which may take minutes on a loaded machine."""
    found = program("go")
    find_dlv()
    project.write("src/go.mod", "module app\n\ngo 1.21\n")
    project.write("src/main.go", GO)
    words = [found, "build", "-gcflags=all=-N -l", "-o", str(tmp_path / "warm"), "."]
    subprocess.run(words, cwd=project.root / "src", check=True, timeout=600)
    return found


def attach_to_go(found, path, line):
    editor = Delve.to(found)
    assert editor.attach(path, line)
    return editor


def test_a_request_stops_in_go_and_an_editor_that_goes_leaves_nothing_frozen(project, debugged, go):
    _, port = debugged("main.go", GO, {"run": [go, "run", "."]})
    eventually(lambda: answers(port), "the first answer")
    found = debug(project)
    local = project.root / "src" / "main.go"
    eventually(lambda: answers(port), "the answer under dlv")

    assert found["adapter"] == "go"
    editor = attach_to_go(found, local, 12)
    asking = Asking(port).begin()
    assert editor.stopped("answer") == (str(local), 12, "41")
    assert asking.end() == "42"

    asking = Asking(port).begin()
    editor.wait_for("stopped")
    editor.drop()  # while the program stands at the breakpoint
    assert asking.end() == "42"
    assert answer_of(port) == "42"

    editor = attach_to_go(found, local, 12)
    editor.drop()  # while the program runs, with a breakpoint set
    eventually(lambda: answers(port), "the answer")
    assert answer_of(port) == "42"
    assert sorted(one.name for one in (project.root / "src").iterdir()) == ["app.py", "go.mod", "main.go"]


def answers(port):
    return answer_of(port) == "42"
