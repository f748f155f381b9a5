"""Changes that are refused or held, and what happens when the disk changes in between. Never a sync."""

import errno
import os
import threading
import time

import pytest

from devcfg.runtime.pod.agent import apply as applying
from devcfg.runtime.pod.agent import paths, swap
from devcfg.runtime.pod.agent.entries import Change, Entry
from devcfg.runtime.pod.agent.ignore import Ignores, Layer
from devcfg.runtime.pod.agent.root import Root

from .conftest import digest_entry

D = Entry("d", "", False)


@pytest.fixture(params=["exchange", "without"])
def renames(request, monkeypatch):
    """The kernel's renames, and a system that lacks them."""
    if request.param == "without":
        monkeypatch.setattr(swap, "_renameat2", None)
    return request.param


def text(sides, path, side="far"):
    return (sides.base / side / path).read_bytes()


def new_file(sides, path, content, *, executable=False):
    full = sides.write(path, content)
    full.chmod(0o755 if executable else 0o644)
    return sides.send(path)


def retweak(monkeypatch, *tweaks):
    """Run each tweak right before one rename of a change: after its checks, before its deed."""
    queue = list(tweaks)
    real, plain = swap.rename_with, os.rename

    def exchanging(flags, source, to):
        if queue:
            queue.pop(0)()
        return real(flags, source, to)

    def renaming(*arguments, **named):
        if queue:
            queue.pop(0)()
        return plain(*arguments, **named)

    monkeypatch.setattr(swap, "rename_with", exchanging)
    monkeypatch.setattr(applying.os, "rename", renaming)


def test_a_deletion_while_an_unseen_version_goes_back_does_not_take_it_along(sides, monkeypatch):
    full = sides.write("f", b"old", "far")
    change = sides.change("f", new_file(sides, "f", b"new"))
    retweak(monkeypatch, lambda: full.write_bytes(b"unseen"), full.unlink)

    assert sides.apply(change) == ["modified"]
    assert text(sides, "f") == b"unseen"


@pytest.mark.parametrize(
    ("path", "hidden", "why"),
    [
        (".git/config", (), "never synced"),
        ("a/.GIT/x", (), "never synced"),
        (".devcfg/volume-id", (), "never synced"),
        (".devcfg-tmp-stage/1", (), "never synced"),
        (".vscode/tasks.json", paths.HIDDEN, "kept from the far side"),
        (".ENVRC", paths.HIDDEN, "kept from the far side"),
        ("secret.key", (), "ignored"),
        ("out/x", (), "ignored"),
    ],
)
def test_what_must_not_come_is_refused_whoever_asks(tmp_path, path, hidden, why):
    root = Root(str(tmp_path), hidden=hidden)
    root.set_ignores(Ignores([Layer("", "", "f", ["*.key", "out/"])]))
    (outcome,) = root.apply([Change(path, None, None, D, 0)])
    root.close()

    assert (outcome.result, outcome.message) == ("failed", why)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("target", ["/etc", "..", "a/../..", ".git/hooks", ".vscode", "../x"])
def test_a_link_out_of_the_root_or_to_what_is_hidden_is_refused(tmp_path, target):
    root = Root(str(tmp_path), hidden=paths.HIDDEN)
    (outcome,) = root.apply([Change("l", None, None, Entry("l", target, False), 0)])
    root.close()

    assert outcome.result == "failed"
    assert os.listdir(tmp_path) == []


def test_nothing_is_written_through_a_link(sides, renames):
    outside = sides.base / "outside"
    outside.mkdir()
    (sides.base / "far" / "d").symlink_to(outside)
    wanted = new_file(sides, "d/f", b"x")
    results = sides.apply(
        Change("d/f", None, None, wanted, 0), Change("d/e", None, None, D, 0), Change("d/g", wanted, None, None, 0)
    )

    assert results == ["modified", "modified", "done"]
    assert list(outside.iterdir()) == []


def test_content_that_was_not_sent_fails_and_touches_nothing(sides):
    sides.write("f", b"old", "far")
    assert sides.apply(sides.change("f", digest_entry(b"never sent"))) == ["failed"]
    assert text(sides, "f") == b"old"


def test_inplace_writes_into_the_same_inode(tmp_path):
    from .conftest import Sides

    sides = Sides(tmp_path, write="inplace")
    full = sides.write("f", b"old and longer", "far")
    inode = full.stat().st_ino
    assert sides.apply(sides.change("f", new_file(sides, "f", b"new", executable=True), 9)) == ["done"]
    found = full.stat()
    assert (text(sides, "f"), found.st_ino, found.st_mtime_ns, bool(found.st_mode & 0o111)) == (b"new", inode, 9, True)
    change = sides.change("f", new_file(sides, "f", b"newer"))
    full.write_bytes(b"unseen")
    assert sides.apply(change) == ["modified"]
    assert text(sides, "f") == b"unseen"


def test_a_read_only_directory_fails_in_words(sides, as_nobody):
    sides.write("d/f", b"old", "far")
    os.chmod(sides.base / "far/d", 0o555)
    os.chmod(sides.base / "far", 0o777)
    os.chmod(sides.base / "far/d/f", 0o644)
    wanted = new_file(sides, "d/g", b"x")
    sides.far.clean()

    def work():
        sides.send("d/g")
        changes = [Change("d/g", None, None, wanted, 0), sides.change("d/f", None)]
        return [(outcome.result, outcome.message) for outcome in sides.far.apply(changes)]

    assert as_nobody(work) == [["failed", "permission denied"]] * 2
    assert text(sides, "d/f") == b"old"


def race(sides, seconds):
    """Swap a directory with a link out of the root all the time, while changes go through it; return what got out."""
    outside = sides.base / "outside"
    outside.mkdir()
    (sides.base / "far" / "d").mkdir()
    (sides.base / "far" / "link").symlink_to("../outside")
    fd = os.open(sides.base / "far", os.O_RDONLY)
    stop = threading.Event()

    def swapping():
        while not stop.is_set():
            swap.exchange((fd, "d"), (fd, "link"))

    attacker = threading.Thread(target=swapping)
    attacker.start()
    done = rounds = 0
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            rounds += 1
            path = f"d/{rounds}"
            wanted = new_file(sides, f"{rounds}", b"x")
            sides.local.digest([f"{rounds}"], {})
            stream = b"".join(sides.local.records([wanted_as(sides, f"{rounds}")])).replace(
                b'["%d"' % rounds, b'["%s"' % path.encode()
            )
            length = int.from_bytes(stream[:4], "big") + 2
            sides.far.stage([length.to_bytes(4, "big") + stream[4:]])
            done += sides.apply(Change(path, None, None, wanted, 0), Change(f"d/e{rounds}", None, None, D, 0)).count(
                "done"
            )
    finally:
        stop.set()
        attacker.join()
        os.close(fd)
    return done, list(outside.iterdir())


def wanted_as(sides, path):
    from devcfg.runtime.pod.agent.entries import Wanted

    digested = sides.local.digest([path], {})[path]
    return Wanted(path, digested.digest, None, None, None)


def needs_exchange(tmp_path):
    (tmp_path / "one").touch()
    (tmp_path / "other").touch()
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        if not swap.exchange((fd, "one"), (fd, "other")):
            pytest.skip("this file system cannot exchange names")
    finally:
        os.close(fd)


def test_a_directory_swapped_for_a_link_during_apply_lets_nothing_out(sides, tmp_path):
    needs_exchange(tmp_path)
    done, outside = race(sides, 2)

    assert outside == []
    assert done


@pytest.mark.proof
def test_a_directory_swapped_for_a_link_lets_nothing_out_for_half_a_minute(sides, tmp_path):
    needs_exchange(tmp_path)
    done, outside = race(sides, 30)

    assert outside == []
    assert done


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_place_on_another_mount_is_reached_by_a_copy_beside_it(sides):
    from .conftest import in_child

    sides.write("d/old", b"old", "far")
    sides.write("d/gone", b"gone", "far")
    wanted, replaced = new_file(sides, "d/new", b"new"), new_file(sides, "d/old", b"newer")
    changes = [sides.change("d/new", wanted), sides.change("d/old", replaced), sides.change("d/gone", None)]

    def work():
        far = sides.base / "far"
        if os.system(f"unshare -m true && mount --bind {far}/d {far}/d") != 0:
            return "no mount"
        try:
            return [(outcome.result, outcome.message) for outcome in sides.far.apply(changes)]
        finally:
            os.system(f"umount {far}/d")

    found = in_child(work)
    if found == "no mount":
        pytest.skip("this root may not mount")

    assert found == [["done", ""]] * 3
    assert (text(sides, "d/new"), text(sides, "d/old")) == (b"new", b"newer")
    assert not (sides.base / "far/d/gone").exists()
    assert sides.leftovers() == []


def test_every_lack_of_space_has_the_same_words():
    from devcfg.runtime.pod.agent.entries import words

    assert {words(OSError(number, os.strerror(number))) for number in (errno.ENOSPC, errno.EDQUOT)} == {"disk full"}
