"""Editors that leave the sticky port, in order or not: the debugger is left in order all the same."""

import socket
import struct
import threading

import pytest
from adapters import frame, serve
from dap import Dap
from tests.runtime.debug.conftest import FILE, attached


def test_a_debugger_is_left_in_order_whenever_an_editor_drops(adapter, proxied):
    twin = adapter(serve)
    proxy = proxied(twin.port)
    attached(proxy).drop()

    assert twin.wait_for("disconnect")["arguments"] == {"restart": False, "terminateDebuggee": False}


def test_a_debugger_that_has_not_joined_its_program_is_not_left_before_it_has(adapter, proxied):
    def slow(connection):
        starting = serve(connection, until="attach")
        connection._note({"command": "waiting"})
        gate.wait()
        connection.event("initialized")
        connection.answer(starting)
        serve(connection)

    gate = threading.Event()
    twin = adapter(slow)
    proxy = proxied(twin.port)
    editor = Dap(proxy.local, {})
    editor.ask("initialize", adapterID="test")
    editor._send("attach", {})
    twin.wait_for("waiting")
    editor.drop()
    gate.set()

    twin.wait_for("disconnect")


def test_what_the_last_editor_left_is_put_right_before_the_next_is_served(adapter, proxied):
    order = []

    async def left():
        order.append("left")

    def note(connection):
        order.append("came")
        serve(connection)

    twin = adapter(note)
    proxy = proxied(twin.port, left=left)
    for _ in range(3):
        attached(proxy).leave()

    proxy.close()
    assert order[:5] == ["came", "left", "came", "left", "came"]


@pytest.mark.parametrize("after", range(0, 400, 37))
def test_an_editor_may_go_in_the_middle_of_any_word(adapter, proxied, after):
    proxy = proxied(adapter(serve).port)
    said = [("initialize", {"adapterID": "t"}), ("attach", {}), ("setBreakpoints", {"source": {"path": FILE}})]
    data = b"".join(
        frame({"seq": at, "type": "request", "command": command, "arguments": arguments})
        for at, (command, arguments) in enumerate(said, 1)
    )
    with socket.create_connection(("127.0.0.1", proxy.local)) as near:
        near.sendall(data[:after])
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
    attached(proxy).leave()


def test_a_port_that_closes_tells_its_editors(adapter, proxied):
    twin = adapter(serve)
    proxy = proxied(twin.port)
    editor = attached(proxy)
    proxy.close()

    editor.wait_for("terminated")
    assert editor.ended()
    assert twin.wait_for("disconnect")["arguments"]["terminateDebuggee"] is False
