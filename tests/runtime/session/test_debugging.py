"""`devcfg debug` in a real session: an editor attaches by local paths, a request stops, a save is debugged anew."""

import json
import signal
import socket
import subprocess
import threading
import urllib.request
from contextlib import closing

import pytest
from delve import find_dlv
from editors import Dap, cdp_stop
from tests.runtime.session.conftest import DEVCFG, PYTHON, eventually

PYTHON_APP = """\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        answer = 41
        body = str(answer + 1).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
NODE_APP = """\
const http = require("http");
http.createServer((request, response) => {
  const answer = 41;
  response.end(String(answer + 1));
}).listen(Number(process.env.PORT), "127.0.0.1");
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Asking:
    """A request under way, as it is while the program stands at a breakpoint."""

    def __init__(self, port):
        self.answer = ""
        self._port = port
        self.thread = threading.Thread(target=self.ask)

    def ask(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self._port}/", timeout=60) as answer:
            self.answer = answer.read().decode()

    def begin(self):
        self.thread.start()
        return self

    def end(self):
        self.thread.join(60)
        return self.answer


@pytest.fixture
def debugged(project):
    """Start a session of one program, and return its session and the port that its requests go to."""
    ups = []

    def start(program, text, command, **more):
        project.write(f"src/{program}", text)
        listens = free_port()
        debug = {"port": free_port(), **more.pop("debug", {})}
        project.config(
            web={"command": command, "env": {"PORT": str(listens)}, "ports": [f":{listens}"], "debug": debug, **more}
        )
        ups.append(project.up())
        port = ups[-1].wait_for("forwarding")["local"]
        ups[-1].wait_for("restarted", generation=1)
        return ups[-1], port

    yield start
    for up in ups:
        assert up.end() == 0, up.words


def debug(project):
    """Run `devcfg debug` and return what it says for programs."""
    done = project.devcfg("debug", "-o", "json")
    assert done.returncode == 0, f"{done.stderr}\n{project.log()}"
    return json.loads(done.stdout)


def mappings(found):
    return [{"localRoot": one["local"], "remoteRoot": one["remote"]} for one in found["path_mappings"]]


def hit(found, port, path, line, name):
    """Attach, have a request stop, and return where it did, a variable's value, and what the request got in the end."""
    arguments = {"justMyCode": False, "pathMappings": mappings(found)}
    editor = Dap(found["port"], arguments)
    assert editor.attach(path, line)
    asking = Asking(port).begin()
    where = editor.stopped(name)
    answer = asking.end()
    return editor, where, answer


def test_a_request_stops_at_a_breakpoint_of_a_local_path_and_again_after_a_save(project, debugged):
    up, port = debugged("app.py", PYTHON_APP, {"run": [PYTHON, "app.py"]})
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

    project.write("src/app.py", PYTHON_APP.replace("41", "51"))  # while the editor is attached
    up.wait_for("restarted", generation=3, command="debug")
    editor.drop()
    again = debug(project)
    assert again["port"] == found["port"]
    editor, where, answer = hit(again, port, local, 7, "answer")
    assert (where, answer) == ((str(local), 7, "51"), "52")
    editor.leave()
    assert Asking(port).begin().end() == "52"

    assert project.devcfg("run").returncode == 0
    up.wait_for("restarted", command="run", after=len(up.events) - 1)
    with closing(socket.socket()) as nobody:
        assert nobody.connect_ex(("127.0.0.1", found["port"])) != 0
    assert Asking(port).begin().end() == "52"


def test_a_request_stops_in_node_and_again_after_a_save(project, debugged, program):
    up, port = debugged("app.js", NODE_APP, {"run": [program("node"), "app.js"]})
    found = debug(project)
    url = f"file://{found['path_mappings'][0]['remote']}/app.js"

    assert found["adapter"] == "node"
    asking = Asking(port)
    assert cdp_stop(found["port"], url, 4, "answer", asking.ask) == 41
    assert asking.answer == "42"

    project.write("src/app.js", NODE_APP.replace("41", "51"))
    up.wait_for("restarted", generation=3, command="debug")
    again = debug(project)
    asking = Asking(port)
    assert cdp_stop(again["port"], url, 4, "answer", asking.ask) == 51
    assert asking.answer == "52"


def test_debug_says_what_it_does_and_ends_with_the_line_that_editors_wait_for(project, debugged):
    debugged("app.py", PYTHON_APP, {"run": [PYTHON, "app.py"]})
    done = project.devcfg("debug")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[devcfg] debugger ready 127.0.0.1:2")
    assert done.stdout.count("\n") == 1
    assert "web: python (debugpy), as `command.run` starts `" in done.stderr
    assert "-m debugpy --listen 127.0.0.1:" in done.stderr
    rows = json.loads(project.devcfg("status", "-o", "json").stdout)["services"][0]
    assert rows["process"]["command"] == "debug"
    assert done.stdout.split(":")[-1].strip() in {str(one["local"]) for one in rows["forwards"]}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_task_that_stays_goes_back_to_run_when_it_is_ended(project, debugged, number):
    up, port = debugged("app.py", PYTHON_APP, {"run": [PYTHON, "app.py"]})
    task = staying(project)
    assert task.stdout.readline().startswith("[devcfg] debugger ready 127.0.0.1:2")
    task.send_signal(number)

    assert (task.wait(60), task.stdout.read()) == (0, "")
    up.wait_for("restarted", generation=3, command="run")
    assert Asking(port).begin().end() == "42"


def test_a_task_that_stays_ends_when_somebody_goes_back_to_run(project, debugged):
    debugged("app.py", PYTHON_APP, {"run": [PYTHON, "app.py"]})
    task = staying(project)
    assert task.stdout.readline().startswith("[devcfg] debugger ready")
    assert project.devcfg("run").returncode == 0
    assert (task.wait(60), task.stdout.read()) == (0, "")


def staying(project):
    return subprocess.Popen(
        [*DEVCFG, "debug", "--stay"], cwd=project.root, env=project.env, stdout=subprocess.PIPE, text=True
    )


def test_a_program_that_waits_starts_when_an_editor_has_come(project, debugged):
    text = "import sys\nsys.stdout.write('BEGUN\\n'); sys.stdout.flush()\n" + PYTHON_APP
    _, port = debugged("app.py", text, {"run": [PYTHON, "app.py"]}, debug={"wait": True})
    found = debug(project)

    assert project.log().count("BEGUN") == 1  # the one that ran before
    editor, where, answer = hit(found, port, project.root / "src" / "app.py", 9, "answer")
    assert (where[1:], answer) == ((9, "41"), "42")
    assert project.log().count("BEGUN") == 2
    editor.leave()


def test_a_debugger_that_is_not_there_is_said_and_run_goes_on(project, debugged):
    command = {"run": [PYTHON, "app.py"], "debug": [PYTHON, "-I", "-S", "-m", "debugpy", "--listen", "1", "app.py"]}
    up, port = debugged("app.py", PYTHON_APP, command, debug={"port": 1})
    done = project.devcfg("debug")

    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no debugpy" in done.stderr
    assert "web | " in done.stderr and "No module named debugpy" in done.stderr
    assert "pip install debugpy" in done.stderr
    up.wait_for("restarted", command="run", after=len(up.events) - 2)
    assert Asking(port).begin().end() == "42"


def test_a_program_that_ends_at_once_is_quoted_and_run_goes_on(project, debugged):
    text = "import sys\nif 'pydevd' in sys.modules:\n    sys.exit('no debugging today')\n" + PYTHON_APP
    _, port = debugged("app.py", text, {"run": [PYTHON, "app.py"]})
    done = project.devcfg("debug")

    assert done.returncode == 1
    assert "web | no debugging today" in done.stderr
    assert "the process ended with code 1 before debugpy answered" in done.stderr
    eventually(lambda: Asking(port).begin().end() == "42", "the answer of `run`")


@pytest.mark.parametrize("adapter", ["dotnet"])
def test_an_adapter_that_cannot_be_run_leaves_the_process_alone(project, debugged, adapter):
    up, _ = debugged("app.py", PYTHON_APP, {"run": [PYTHON, "app.py"]}, debug={"adapter": adapter})
    done = project.devcfg("debug")

    assert done.returncode == 2
    assert f"no adapter `{adapter}` yet" in done.stderr
    assert [one["generation"] for one in up.events if one["event"] == "restarted"] == [1]


def test_the_services_own_local_port_gives_way_to_the_next_that_is_free(project, debugged):
    debugged("app.py", PYTHON_APP, {"run": [PYTHON, "app.py"]})
    first = debug(project)["port"]
    assert project.devcfg("run").returncode == 0
    with socket.create_server(("127.0.0.1", first)):
        second = debug(project)["port"]

    assert first < second < first + 50 or first == 29999


def test_links_in_the_way_to_the_project_stay_as_the_user_has_them(project, debugged):
    debugged("app.py", PYTHON_APP, {"run": [PYTHON, "app.py"]})
    link = project.home / "link"
    link.symlink_to(project.root)
    project.root, project.env["PWD"] = link, str(link)

    assert debug(project)["path_mappings"][0]["local"] == str(link / "src")


GO_APP = """\
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		answer := 41
		fmt.Fprint(writer, answer+1)
	})
	http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)
}
"""


@pytest.fixture
def go(project, program, tmp_path):
    """Return the Go compiler; what dlv compiles is compiled already, which may take minutes on a loaded machine."""
    found = program("go")
    find_dlv()
    project.write("src/go.mod", "module app\n\ngo 1.21\n")
    project.write("src/main.go", GO_APP)
    words = [found, "build", "-gcflags=all=-N -l", "-o", str(tmp_path / "warm"), "."]
    subprocess.run(words, cwd=project.root / "src", check=True, timeout=600)
    return found


def attach_to_go(found, path, line):
    mappings = [{"from": one["local"], "to": one["remote"]} for one in found["path_mappings"]]
    editor = Dap(found["port"], {"mode": "remote", "substitutePath": mappings})
    assert editor.attach(path, line)
    return editor


def test_a_request_stops_in_go_and_an_editor_that_goes_leaves_nothing_frozen(project, debugged, go):
    _, port = debugged("main.go", GO_APP, {"run": [go, "run", "."]})
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
    assert Asking(port).begin().end() == "42"

    editor = attach_to_go(found, local, 12)
    editor.drop()  # while the program runs, with a breakpoint set
    eventually(lambda: answers(port), "the answer")
    assert Asking(port).begin().end() == "42"
    assert sorted(one.name for one in (project.root / "src").iterdir()) == ["app.py", "go.mod", "main.go"]


def answers(port):
    try:
        asking = Asking(port)
        asking.ask()
    except OSError:
        return False
    return asking.answer == "42"
