"""A program in C under gdbserver or lldb-server in a real session: who leaves it leaves it answering."""

import json
import shutil
import threading

import pytest
from asking import Asking, free_port
from native import gdb, lldb
from tests.runtime.session.conftest import eventually
from tests.runtime.session.test_php import answered

APP = """\
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int reply(int given) {
    int answer = given;
    return answer + 1;
}

int main(void) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(getenv("PORT")))};
    int one = 1, server = socket(AF_INET, SOCK_STREAM, 0);
    char request[4096];
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server, (struct sockaddr *)&here, sizeof here) || listen(server, 5)) return 1;
    for (;;) {
        int client = accept(server, 0, 0);
        if (read(client, request, sizeof request) > 0) dprintf(client, "HTTP/1.0 200 OK\\r\\n\\r\\n%d", reply(41));
        close(client);
    }
}
"""
LINE = 8
"""Where the answer is known."""


@pytest.fixture
def built(project, program):
    """Start a session of a program that is built there; return it and the port that it answers at."""
    program("cc")
    ups = []

    def start(**more):
        project.write("src/app.c", APP)
        port = free_port()
        command = {"build": ["cc", "-g", "-O0", "-o", "app", "app.c"], "run": ["./app"], **more.pop("command", {})}
        debug = {"port": free_port(), "adapter": "gdb", **more.pop("debug", {})}
        project.config(
            web={"command": command, "env": {"PORT": str(port)}, "ports": [f":{port}"], "debug": debug, **more}
        )
        ups.append(project.up())
        forwarded = ups[-1].wait_for("forwarding")["local"]
        ups[-1].wait_for("restarted", generation=1)
        eventually(lambda: answered(forwarded) == "42", "the first answer")
        return ups[-1], forwarded

    yield start
    for up in ups:
        assert up.end() == 0, up.words


def debug(project):
    done = project.devcfg("debug", "-o", "json")
    assert done.returncode == 0, f"{done.stderr}\n{project.log()}"
    return json.loads(done.stdout)


def stop(project, found, *more):
    """Attach gdb with a breakpoint at a line of the local file; it goes on to it."""
    local = project.root / "src" / "app.c"
    place = f"break {local}:{LINE}"
    # The program is read where sync brought it, or where it was built: here that is one machine.
    return gdb(
        project.home,
        found["port"],
        project.far("app"),
        found["path_mappings"],
        place,
        "continue",
        "print answer",
        *more,
    )


def begin(port):
    """Begin a request that may be cut off, where its program is ended at the breakpoint."""
    thread = threading.Thread(target=answered, args=(port,))
    thread.start()
    return thread


@pytest.fixture
def gdbserver(program):
    program("gdb")
    return program("gdbserver")


def test_a_request_stops_at_a_breakpoint_of_a_local_path_in_c(project, built, gdbserver):
    up, port = built()
    found = debug(project)
    assert (found["adapter"], found["editor"]) == ("gdb", "attaches")
    debugger = stop(project, found, "info source", "detach")
    asking = Asking(port).begin()

    assert asking.end() == "42"
    said = debugger.end()
    assert "$1 = 41" in said
    assert f"app.c:{LINE}" in said
    up.wait_for("restarted", command="run", generation=3)
    eventually(lambda: answered(port) == "42", "the answer of `run`")


@pytest.mark.parametrize("commands", [["shell sleep 300"], ["delete", "continue"]], ids=["stopped", "running"])
def test_a_gdb_that_is_killed_leaves_a_program_that_answers(project, built, gdbserver, commands):
    up, port = built()
    debugger = stop(project, debug(project), *commands)
    asking = begin(port)
    debugger.wait_for("$1 = 41")
    if commands[-1] == "continue":
        asking.join(60)
    debugger.kill()

    up.wait_for("restarted", command="run", generation=3)
    eventually(lambda: answered(port) == "42", "the answer of `run`")
    assert "its debugger has gone" in up.words


def test_a_gdb_that_ends_its_program_leaves_one_that_answers_and_the_next_finds_it(project, built, gdbserver):
    up, port = built()
    debugger = stop(project, debug(project), "kill")
    begin(port)
    assert "$1 = 41" in debugger.end()
    up.wait_for("restarted", command="run", generation=3)
    eventually(lambda: answered(port) == "42", "the answer of `run`")

    debugger = stop(project, debug(project), "detach")
    asking = Asking(port).begin()
    assert asking.end() == "42"
    assert "$1 = 41" in debugger.end()


def test_a_save_is_debugged_anew_while_gdb_is_attached(project, built, gdbserver):
    up, port = built()
    debugger = stop(project, debug(project), "shell sleep 300")
    begin(port)
    debugger.wait_for("$1 = 41")
    debug(project)  # there is room for one client: that it is taken is no reason to wait
    project.write("src/app.c", APP.replace("reply(41)", "reply(51)"))
    up.wait_for("restarted", command="debug", generation=3)
    debugger.kill()
    found = debug(project)
    debugger = stop(project, found, "detach")
    asking = Asking(port).begin()
    assert asking.end() == "52"
    assert "$1 = 51" in debugger.end()


@pytest.fixture
def server(program):
    """Return lldb and its server, whatever their names say of a version."""
    for version in ("", *(f"-{number}" for number in range(25, 10, -1))):
        if shutil.which(f"lldb{version}") and (found := shutil.which(f"lldb-server{version}")):
            return shutil.which(f"lldb{version}"), found
    return pytest.skip("there is no lldb with its server here")


@pytest.mark.parametrize("end", ["detach", "kill"])
def test_a_request_stops_under_lldb_and_whoever_goes_leaves_an_answer(project, built, server, end):
    name, program = server
    port = free_port()
    words = [program, "gdbserver", f"127.0.0.1:{port}", "--", "./app"]
    up, asked = built(command={"debug": words}, debug={"adapter": "lldb", "port": port})
    found = debug(project)
    commands = [f"breakpoint set --file app.c --line {LINE}", "continue", "frame variable answer"]
    commands += ["detach"] if end == "detach" else ["platform shell sleep 300"]
    debugger = lldb(project.home, name, found["port"], project.far("app"), found["path_mappings"], *commands)
    begin(asked)
    debugger.wait_for("answer = 41")
    if end == "kill":
        debugger.kill()
    else:
        debugger.end()
        assert "app.c" in debugger.said
    up.wait_for("restarted", command="run", generation=3)
    eventually(lambda: answered(asked) == "42", "the answer of `run`")
