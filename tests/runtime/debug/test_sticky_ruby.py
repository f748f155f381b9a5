"""The sticky port before rdbg of Ruby 3.1, which grants one session of the protocol in its life."""

import re
import shutil
import subprocess

import pytest
from dap import Dap
from tests.runtime.debug.conftest import free_port

APP = """\
require "socket"
server = TCPServer.new("127.0.0.1", Integer(ENV["PORT"]))
loop do
  client = server.accept
  next if client.eof?
  client.readpartial(4096)
  answer = 41
  body = (answer + 1).to_s
  client.write("HTTP/1.1 200 OK\\r\\nContent-Length: #{body.size}\\r\\nConnection: close\\r\\n\\r\\n#{body}")
  client.close
end
"""
LINE = 8
EDITORS = 3
ROUNDS = 3


@pytest.fixture
def program(served, tmp_path):
    """Start the program under rdbg; return it, the debugger's port, and its source."""
    rdbg = shutil.which("rdbg") or shutil.which("rdbg3.1")
    if rdbg is None:
        pytest.skip("there is no rdbg here")
    done = subprocess.run([rdbg, "--version"], capture_output=True, text=True, timeout=60)
    if not re.search(r"\b1\.4\.", version := done.stdout + done.stderr):
        pytest.skip(f"this is {version.strip()}, which is not Ruby 3.1's")
    port, file = free_port(), tmp_path / "app.rb"
    file.write_text(APP)
    words = [rdbg, "--open", "--nonstop", "--host", "127.0.0.1", "--port", str(port), "-c", "--", "ruby", str(file)]
    found = served(words, PORT=str(free_port()))
    found.answers()
    return found, port, file


def attached(port, file):
    editor = Dap(port, {})
    assert editor.attach(file, LINE)
    return editor


def hit(program, editor, file):
    request = program.ask()
    assert editor.stopped("answer") == (str(file), LINE, "41")
    return request.answer()


def test_editors_after_one_another_share_the_one_session(program, proxied):
    found, port, file = program
    proxy = proxied(port, keeps=True)
    for _ in range(EDITORS):
        editor = attached(proxy.local, file)
        assert hit(found, editor, file) == "42"
        assert hit(found, editor, file) == "42"
        editor.leave()
        assert found.answers() == "42"


def test_an_editor_that_is_gone_at_a_breakpoint_leaves_a_program_that_answers(program, proxied):
    found, port, file = program
    proxy = proxied(port, keeps=True)
    for _ in range(EDITORS):
        editor = attached(proxy.local, file)
        request = found.ask()
        editor.wait_for("stopped")
        editor.drop()
        assert request.answer() == "42"
        assert found.answers() == "42"


def test_an_editor_that_is_gone_in_the_handshake_leaves_the_session_to_the_next(program, proxied):
    found, port, file = program
    proxy = proxied(port, keeps=True)
    early = Dap(proxy.local, {})
    early.ask("initialize", adapterID="test")
    early.drop()
    early = Dap(proxy.local, {})
    early.ask("initialize", adapterID="test")
    early.ask("attach")
    early.drop()
    editor = attached(proxy.local, file)
    assert hit(found, editor, file) == "42"
    editor.leave()
    assert found.answers() == "42"


def test_an_editor_stays_with_its_breakpoint_while_the_program_is_started_anew(program, proxied):
    found, port, file = program
    proxy = proxied(port, keeps=True)
    editor = attached(proxy.local, file)
    assert hit(found, editor, file) == "42"
    for _ in range(ROUNDS):
        found.end()
        found.start()
        editor.wait_for_output("reloaded")
        assert hit(found, editor, file) == "42"
    editor.leave()
    editor = attached(proxy.local, file)
    assert hit(found, editor, file) == "42"
    editor.leave()


def test_a_second_editor_waits_until_the_first_has_gone(program, proxied):
    found, port, file = program
    proxy = proxied(port, keeps=True)
    first = attached(proxy.local, file)
    second = Dap(proxy.local, {})
    second._send("initialize", {"adapterID": "test"})
    assert hit(found, first, file) == "42"
    first.leave()
    second.attach(file, LINE)
    assert hit(found, second, file) == "42"
    second.leave()
