"""A debugger that does not answer, or late: each time a sentence says what to do, and the process runs as before."""

import socket
import sys

from asking import answer_of, free_port
from programs import NODE, PYTHON
from tests.runtime.session.conftest import eventually

LISTEN = ["-Xfrozen_modules=off", "-m", "debugpy", "--listen"]


def refused(project, up, port, *sentences):
    """Have `devcfg debug` fail with these words, after which the process runs and answers."""
    done = project.devcfg("debug")
    assert (done.returncode, done.stdout) == (1, "")
    for one in sentences:
        assert one in done.stderr
    up.wait_for("restarted", command="run", after=len(up.events) - 3)
    eventually(lambda: answer_of(port) == "42", "the answer of `run`", lambda: project.log())


def test_a_port_that_is_taken_is_said(project, debugged):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = taken.getsockname()[1]
        up, port = debugged("app.py", PYTHON, {"run": [sys.executable, "app.py"]}, debug={"port": place})
        refused(
            project, up, port, f"debugpy was to have {place}", "set another `debug.port`, or end what listens there"
        )


def test_a_debugger_that_says_another_port_is_believed(project, debugged, program):
    said, asked = free_port(), free_port()
    # No port is seen in the words of a command that a shell has to read.
    command = {"run": [program("node"), "app.js"], "debug": f"AT={said}; exec node --inspect=127.0.0.1:$AT app.js"}
    up, port = debugged("app.js", NODE, command, debug={"port": asked, "adapter": "node"})
    refused(project, up, port, f"listens on port {said}, and {asked} was asked", f"set `debug.port: {said}`")


def test_what_listens_there_and_is_no_debugger_is_said(project, debugged):
    place = free_port()
    server = (
        f"import http.server as h; h.HTTPServer(('127.0.0.1', {place}), h.SimpleHTTPRequestHandler).serve_forever()"
    )
    command = {"run": [sys.executable, "app.py"], "debug": [sys.executable, "-c", server]}
    up, port = debugged("app.py", PYTHON, command, debug={"port": place, "adapter": "python"})
    refused(project, up, port, f"what listens on port {place} is not debugpy", "set `debug.port` to the port")


def test_a_debugger_that_is_slow_is_waited_for_with_words(project, debugged):
    place = free_port()
    start = f"sleep 7; exec {sys.executable} {' '.join(LISTEN)} 127.0.0.1:{place} app.py"
    command = {"run": [sys.executable, "app.py"], "debug": start}
    _, port = debugged("app.py", PYTHON, command, debug={"port": place, "adapter": "python"})
    done = project.devcfg("debug")

    assert done.returncode == 0, done.stderr
    assert f"waiting for debugpy on port {place} (5 s)" in done.stderr
    eventually(lambda: answer_of(port) == "42", "the answer under the debugger")


def test_a_build_that_fails_is_quoted_and_what_ran_goes_on(project, debugged):
    command = {"run": [sys.executable, "app.py"], "build": ["sh", "-c", "test ! -e broken || { echo broken; exit 3; }"]}
    up, port = debugged("app.py", PYTHON, command)
    project.write("src/broken", "")
    up.wait_for("build-failed", code=3)
    for word, said in (("debug", "the build failed with code 3, so that nothing runs"), ("run", "the build failed")):
        done = project.devcfg(word)
        assert done.returncode == 1
        assert said in done.stderr
        assert answer_of(port) == "42"

    (project.root / "src" / "broken").unlink()
    up.wait_for("restarted", generation=6, command="run")
    assert answer_of(port) == "42"
