"""The agent dies at each call to the system in turn: what is in place is old or new, and a restart cleans up."""

import os
import random
import shutil
from pathlib import Path

import pytest

from devcfg.runtime.pod.agent import paths, swap
from devcfg.runtime.pod.agent.chunks import LARGE
from devcfg.runtime.pod.agent.entries import Entry, Wanted
from devcfg.runtime.pod.agent.root import Root

from .conftest import Sides, in_child

CALLS = (
    "chmod", "close", "fchmod", "ftruncate", "link", "lseek", "mkdir", "open", "rename",
    "rmdir", "symlink", "unlink", "utime", "write",
)  # fmt: skip
SEED = random.Random(1).randbytes(LARGE + 5000)
OLD = {
    "keep": b"keep",
    "edit": b"old",
    "cut": b"longer than what comes",
    "gone": b"gone",
    "big": SEED,
    "to_dir": b"file",
    "dir/in": b"in",
    "x": b"x",
}
NEW = {
    "keep": b"keep",
    "edit": b"new!",
    "cut": b"shorter",
    "fresh/f": b"fresh",
    "big": b"+" + SEED + bytes(LARGE),
    "to_dir/f": b"inner",
    "dir": b"file",
    "x": b"x",
}


def prepare(base, write):
    """Return the sides with the old tree far, and the stream and changes that make it the new one."""
    sides = Sides(base, write=write)
    for path, content in OLD.items():
        sides.write(path, content, "far")
    for path, content in NEW.items():
        sides.write(path, content)
    os.symlink("a", sides.base / "far" / "link")
    os.chmod(sides.base / "local" / "x", 0o755)
    bases = sides.far.digest(["big"], {})["big"]
    digests = sides.local.digest(list(NEW), {})
    wanted = []
    changes = []
    for path, found in digests.items():
        old, _ = sides.there(path)
        base_of = (bases.stat, bases.chunks) if path == "big" else (None, None)
        if not (old and old.content == found.digest):
            wanted.append(Wanted(path, found.digest, found.stat, *base_of))
        new = Entry("f", found.digest, path == "x")
        if old != new:
            changes.append(sides.change(path, new))
    changes += [sides.change(path, Entry("d", "", False)) for path in ("fresh", "to_dir")]
    changes += [sides.change("gone", None), sides.change("dir/in", None), sides.change("link", Entry("l", "b", False))]
    return sides, b"".join(sides.local.records(wanted)), changes


def run(root, stream, changes):
    staged = root.stage([stream])
    return [outcome.result for outcome in root.apply(changes)], [each.problem for each in staged]


def doom(number, *, after, others=()):
    """Count each call to the system, and of `others` (owner, name); die at the given one, before or after its deed.

    Return the count, in a list.
    """
    count = [0]

    def wrap(call):
        def wrapped(*arguments, **named):
            count[0] += 1
            if count[0] == number and not after:
                os._exit(1)
            try:
                return call(*arguments, **named)
            finally:
                if count[0] == number and after:
                    os._exit(1)

        return wrapped

    for owner, name in (*((os, name) for name in CALLS), (swap, "rename_with"), *others):
        setattr(owner, name, wrap(getattr(owner, name)))
    return count


def dying(root, stream, changes, number, *, after):
    """Run with every call counted; die at the given one, before or after its deed. Return how many there were."""
    count = doom(number, after=after)
    found = run(root, stream, changes)
    return [count[0], found]


def state(base):
    """Return what is in place: files with content, links with target, directories."""
    found = {}
    for folder, folders, files in os.walk(base):
        for name in folders + files:
            full = os.path.join(folder, name)
            path = os.path.relpath(full, base)
            if os.path.islink(full):
                found[path] = os.readlink(full)
            else:
                found[path] = Path(full).read_bytes() if os.path.isfile(full) else None
    return found


def check(base):
    """Each path is as it was or as it is to be, and nothing of ours is left."""
    root = Root(str(base))
    root.clean()
    root.close()
    found = state(base)
    for path, content in found.items():
        assert not os.path.basename(path).startswith(paths.TEMP), path
        if isinstance(content, bytes):
            assert content in (OLD.get(path), NEW.get(path)), path
        elif isinstance(content, str):
            assert (path, content) in (("link", "a"), ("link", "b"))
        else:
            assert path in ("fresh", "to_dir", "dir")
    for path in set(OLD) & set(NEW) | {"link"}:
        assert path in found or path == "to_dir", path


def kill_points(tmp_path, step, *, without, write="atomic"):
    sides, stream, changes = prepare(tmp_path, write)

    def once(number, after):
        def work():
            if without:
                swap._renameat2 = None
            return dying(sides.far, stream, changes, number, after=after)

        return in_child(work)

    total, (results, problems) = once(-1, False)
    assert set(results) == {"done"}
    assert set(problems) == {""}
    tried = 0
    for number in range(1, total + 1, step):
        for after in (False, True):
            sides.far.close()
            sides, stream, changes = restored(tmp_path, write)
            assert once(number, after) is None
            check(tmp_path / "far")
            tried += 1
    assert tried >= 2 * total // step
    return tried


def restored(tmp_path, write):
    shutil.rmtree(tmp_path / "again", ignore_errors=True)
    (tmp_path / "again").mkdir()
    sides, stream, changes = prepare(tmp_path / "again", write)
    shutil.rmtree(tmp_path / "far")
    os.rename(tmp_path / "again" / "far", tmp_path / "far")
    sides.far.close()
    sides.far = Root(str(tmp_path / "far"), write=write)
    return sides, stream, changes


WAYS = [(False, "atomic"), (True, "atomic"), (False, "inplace")]


@pytest.mark.parametrize(("without", "write"), WAYS)
def test_death_at_a_sample_of_calls_leaves_old_or_new(tmp_path, without, write):
    kill_points(tmp_path, 5, without=without, write=write)


@pytest.mark.proof
@pytest.mark.parametrize(("without", "write"), WAYS)
def test_death_at_every_call_leaves_old_or_new(tmp_path, without, write):
    kill_points(tmp_path, 1, without=without, write=write)


def test_cleaning_removes_our_names_only_and_follows_no_link(tmp_path):
    root = Root(str(tmp_path))
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "precious").touch()
    stage = tmp_path / paths.STAGE
    (stage / "deep" / "er").mkdir(parents=True)
    (stage / "1").touch()
    (stage / "out").symlink_to(outside)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / ".devcfg-tmp-1-at-1").touch()
    (tmp_path / "d" / "mine").touch()
    (stage / "at-1").symlink_to("d/.devcfg-tmp-1-at-1")
    (stage / "at-2").symlink_to("d/mine")
    (stage / "at-3").symlink_to("../" + outside.name + "/precious")
    (tmp_path / ".devcfg-tmp-link").symlink_to(outside)
    root.clean()
    root.close()

    assert state(tmp_path) == {"d": None, "d/mine": b""}
    assert (outside / "precious").exists()
