"""An agent that is none: floods and lies, in bounded memory. Never a real one."""

import asyncio
import json
import random
import struct

import pytest

from devcfg.runtime.link.agent import Agent, hints_of, state_of
from devcfg.runtime.link.errors import (
    BreachError,
    LinkError,
)
from devcfg.runtime.link.link import connect
from devcfg.runtime.pod.agent import frames
from devcfg.runtime.pod.agent.entries import Change, Entry
from devcfg.runtime.pod.agent.frames import Frame

STAT = [1, 2, 3, 4]


HEX = "0" * 32


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


def test_endless_json_stops_at_its_limit(against):
    async def script(stream):
        await stream.hear(frames.REQUEST)
        stream.say(Frame(frames.REPLY, frames.BODY, 1, b"{}"))
        while True:
            for _ in range(8):
                stream.say(Frame(frames.DATA, 0, 1, b"[" * frames.DATA_LIMIT))
            await stream.hear(frames.CREDIT)

    error = against(request, script)
    assert isinstance(error, BreachError)
    assert "more than 4194304 bytes of JSON" in error.message


def answering(members, *lines):
    """Return a script that answers one request."""

    async def script(stream):
        stream_number = (await stream.hear(frames.REQUEST)).stream
        if not lines:
            stream.say(Frame(frames.REPLY, 0, stream_number, text(members)))
            return
        stream.say(Frame(frames.REPLY, frames.BULK, stream_number, text(members)))
        for line in lines:
            stream.say(Frame(frames.DATA, 0, stream_number, text(line) + b"\n"))
        stream.say(Frame(frames.END, 0, stream_number, b""))

    return script


SCANNED = {"listing": "a", "started_ns": 1, "same": False}


BAD_PATHS = [
    "",
    "/etc/passwd",
    "../x",
    "a/../../b",
    "a//b",
    "./a",
    "a/.",
    "nul\0",
    "x" * 256,
    "a/" * 300 + "b",
    7,
    None,
]


def row(path):
    return [path, "f", False, STAT, HEX]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_scan_with_a_path_that_no_root_has_is_a_breach(against, path):
    scan = lambda link: Agent(link).scan("r")  # noqa: E731
    assert isinstance(against(scan, answering(SCANNED, [row("a"), row(path)])), BreachError)
    if isinstance(path, str):
        assert isinstance(against(scan, answering(SCANNED, [row("a"), path])), BreachError)


@pytest.mark.parametrize(
    ("members", "lines"),
    [
        ({}, [[]]),
        ({**SCANNED, "same": "yes"}, [[]]),
        ({**SCANNED, "same": True}, []),
        (SCANNED, [[row("b"), row("a")]]),
        (SCANNED, [[row("a"), row("a")]]),
        (SCANNED, [[["a", "f", False, STAT, "not a digest"]]]),
        (SCANNED, [[["a", "f", False, [1, 2], HEX]]]),
        (SCANNED, [[["a", "z", False, STAT, HEX]]]),
        (SCANNED, [[["a", "f", 1, STAT, HEX]]]),
        (SCANNED, [[["a", "f", False, [-1, 0, 0, 0], HEX]]]),
        (SCANNED, [[{"path": "a"}]]),
        (SCANNED, [{"not": "a list"}]),
    ],
)
def test_a_scan_that_is_none_is_a_breach(against, members, lines):
    assert isinstance(against(lambda link: Agent(link).scan("r"), answering(members, *lines)), BreachError)


@pytest.mark.proof
def test_a_scan_of_a_million_names_stops_in_time(against, link_tools, monkeypatch):
    monkeypatch.setattr(link_tools, "SECONDS", 1800)

    async def script(stream):
        number = (await stream.hear(frames.REQUEST)).stream
        stream.say(Frame(frames.REPLY, frames.BULK, number, text(SCANNED)))
        pattern = text([row(f"BLOCK/{name:03}") for name in range(1000)]) + b"\n"
        for block in range(1000):
            stream.say(Frame(frames.DATA, 0, number, pattern.replace(b"BLOCK", b"%d" % (block + 1000))))
            if block % 16 == 0:
                await stream.hear(frames.CREDIT) if block else await asyncio.sleep(0)

    error = against(lambda link: Agent(link).scan("r"), script)
    assert isinstance(error, BreachError)
    assert "more than 400000 items" in error.message


CHANGES = [Change("a", None, None, Entry("d", "", executable=False), 0)]


async def applied(agent):
    return [outcome async for outcomes in agent.apply("r", CHANGES) for outcome in outcomes]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [["a", "done", STAT, ""], ["b", "done", STAT, ""]],
        [["b", "done", STAT, ""]],
        [["a", "done", STAT, ""], ["a", "done", STAT, ""]],
        [["../a", "done", STAT, ""]],
        [["a", "perfect", STAT, ""]],
        [["a", "done", "stat", ""]],
    ],
)
def test_outcomes_of_changes_that_were_not_asked_for_are_a_breach(against, lines):
    assert isinstance(against(lambda link: applied(Agent(link)), answering({}, lines)), BreachError)


@pytest.mark.parametrize(
    "line", [["b", [HEX, STAT, None]], ["a"], ["a", 7], ["a", ["x", STAT, None]], ["a", [HEX, STAT, [[0, HEX]]]]]
)
def test_digests_of_what_was_not_asked_for_are_a_breach(against, line):
    assert isinstance(against(lambda link: Agent(link).digest("r", ["a"]), answering({}, [line])), BreachError)


def test_fewer_digests_than_asked_for_are_a_breach(against):
    assert isinstance(against(lambda link: Agent(link).digest("r", ["a"]), answering({}, [])), BreachError)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"rule": "r", "paths": [["../a", True]], "rescan": False, "reason": ""},
        {"rule": "r", "paths": [["/a", False]], "rescan": False, "reason": ""},
        {"rule": "r", "paths": [["a", 1]], "rescan": False, "reason": ""},
        {"rule": "r", "paths": ["a"], "rescan": False, "reason": ""},
        {"rule": "r", "paths": [], "rescan": 1, "reason": ""},
        {"rule": 7, "paths": [], "rescan": False, "reason": ""},
    ],
)
def test_hints_that_are_none_are_a_breach(event):
    with pytest.raises(BreachError):
        hints_of(event)


@pytest.mark.parametrize("state", [{}, {"generation": "1", "state": "running", "mode": "run"}, {"pid": "1"}])
def test_a_state_that_is_none_is_a_breach(state):
    with pytest.raises(BreachError):
        state_of(state)


def hostile(chance: random.Random) -> bytes:
    """Return a frame that is wrong somewhere, or right at the wrong time."""
    kind = chance.choice([*range(1, 11), chance.randrange(256)])
    flags = chance.choice([0, 0, 1, 2, chance.randrange(256)])
    stream = chance.choice([0, 1, 2, 3, chance.randrange(65536)])
    payload = chance.choice(
        [
            b"",
            b"{}",
            text({"error": "x", "message": "y"}),
            text([row(chance.choice(BAD_PATHS))]) + b"\n",
            text([[chance.choice(BAD_PATHS), "done", STAT, ""]]) + b"\n",
            struct.pack(">I", chance.choice([0, 1, 2**22, 2**32 - 1])),
            struct.pack(">Q", chance.randrange(4)),
            chance.randbytes(chance.randrange(60)),
        ]
    )
    length = chance.choice([len(payload)] * 12 + [0, 2**32 - 1, 2**17 + 1])
    return struct.pack(">BBHI", kind, flags, stream, length) + payload


def assail(link_tools, count, seed):
    """Ask against hostile frames; return how many were read before they ended their links."""
    chance = random.Random(seed)

    async def one():
        stream = link_tools.Scripted()
        stream.hello()

        async def opened():
            return stream

        link, _ = await connect(opened)
        async with link:
            agent = Agent(link)
            sent = [hostile(chance) for _ in range(20)]
            for number in (1, 2, 3):
                sent.insert(chance.randrange(8), Frame(frames.REPLY, frames.BULK, number, text(SCANNED)).encode())
            asked = [agent.scan("r"), applied(agent), agent.digest("r", ["a"])]
            tasks = [asyncio.create_task(work) for work in asked]
            taken = 0
            for data in sent:
                stream.say(data)
                for _ in range(4):  # until the link has read it
                    await asyncio.sleep(0)
                taken += 1
                if link._ended.done():
                    break
            stream.say(b"")
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        # An empty tree is an answer that an agent may give; it is the engine that halts on one.
        assert all(isinstance(end, LinkError) or (end.rows, end.missing) == ((), ()) for end in ends), ends
        return taken

    async def all_of_them():
        taken = 0
        while taken < count:
            taken += await one()
        return taken

    return link_tools.run(all_of_them())


def test_hostile_frames_never_become_an_answer(link_tools):
    assert assail(link_tools, 3_000, 4) >= 3_000


@pytest.mark.proof
def test_sixty_thousand_hostile_frames_never_become_an_answer(link_tools, monkeypatch):
    monkeypatch.setattr(link_tools, "SECONDS", 1800)
    assert assail(link_tools, 60_000, random.SystemRandom().randrange(2**32)) >= 60_000
