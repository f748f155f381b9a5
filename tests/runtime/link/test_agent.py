"""The real agent over a real link: everything a session needs of it, once."""

import asyncio
import os
import sys

import pytest

from devcfg.runtime.link.agent import Agent, Users, hints_of
from devcfg.runtime.link.errors import RequestError
from devcfg.runtime.link.link import connect
from devcfg.runtime.link.stream import LocalStream
from devcfg.runtime.pod.agent.entries import Change, Entry, Wanted
from devcfg.runtime.pod.agent.ignore import Ignores
from devcfg.runtime.pod.agent.root import Root


@pytest.fixture
def sides(link_tools, tmp_path):
    """Run a coroutine with an agent whose rule `r` is open, and a local root beside it."""
    (tmp_path / "far").mkdir()
    (tmp_path / "near").mkdir()

    def run(work):
        async def linked():
            async def start():
                env = {**os.environ, "PYTHONPATH": str(link_tools.POD)}
                return await LocalStream.start([sys.executable, "-S", "-m", "agent", str(tmp_path / "state")], env=env)

            link, hello = await connect(start)
            async with link:
                agent = Agent(link)
                assert hello.python == sys.version.split()[0]
                assert (await agent.open("r", str(tmp_path / "far"))).volume_id == ""
                root = Root(str(tmp_path / "near"))
                try:
                    return await work(agent, root, link)
                finally:
                    root.close()

        return link_tools.run(linked())

    return run


async def applied(agent, changes):
    """Bring changes into place; return all outcomes."""
    return [outcome async for outcomes in agent.apply("r", changes) for outcome in outcomes]


async def push(agent, root, names):
    """Bring local files to the far side; return the outcomes."""
    digested = root.digest(names, {})
    wanted = [Wanted(name, digested[name].digest, digested[name].stat, None, None) for name in names]
    staged = await agent.stage("r", root.records(wanted))
    assert staged == ()
    changes = [Change(name, None, None, Entry("f", digested[name].digest, executable=False), 10**18) for name in names]
    return await applied(agent, changes)


def test_files_reach_the_far_side_and_come_back(sides, tmp_path):
    content = {f"{number}.txt": os.urandom(number * 100) for number in range(300)}
    content["large.bin"] = os.urandom(3_000_000)
    content["caf\udce9"] = b"any name"
    for name, data in content.items():
        (tmp_path / "near" / name).write_bytes(data)

    async def work(agent, root, _link):
        outcomes = await push(agent, root, sorted(content))
        assert {one.result for one in outcomes} == {"done"}
        listing = await agent.scan("r")
        assert {row.path for row in listing.rows} == set(content)
        again = await agent.scan("r", known=listing.listing)
        assert again.rows is None
        digests = await agent.digest("r", content)
        wanted = [Wanted(name, digests[name].digest, digests[name].stat, None, None) for name in sorted(content)]
        return b"".join([piece async for piece in agent.fetch("r", wanted)])

    stream = sides(work)
    assert {name: (tmp_path / "far" / name).read_bytes() for name in content} == content
    assert content["large.bin"] in stream


def test_a_hinted_scan_tells_what_is_there_and_what_is_missing(sides, tmp_path):
    (tmp_path / "far" / "a").mkdir()
    (tmp_path / "far" / "a" / "b").write_text("b")

    async def work(agent, _root, _link):
        found = await agent.scan("r", [("a", True), ("gone", False)])
        return [row.path for row in found.rows], found.missing

    assert sides(work) == (["a", "a/b"], ("gone",))


def test_what_is_ignored_is_not_listed(sides, tmp_path):
    (tmp_path / "far" / "a.log").write_text("")
    (tmp_path / "far" / "a.py").write_text("")

    async def work(agent, _root, _link):
        await agent.ignores("r", Ignores([("", "", ".gitignore", ["*.log"])]))
        return [row.path for row in (await agent.scan("r")).rows]

    assert sides(work) == ["a.py"]


async def told(link):
    """Return the paths that are hinted at by now."""
    paths = set()
    while link.events._waiting:
        paths |= {path for path, _ in hints_of(await link.events.get()).paths}
    return paths


def test_a_cookie_comes_after_the_hints_of_all_that_happened(sides, tmp_path):
    async def work(agent, _root, link):
        assert await agent.watch("r") == ""
        for number in range(50):
            (tmp_path / "far" / f"{number}").write_text("x")
            await agent.cookie("r", number)
            assert f"{number}" in await told(link)

    sides(work)


def test_a_path_that_is_as_the_client_made_it_is_no_hint(sides, tmp_path):
    (tmp_path / "near" / "mine").write_text("mine")

    async def work(agent, root, link):
        await agent.watch("r")
        await push(agent, root, ["mine"])
        await agent.cookie("r", 1)
        await told(link)  # perhaps told before the agent knew that it was its own
        os.close(os.open(tmp_path / "far" / "mine", os.O_WRONLY))
        (tmp_path / "far" / "theirs").write_text("theirs")
        await agent.cookie("r", 2)
        first = await told(link)
        os.chmod(tmp_path / "far" / "mine", 0o755)
        await agent.cookie("r", 3)
        return first, await told(link)

    assert sides(work) == ({"theirs"}, {"mine"})


def test_a_tree_that_the_client_made_is_no_hint_but_what_others_put_into_it_is(sides, tmp_path):
    directory = Entry("d", "", executable=False)
    (tmp_path / "near" / "tree" / "sub").mkdir(parents=True)
    names = [f"tree/sub/{number}" for number in range(100)]
    for name in names:
        (tmp_path / "near" / name).write_text(name)

    async def work(agent, root, link):
        await agent.watch("r")
        await applied(agent, [Change(path, None, None, directory, 0) for path in ("tree", "tree/sub")])
        await push(agent, root, names)
        await agent.cookie("r", 1)
        ours = await told(link)
        (tmp_path / "far" / "tree" / "sub" / "theirs").write_text("theirs")
        os.unlink(tmp_path / "far" / "tree" / "sub" / "7")
        await agent.cookie("r", 2)
        return ours, await told(link)

    assert sides(work) == (set(), {"tree/sub/theirs", "tree/sub/7"})


def test_a_root_that_is_gone_says_so(sides, tmp_path):
    async def work(agent, _root, _link):
        os.rename(tmp_path / "far", tmp_path / "moved")
        with pytest.raises(RequestError) as missing:
            await agent.scan("r")
        (tmp_path / "far").mkdir()
        with pytest.raises(RequestError) as replaced:
            await agent.scan("r")
        with pytest.raises(RequestError) as never:
            await agent.open("s", str(tmp_path / "nowhere"))
        return [(one.value.code, one.value.message.split(":")[-1].strip()) for one in (missing, replaced, never)]

    assert sides(work) == [("gone", "missing"), ("gone", "replaced"), ("gone", "no such file or directory")]


def test_a_volume_keeps_its_mark(sides, tmp_path):
    async def work(agent, _root, _link):
        await agent.mark("r", "volume-1")
        return await agent.open("r", str(tmp_path / "far"))

    opened = sides(work)
    assert (opened.volume_id, opened.empty) == ("volume-1", True)


def test_a_probe_that_hangs_holds_up_nothing(sides, link_tools):
    async def work(agent, _root, _link):
        server = await asyncio.start_server(lambda *_: asyncio.sleep(3600), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            asked = asyncio.create_task(agent.probe(http={"port": port}, timeout=30.0))
            await agent.scan("r")
            assert (await agent.probe(tcp={"port": port})).result == "success"
            assert not asked.done()
            asked.cancel()

    sides(work)


def test_a_supervisor_that_is_not_there_is_an_error_with_a_code(sides, tmp_path):
    async def work(agent, _root, _link):
        (tmp_path / "service").mkdir()
        assert (await agent.state(str(tmp_path / "service"))).state == "absent"
        assert await agent.users(str(tmp_path / "service")) == Users(None, os.getuid())
        await agent.commands(str(tmp_path / "service"), {"run": ["true"]})
        with pytest.raises(RequestError) as caught:
            await agent.restart(str(tmp_path / "service"))
        return caught.value.code

    assert sides(work) == "no-supervisor"
