"""A port on the far side reaches this machine, over the real agent: whole, one by one, and again after a loss."""

import os
import signal
import socket
import threading
from pathlib import Path

import pytest
from tests.runtime.session.conftest import PYTHON, eventually

SIZE = 3_000_000
"""Bytes: many pieces."""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Echo:
    """What a developer has on the laptop: it says what it hears, once it has heard all."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one):
        with one:
            heard = received(one)
            one.sendall(heard)


def received(one):
    """Return all that comes until the end."""
    pieces = []
    while data := one.recv(65536):
        pieces.append(data)
    return b"".join(pieces)


def asked(port, data):
    """Say something to a port and return the whole answer; nothing where it is refused or cut."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as one:
            one.sendall(data)
            one.shutdown(socket.SHUT_WR)
            return received(one)
    except OSError:
        return b""


@pytest.fixture
def echo():
    one = Echo()
    yield one
    one.listener.close()


@pytest.fixture
def reversed_port(project, echo):
    """A session with a reverse forward to the echo; return the session and the far port."""
    port = free_port()
    project.config(web={"command": {"run": [PYTHON, "app.py"]}, "reverse": [f"{port}:{echo.port}"]})
    up = project.up()
    up.wait_for_words(f"port {port} of the pod reaches port {echo.port} here")
    return up, port


def agents_of(project):
    """Return the process ids of the project's agents."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"agent" in words and any(str(project.root).encode() in word for word in words):
                found.append(int(process.name))
    return found


def test_what_is_said_to_the_far_port_is_answered_from_here_byte_for_byte(reversed_port):
    up, port = reversed_port
    data = os.urandom(SIZE)

    assert asked(port, data) == data
    assert asked(port, b"again") == b"again"
    assert up.end() == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_connection_that_nobody_reads_from_holds_up_neither_others_nor_sync(project, reversed_port):
    up, port = reversed_port
    stuck = socket.create_connection(("127.0.0.1", port))
    stuck.sendall(b"x" * 1_000_000)
    stuck.shutdown(socket.SHUT_WR)  # its answer comes, and is not read

    assert asked(port, b"beside it") == b"beside it"
    up.wait_for("restarted", generation=1)
    project.write("src/more.txt", "more")
    eventually(lambda: project.far("more.txt").exists(), "a save")
    stuck.close()
    assert up.end() == 0


def test_it_comes_back_with_the_next_link(project, reversed_port):
    up, port = reversed_port
    (agent,) = agents_of(project)
    os.kill(agent, signal.SIGKILL)
    up.wait_for("disconnected")

    eventually(lambda: asked(port, b"back") == b"back", "the port over the next link", lambda: up.words)
    assert up.end() == 0


def test_where_nothing_listens_here_the_connection_is_ended_and_that_is_said(project):
    port, nobody = free_port(), free_port()
    project.config(web={"command": {"run": [PYTHON, "app.py"]}, "reverse": [f"{port}:{nobody}"]})
    up = project.up()
    up.wait_for_words(f"port {port} of the pod reaches")

    assert asked(port, b"hello") == b""
    up.wait_for_words(f"nothing listens on port {nobody} here")
    assert up.end() == 0


def test_a_far_port_that_is_taken_is_degraded_until_it_is_free(project, echo):
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    project.config(web={"command": {"run": [PYTHON, "app.py"]}, "reverse": [f"{port}:{echo.port}"]})
    up = project.up()
    assert "address already in use" in up.wait_for("degraded")["reason"]
    taken.close()

    eventually(lambda: asked(port, b"now") == b"now", "the port", lambda: up.words)
    assert up.end() == 0
