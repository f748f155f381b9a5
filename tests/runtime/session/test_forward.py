"""Forwards over real sockets: a connection waits for a process that is on its way, and bytes pass as they are."""

import asyncio

import pytest

from devcfg.runtime.session.forward import Forward, Ports, parse_ports
from devcfg.schemas.errors import DevcfgError


async def dial(port):
    return await asyncio.open_connection("127.0.0.1", port)


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


@pytest.mark.parametrize(
    ("entry", "ports"), [("80:8080", Ports(80, 8080)), ("8080", Ports(8080, 8080)), (":8080", Ports(0, 8080))]
)
def test_each_form_of_a_port_is_read(entry, ports):
    assert parse_ports(entry) == ports


def test_a_connection_is_held_while_the_process_restarts():
    async def check():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        forward = Forward(Ports(0, port), dial, lambda: True)
        local = await forward.listen()
        reader, writer = await dial(local)  # nothing listens there: this connection has to wait
        writer.write(b"early")
        server = await asyncio.start_server(echo, "127.0.0.1", port)
        assert await reader.readexactly(5) == b"early"
        writer.close()
        await forward.close()
        server.close()

    asyncio.run(asyncio.wait_for(check(), 60))


def test_a_connection_ends_where_no_process_is_on_its_way():
    async def check():
        forward = Forward(Ports(0, 1), dial, lambda: False)
        reader, writer = await dial(await forward.listen())
        assert await reader.read() == b""
        writer.close()
        await forward.close()

    asyncio.run(asyncio.wait_for(check(), 60))


def test_what_one_side_ends_the_other_hears_and_all_bytes_arrive():
    async def check():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        forward = Forward(Ports(0, server.sockets[0].getsockname()[1]), dial, lambda: True)
        reader, writer = await dial(await forward.listen())
        sent = bytes(range(256)) * 4096

        async def send():
            writer.write(sent)
            await writer.drain()
            writer.write_eof()

        sending = asyncio.create_task(send())
        assert await reader.read(-1) == sent
        await sending
        writer.close()
        await forward.close()
        server.close()

    asyncio.run(asyncio.wait_for(check(), 60))


def test_a_port_that_is_taken_is_said_with_a_way_on():
    async def check():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(DevcfgError) as caught:
            await Forward(Ports(port, 80), dial, lambda: True).listen()
        server.close()
        assert str(port) in caught.value.message and ":80" in caught.value.hint

    asyncio.run(check())


def test_what_the_last_client_left_is_put_right_before_the_next_one_comes():
    async def check():
        order, gone = [], asyncio.Event()

        async def serve(reader, writer):
            order.append("came")
            await reader.read()
            writer.close()

        async def left():
            order.append("left")
            gone.set()
            await asyncio.sleep(0.2)
            order.append("put right")

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        forward = Forward(Ports(0, server.sockets[0].getsockname()[1]), dial, lambda: False, left)
        local = await forward.listen()
        first, second = [await dial(local) for _ in range(2)]
        while len(order) < 2:
            await asyncio.sleep(0.01)
        first[1].close()
        await first[0].read()
        assert order == ["came", "came"]  # another one is still there
        second[1].close()
        await gone.wait()
        third = await dial(local)
        while len(order) < 5:
            await asyncio.sleep(0.01)
        third[1].close()
        await forward.close()
        server.close()
        return order

    assert asyncio.run(asyncio.wait_for(check(), 60)) == ["came", "came", "left", "put right", "came"]


def test_a_client_right_behind_one_that_goes_waits_until_that_is_put_right():
    async def check():
        order = []

        async def serve(reader, writer):
            order.append("came")
            await reader.read()
            writer.close()

        async def left():
            await asyncio.sleep(0.1)
            order.append("put right")

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        forward = Forward(Ports(0, server.sockets[0].getsockname()[1]), dial, lambda: False, left, whole=True)
        local = await forward.listen()
        for came in range(1, 6):
            _, writer = await dial(local)
            while order.count("came") < came:
                await asyncio.sleep(0.01)
            writer.close()
        await forward.close()
        server.close()
        return order

    assert asyncio.run(asyncio.wait_for(check(), 60)) == ["came", "put right"] * 4 + ["came"]


def test_a_client_of_a_debugger_that_sends_no_more_has_gone_though_the_process_would_go_on():
    async def check():
        gone = asyncio.Event()
        still = []

        async def serve(reader, writer):
            still.append(writer)  # it sends nothing, and ends nothing
            await reader.read()

        async def left():
            gone.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        forward = Forward(Ports(0, server.sockets[0].getsockname()[1]), dial, lambda: False, left, whole=True)
        _, writer = await dial(await forward.listen())
        while not still:
            await asyncio.sleep(0.01)
        writer.close()
        await gone.wait()
        await forward.close()
        still[0].close()
        server.close()

    asyncio.run(asyncio.wait_for(check(), 60))


def test_a_client_that_goes_is_told_of_though_the_process_keeps_the_connection():
    async def keep(reader, _):
        while await reader.read(65536):
            pass
        await asyncio.Event().wait()  # it does not end what its client has ended

    async def check():
        visits, gone = [], asyncio.Event()

        def visited():
            visits.append(len(visits))
            return gone.set

        server = await asyncio.start_server(keep, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        forward = Forward(Ports(0, port), dial, lambda: True, whole=True, visited=visited)
        _, writer = await dial(await forward.listen())
        writer.write(b"hello")
        await writer.drain()
        writer.close()
        await gone.wait()
        assert visits == [0]
        await forward.close()
        server.close()

    asyncio.run(asyncio.wait_for(check(), 60))
