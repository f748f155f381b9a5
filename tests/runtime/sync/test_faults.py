"""What a disk, a link or a file does to a rule that runs: nothing is lost, the reason is said, and sync goes on."""

import contextlib
import os
import random
import shutil
import signal
import time

import pytest
from tests.runtime.sync.live import Live, leftovers

from devcfg.runtime.sync.engine import Choice
from devcfg.runtime.sync.events import Connected, Disconnected, Halted
from devcfg.runtime.sync.halts import Cause
from devcfg.runtime.sync.modes import Side

MIB = 1 << 20
NAMES = [
    "-x", "--help", "-", "a\nb", "\n", "a\tb", " lead", "trail ", "\N{GRINNING FACE}", "e\u0301", "\u00e9",
    "\udcff\udcfe", "\udcc3", "n" * 255, "\u00e9" * 127, "Case", "case", "CASE", "'", '"', "$(x)", "`x`", ";x", "*",
    "?", "[a]", "a\\b", "~", "#x", "!x", "..x", "x..", "...", "\u202eabc", "\x01\x1b[31m", "\x7f", "%s", "{}", "C:",
    "nul", "a|b", "<x>", "&", "\u200b", "\xa0", "\ufb01", "fi", "ß", "ẞ", ".gitignore~", "con.txt", "x.devcfg-tmp-1",
]  # fmt: skip


@pytest.fixture
def site(place):
    """A rule that runs and agrees on a few files."""
    with Live(place, place / "near", place / "far") as live:
        fill(live.near)
        live.settle()
        yield live
    assert not leftovers(live.near, live.far)


def fill(root):
    for number in range(30):
        path = root / f"d{number % 3}" / f"{number:02}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"first {number}")


def roots(live, side):
    both = (live.near, live.far)
    return both[side], both[side.other]


def empty(root):
    for one in root.iterdir():
        shutil.rmtree(one)


def save(path, content):
    """Write a file as an editor does that keeps the old one until the new one is whole; the new one is ignored."""
    beside = path.with_name(f".devcfg-tmp-{path.name}")
    beside.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.replace(beside, path)


def goes_on(live):
    """Changes travel both ways, and nothing stands in their way."""
    (live.near / "from near").write_text(f"near {time.monotonic_ns()}")
    (live.far / "from far").write_text(f"far {time.monotonic_ns()}")
    live.settle()
    assert not live.halts and not live.engine.conflicts()


# ---- a side is gone


@pytest.mark.parametrize("side", list(Side))
def test_an_emptied_side_stops_sync_until_somebody_decides(site, side):
    lost, whole = roots(site, side)
    before = site.seen(whole)
    site.at_once(lambda: empty(lost))
    site.wait(lambda: site.halts)
    (halt,) = site.halts
    assert halt.cause is Cause.EMPTIED and halt.side is side
    assert halt.reason == (
        f"everything is gone from the {side.word} side, and it would be deleted on the {side.other.word} side"
    )
    assert f"`devcfg sync resolve . --{side.other.word}` brings them back" in halt.hint
    assert site.engine.why("d0/00.txt") == f"sync has stopped: {halt.reason}"
    site.flush()
    assert site.seen(whole) == before, "a halt keeps what is left"
    site.resolve(".", Choice(side.other.word))
    site.settle()
    assert site.seen(lost) == before
    goes_on(site)


@pytest.mark.parametrize("side", list(Side))
def test_an_emptied_side_may_be_meant(site, side):
    lost, whole = roots(site, side)
    site.at_once(lambda: empty(lost))
    site.wait(lambda: site.halts)
    site.resolve(".", Choice(side.word))
    site.settle()
    assert site.seen(whole) == {}
    goes_on(site)


@pytest.mark.parametrize("instead", ["nothing", "a file", "a link", "another directory"])
@pytest.mark.parametrize("side", list(Side))
def test_a_root_that_is_gone_or_replaced_stops_sync_until_it_is_back(site, side, instead):
    lost, whole = roots(site, side)
    before = site.seen(whole)
    away = site.folder / "away"

    def replace():
        os.rename(lost, away)
        match instead:
            case "a file":
                lost.write_text("a file")
            case "a link":
                lost.symlink_to("nowhere")
            case "another directory":
                lost.mkdir()

    site.at_once(replace)
    if instead == "another directory" and side is Side.FAR:
        # It has no mark: it is a new volume, and is filled.
        site.settle()
        assert site.seen(lost) == before
        return
    (whole / "meanwhile").write_text("meanwhile")
    site.wait(lambda: site.halts)
    (halt,) = site.halts
    assert halt.side is side
    assert halt.cause is (Cause.EMPTIED if instead == "another directory" else Cause.ROOT_GONE)
    assert halt.reason and halt.hint
    assert site.seen(whole) == before | {"meanwhile": "meanwhile"}
    if instead == "another directory":
        lost.rmdir()
    elif instead != "nothing":
        lost.unlink()
    os.rename(away, lost)
    site.settle()
    assert site.seen(lost) == before | {"meanwhile": "meanwhile"}
    goes_on(site)


def test_a_new_volume_is_filled_and_deletes_nothing(site):
    before = site.seen(site.near)

    def replace():
        for one in site.far.iterdir():
            shutil.rmtree(one)

    site.told.clear()
    (site.near / "d0" / "00.txt").write_text("newer")
    site.settle()
    site.at_once(replace)
    site.cut(0)
    site.settle()
    assert site.seen(site.far) == before | {"d0/00.txt": "newer"}
    assert Connected(volume_is_new=True) in site.told
    goes_on(site)


@pytest.mark.parametrize("side", list(Side))
def test_who_removes_all_that_git_does_not_know_does_not_stop_sync(site, side):
    root, _ = roots(site, side)
    goes_on(site)
    site.at_once(lambda: [shutil.rmtree(one) for one in root.glob(".devcfg-tmp-*")])
    gone = {"d0/00.txt", "d1/01.txt"}
    (site.near / "d0" / "00.txt").unlink()
    (site.far / "d1" / "01.txt").unlink()
    save(site.near / "d0" / "03.txt", "near, later")
    save(site.far / "d1" / "04.txt", "far, later")
    site.settle()
    assert not gone & site.seen(site.near).keys() and not gone & site.seen(site.far).keys()
    goes_on(site)


# ---- what cannot be written or read


@pytest.fixture
def nobody():
    """Words that run an agent as a user whom permissions bind."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root needs setpriv to run an agent as somebody else")
    return ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def own(*paths):
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, 65534, 65534)


@pytest.fixture
def bound(place, nobody):
    """A rule whose agent is bound by permissions."""
    (place / "agent").mkdir()
    own(place / "agent", place / "far")
    with Live(place, place / "near", place / "far", agent=nobody) as live:
        fill(live.near)
        live.settle()
        yield live
        (live.far / "d0").chmod(0o755)
    assert not leftovers(live.near, live.far)


def test_a_read_only_file_is_replaced_and_stays_read_only(bound):
    (bound.far / "d0" / "00.txt").chmod(0o444)
    save(bound.near / "d0" / "00.txt", "second")
    bound.settle()
    assert (bound.far / "d0" / "00.txt").read_text() == "second"
    assert (bound.far / "d0" / "00.txt").stat().st_mode & 0o777 == 0o444


def test_a_read_only_directory_is_said_and_the_rest_goes_on_and_so_does_it_later(bound):
    (bound.far / "d0").chmod(0o555)
    save(bound.near / "d0" / "00.txt", "second")
    (bound.near / "d0" / "03.txt").unlink()
    (bound.near / "d1" / "01.txt").write_text("second")
    bound.wait(lambda: len(bound.engine.status().problems) == 2)
    assert {one.path: one.reason for one in bound.engine.status().problems} == {
        "d0/00.txt": "permission denied",
        "d0/03.txt": "permission denied",
    }
    assert bound.engine.why("d0/00.txt") == "not synced, for the remote side: permission denied"
    assert (bound.far / "d1" / "01.txt").read_text() == "second"
    assert (bound.far / "d0" / "00.txt").read_text() == "first 0" and (bound.far / "d0" / "03.txt").exists()
    (bound.far / "d0").chmod(0o755)
    bound.settle()
    assert not bound.engine.status().problems


def test_what_cannot_be_read_is_said_and_never_taken_for_deleted(bound):
    (bound.far / "d0").chmod(0)
    (bound.far / "d1" / "01.txt").chmod(0)
    (bound.far / "d2" / "02.txt").write_text("second")
    bound.wait(lambda: {one.path for one in bound.engine.status().problems} >= {"d0", "d1/01.txt"})
    assert "permission denied" in bound.engine.why("d0/00.txt")
    assert (bound.near / "d0" / "00.txt").read_text() == "first 0"
    bound.wait(lambda: (bound.near / "d2" / "02.txt").read_text() == "second")
    (bound.far / "d0").chmod(0o755)
    (bound.far / "d1" / "01.txt").chmod(0o644)
    bound.settle()
    assert not bound.engine.status().problems


@pytest.mark.parametrize("side", list(Side))
def test_a_fifo_and_a_device_are_said_and_the_rest_goes_on(site, side):
    root, other = roots(site, side)
    os.mkfifo(root / "d0" / "fifo")
    (root / "d0" / "00.txt").unlink()
    os.mkfifo(root / "d0" / "00.txt")
    wanted = {"d0/fifo": "a FIFO", "d0/00.txt": "a FIFO"}
    with contextlib.suppress(PermissionError):
        os.mknod(root / "device", 0o20600, os.makedev(1, 3))
        wanted["device"] = "a device"
    (root / "d0" / "03.txt").write_text("second")
    site.wait(lambda: (other / "d0" / "03.txt").read_text() == "second")
    site.wait(lambda: {one.path for one in site.engine.status().problems} == wanted.keys())
    reasons = {one.path: one.reason.lower() for one in site.engine.status().problems}
    assert all(word.split()[-1].lower() in reasons[path] for path, word in wanted.items()), reasons
    assert (other / "d0" / "00.txt").read_text() == "first 0", "what was replaced by a FIFO is not deleted elsewhere"
    for path in wanted:
        (root / path).unlink()
    (root / "d0" / "00.txt").write_text("a file again")
    site.settle()
    assert not site.engine.status().problems
    goes_on(site)


def test_a_sparse_file_of_four_gib_stays_sparse_on_its_way(site):
    with open(site.near / "sparse", "wb") as file:
        file.truncate(4 << 30)
        file.seek(3 << 30)
        file.write(b"in the middle")
    far = site.far / "sparse"
    site.wait(far.exists)
    site.flush()
    assert far.stat().st_size == 4 << 30 and far.stat().st_blocks * 512 < 4 * MIB
    with open(site.near / "sparse", "r+b") as file:
        file.seek(1 << 30)
        file.write(b"and before it")
    site.flush()
    for at, text in ((3 << 30, b"in the middle"), (1 << 30, b"and before it")):
        with open(far, "rb") as file:
            file.seek(at)
            assert file.read(len(text)) == text
    assert far.stat().st_blocks * 512 < 4 * MIB
    (site.near / "sparse").unlink()
    goes_on(site)


# ---- the link, and who stands still


def cut_at_random(site, count):
    chance = random.Random(count)
    wanted = {}
    for number in range(count):
        site.cut(chance.randrange(12_000))
        for root, word in ((site.near, "near"), (site.far, "far")):
            path = f"d{number % 3}/{word} {number % 20}"
            wanted[path] = f"{word} {number} " + "x" * chance.randrange(0, 9000, 1000)
            save(root / path, wanted[path])
        if number % 10 == 0:
            (site.near / "large").write_bytes(chance.randbytes(MIB + 70_000))
        links = site.links
        site.wait(lambda links=links: site.links > links or site.differences() == {})
    site.cut(1 << 40)
    site.settle()
    assert sum(isinstance(one, Disconnected) for one in site.told) > count // 3
    assert wanted.items() <= site.seen(site.near).items()
    assert not [one for one in site.told if isinstance(one, Halted)]
    assert not site.engine.conflicts()


def test_a_link_that_is_cut_at_random_bytes_loses_nothing(site):
    cut_at_random(site, 10)
    goes_on(site)


@pytest.mark.proof
def test_a_link_that_is_cut_five_hundred_times_at_random_bytes_loses_nothing(site):
    cut_at_random(site, 500)
    goes_on(site)


def freeze_the_agent(site, seconds):
    frozen = site.agent
    os.kill(frozen, signal.SIGSTOP)
    save(site.near / "d0" / "00.txt", "near, meanwhile")
    save(site.far / "d1" / "01.txt", "far, meanwhile")
    time.sleep(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.kill(frozen, signal.SIGCONT)
    site.settle()
    assert (site.far / "d0" / "00.txt").read_text() == "near, meanwhile"
    assert (site.near / "d1" / "01.txt").read_text() == "far, meanwhile"
    goes_on(site)


def test_an_agent_that_stands_still_for_a_moment_goes_on(site):
    freeze_the_agent(site, 2)
    assert site.links == 1


@pytest.mark.proof
def test_an_agent_that_stands_still_for_a_minute_is_replaced(site):
    freeze_the_agent(site, 60)
    assert site.links > 1


# ---- names


@pytest.mark.parametrize("side", list(Side))
def test_fifty_awkward_names_arrive_or_are_reported(site, side):
    root, other = roots(site, side)
    made = set()
    for number, name in enumerate(NAMES):
        with contextlib.suppress(OSError):  # a file system may have no such name
            (root / "d0" / name).write_text(f"awkward {number}")
            made.add(name)
    assert len(made) >= 50 or os.name != "posix"
    there = set(os.listdir(root / "d0"))
    site.flush()
    site.wait(lambda: not site.engine._rounds.busy)
    reported = {one.path.removeprefix("d0/") for one in site.engine.status().problems}
    assert set(os.listdir(other / "d0")) == there - reported
    for name in there - reported:
        assert (other / "d0" / name).read_bytes() == (root / "d0" / name).read_bytes()
        assert "in sync" in site.engine.why(f"d0/{name}")
    for name in made:
        (root / "d0" / name).unlink(missing_ok=True)
    site.settle()
    goes_on(site)
