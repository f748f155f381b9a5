"""The engine in trouble: what users see when a side is not as it should be. Never a session."""

import asyncio
import os
import shutil
import subprocess

import pytest
from tests.runtime.sync.sites import listing

from devcfg.runtime.pod.agent.ignore import Ignores, Layer
from devcfg.runtime.sync.engine import Engine, SyncError
from devcfg.runtime.sync.events import Changed, Degraded, Disconnected, Synced
from devcfg.runtime.sync.halts import Cause


def texts(site):
    """Return what both sides have, ours left out."""
    return [
        {path: text for path, text in listing(root).items() if not path.startswith(".devcfg")}
        for root in (site.near, site.far)
    ]


def halts(site):
    return [one.cause for one in site.engine.status().halts]


@pytest.fixture
def small_disk(site):
    """Put a side on a disk of one MiB."""
    mounted = []

    def put(root):
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", root], check=False, capture_output=True
        )
        if done.returncode:
            pytest.skip("only root may mount a small disk")
        mounted.append(root)

    yield put
    site.drop_link()
    site.engine.close()
    for root in mounted:
        subprocess.run(["umount", "-l", root], check=True)
    site.begin()


@pytest.mark.parametrize("side", ["near", "far"])
def test_a_full_disk_stops_what_needs_room_and_nothing_else_until_there_is_some(site, small_disk, side):
    root, other = getattr(site, side), {"near": site.far, "far": site.near}[side]
    small_disk(root)
    site.kill_client()
    (other / "a").write_text("a")
    site.sync(whole=True)
    (other / "a").write_text("changed")
    for number in range(5):
        (other / f"large {number}").write_bytes(bytes([number + 1]) * 500_000)
    site.sync(whole=True)

    assert halts(site) == [Cause.DISK_FULL]
    assert (root / "a").read_text() == "changed"
    assert all(found.stat().st_size == 500_000 for found in root.glob("large *"))
    for number in range(4):
        (other / f"large {number}").unlink()

    async def work():
        await until(lambda: halts(site) == [] and (root / "large 4").exists())

    site.drop_link()
    running(site, work)
    assert {found.name for found in root.glob("[al]*")} == {"a", "large 4"}


def test_a_link_that_is_cut_is_told_and_what_waited_arrives_on_the_next(site):
    (site.near / "a").write_text("a" * 3000)
    site.sync(whole=True)
    (site.near / "b").write_text("b" * 3000)
    site.sync(whole=False, after=500)

    assert isinstance(site.told[-1], Disconnected)
    with pytest.raises(SyncError, match="cannot be reached"):
        site.run(site.engine.flush())
    assert not site.engine.status().connected
    assert site.sync(whole=True) == ()
    assert set(texts(site)[1]) == {"a", "b"}


def test_an_index_that_is_damaged_is_set_aside_and_nothing_is_deleted(site):
    (site.near / "a").write_text("a")
    site.sync(whole=True)
    site.drop_link()
    index = site.folder / "state" / "index"
    site.engine.close()
    index.write_bytes(b"damaged" * 1000)
    (site.near / "a").unlink()
    site.begin()
    site.sync(whole=True)

    assert [one for one in site.told if isinstance(one, Degraded) and "set aside" in one.reason]
    assert texts(site) == [{"a": "a"}] * 2


def test_what_becomes_ignored_is_deleted_on_neither_side(site):
    lines = []
    object.__setattr__(site.rule, "load", lambda: Ignores([Layer("", "", ".gitignore", list(lines))]))
    (site.near / "a.tmp").write_text("a")
    site.sync(whole=True)
    lines.append("*.tmp")
    (site.near / ".gitignore").write_text("*.tmp\n")
    site.sync(whole=True)
    (site.near / "a.tmp").write_text("changed")
    site.sync(whole=True)

    near, far = texts(site)
    assert (near["a.tmp"], far["a.tmp"]) == ("changed", "a")
    assert site.engine.why("a.tmp") == "ignored by `*.tmp` (.gitignore, line 1)"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("a", "in sync: a file, equal on both sides"),
        ("nothing", "there is no such file on either side"),
        ("build", "ignored by `/build/`"),
        ("x.log", "ignored by `*.log`"),
        (".git/config", "never synced"),
        ("../a", "no file of this rule"),
        ("pipe", "not synced, for the local side: a FIFO"),
    ],
)
def test_why_says_it_in_words(site, path, words):
    (site.near / "a").write_text("a")
    os.mkfifo(site.near / "pipe")
    site.sync(whole=True)

    assert site.engine.why(path).startswith(words)


def running(site, work):
    """Run the engine by itself while some work goes on."""

    async def go():
        await site._connect()
        tasks = [asyncio.create_task(site.engine.run()), asyncio.create_task(route(site))]
        try:
            await work()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    site.run(go())


async def route(site):
    while True:
        event = await site.link.events.get()
        site.hinted(event)


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)


def test_saves_on_either_side_arrive_without_being_asked_for(site):
    (site.near / "a").write_text("a")

    async def work():
        await until(lambda: [one for one in site.told if isinstance(one, Synced)])
        (site.near / "a").write_text("mine")
        await until(lambda: (site.far / "a").read_text() == "mine")
        os.makedirs(site.far / "new" / "deep")
        (site.far / "new" / "deep" / "b").write_text("yours")
        await until((site.near / "new" / "deep" / "b").exists)

    running(site, work)
    changed = [one for one in site.told if isinstance(one, Changed)]
    assert ("a",) in [one.to_far for one in changed]
    assert all(one.ms >= 0 for one in changed)


def test_a_burst_arrives_whole_and_a_new_ignore_file_counts_at_once(site):
    lines = []
    object.__setattr__(site.rule, "load", lambda: Ignores([Layer("", "", ".gitignore", list(lines))]))

    async def work():
        await until(lambda: [one for one in site.told if isinstance(one, Synced)])
        for number in range(500):
            os.makedirs(site.near / f"d{number % 50}" / "e", exist_ok=True)
            (site.near / f"d{number % 50}" / "e" / str(number)).write_text(str(number))
        await until(lambda: len(texts(site)[1]) == 600)
        lines.append("secret")
        (site.near / ".gitignore").write_text("secret\n")
        (site.near / "secret").write_text("secret")
        await until((site.far / ".gitignore").exists)
        (site.near / "last").write_text("last")
        await until((site.far / "last").exists)

    running(site, work)
    assert not (site.far / "secret").exists()


def test_a_root_that_is_replaced_while_it_runs_is_taken_up_again(site):
    (site.near / "a").write_text("a")

    async def work():
        await until(lambda: [one for one in site.told if isinstance(one, Synced)])
        site.near.rename(site.folder / "aside")
        await until(lambda: halts(site) == [Cause.ROOT_GONE])
        shutil.copytree(site.folder / "aside", site.near)
        (site.near / "b").write_text("b")
        await until((site.far / "b").exists)
        (site.near / "c").write_text("c")
        await until((site.far / "c").exists)

    running(site, work)
    assert (site.far / "a").read_text() == "a"


def test_a_root_that_is_no_directory_is_refused_at_the_start(site):
    async def begin():
        shutil.rmtree(site.near)
        return Engine(site.rule, print)

    with pytest.raises(SyncError, match="cannot be synced"):
        site.run(begin())
    site.near.mkdir()
