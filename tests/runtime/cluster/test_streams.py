"""Exec and port-forward over WebSockets that behave in each way that a node or a proxy may."""

import asyncio
import json

import aiohttp
import pytest
from aiohttp import web

from devcfg.runtime.cluster.errors import ClusterError, ForbiddenError, UnreachableError
from devcfg.runtime.session.forward import Forward, Ports

SUCCESS = {"status": "Success"}


def failed(code):
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}


def socket(play, protocol="v5.channel.k8s.io"):
    """Return an answer that is a WebSocket, played by a coroutine function."""

    async def answer(request):
        ws = web.WebSocketResponse(protocols=(protocol,), max_msg_size=0)
        await ws.prepare(request)
        await play(ws)
        await ws.close()
        return ws

    return answer


def says(*messages):
    async def play(ws):
        for channel, data in messages:
            await ws.send_bytes(bytes((channel,)) + data)

    return play


async def run(cluster, argv=("true",), **how):
    command = await cluster.execute("shop", "web-1", "web", argv, stdin=False, **how)
    output = b""
    while piece := await command.read():
        output += piece
    try:
        return await command.wait(), output, command.words()
    finally:
        await command.close()


def test_output_errors_and_code_are_taken_apart(server):
    pieces = [
        (1, b"a"),
        (2, b"oo"),
        (1, b""),
        (255, b"\1"),
        (2, b"ps\n"),
        (1, b"\0b"),
        (3, json.dumps(failed(7)).encode()),
    ]
    server.add(socket(says(*pieces)))

    assert server.run(lambda cluster: run(cluster, ("sh", "-c", "a&b c+d"))) == (7, b"a\0b", "oops")
    path = server.asked[0][1]
    assert path.startswith("/api/v1/namespaces/shop/pods/web-1/exec?container=web&stdout=true&stderr=true&command=sh")
    assert path.endswith("&command=a%26b%20c%2Bd")


def test_a_terminal_has_no_errors_of_its_own(server):
    server.add(socket(says((3, json.dumps(SUCCESS).encode()))))

    assert server.run(lambda cluster: run(cluster, terminal=True))[0] == 0
    assert "stderr" not in server.asked[0][1]
    assert "tty=true" in server.asked[0][1]


def test_a_command_that_never_started_says_why(server):
    status = {"status": "Failure", "reason": "InternalError", "message": 'exec: "nope": not found'}
    server.add(socket(says((3, json.dumps(status).encode()))))

    async def check(cluster):
        with pytest.raises(ClusterError, match=r"could not be started.*nope"):
            await run(cluster)

    server.run(check)


def test_the_last_words_of_a_traceback_are_a_sentence(server):
    said = b"Traceback:\n\n  File 'a.py', line 1\n    def f(:\n          ^\nSyntaxError: invalid syntax\n"
    server.add(socket(says((2, said), (3, json.dumps(failed(1)).encode()))))

    _, _, words = server.run(run)

    assert words == "File 'a.py', line 1; def f(:; SyntaxError: invalid syntax"


def test_the_last_words_of_a_command_that_never_started_are_why(server):
    status = {"status": "Failure", "reason": "InternalError", "message": 'exec: "nope": not found'}
    server.add(socket(says((3, json.dumps(status).encode()))))

    async def check(cluster):
        command = await cluster.execute("shop", "web-1", "web", ("nope",), stdin=False)
        assert await command.read() == b""
        return command.words()

    assert 'exec: "nope": not found' in server.run(check)


def test_a_connection_that_ends_before_the_command_is_no_clean_end(server):
    server.add(socket(says((1, b"half"))))

    async def check(cluster):
        command = await cluster.execute("shop", "web-1", "web", ["x"], stdin=False)
        first = await command.read()
        with pytest.raises(OSError, match="the node closed it"):
            await command.read()
        with pytest.raises(UnreachableError):
            await command.wait()
        await command.close()
        return first

    assert server.run(check) == b"half"


def test_a_refused_command_says_what_the_server_said(server, answers):
    _, refuses, _ = answers
    server.add(
        refuses(403, "Forbidden", 'pods "x" is forbidden: User "me" cannot get resource "pods/exec" in API group ""')
    )

    async def check(cluster):
        with pytest.raises(ForbiddenError) as raised:
            await run(cluster)
        return raised.value.resource

    assert server.run(check) == "pods/exec"


def test_a_stream_logs_in_once_more_too(server, answers):
    _, refuses, _ = answers
    server.add(refuses(401), socket(says((3, json.dumps(SUCCESS).encode()))))

    assert server.run(run)[0] == 0
    assert [one[2] for one in server.asked] == ["Bearer 1", "Bearer 2"]


def test_small_writes_that_wait_go_out_together_in_order(server):
    got = []

    async def play(ws):
        await asyncio.sleep(0.05)
        async for message in ws:
            got.append(bytes(message.data))
            if b"end" in message.data:
                break
        await ws.send_bytes(b"\3" + json.dumps(SUCCESS).encode())

    server.add(socket(play))
    pieces = [b"%05d" % number for number in range(2000)] + [b"x" * 300_000, b"end"]

    async def check(cluster):
        command = await cluster.execute("shop", "web-1", "web", ["x"], stdin=True)
        async with asyncio.TaskGroup() as group:
            for piece in pieces:
                group.create_task(command.write(piece))
        await command.resize(80, 24)
        await command.read()
        await command.close()

    server.run(check)
    assert b"".join(one[1:] for one in got if one[0] == 0) == b"".join(pieces)
    assert max(map(len, got)) <= 128 * 1024
    assert len(got) < 200


def test_a_new_size_is_told_to_the_terminal(server):
    got = []

    async def play(ws):
        got.append((await ws.receive()).data)
        await ws.send_bytes(b"\3" + json.dumps(SUCCESS).encode())

    server.add(socket(play))

    async def check(cluster):
        command = await cluster.execute("shop", "web-1", "web", ["x"], stdin=True, terminal=True)
        await command.resize(132, 43)
        await command.read()

    server.run(check)
    assert (got[0][0], json.loads(got[0][1:])) == (4, {"Width": 132, "Height": 43})


# ---- ports

GREETING = ((0, b"\x58\x1b"), (1, b"\x58\x1b"))
REFUSED = (
    b"failed to connect to localhost:9080 inside namespace: IPv4: dial tcp4 127.0.0.1:9080: connect: connection refused"
)


def port(play):
    async def whole(ws):
        await says(*GREETING)(ws)
        await play(ws)

    return socket(whole, "v4.channel.k8s.io")


async def echoes(ws):
    async for message in ws:
        if message.type is aiohttp.WSMsgType.BINARY:
            await ws.send_bytes(b"\0" + message.data[1:])


def test_a_port_that_refuses_is_an_error_of_dialling(server):
    server.add(port(says((1, REFUSED))))

    async def check(cluster):
        with pytest.raises(ConnectionRefusedError):
            await cluster.dial("shop", "web-1", 7000)

    server.run(check)


def test_a_port_that_refuses_late_is_an_error_of_reading(server):
    async def late(ws):
        await asyncio.sleep(0.3)
        await says((1, REFUSED))(ws)

    server.add(port(late))

    async def check(cluster):
        reader, writer = await cluster.dial("shop", "web-1", 7000)
        writer.write(b"hello")
        with pytest.raises(ConnectionRefusedError):
            await reader.read()
        with pytest.raises(OSError):
            for _ in range(3):
                writer.write(b"more")
                await writer.drain()
        writer.close()

    server.run(check)


def test_what_was_sent_before_the_end_is_read_whole(server):
    server.add(port(says(*[(0, b"y" * 50_000)] * 40)))

    async def check(cluster):
        reader, writer = await cluster.dial("shop", "web-1", 7000)
        await asyncio.sleep(0.1)
        data = await reader.read()
        writer.close()
        return len(data)

    assert server.run(check) == 2_000_000


def test_a_writer_waits_for_a_pod_that_does_not_read_and_what_it_wrote_arrives(server):
    taken = []

    async def slow(ws):
        await asyncio.sleep(0.3)
        async for message in ws:
            taken.append(len(message.data) - 1)

    server.add(port(slow))

    async def check(cluster):
        _, writer = await cluster.dial("shop", "web-1", 7000)
        waited = 0
        for _ in range(80):
            writer.write(b"z" * 100_000)
            waited += writer.transport.get_write_buffer_size() > 200_000
            await writer.drain()
        writer.close()
        await writer.wait_closed()
        return waited

    assert server.run(check) > 0
    assert sum(taken) == 8_000_000


def test_a_connection_whose_local_end_is_gone_does_not_stay_for_ever(server, monkeypatch):
    monkeypatch.setattr("devcfg.runtime.cluster.tunnel.LINGER", 0.2)
    server.add(port(echoes))

    async def check(cluster):
        reader, writer = await cluster.dial("shop", "web-1", 7000)
        writer.write(b"last words")
        writer.write_eof()
        return await reader.read()

    assert server.run(check) == b"last words"


def test_a_forward_holds_a_connection_until_the_process_listens(server):
    server.add(*[port(says((1, REFUSED)))] * 5, port(echoes))

    async def check(cluster):
        forward = Forward(Ports(0, 7000), lambda remote: cluster.dial("shop", "web-1", remote), lambda: True)
        reader, writer = await asyncio.open_connection("127.0.0.1", await forward.listen())
        writer.write(b"hello")
        said = await reader.readexactly(5)
        writer.close()
        await forward.close()
        return said

    assert server.run(check) == b"hello"
    assert len(server.asked) == 6


def test_a_forward_ends_a_connection_that_the_pod_ends(server):
    server.add(port(says((0, b"welcome\n"))))

    async def check(cluster):
        forward = Forward(Ports(0, 7000), lambda remote: cluster.dial("shop", "web-1", remote), lambda: True)
        reader, writer = await asyncio.open_connection("127.0.0.1", await forward.listen())
        said = await reader.read()
        writer.close()
        await forward.close()
        return said

    assert server.run(check) == b"welcome\n"


def test_a_pod_that_is_gone_is_an_error_of_dialling(server, answers):
    _, refuses, _ = answers
    server.add(refuses(404, "NotFound", 'pods "web-1" not found', {"kind": "pods", "name": "web-1"}))

    async def check(cluster):
        with pytest.raises(OSError, match="cannot be reached"):
            await cluster.dial("shop", "web-1", 7000)

    server.run(check)
