"""Streams of a pod: commands, logs and ports carry every byte, as fast as they are read."""

import asyncio
import os

import pytest

from devcfg.runtime.cluster.errors import ClusterError, MissingError

MIB = 1 << 20


async def run(cluster, box, argv, *, stdin=False):
    """Run a command to its end; return its exit code, output and last words."""
    command = await cluster.execute(*box, argv, stdin=stdin)
    output = bytearray()
    while piece := await command.read():
        output += piece
    code = await command.wait()
    await command.close()
    return code, bytes(output), command.words()


async def open_cat(cluster, box):
    """Start a `cat` that is there: a first byte went through it."""
    command = await cluster.execute(*box, ["cat"], stdin=True)
    await command.write(b"!")
    assert await command.read() == b"!"
    return command


@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
def test_a_command_ends_with_its_code_its_output_and_its_last_words(boxed, code):
    words = f"echo out; echo first >&2; echo last >&2; exit {code}"

    assert boxed.run(lambda cluster: run(cluster, boxed.box, ["sh", "-c", words])) == (code, b"out\n", "first; last")


def test_words_reach_a_command_as_they_are(boxed):
    words = ["a b", "c+d", "e&f=g", "ü%20", "-x", "$HOME", "line\nend"]
    program = "import sys; sys.stdout.write('|'.join(sys.argv[1:]))"

    code, output, _ = boxed.run(lambda cluster: run(cluster, boxed.box, ["python3", "-c", program, *words]))
    assert (code, output.decode()) == (0, "|".join(words))


def test_much_that_is_said_on_standard_error_keeps_nothing_up(boxed):
    program = "import sys; sys.stderr.write('x' * 3_000_000 + '\\nthe end\\n'); print('done')"

    code, output, words = boxed.run(lambda cluster: run(cluster, boxed.box, ["python3", "-c", program]))
    assert (code, output, words.rpartition("; ")[2]) == (0, b"done\n", "the end")
    assert len(words) < 10_000


def test_twenty_megabytes_go_through_a_command_and_come_back(boxed):
    data = os.urandom(20 * MIB)

    async def check(cluster):
        command = await open_cat(cluster, boxed.box)

        async def feed():
            for at in range(0, len(data), 60_000):
                await command.write(data[at : at + 60_000])

        feeding = asyncio.create_task(feed())
        back = bytearray()
        while len(back) < len(data):
            back += await command.read()
        await feeding
        await command.close()
        return bytes(back)

    assert boxed.run(check) == data


def test_any_byte_is_carried_one_at_a_time_too(boxed):
    data = bytes(range(256)) + b"\0\r\n\x04\x03\0"

    async def check(cluster):
        command = await open_cat(cluster, boxed.box)
        for at in range(len(data)):
            await command.write(data[at : at + 1])
        back = b""
        while len(back) < len(data):
            back += await command.read()
        await command.close()
        return back

    assert boxed.run(check) == data


def test_many_writers_at_once_lose_nothing_of_a_piece(boxed):
    pieces = [bytes([65 + number]) * 5000 for number in range(20)]

    async def check(cluster):
        command = await open_cat(cluster, boxed.box)
        await asyncio.gather(*(command.write(piece) for piece in pieces))
        back = b""
        while len(back) < sum(map(len, pieces)):
            back += await command.read()
        await command.close()
        return back

    assert boxed.run(check) == b"".join(pieces)


def test_a_command_whose_output_nobody_reads_waits(boxed):
    program = (
        "import os, sys, time\n"
        "mark = sys.argv[1]\n"
        "sys.stdout.write('x' * 40_000_000); sys.stdout.flush()\n"
        "open(mark, 'w').close()\n"
    )
    mark = f"/tmp/devcfg-unread-{os.getpid()}-{id(boxed)}"

    async def check(cluster):
        command = await cluster.execute(*boxed.box, ["python3", "-c", program, mark], stdin=False)
        first = await command.read()
        await asyncio.sleep(1)
        code, _, _ = await run(cluster, boxed.box, ["test", "-e", mark])
        left = 40_000_000 - len(first)
        while piece := await command.read():
            left -= len(piece)
        ended = await command.wait()
        await run(cluster, boxed.box, ["rm", "-f", mark])
        return code, left, ended

    assert boxed.run(check) == (1, 0, 0)


def test_a_command_that_is_not_there_is_told_of(boxed):
    async def check(cluster):
        try:
            await run(cluster, boxed.box, ["no-such-program"])
        except (ClusterError, FileNotFoundError) as error:
            return str(error)

    assert "no-such-program" in boxed.run(check)


def test_a_missing_pod_and_a_missing_container_are_told_apart(boxed):
    namespace, pod, container = boxed.box

    async def check(cluster):
        with pytest.raises(MissingError, match="no pod `nobody`"):
            await cluster.execute(namespace, "nobody", container, ["true"], stdin=False)
        with pytest.raises(ClusterError, match="nothing"):
            await cluster.execute(namespace, pod, "nothing", ["true"], stdin=False)

    boxed.run(check)


def test_one_stream_that_is_closed_takes_no_other_with_it(boxed):
    async def check(cluster):
        first, second = await open_cat(cluster, boxed.box), await open_cat(cluster, boxed.box)
        reading = asyncio.create_task(first.read())
        await asyncio.sleep(0)
        await first.close()
        ended = await reading
        with pytest.raises(OSError):
            await first.write(b"too late")
        await second.write(b"still here")
        back = await second.read()
        await second.close()
        return ended, back

    assert boxed.run(check) == (b"", b"still here")


def test_two_hundred_quick_commands_all_end_as_they_should(boxed):
    async def check(cluster):
        room = asyncio.Semaphore(4)

        async def one(number):
            async with room:
                return await run(cluster, boxed.box, ["sh", "-c", f"echo {number}; exit {number % 3}"])

        return await asyncio.gather(*(one(number) for number in range(200)))

    done = boxed.run(check)
    assert done == [(number % 3, b"%d\n" % number, "") for number in range(200)]


# ---- logs


def test_a_log_is_read_whole_or_from_its_end(boxed):
    async def read(cluster, **how):
        return b"".join([piece async for piece in cluster.log(*boxed.box, **how)])

    async def check(cluster):
        return await read(cluster, follow=False), await read(cluster, follow=False, tail=3)

    whole, tail = boxed.run(check)
    assert whole.splitlines()[:200] == [b"line %d" % number for number in range(200)]
    assert tail == b"".join(whole.splitlines(keepends=True)[-3:])


def test_a_log_that_is_followed_begins_with_what_was_said(boxed):
    async def check(cluster):
        said = b""
        following = cluster.log(*boxed.box, follow=True)
        async for piece in following:
            said += piece
            if said.count(b"\n") >= 200:
                break
        await following.aclose()
        return said

    said = boxed.run(check)
    assert [b"line %d" % number for number in range(200)] == said.splitlines()[:200]


# ---- ports


def test_a_port_on_which_nothing_listens_is_refused(boxed):
    namespace, pod, _ = boxed.box

    async def check(cluster):
        for _ in range(5):
            with pytest.raises(OSError):
                await cluster.dial(namespace, pod, boxed.NOBODY)
        with pytest.raises(OSError):
            await cluster.dial(namespace, "nobody", boxed.ECHO)

    boxed.run(check)


def test_a_server_that_speaks_first_is_heard_and_what_it_says_last_too(boxed):
    namespace, pod, _ = boxed.box

    async def check(cluster):
        reader, writer = await cluster.dial(namespace, pod, boxed.FIRST)
        hello = await reader.readline()
        writer.write(b"thanks")
        await writer.drain()
        rest = await reader.read()
        writer.close()
        await writer.wait_closed()
        return hello, rest

    assert boxed.run(check) == (b"welcome\n", b"bye\n")


def test_a_megabyte_goes_to_a_port_and_comes_back(boxed):
    namespace, pod, _ = boxed.box
    data = os.urandom(MIB)

    async def check(cluster):
        reader, writer = await cluster.dial(namespace, pod, boxed.ECHO)

        async def feed():
            for at in range(0, len(data), 10_000):
                writer.write(data[at : at + 10_000])
                await writer.drain()

        feeding = asyncio.create_task(feed())
        back = await reader.readexactly(len(data))
        await feeding
        writer.close()
        await writer.wait_closed()
        return back

    assert boxed.run(check) == data


def test_several_connections_to_a_port_stay_apart(boxed):
    namespace, pod, _ = boxed.box

    async def one(cluster, number):
        reader, writer = await cluster.dial(namespace, pod, boxed.ECHO)
        said = b"%d" % number * 1000
        writer.write(said)
        await writer.drain()
        back = await reader.readexactly(len(said))
        writer.close()
        return back == said

    async def check(cluster):
        return await asyncio.gather(*(one(cluster, number) for number in range(8)))

    assert boxed.run(check) == [True] * 8


def test_a_command_that_reads_to_the_end_of_its_input_is_told_of_it_and_standard_error_comes_as_it_is_said(boxed):
    heard = bytearray()

    async def check(cluster):
        words = ["sh", "-c", "echo ready; echo said >&2; cat; exit 3"]
        command = await cluster.execute(*boxed.box, words, stdin=True, heard=heard.extend)
        output = bytearray(await command.read())  # it is there: a quick command may be given no input at all
        await command.write(b"input\n")
        await command.finish()
        while piece := await command.read():
            output += piece
        code = await command.wait()
        await command.close()
        return code, bytes(output)

    assert boxed.run(check) == (3, b"ready\ninput\n")
    assert bytes(heard) == b"said\n"
