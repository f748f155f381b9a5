"""What a hostile pod can do to an editor at the sticky port, and to the session: nothing."""

import pytest
from adapters import frame, serve
from dap import Dap
from tests.runtime.debug.conftest import attached

BOMB = b"[" * 100_000


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"Content-Length: 0\r\n\r\n",
        b"Content-Length: -5\r\n\r\nhello",
        b"Content-Length: 99999999999\r\n\r\n",
        b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"Content-Type: x\r\n\r\n",
        b"A: b\r\n" * 100,
        b"x" * 300_000,
        frame(b"{"),
        frame(b"[]"),
        frame(b"\xff\xfe"),
        frame(BOMB),
        frame(b'{"type":"event"}'),
        frame(b'{"type":"event","event":5}'),
        frame(b'{"type":"response","request_seq":"1"}'),
        frame(b'{"type":"response","request_seq":true}'),
        frame(b'{"type":"request","command":"x"}'),
        frame(b'{"type":"event","event":"x","body":{"a":NaN}}'),
        frame(b'{"type":"event","event":"x","body":{"a":1e999}}'),
        frame(b'{"type":"event","event":"x","body":' + b"9" * 5000 + b"}"),
        frame(b'{"type":"event","event":"x","body":[' + b"[]," * 600_000 + b"[]]}"),
    ],
    ids=range(21),
)
def test_what_is_no_message_ends_a_debugger_with_words(adapter, proxied, data):
    def hostile(connection):
        serve(connection, until="go")
        connection.raw(data)
        connection.read()

    proxy = proxied(adapter(hostile, serve).port)
    editor = attached(proxy)
    editor._send("go", {})

    editor.wait_for_output("the debugger is not listened to any more: it sends")
    editor.wait_for("terminated")
    assert len(proxy.words) == 1
    attached(proxy).leave()  # the port goes on


@pytest.mark.parametrize(
    "event",
    [
        {"event": "stopped", "body": []},
        {"event": "stopped", "body": {"threadId": "x", "hitBreakpointIds": {"a": 1}}},
        {"event": "breakpoint", "body": {"breakpoint": 5}},
        {"event": "thread", "body": {"threadId": [], "reason": {}}},
        {"event": "capabilities", "body": {"capabilities": "all"}},
        {"event": "debugpyAttach", "body": None},
        {"event": "output"},
    ],
)
def test_an_event_of_another_shape_does_no_harm(adapter, proxied, event):
    def tell(connection, request):
        connection.send({"type": "event", **event})
        connection.answer(request)

    proxy = proxied(adapter(lambda one: serve(one, on={"tell": tell})).port)
    editor = attached(proxy)
    editor.ask("tell")
    editor.leave()


@pytest.mark.parametrize("number", [0, -1, 99, 10**30])
def test_an_answer_to_nothing_is_dropped(adapter, proxied, number):
    def tell(connection, request):
        connection.send({"type": "response", "request_seq": number, "success": True, "command": "x"})
        connection.answer(request)

    proxy = proxied(adapter(lambda one: serve(one, on={"tell": tell})).port)
    editor = attached(proxy)
    editor.ask("tell")
    editor.leave()


EVIL = {
    "type": "node",
    "request": "launch",
    "runtimeExecutable": "/bin/sh",
    "preLaunchTask": "evil",
    "connect": {"host": "evil.example", "port": 1},
}


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("runInTerminal", {"args": ["touch", "/tmp/evil"], "cwd": "/"}),
        ("startDebugging", {"request": "launch", "configuration": EVIL}),
        ("startDebugging", {"request": "attach", "configuration": EVIL}),
        ("startDebugging", {"request": "attach", "configuration": None}),
        ("anything", {}),
    ],
)
def test_no_request_of_a_pod_makes_an_editor_start_anything(adapter, proxied, command, arguments):
    def tell(connection, request):
        connection.send({"type": "request", "command": command, "arguments": arguments})
        answer = connection.read()
        connection.answer(request, refused=not answer["success"])

    proxy = proxied(adapter(lambda one: serve(one, on={"tell": tell})).port)
    editor = attached(proxy, supports=1)

    assert editor.ask("tell") == {"refused": True}
    assert not editor.asked
    editor.leave()


@pytest.mark.parametrize("event", ["debugpyAttach", "ptvsd_attach"])
def test_a_subprocess_is_attached_to_as_the_editor_itself_said_and_over_our_port(adapter, proxied, event):
    def tell(connection, request):
        connection.event(event, **EVIL, subProcessId=77, extra="x")
        connection.event(event, **EVIL, subProcessId="77")
        connection.answer(request)

    proxy = proxied(adapter(lambda one: serve(one, on={"tell": tell})).port)
    editor = attached(proxy, justMyCode=False, preLaunchTask="mine", connect={"host": "127.0.0.1", "port": 5})
    editor.ask("tell")

    assert [one["body"] for one in editor._events if one["event"] == event] == [
        {
            "name": "Subprocess 77",
            "request": "attach",
            "justMyCode": False,
            "subProcessId": 77,
            "connect": {"host": "127.0.0.1", "port": proxy.local},
        }
    ]
    editor.leave()


def test_what_a_debugger_can_do_to_end_its_process_is_kept_from_the_editor(adapter, proxied):
    proxy = proxied(adapter(serve).port)
    editor = Dap(proxy.local, {})

    assert editor.ask("initialize", adapterID="t") == {"supportsConfigurationDoneRequest": True}
    editor.leave()
