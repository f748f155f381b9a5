"""The sticky port before a real debugpy: an editor stays while its program starts anew, and leaves none frozen."""

import sys

from editors import Dap
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
