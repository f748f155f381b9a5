"""A link that comes back: after cuts at any byte, until coming back is of no use."""

import asyncio
import itertools
import os
import random
import signal

import pytest

from devcfg.runtime.link.errors import LinkError, LinkLostError, RequestError, SupersededError
from devcfg.runtime.link.reconnect import Back, Lost, Reconnecting
from devcfg.runtime.pod.agent import frames
from devcfg.runtime.pod.agent.frames import Frame


async def at_once(_seconds):
    """Sleep in no time, as far as retries go; the pings of these short links never come."""
    if _seconds == frames.PING_SECONDS:
        await asyncio.Event().wait()
    await asyncio.sleep(0)


@pytest.fixture
def kept(link_tools):
    """Run a coroutine beside a link that is kept up; it gets the link and the list of what was told."""

    def run(open_stream, work, sleep=at_once):
        async def both():
            told, changed = [], asyncio.Event()

            def tell(change):
                told.append(change)
                changed.set()

            keeping = Reconnecting(open_stream, tell, sleep=sleep, chance=lambda: 0.5)
            running = asyncio.create_task(keeping.run())
            try:
                return await work(keeping, told, changed, running)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

        return link_tools.run(both())

    return run


async def up(told, changed):
    while not told or not isinstance(told[-1], Back):
        changed.clear()
        await changed.wait()


def test_a_lost_link_fails_what_was_asked_and_comes_back(kept, link_tools):
    async def work(link, told, changed, _running):
        await up(told, changed)
        asked = asyncio.create_task(link.request("nap", seconds=60))
        await asyncio.sleep(0.02)
        first = told[-1].hello.pid
        os.kill(first, signal.SIGKILL)
        await link_tools.fails(asked, LinkLostError)
        while len(told) < 3:
            changed.clear()
            await changed.wait()
        assert told[-1].hello.pid != first
        return (await link.request("echo", say=1)).ok, [type(change) for change in told]

    assert kept(link_tools.serving(), work) == ({"said": 1}, [Back, Lost, Back])


def test_a_request_without_a_link_fails_at_once(kept, link_tools):
    async def nothing():
        raise ConnectionRefusedError("nobody there")

    async def work(link, told, _changed, _running):
        error = await link_tools.fails(link.request("echo"), LinkLostError)
        while len(told) < 9:
            await asyncio.sleep(0)
        return error.message, [change.retry for change in told[:9]], told[0].reason.message

    message, delays, reason = kept(nothing, work)
    assert message == "there is no link to the agent"
    assert delays == pytest.approx([0.15, 0.3, 0.6, 1.2, 2.4, 3.75, 3.75, 3.75, 3.75])
    assert "nobody there" in reason


def test_a_newer_session_is_never_fought(kept, link_tools):
    opened = []

    async def start():
        stream = link_tools.Scripted()
        stream.hello()
        stream.say(Frame(frames.GOODBYE, 0, 0, b'{"code":"superseded","message":""}'))
        opened.append(stream)
        return stream

    async def work(_link, _told, _changed, running):
        await link_tools.fails(running, SupersededError)
        return len(opened), opened[0].closed

    assert kept(start, work) == (1, True)


def test_a_link_that_lived_starts_its_retries_anew(kept, link_tools):
    async def start():
        stream = link_tools.Scripted()
        stream.hello()
        return stream

    async def work(_link, told, changed, _running):
        for turn in range(3):
            await up(told, changed)
            link = told[-1].link
            link.lived = turn != 1
            await link._stream.close()
            while isinstance(told[-1], Back) and told[-1].link is link:
                await asyncio.sleep(0)
        return [change.retry for change in told if isinstance(change, Lost)]

    assert kept(start, work) == pytest.approx([0.15, 0.3, 0.15])


async def ask(link, number):
    """Ask something; return whether the answer was right, None when it failed as it may."""
    payload = bytes([number % 256]) * (number * 37 % 5000)
    try:
        match number % 3:
            case 0:
                return (await link.request("echo", say=number)).ok == {"said": number}
            case 1:
                return (await link.request("sink", [payload] * 20)).ok == {"bytes": len(payload) * 20}
            case _:
                reply = await link.request("source", size=700, pieces=number % 50)
                return b"".join([piece async for piece in reply.bulk]) == b"s" * 700 * (number % 50)
    except RequestError:
        return False
    except LinkError:
        return None


def cuts(kept, link_tools, count, seed):
    """Cut links at random bytes while requests run; return how many were cut, and what became of the requests."""
    chance = random.Random(seed)
    lost = 0
    ends: list[bool | None] = []

    async def start():
        stream = await link_tools.serving()()
        if lost >= count:
            return stream
        return link_tools.Faulty(stream, cut=int(2 ** chance.uniform(0, 17)), piece=chance.choice([None, None, 3]))

    async def work(link, told, changed, _running):
        nonlocal lost
        numbers = itertools.count()
        while lost < count:
            await up(told, changed)  # or nothing would be under way when the link is cut
            ends.extend(await asyncio.gather(*(ask(link, next(numbers)) for _ in range(6))))
            await asyncio.sleep(0)
            lost = sum(isinstance(change, Lost) for change in told)
        await up(told, changed)
        while not isinstance(await ask(link, 3), bool):
            await asyncio.sleep(0)
        return [await ask(link, number) for number in range(30)]

    assert all(kept(start, work))
    return lost, ends


def test_links_cut_at_random_bytes_answer_or_fail_and_come_back(kept, link_tools):
    lost, ends = cuts(kept, link_tools, 30, 11)
    assert lost >= 30
    assert False not in ends
    assert True in ends


@pytest.mark.proof
def test_five_hundred_links_cut_at_random_bytes_answer_or_fail_and_come_back(kept, link_tools, monkeypatch):
    monkeypatch.setattr(link_tools, "SECONDS", 1800)
    lost, ends = cuts(kept, link_tools, 500, random.SystemRandom().randrange(2**32))
    assert lost >= 500
    assert False not in ends
    assert True in ends
