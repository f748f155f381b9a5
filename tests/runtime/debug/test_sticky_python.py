"""The sticky port before a real debugpy: an editor stays while its program starts anew, and leaves none frozen."""

import sys

from dap import Dap
from tests.runtime.debug.conftest import free_port

APP = """\
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
LINE = 7
ROUNDS = 10


def begin(served, tmp_path, text=APP):
    port, file = free_port(), tmp_path / "app.py"
    file.write_text(text)
    words = [sys.executable, "-Xfrozen_modules=off", "-m", "debugpy", "--listen", f"127.0.0.1:{port}", str(file)]
    program = served(words, PORT=str(free_port()))
    program.answers()
    return program, port, file


def attached(port, file, **more):
    editor = Dap(port, {"justMyCode": False, **more})
    assert editor.attach(file, LINE)
    return editor


def hit(program, editor, file):
    """Have a request stop at the breakpoint, and go on from there."""
    request = program.ask()
    assert editor.stopped("answer") == (str(file), LINE, "41")
    return request.answer()


def test_an_editor_stays_with_its_breakpoint_while_the_program_is_started_anew(served, proxied, tmp_path):
    program, port, file = begin(served, tmp_path)
    proxy = proxied(port)
    editor = attached(proxy.local, file)
    assert hit(program, editor, file) == "42"
    for _ in range(ROUNDS):
        program.end()
        program.start()
        editor.wait_for_output("reloaded, 1 breakpoint set again")
        assert hit(program, editor, file) == "42"
    editor.leave()
    assert program.answers() == "42"


def test_an_editor_that_is_gone_at_a_breakpoint_leaves_a_program_that_answers(served, proxied, tmp_path):
    program, port, file = begin(served, tmp_path)
    proxy = proxied(port)
    for _ in range(3):
        editor = attached(proxy.local, file)
        request = program.ask()
        editor.wait_for("stopped")
        editor.drop()
        assert request.answer() == "42"
        assert program.answers() == "42"


def test_an_editor_that_is_gone_right_after_it_came_leaves_a_debugger_for_the_next(served, proxied, tmp_path):
    program, port, file = begin(served, tmp_path)
    proxy = proxied(port)
    program.end()
    for words in (0, 1, 2):  # nothing said, `initialize`, and `attach` too, while debugpy is on its way
        program.start()
        early = Dap(proxy.local, {"justMyCode": False})
        if words > 0:
            early._send("initialize", {"adapterID": "test", "linesStartAt1": True, "pathFormat": "path"})
        if words > 1:
            early._send("attach", {"justMyCode": False})
        early.drop()
        editor = attached(proxy.local, file)
        assert hit(program, editor, file) == "42"
        editor.leave()
        program.end()


def test_no_button_of_an_editor_ends_the_program(served, proxied, tmp_path):
    program, port, file = begin(served, tmp_path)
    proxy = proxied(port)

    editor = attached(proxy.local, file)
    editor.ask("disconnect", terminateDebuggee=True)
    assert editor.ended()
    editor = attached(proxy.local, file)
    editor.ask("terminate")
    editor.wait_for("terminated")
    editor.ask("disconnect")
    assert editor.ended()
    editor = attached(proxy.local, file)
    assert "devcfg restart" in editor.refused("restart")
    assert hit(program, editor, file) == "42"
    editor.leave()
    assert program.answers() == "42"
    assert program.process.poll() is None


def test_an_editor_is_told_when_no_process_is_on_its_way_any_more(served, proxied, tmp_path):
    program, port, file = begin(served, tmp_path)
    proxy = proxied(port)
    editor = attached(proxy.local, file)
    proxy.alive = False
    program.end()

    editor.wait_for("terminated")
    editor.ask("disconnect")
    assert editor.ended()


def test_a_program_that_is_ended_at_a_breakpoint_is_told_to_go_on_and_its_threads_to_have_ended(
    served, proxied, tmp_path
):
    program, port, file = begin(served, tmp_path)
    proxy = proxied(port)
    editor = attached(proxy.local, file)
    request = program.ask()
    thread = editor.wait_for("stopped")["threadId"]
    program.end()

    assert editor.wait_for("continued")["threadId"] == thread
    while (told := editor.wait_for("thread"))["reason"] != "exited":
        pass
    assert "on its way" in editor.refused("stackTrace", threadId=thread)
    assert editor.ask("threads") == {"threads": []}
    again = editor.ask("setBreakpoints", source={"path": str(file)}, breakpoints=[{"line": LINE}, {"line": 8}])
    assert [one["verified"] for one in again["breakpoints"]] == [False, False]
    program.start()
    changed = {one["id"]: one for one in (editor.wait_for("breakpoint")["breakpoint"] for _ in range(2))}
    assert [changed[one["id"]]["verified"] for one in again["breakpoints"]] == [True, True]
    editor.wait_for_output("reloaded, 2 breakpoints set again")
    assert told["threadId"] in range(1, 100)
    request.ended()
    request = program.ask()
    assert editor.stopped("answer") == (str(file), LINE, "41")
    assert editor.stopped("body") == (str(file), 8, "b'42'")
    assert request.answer() == "42"
    editor.leave()


PARENT = """\
import os, subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        done = subprocess.run([sys.executable, "child.py"], capture_output=True, text=True)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(done.stdout.encode())

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
CHILD = """\
import sys
answer = 41
sys.stdout.write(str(answer + 1))
"""


def test_a_subprocess_is_attached_to_over_the_same_port(served, proxied, tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    program, port, file = begin(served, tmp_path, PARENT)
    proxy = proxied(port)
    editor = Dap(proxy.local, {"justMyCode": False, "subProcess": True})
    editor.attach(file, 11)
    for _ in range(2):
        request = program.ask()
        told = editor.wait_for("debugpyAttach")
        assert told["connect"] == {"host": "127.0.0.1", "port": proxy.local}
        assert told["justMyCode"] is False
        child = Dap(told["connect"]["port"], told)
        assert child.attach(tmp_path / "child.py", 3)
        assert child.stopped("answer")[1:] == (3, "41")
        assert request.answer() == "42"
        child.wait_for("terminated")  # a subprocess that ends is no reload
        child.leave()
    editor.leave()
