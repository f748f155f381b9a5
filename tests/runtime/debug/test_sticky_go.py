"""The sticky port before a real dlv, which keeps what a client has set, and which speaks to GoLand on the same port."""

import os
import signal
import subprocess

import pytest
from dap import Dap
from delve import find_dlv
from tests.runtime.debug.conftest import dial, free_port

from devcfg.runtime.debug.adapters.adapter import Asking
from devcfg.runtime.debug.greetings import greet
from devcfg.runtime.debug.rescue import rescue
from devcfg.runtime.debug.running import running

APP = """\
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
LINE = 12
ROUNDS = 10


@pytest.fixture
def program(served, tmp_path):
    """Start the program under dlv; return it, the port of dlv, and its source."""
    dlv, port, file = find_dlv(), free_port(), tmp_path / "main.go"
    file.write_text(APP)
    (tmp_path / "go.mod").write_text("module app\n\ngo 1.21\n")
    words = ["go", "build", "-gcflags=all=-N -l", "-o", "server", "."]
    subprocess.run(words, cwd=tmp_path, check=True, timeout=600, env=os.environ)
    flags = ["--headless", "--accept-multiclient", "--continue", "--api-version=2", "--only-same-user=false"]
    found = served([dlv, "exec", str(tmp_path / "server"), *flags, f"--listen=127.0.0.1:{port}"], PORT=str(free_port()))
    found.answers()
    return found, port, file


def delve(proxied, port):
    """Open a sticky port as one to dlv is."""

    async def left():
        await rescue(await dial(port))

    async def ready():
        return await running(await dial(port))

    return proxied(port, left=left, ready=ready)


def attached(port, file):
    editor = Dap(port, {"mode": "remote"})
    assert editor.attach(file, LINE)
    return editor


def hit(program, editor, file):
    request = program.ask()
    assert editor.stopped("answer") == (str(file), LINE, "41")
    return request.answer()


def test_an_editor_stays_with_its_breakpoint_while_the_program_is_started_anew(program, proxied):
    found, port, file = program
    proxy = delve(proxied, port)
    editor = attached(proxy.local, file)
    assert hit(found, editor, file) == "42"
    for _ in range(ROUNDS):
        found.end(signal.SIGKILL)
        found.start()
        editor.wait_for_output("reloaded, 1 breakpoint set again")
        assert hit(found, editor, file) == "42"
    editor.leave()


def test_a_debugger_that_is_let_go_ends_in_order_under_an_editor(program, proxied):
    found, port, file = program
    proxy = delve(proxied, port)
    editor = attached(proxy.local, file)
    for stands in (False, True, False):
        if stands:
            found.ask()
            editor.wait_for("stopped")
        proxy.run(proxy.sticky.release())
        found.end()
        found.start()
        proxy.resume()
        editor.wait_for_output("reloaded, 1 breakpoint set again")
        assert hit(found, editor, file) == "42"
    assert not found.killed
    editor.leave()


def test_an_editor_that_is_gone_at_a_breakpoint_leaves_a_program_that_answers(program, proxied):
    found, port, file = program
    proxy = delve(proxied, port)
    for _ in range(3):
        editor = attached(proxy.local, file)
        request = found.ask()
        editor.wait_for("stopped")
        editor.drop()
        assert request.answer() == "42"
        assert found.answers() == "42"


def test_what_speaks_the_other_protocol_of_dlv_is_carried_as_it_is(program, proxied):
    _, port, _ = program
    proxy = delve(proxied, port)

    async def ask():
        return await greet(Asking.DELVE, await dial(proxy.local))

    assert proxy.run(ask()).startswith("dlv 1.")
