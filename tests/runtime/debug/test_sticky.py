"""The sticky port before scripted adapters: what an editor is told, and what no pod may make it do."""

import asyncio
import json
import socket
import struct
import threading

import pytest
from adapters import Adapter, frame, serve
from editors import Dap
from tests.runtime.debug.conftest import dial

FILE = "/src/app.py"


@pytest.fixture
def adapter():
    """Open an adapter that plays scripts."""
    opened = []

    def start(*scripts):
        opened.append(Adapter(*scripts))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def attached(proxy, **more):
    editor = Dap(proxy.local, {"request": "attach", **more})
    assert editor.attach(FILE, 7)
    return editor


def once(connection):
    """Serve until a request `die`, and go without a word."""
    serve(connection, until="die")


def reloaded(editor):
    editor._send("die", {})
    return editor.wait_for_output("reloaded, 1 breakpoint set again")


# ---- while nothing happens


def test_messages_that_nobody_knows_pass_both_ways(adapter, proxied):
    def ask(connection, request):
        connection.event("custom", words=["a", {"b": 1.5}, None, "\ud800"])
        connection.answer(request, echo=request["arguments"])

    proxy = proxied(adapter(lambda one: serve(one, on={"custom": ask})).port)
    editor = attached(proxy)

    assert editor.ask("custom", words="ä☃") == {"echo": {"words": "ä☃"}}
    assert editor.wait_for("custom") == {"words": ["a", {"b": 1.5}, None, "\ud800"]}
    editor.leave()


def test_answers_find_their_requests_in_any_order(adapter, proxied):
    held = []

    def hold(connection, request):
        held.append(request)
        if len(held) == 3:
            for one in reversed(held):
                connection.answer(one, number=one["arguments"]["number"])

    proxy = proxied(adapter(lambda one: serve(one, on={"hold": hold})).port)
    editor = attached(proxy)
    asked = [editor._send("hold", {"number": number}) for number in range(3)]

    assert [editor._answer(seq)["number"] for seq in asked] == [0, 1, 2]
    editor.leave()


def test_a_request_for_the_adapter_alone_needs_no_initialize(adapter, proxied):
    proxy = proxied(adapter(serve).port)
    editor = Dap(proxy.local, {})

    assert editor.ask("debugpySystemInfo") == {"echo": "debugpySystemInfo"}
    editor.drop()


def test_a_message_of_some_megabytes_passes(adapter, proxied):
    text = "x" * (8 * 1024 * 1024)
    proxy = proxied(adapter(lambda one: serve(one, on={"big": lambda c, r: c.answer(r, text=text)})).port)
    editor = attached(proxy)

    assert editor.ask("big")["text"] == text
    editor.leave()


# ---- who speaks


def exchanged(proxy, says, first=b""):
    """Connect, hear `first`, say something, and return what comes back."""

    async def talk():
        reader, writer = await dial(proxy.local)
        heard = await reader.readexactly(len(first))
        writer.write(says)
        writer.write_eof()
        heard += await reader.read(-1)
        writer.close()
        return heard

    return proxy.run(talk())


@pytest.mark.parametrize("says", [b'{"method":"RPCServer.State"}\n', b"Contents\r\n", b"C", b"version: 1\n"])
def test_bytes_that_are_no_dap_are_carried_as_they_are(proxied, says):
    async def echo(reader, writer):
        writer.write(await reader.read(-1))
        writer.close()

    async def listen():
        return await asyncio.start_server(echo, "127.0.0.1", 0)

    proxy = proxied(0)
    server = proxy.run(listen())
    proxy.sticky._port = server.sockets[0].getsockname()[1]

    assert exchanged(proxy, says) == says


def test_a_debugger_that_speaks_first_is_heard(adapter, proxied):
    def greet(connection):
        connection.raw(b"JDWP-Handshake")
        connection.raw(connection._file.read(4))

    proxy = proxied(adapter(greet).port)

    assert exchanged(proxy, b"okay", first=b"JDWP-Handshake") == b"JDWP-Handshakeokay"


def test_an_editor_that_is_slow_to_begin_is_an_editor_all_the_same(adapter, proxied):
    twin = adapter(once, serve)
    proxy = proxied(twin.port)
    editor = Dap(proxy.local, {})
    with twin._changed:  # the proxy has connected, to hear whether the debugger speaks first
        assert twin._changed.wait_for(lambda: twin.heard, 60)
    editor.attach(FILE, 7)

    assert reloaded(editor)
    editor.leave()


# ---- a debugger ends, and the next begins


def test_a_new_debugger_hears_what_the_last_one_heard(adapter, proxied):
    twin = adapter(once, serve)
    proxy = proxied(twin.port)
    editor = attached(proxy, name="web")
    editor.ask("setFunctionBreakpoints", breakpoints=[])
    editor.ask("setExceptionBreakpoints", filters=["raised"])
    editor.ask("setBreakpoints", source={"path": "/src/b.py"}, breakpoints=[])
    editor.ask("setExceptionBreakpoints", filters=["uncaught"])
    reloaded(editor)

    assert twin.commands(1) == [
        "initialize",
        "attach",
        "setBreakpoints",
        "setFunctionBreakpoints",
        "setExceptionBreakpoints",
        "setBreakpoints",
        "configurationDone",
    ]
    assert twin.heard[1][1]["arguments"] == {"request": "attach", "name": "web"}
    assert twin.heard[1][4]["arguments"] == {"filters": ["uncaught"]}
    editor.leave()


def test_the_numbers_of_breakpoints_stay_the_editors_whatever_the_next_debugger_calls_them(adapter, proxied):
    def other(connection):
        def tell(connection, request):
            connection.event("breakpoint", reason="changed", breakpoint={"id": 500, "verified": False})
            connection.event("stopped", reason="breakpoint", threadId=1, hitBreakpointIds=[500])
            connection.answer(request)

        serve(connection, first_id=500, on={"tell": tell})

    proxy = proxied(adapter(once, other).port)
    editor = attached(proxy)
    editor._send("die", {})

    assert editor.wait_for("breakpoint")["breakpoint"] == {"id": 1, "verified": True, "line": 7}
    editor.wait_for_output("reloaded")
    editor.ask("tell")
    assert editor.wait_for("breakpoint")["breakpoint"] == {"id": 1, "verified": False}
    assert editor.wait_for("stopped")["hitBreakpointIds"] == [1]
    found = editor.ask("setBreakpoints", source={"path": "/src/b.py"}, breakpoints=[{"line": 1}])
    assert found["breakpoints"][0]["id"] not in (1, None)
    editor.leave()


@pytest.mark.parametrize("last", ["terminated", "exited", None])
def test_an_end_is_not_told_while_a_process_is_on_its_way(adapter, proxied, last):
    def end(connection):
        serve(connection, until="die")
        if last:
            connection.event(last, exitCode=0)

    proxy = proxied(adapter(end, serve).port)
    editor = attached(proxy)
    reloaded(editor)

    assert not [one for one in editor._events if one["event"] in ("terminated", "exited")]
    editor.leave()


def test_a_last_end_is_told_with_its_code(adapter, proxied):
    def end(connection):
        serve(connection, until="die")
        connection.event("exited", exitCode=3)

    proxy = proxied(adapter(end).port)
    editor = attached(proxy)
    proxy.alive = False
    editor._send("die", {})

    assert editor.wait_for("exited") == {"exitCode": 3}
    editor.wait_for("terminated")
    assert editor.ended()


def test_what_was_asked_of_a_debugger_that_ended_is_answered(adapter, proxied):
    twin = adapter(once, serve)
    proxy = proxied(twin.port)
    editor = attached(proxy)

    assert "has ended" in editor.refused("die")
    editor.wait_for_output("reloaded")
    assert editor.ask("again") == {"echo": "again"}
    editor.leave()


@pytest.mark.parametrize("stage", ["initialize", "attach", "setBreakpoints", "configurationDone"])
def test_a_debugger_that_dies_in_the_handshake_is_followed_by_the_next(adapter, proxied, stage):
    def dying(connection):
        serve(connection, until=stage)

    proxy = proxied(adapter(dying, dying, serve).port)
    editor = Dap(proxy.local, {})
    editor.attach(FILE, 7)
    assert editor.ask("threads") == {"echo": "threads"}
    editor.leave()


@pytest.mark.parametrize("stage", ["initialize", "attach", "setBreakpoints", "configurationDone"])
def test_a_debugger_that_dies_while_it_hears_everything_again_is_followed_by_the_next(adapter, proxied, stage):
    def dying(connection):
        serve(connection, until=stage)

    proxy = proxied(adapter(once, dying, dying, serve).port)
    editor = attached(proxy)
    reloaded(editor)
    assert editor.ask("again") == {"echo": "again"}
    editor.leave()


def test_a_debugger_that_refuses_what_was_said_is_asked_again_and_given_up_at_last(adapter, proxied):
    def refuse(connection, request):
        made = {"type": "response", "request_seq": request["seq"], "command": "attach", "success": False}
        connection.send({**made, "message": "not today"})

    twin = adapter(once, lambda one: serve(one, on={"attach": refuse}))
    proxy = proxied(twin.port)
    editor = attached(proxy)
    editor._send("die", {})

    editor.wait_for_output("says no: not today")
    editor.wait_for("terminated")
    assert proxy.words == ["the new debugger says no: not today"]
    assert len(twin.heard) == 6


def test_a_program_that_attaching_has_stopped_goes_on_once(adapter, proxied):
    def stop(connection, request):
        connection.answer(request)
        connection.event("stopped", reason="pause", threadId=4)
        connection.event("stopped", reason="pause", threadId=4)

    twin = adapter(once, lambda one: serve(one, on={"configurationDone": stop}))
    proxy = proxied(twin.port)
    editor = attached(proxy)
    reloaded(editor)
    twin.wait_for("continue", 1)
    editor.ask("last")

    assert twin.commands(1).count("continue") == 1
    assert not [one for one in editor._events if one["event"] == "stopped"]
    editor.leave()


# ---- an editor goes


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


# ---- a pod that is not to be trusted

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


def test_an_endless_stream_of_debuggers_that_end_is_no_endless_loop_for_an_editor(adapter, proxied):
    twin = adapter(lambda one: serve(one, until="initialize"))
    proxy = proxied(twin.port)
    editor = Dap(proxy.local, {})
    asked = editor._send("initialize", {"adapterID": "t"})
    twin.wait_for("initialize", 3)
    proxy.alive = False

    editor.wait_for("terminated")
    assert asked in editor._answers
    assert json.dumps(editor._answers[asked])
    assert editor.ended()
