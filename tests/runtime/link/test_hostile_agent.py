"""An agent that is none: whatever it sends, the link ends with a reason or goes on, in bounded memory."""

import asyncio
import json
import struct

import pytest

from devcfg.runtime.link.errors import (
    BreachError,
    LinkError,
    LinkLostError,
    RequestError,
    SupersededError,
    VersionError,
)
from devcfg.runtime.link.link import connect
from devcfg.runtime.pod.agent import frames
from devcfg.runtime.pod.agent.frames import Frame


def text(members) -> bytes:
    return json.dumps(members).encode()


@pytest.fixture
def against(link_tools):
    """Run a client's coroutine against a script; return what became of both."""

    def run(client, script, **hello):
        async def both():
            stream = link_tools.Scripted()
            stream.hello(**hello)

            async def opened():
                return stream

            link, _ = await connect(opened)
            async with link:
                scripted = asyncio.create_task(script(stream))
                try:
                    return await client(link)
                except LinkError as exc:
                    return exc
                finally:
                    scripted.cancel()

        return link_tools.run(both())

    return run


def request(link):
    return link.request("echo")


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ([Frame(frames.REPLY, 0, 2, b"{}")], "a REPLY that nobody asked for"),
        ([Frame(frames.REPLY, 0, 1, b"{}"), Frame(frames.REPLY, 0, 1, b"{}")], "a REPLY that nobody asked for"),
        ([Frame(frames.DATA, 0, 1, b"x")], "DATA on stream 1, which awaits none"),
        ([Frame(frames.DATA, 0, 999, b"x")], "DATA on stream 999, which awaits none"),
        ([Frame(frames.END, 0, 1, b"")], "END on stream 1, which awaits none"),
        ([Frame(frames.CREDIT, 0, 0, struct.pack(">I", 1))], "credit for 1 bytes, where 0 are owed"),
        ([Frame(frames.CREDIT, 0, 0, struct.pack(">I", 2**32 - 1))], "credit for 4294967295 bytes"),
        ([Frame(frames.PONG, 0, 0, b"12345678")], "a PONG without a PING"),
        ([Frame(frames.REQUEST, 0, 1, b"{}")], "wanted a frame of this side, found type 2"),
        ([Frame(frames.REPLY, 0, 1, b"[]")], "wanted a JSON object"),
        ([Frame(frames.REPLY, 0, 1, b"[" * 60000)], "wanted JSON"),
        ([Frame(frames.REPLY, 0, 1, text({"error": 1, "message": []}))], "an error that is no text"),
        (
            [Frame(frames.REPLY, 2, 1, b"{}"), Frame(frames.DATA, 0, 1, b"x"), Frame(frames.END, 0, 1, b"")],
            "wanted JSON",
        ),
        ([Frame(frames.REPLY, 2, 1, b"{}"), Frame(frames.END, 1, 1, b"{}")], "JSON that is not whole"),
        ([Frame(frames.EVENT, 0, 0, b"nothing")], "wanted JSON"),
        ([Frame(frames.HELLO, 0, 0, b"{}")], "a second HELLO"),
        ([b"Killed\n\n\n"], "wanted a frame of this side"),
    ],
)
def test_what_no_agent_sends_ends_the_link_with_a_reason(against, sent, says):
    async def script(stream):
        await stream.hear(frames.REQUEST)
        stream.say(*sent)

    async def client(link):
        await link.request("echo")
        await link.request("echo")

    error = against(client, script)
    assert isinstance(error, BreachError)
    assert says in error.message


def test_an_answer_before_the_request_is_whole_is_a_breach(against):
    async def script(stream):
        await stream.hear(frames.REQUEST)
        stream.say(Frame(frames.REPLY, 0, 1, b"{}"))

    async def pieces():
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0)

    error = against(lambda link: link.request("sink", pieces()), script)
    assert isinstance(error, BreachError)


def test_a_refusal_ends_the_sending_early(against):
    async def script(stream):
        await stream.hear(frames.DATA)
        stream.say(Frame(frames.REPLY, 0, 1, text({"error": "gone", "message": "no such root"})))
        end = await stream.hear(frames.END)
        assert end.flags == frames.ABORT

    async def pieces():
        while True:
            yield b"x" * 200_000
            await asyncio.sleep(0)

    error = against(lambda link: link.request("sink", pieces()), script)
    assert isinstance(error, RequestError)
    assert error.code == "gone"


def test_a_first_frame_that_is_no_hello_is_no_agent(link_tools):
    async def work():
        stream = link_tools.Scripted()
        stream.say(Frame(frames.PING, 0, 0, b"12345678"))

        async def opened():
            return stream

        error = await link_tools.fails(connect(opened), BreachError)
        assert stream.closed
        return error.message

    assert "no devcfg agent answers" in link_tools.run(work())


@pytest.mark.parametrize("hello", [{"protocol": 7, "oldest": 5}])
def test_versions_without_a_protocol_in_common_say_so(link_tools, hello):
    async def work():
        stream = link_tools.Scripted()
        stream.hello(**hello)

        async def opened():
            return stream

        return (await link_tools.fails(connect(opened), VersionError)).message

    assert link_tools.run(work()) == "the agent speaks protocol 5 to 7, this client 1 to 1"


@pytest.mark.parametrize("hello", [{"pid": "1"}, {"python": 3}, {"features": []}, {"clock_ns": None}, {"protocol": 0}])
def test_a_hello_without_what_belongs_in_it_is_a_breach(link_tools, hello):
    async def work():
        stream = link_tools.Scripted()
        stream.hello(**hello)

        async def opened():
            return stream

        await link_tools.fails(connect(opened), BreachError)

    link_tools.run(work())


def test_an_agent_that_never_greets_is_given_up(link_tools):
    async def work():
        ticks = link_tools.Ticks()

        async def opened():
            return link_tools.Scripted()

        opening = asyncio.create_task(connect(opened, sleep=ticks.sleep))
        while not ticks.sleeping:
            await asyncio.sleep(0)
        await ticks.tick(frames.PING_SECONDS)
        await ticks.tick(frames.PING_SECONDS)
        return (await link_tools.fails(opening, LinkLostError)).message

    assert "no byte from the agent for 10 s" in link_tools.run(work())


@pytest.mark.parametrize(
    ("code", "kind"), [("superseded", SupersededError), ("protocol", BreachError), ("whatever", LinkLostError)]
)
def test_a_goodbye_says_whether_to_come_back(against, code, kind):
    async def script(stream):
        await stream.hear(frames.REQUEST)
        stream.say(Frame(frames.GOODBYE, 0, 0, text({"code": code, "message": "why"})))

    assert isinstance(against(request, script), kind)


def test_endless_data_stops_at_the_window(against):
    async def script(stream):
        await stream.hear(frames.REQUEST)
        stream.say(Frame(frames.REPLY, frames.BULK, 1, b"{}"))
        for _ in range(40):
            stream.say(Frame(frames.DATA, 0, 1, b"x" * frames.DATA_LIMIT))

    async def client(link):
        await link.request("source")  # and nobody reads
        raise await link.ended()

    error = against(client, script)
    assert isinstance(error, BreachError)
    assert "more DATA than the window" in error.message
