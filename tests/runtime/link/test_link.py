"""One link to a real serving end: requests, bytes both ways, and what happens when either end fails."""

import asyncio
import contextlib
import os
import signal

import pytest

from devcfg.runtime.link.errors import LinkLostError, RequestError
from devcfg.runtime.link.link import connect
from devcfg.runtime.pod.agent import frames


@pytest.fixture
def on_link(link_tools):
    """Run a test's coroutine on an open link."""

    def on(work, open_stream=None):
        async def linked():
            link, _ = await connect(open_stream or link_tools.serving())
            async with link:
                return await work(link)

        return link_tools.run(linked())

    return on


def test_a_request_is_answered(on_link):
    async def work(link):
        return (await link.request("echo", say=["caf\udce9", None, 1])).ok

    assert on_link(work) == {"said": ["caf\udce9", None, 1]}


def test_members_too_long_for_a_frame_travel_all_the_same(on_link):
    said = "x" * 1_000_000

    async def work(link):
        return (await link.request("echo", say=said)).ok

    assert on_link(work) == {"said": said}


def test_members_longer_than_any_agent_takes_are_refused_here(on_link):
    async def work(link):
        with pytest.raises(ValueError, match="a request of"):
            await link.request("echo", say="x" * frames.BODY_LIMIT)
        return (await link.request("echo", say=1)).ok

    assert on_link(work) == {"said": 1}


def test_bytes_travel_both_ways_and_beyond_the_window(on_link, link_tools):
    sent = [os.urandom(70_000) for _ in range(200)]  # 14 MB, the window is 4 MiB

    async def work(link):
        reply = await link.request("turn", sent)
        return await link_tools.read(reply.bulk)

    async def counted(link):
        return (await link.request("sink", sent)).ok["bytes"]

    assert on_link(counted) == 14_000_000
    assert len(on_link(work)) == 14_000_000


def test_pieces_that_come_one_after_the_other_are_sent_as_they_are(on_link):
    async def pieces():
        for number in range(300):
            yield bytes([number % 256]) * number * 10
            await asyncio.sleep(0)

    async def work(link):
        return (await link.request("sink", pieces())).ok["bytes"]

    assert on_link(work) == sum(number * 10 for number in range(300))


def test_many_requests_at_once_are_answered_each_with_its_own(on_link, link_tools):
    async def one(link, number):
        match number % 3:
            case 0:
                return (await link.request("echo", say=number)).ok["said"]
            case 1:
                return (await link.request("sink", [b"x" * number] * 100)).ok["bytes"]
            case _:
                reply = await link.request("source", size=number, pieces=100)
                return len(await link_tools.read(reply.bulk))

    async def work(link):
        return await asyncio.gather(*(one(link, number) for number in range(300)))

    assert on_link(work) == [number if number % 3 == 0 else number * 100 for number in range(300)]


def test_a_request_that_cannot_be_done_says_why_and_the_link_goes_on(on_link, link_tools):
    async def work(link):
        error = await link_tools.fails(link.request("refuse"), RequestError)
        assert (await link.request("echo", say=1)).ok == {"said": 1}
        return error

    error = on_link(work)
    assert (error.code, error.message) == ("no-way", "it cannot \x1b[2J be done")


def test_a_bug_in_one_request_ends_that_request_alone(on_link, link_tools):
    async def work(link):
        error = await link_tools.fails(link.request("bug"), RequestError)
        assert (await link.request("echo", say=1)).ok == {"said": 1}
        return error.code

    assert on_link(work) == "bug"


def test_bytes_whose_source_fails_on_the_way_are_never_taken_for_whole(on_link, link_tools):
    async def work(link):
        reply = await link.request("half")
        error = await link_tools.fails(link_tools.read(reply.bulk), RequestError)
        assert (await link.request("echo", say=1)).ok == {"said": 1}
        return error

    error = on_link(work)
    assert (error.code, error.message) == ("aborted", "the file went away")


def test_bytes_whose_source_fails_here_are_aborted_and_the_link_goes_on(on_link):
    def pieces():
        yield b"x" * 500_000
        raise FileNotFoundError("gone")

    async def work(link):
        with pytest.raises(FileNotFoundError, match="gone"):
            await link.request("sink", pieces())
        return (await link.request("echo", say=1)).ok

    assert on_link(work) == {"said": 1}


def test_an_answer_that_nobody_reads_to_its_end_blocks_nothing(on_link):
    async def work(link):
        for _ in range(5):
            reply = await link.request("source", size=100_000, pieces=100)
            async for _ in reply.bulk:
                break
            reply.bulk.close()
        return (await link.request("echo", say=1)).ok

    assert on_link(work) == {"said": 1}


def test_a_request_that_is_cancelled_blocks_nothing(on_link, link_tools):
    async def work(link):
        for verb, members in (("nap", {"seconds": 0.05}), ("source", {"size": 100_000, "pieces": 100})):
            task = asyncio.create_task(link.request(verb, **members))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await link.request("sink", (b"x" * 100_000 for _ in range(1000)))
        return (await link.request("echo", say=1)).ok

    assert on_link(work) == {"said": 1}


def test_stream_numbers_start_again_after_the_last(on_link):
    async def work(link):
        link._number = 65_530
        return [(await link.request("echo", say=number)).ok["said"] for number in range(20)]

    assert on_link(work) == list(range(20))


def test_events_come_in_order(on_link):
    async def work(link):
        await link.request("events", count=500)
        return [(await link.events.get())["n"] for _ in range(500)]

    assert on_link(work) == list(range(500))


def test_events_that_nobody_reads_become_one_that_says_so(on_link):
    async def work(link):
        await link.request("events", count=5000)
        return await link.events.get()

    assert on_link(work) == {"event": "overflow"}


def test_a_stream_of_single_bytes_is_slow_and_nothing_else(on_link, link_tools):
    async def start():
        return link_tools.Faulty(await link_tools.serving()(), piece=1)

    async def work(link):
        reply = await link.request("turn", [b"abc"])
        return (await link.request("echo", say="x" * 300)).ok["said"], await link_tools.read(reply.bulk)

    assert on_link(work, start) == ("x" * 300, b"cba")


def test_an_agent_that_dies_fails_what_was_asked_and_says_its_last_words(on_link, link_tools):
    async def start():
        stream = await link_tools.serving()()
        stream.words = lambda: "killed"
        return stream

    async def work(link):
        asked = asyncio.create_task(link.request("nap", seconds=60))
        events = asyncio.create_task(link.events.get())
        await asyncio.sleep(0.05)
        os.kill(link._stream.pid, signal.SIGKILL)
        error = await link_tools.fails(asked, LinkLostError)
        await link_tools.fails(events, LinkLostError)
        await link_tools.fails(link.request("echo"), LinkLostError)
        return error.message

    assert "killed" in on_link(work, start)


def test_a_program_that_is_no_agent_is_named_by_what_it_says(link_tools):
    from devcfg.runtime.link.stream import LocalStream

    async def start():
        return await LocalStream.start(["sh", "-c", "echo no python here >&2; exit 127"])

    error = link_tools.run(link_tools.fails(connect(start), LinkLostError))
    assert "no python here" in error.message


def test_an_agent_ends_when_the_client_goes_even_while_it_works(link_tools):
    async def work():
        link, _ = await connect(link_tools.serving())
        stream = link._stream
        asked = asyncio.create_task(link.request("nap", seconds=600))
        await asyncio.sleep(0.05)
        stream._process.stdin.close()
        code = await stream._process.wait()
        await asyncio.gather(asked, return_exceptions=True)
        await link.close()
        return code

    assert link_tools.run(work()) == 0


def test_the_agent_answers_pings_while_its_worker_works(link_tools):
    async def work():
        ticks = link_tools.Ticks()
        link, _ = await connect(link_tools.serving(), sleep=ticks.sleep)
        async with link:
            asked = asyncio.create_task(link.request("nap", seconds=1))
            await asyncio.sleep(0.05)
            await ticks.tick(frames.PING_SECONDS)
            while not link.lived:
                await asyncio.sleep(0.001)
            assert not asked.done()
            await asked

    link_tools.run(work())


def test_an_agent_that_stands_still_is_noticed_after_two_pings(link_tools):
    async def work():
        ticks = link_tools.Ticks()
        link, _ = await connect(link_tools.serving(), sleep=ticks.sleep)
        async with link:
            await link.request("echo")
            os.kill(link._stream.pid, signal.SIGSTOP)
            asked = asyncio.create_task(link.request("echo"))
            await ticks.tick(frames.PING_SECONDS)
            assert not asked.done()
            await ticks.tick(frames.PING_SECONDS)
            return (await link_tools.fails(asked, LinkLostError)).message

    assert "no byte from the agent for 10 s" in link_tools.run(work())
