"""The probe against debuggers that run, and against all that can be in their place."""

import asyncio
import socket
import sys

import pytest
from tests.runtime.debug.conftest import RUNS, free_port

from devcfg.runtime.debug import probe as probing
from devcfg.runtime.debug.adapters.adapter import Asking, Wish
from devcfg.runtime.debug.choice import ADAPTERS, Debugger, Whose
from devcfg.runtime.debug.greetings import greet
from devcfg.runtime.debug.probe import NotReadyError, Process, Ready, Watched, probe

BY_NAME = {one.name: one for one in ADAPTERS}


def debugger(name, port, *, wait=False, command=None):
    adapter = BY_NAME[name]
    words = command or adapter.rewrite(RUNS[name], Wish(port, wait)).command
    return Debugger(adapter, "", port, words, Whose.DEVCFG, adapter.asking(words))


async def dial(port):
    return await asyncio.open_connection("127.0.0.1", port)


def watched(program):
    return Watched(dial, lambda: Process(program.process.poll() is None, program.process.returncode), program.lines)


def found(debugger, watched, patience=60.0):
    """Return what the probe yields at last."""

    return asyncio.run(answered(debugger, watched, patience))


async def answered(debugger, watched, patience=60.0):
    return [one async for one in probe(debugger, watched, patience=patience)][-1]


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("name", ["python", "node", "java", "gdb", "go"])
def test_a_debugger_is_ready_once_it_answers_and_takes_the_next_client(name, wait, begin):
    one = debugger(name, free_port(), wait=wait)
    program = begin(name, one.command)

    async def twice():
        return [await answered(one, watched(program)) for _ in range(2)]

    assert all(isinstance(ready, Ready) for ready in asyncio.run(twice()))
    assert program.process.poll() is None
    if wait or name == "gdb":
        assert "STARTED" not in program.lines()  # it still waits for its debugger
    else:
        program.wait_for("STARTED")


def test_an_adapter_whose_program_has_not_come_to_it_yet_is_not_left(begin):
    port = free_port()
    one = debugger("python", port)
    with socket.create_server(("127.0.0.1", 0)) as program:  # which is told where to come to, and does not
        words = ["-m", "debugpy.adapter", "--for-server", str(program.getsockname()[1]), "--port", str(port)]
        begin("python", [sys.executable, *words])  # it forks, and ends once nobody is left

        async def twice():
            first = await answered(one, still(alive=True))
            second = await answered(one, still(alive=True))
            assert await greet(Asking.DAP, await dial(port)) == "DAP"
            return first, second

        first, second = asyncio.run(twice())
    assert isinstance(first, Ready) and isinstance(second, Ready)
    assert first.place is not None


def test_a_gdbserver_for_one_client_is_not_asked(begin):
    port = free_port()
    one = debugger("gdb", port, command=("gdbserver", "--once", f"127.0.0.1:{port}", "/bin/sleep", "120"))
    program = begin("gdb", one.command)

    assert one.asking is Asking.NOTHING
    assert isinstance(found(one, watched(program)), Ready)
    assert isinstance(found(one, watched(program)), Ready)
    assert program.process.poll() is None


def test_a_port_that_is_taken_is_said(begin):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        one = debugger("python", taken.getsockname()[1])
        program = begin("python", one.command)
        program.process.wait(60)

    with pytest.raises(NotReadyError, match="is taken"):
        found(one, watched(program))


def still(lines=(), *, alive=False, code=1):
    return Watched(dial, lambda: Process(alive, code), lambda: list(lines))


def test_a_process_that_ended_is_quoted():
    with pytest.raises(NotReadyError, match="ended with code 3 before debugpy answered") as caught:
        found(debugger("python", free_port()), still(["Boom", ""], code=3))
    assert caught.value.last == ("Boom",)


def test_a_process_that_ended_without_a_word_is_said_to():
    with pytest.raises(NotReadyError, match="it printed nothing"):
        found(debugger("python", free_port()), still())


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("python", "/usr/bin/python: No module named debugpy"),
        ("go", "/devcfg/supervisor: exec: line 63: dlv: not found"),
        ("gdb", "sh: 1: exec: gdbserver: not found"),
        ("java", "Error occurred during initialization of VM\nCould not find agent library jdwp on the library path"),
        ("ruby", "env: rdbg: No such file or directory"),
        ("php", "there is no Xdebug 3 in this PHP"),
        ("lldb", "/devcfg/supervisor: exec: line 63: lldb-server: not found"),
    ],
)
def test_a_debugger_that_is_not_there_is_said_with_what_it_needs(name, line):
    command = ("x", "--accept-multiclient")
    with pytest.raises(NotReadyError, match=f"there is no {BY_NAME[name].debugger}") as caught:
        found(debugger(name, free_port(), command=command), still(line.splitlines()))

    assert BY_NAME[name].needs in caught.value.hint


def test_python_without_debugpy_is_said_to_be(begin):
    one = debugger("python", free_port())
    program = begin("python", (one.command[0], "-I", "-S", *one.command[1:]))

    with pytest.raises(NotReadyError, match="there is no debugpy"):
        found(one, watched(program))


def test_a_debugger_on_another_port_is_said_to_be(begin):
    port = free_port()
    program = begin("node", ("node", f"--inspect=127.0.0.1:{port}", "app.js"))

    with pytest.raises(NotReadyError, match=f"listens on port {port}, and") as caught:
        found(debugger("node", free_port()), watched(program))
    assert f"`debug.port: {port}`" in caught.value.hint


def test_a_debugger_that_is_slow_is_waited_for_and_then_given_up():
    with pytest.raises(NotReadyError, match=r"did not answer on port .* though the process runs"):
        found(debugger("python", free_port()), still(alive=True), patience=0.2)


@pytest.mark.parametrize(
    "says", [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"220 mail\r\n", b"\0" * 99]
)
@pytest.mark.parametrize("name", ["python", "node", "java", "go"])
def test_who_else_listens_on_the_port_is_said_to_be_no_debugger(name, says, monkeypatch):
    monkeypatch.setattr(probing, "STRANGE", 0.1)

    async def check():
        async def answer(reader, writer):
            await reader.read(1)
            writer.write(says)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async for _ in probe(debugger(name, port), still(alive=True), patience=30):
            pass

    with pytest.raises(NotReadyError, match="is not"):
        asyncio.run(check())


def test_what_is_waited_for_is_said_meanwhile(monkeypatch):
    monkeypatch.setattr(probing, "TELL", 0.0)

    async def first():
        return await anext(probe(debugger("python", 5), still(alive=True)))

    assert asyncio.run(first()).startswith("waiting for debugpy on port 5 (")


def test_a_debugger_that_must_not_be_asked_is_believed():
    one = debugger("ruby", 4711, command=("rdbg", "--port", "4711"))
    said = ["DEBUGGER: Debugger can attach via TCP/IP (127.0.0.1:4711)"]

    assert isinstance(found(one, still(said, alive=True)), Ready)


@pytest.mark.parametrize(("alive", "code"), [(True, None), (False, 3)])
def test_of_a_debugger_that_shows_nothing_it_is_seen_whether_its_process_runs(monkeypatch, alive, code):
    monkeypatch.setattr(probing, "RUNS", 0.1)
    one = debugger("lldb", 4711, command=("lldb-server", "gdbserver", "127.0.0.1:4711", "--", "./app"))

    assert one.asking is Asking.PROCESS
    if alive:
        assert "as far as is to be seen" in found(one, still(alive=True)).what
    else:
        with pytest.raises(NotReadyError, match="ended with code 3 before lldb-server answered"):
            found(one, still(code=code))
