"""Changes into place: what they do, what they refuse, and what happens when the disk changes in between."""

import os
import shutil
import stat as modes

import pytest

from devcfg.runtime.pod.agent import apply as applying
from devcfg.runtime.pod.agent import paths, swap
from devcfg.runtime.pod.agent.entries import Change, Entry
from devcfg.runtime.pod.agent.ignore import Ignores, Layer

from .conftest import NOWHERE, digest_entry

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


def test_a_new_tree_arrives_whole(sides, renames):
    file = new_file(sides, "a/b/f", b"x", executable=True)
    link = Entry("l", "../f", False)
    results = sides.apply(
        sides.change("a/b/l", link),
        sides.change("a/b/f", file, 1_700_000_000_123_456_789),
        sides.change("a/b", D),
        sides.change("a", D),
    )

    assert results == ["done"] * 4
    assert text(sides, "a/b/f") == b"x"
    found = os.lstat(sides.base / "far/a/b/f")
    assert (found.st_mtime_ns, bool(found.st_mode & 0o100)) == (1_700_000_000_123_456_789, True)
    assert os.readlink(sides.base / "far/a/b/l") == "../f"
    assert sides.leftovers() == []


def test_a_replaced_file_keeps_its_mode_but_for_x(sides, renames):
    sides.write("f", b"old", "far").chmod(0o640)
    assert sides.apply(sides.change("f", new_file(sides, "f", b"new", executable=True))) == ["done"]
    assert (text(sides, "f"), modes.S_IMODE(os.stat(sides.base / "far/f").st_mode)) == (b"new", 0o750)

    assert sides.apply(sides.change("f", new_file(sides, "f", b"newer"))) == ["done"]
    assert modes.S_IMODE(os.stat(sides.base / "far/f").st_mode) == 0o640
    assert sides.leftovers() == []


def test_a_setuid_bit_does_not_survive_a_replacement(sides, renames):
    sides.write("f", b"old", "far").chmod(0o4755)
    sides.apply(sides.change("f", new_file(sides, "f", b"new", executable=True)))

    assert modes.S_IMODE(os.stat(sides.base / "far/f").st_mode) == 0o755


def test_x_alone_changes_in_place_without_content(sides, renames):
    full = sides.write("f", b"same", "far")
    full.chmod(0o644)
    inode = full.stat().st_ino
    assert sides.apply(sides.change("f", digest_entry(b"same", executable=True))) == ["done"]
    assert (full.stat().st_ino, modes.S_IMODE(full.stat().st_mode)) == (inode, 0o755)


@pytest.mark.parametrize("old", ["f", "l", "d"])
@pytest.mark.parametrize("new", ["f", "l", "d", None])
def test_each_kind_becomes_each_other(sides, renames, old, new):
    far = sides.base / "far" / "p"
    {"f": lambda: far.write_bytes(b"old"), "l": lambda: far.symlink_to("q"), "d": far.mkdir}[old]()
    wanted = {
        "f": lambda: new_file(sides, "p", b"new"),
        "l": lambda: Entry("l", "r", False),
        "d": lambda: D,
        None: lambda: None,
    }[new]()
    before = sides.there("p")[0]
    assert sides.apply(sides.change("p", wanted)) == ["done"]

    assert sides.there("p")[0] == wanted
    assert before != wanted or old == new == "d"
    assert sides.leftovers() == []


def test_a_directory_with_its_content_becomes_a_file_and_back(sides, renames):
    sides.write("p/q/f", b"old", "far")
    changes = [sides.change(path, None) for path in ("p/q", "p/q/f")] + [
        sides.change("p", new_file(sides, "p", b"new"))
    ]
    assert sides.apply(*changes) == ["done"] * 3
    assert text(sides, "p") == b"new"

    os.unlink(sides.base / "local/p")
    inner = new_file(sides, "p/f", b"inner")
    assert sides.apply(sides.change("p/f", inner), sides.change("p", D)) == ["done"] * 2
    assert text(sides, "p/f") == b"inner"


def test_a_deletion_of_what_is_gone_is_done(sides, renames):
    gone = Change("a/b", digest_entry(b"x"), NOWHERE, None, 0)
    assert sides.apply(gone) == ["done"]


def test_ignored_content_holds_its_directory(sides, renames):
    sides.far.set_ignores(Ignores([Layer("", "", "f", ["*.pyc"])]))
    sides.write("d/e/x.pyc", b"", "far")
    sides.write("p/x.pyc", b"", "far")
    results = sides.apply(
        sides.change("d/e", None), sides.change("d", None), sides.change("p", new_file(sides, "p", b"file"))
    )

    assert results == ["held", "held", "held"]
    assert (sides.base / "far/d/e/x.pyc").exists()
    assert (sides.base / "far/p/x.pyc").exists()


def test_a_directory_that_gained_a_file_stays_and_says_modified(sides, renames):
    sides.write("d/new", b"", "far")
    sides.write("p/new", b"", "far")
    assert sides.apply(sides.change("d", None), sides.change("p", new_file(sides, "p", b"file"))) == [
        "modified",
        "modified",
    ]
    assert (sides.base / "far/d/new").exists()
    assert (sides.base / "far/p/new").exists()


SURPRISES = {
    "new content": lambda full: full.write_bytes(b"surprise"),
    "same size in the same moment": lambda full: (full.write_bytes(b"eld"), os.utime(full, ns=(7, 7))),
    "replaced": lambda full: (full.unlink(), full.write_bytes(b"surprise")),
    "a directory": lambda full: (full.unlink(), full.mkdir()),
    "a link": lambda full: (full.unlink(), full.symlink_to("elsewhere")),
    "a FIFO": lambda full: (full.unlink(), os.mkfifo(full)),
    "executable": lambda full: full.chmod(0o755),
}


def snapshot(full):
    found = os.lstat(full)
    kind = modes.S_IFMT(found.st_mode)
    content = full.read_bytes() if kind == modes.S_IFREG else os.readlink(full) if kind == modes.S_IFLNK else b""
    return kind, found.st_mode & 0o111, content


@pytest.mark.parametrize("surprise", SURPRISES)
@pytest.mark.parametrize("deletes", [False, True])
@pytest.mark.parametrize("when", ["before", "retweak"])
def test_what_nobody_has_seen_is_never_overwritten_or_removed(sides, monkeypatch, surprise, deletes, when):
    """The disk changes before the change is applied, and between its last look and its rename."""
    full = sides.write("f", b"old", "far")
    os.utime(full, ns=(7, 7))
    wanted = None if deletes else new_file(sides, "f", b"new")
    change = sides.change("f", wanted)
    if when == "before":
        SURPRISES[surprise](full)
    else:
        retweak(monkeypatch, lambda: SURPRISES[surprise](full))
    if when == "before":
        expected = snapshot(full)
    result = sides.apply(change)
    if when == "retweak":
        probe = sides.base / "probe"
        probe.write_bytes(b"old")
        SURPRISES[surprise](probe)
        expected = snapshot(probe)

    assert result == ["modified"]
    assert snapshot(full) == expected
    assert [name for name in os.listdir(full.parent) if not name.startswith(paths.TEMP)] == ["f"]


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


def test_a_file_that_appears_where_none_was_is_kept(sides, monkeypatch, renames):
    wanted = new_file(sides, "f", b"new")
    change = sides.change("f", wanted)
    if renames == "exchange":
        retweak(monkeypatch, lambda: sides.write("f", b"surprise", "far"))
    else:
        sides.write("f", b"surprise", "far")

    assert sides.apply(change) == ["modified"]
    assert text(sides, "f") == b"surprise"


@pytest.mark.parametrize("kind", ["d", "l"])
def test_a_file_where_a_directory_or_link_should_come_is_kept(sides, renames, kind):
    change = sides.change("f", D if kind == "d" else Entry("l", "x", False))
    sides.write("f", b"surprise", "far")

    assert sides.apply(change) == ["modified"]
    assert text(sides, "f") == b"surprise"


def test_a_save_while_an_unseen_version_goes_back_keeps_both(sides, monkeypatch):
    full = sides.write("f", b"old", "far")
    change = sides.change("f", new_file(sides, "f", b"new"))

    def save():
        sides.write("f.tmp", b"newest", "far").rename(full)

    retweak(monkeypatch, lambda: full.write_bytes(b"unseen"), save)

    assert sides.apply(change) == ["modified"]
    assert {path.read_bytes() for path in full.parent.iterdir() if path.is_file()} == {b"newest", b"unseen"}
    assert text(sides, "f") == b"newest"


@pytest.mark.parametrize("wanted", [None, b"new"])
def test_a_change_while_somebody_removes_our_own_directory_is_not_taken_for_done(sides, monkeypatch, wanted):
    sides.write("f", b"old", "far")
    change = sides.change("f", None if wanted is None else new_file(sides, "f", wanted))
    # What was staged before is there, or it was made for the first deletion.
    sides.write("g", b"old", "far")
    assert sides.apply(sides.change("g", None)) == ["done"]
    retweak(monkeypatch, lambda: shutil.rmtree(sides.base / "far" / paths.STAGE))

    assert sides.apply(change) == ["modified"]
    assert text(sides, "f") == b"old"


def test_a_file_made_while_an_unseen_version_is_out_keeps_both(sides, monkeypatch):
    full = sides.write("f", b"old", "far")
    change = sides.change("f", None)
    retweak(monkeypatch, lambda: full.write_bytes(b"unseen"), lambda: full.write_bytes(b"newest"))

    assert sides.apply(change) == ["modified"]
    assert {path.read_bytes() for path in full.parent.iterdir() if path.is_file()} == {b"newest", b"unseen"}


def test_outcomes_come_while_the_rest_is_still_to_be_done_and_in_the_order_of_the_changes(sides):
    for path in ("gone", "last"):
        sides.write(path, b"x", "far")
    sides.write("new", b"new")
    changes = [sides.change("gone", None), sides.change("d", D), sides.change("new", sides.send("new"))]
    done = []
    outcomes = sides.far.applying(changes, lambda one: done.append(one.path))

    assert next(outcomes).path == "gone"
    assert done == ["d", "new", "gone"]
    outcomes = sides.far.applying([sides.change("d/sub", D), sides.change("last", None)])
    assert next(outcomes).path == "d/sub"
    assert (sides.base / "far" / "last").exists()
    assert [one.path for one in outcomes] == ["last"]
    assert not (sides.base / "far" / "last").exists()
