"""The sticky port before scripted adapters: what passes, and what an editor is told while debuggers come and go."""

import asyncio
import json

import pytest
from adapters import serve
from dap import Dap
from tests.runtime.debug.conftest import FILE, attached, dial

from devcfg.runtime.session.forward import Ports


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
    """Connect, hear `first`, say something, and return what is heard until as much has come back."""

    async def talk():
        reader, writer = await dial(proxy.local)
        heard = await reader.readexactly(len(first))
        writer.write(says)
        heard += await reader.readexactly(len(says))
        writer.close()
        return heard

    return proxy.run(talk())


@pytest.mark.parametrize("says", [b'{"method":"RPCServer.State"}\n', b"Contents\r\n", b"version: 1\n"])
def test_bytes_that_are_no_dap_are_carried_as_they_are(proxied, says):
    async def echo(reader, writer):
        writer.write(await reader.readexactly(len(says)))
        await reader.read()
        writer.close()

    async def listen():
        return await asyncio.start_server(echo, "127.0.0.1", 0)

    proxy = proxied(0)
    server = proxy.run(listen())
    proxy.sticky._ports = Ports(0, server.sockets[0].getsockname()[1])

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
