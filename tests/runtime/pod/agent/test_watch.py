"""Hints: whatever happens in a tree, each changed path is covered by one, or a whole scan is asked for."""

import contextlib
import mmap
import os
import shutil

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from devcfg.runtime.pod.agent import inotify, watch
from devcfg.runtime.pod.agent.ignore import Ignores, Layer
from devcfg.runtime.pod.agent.root import Root

linux = pytest.mark.skipif(not os.path.exists("/proc/sys/fs/inotify"), reason="inotify is Linux's")


class Polling(inotify.Inotify):
    """A system whose limit of watches is reached at once."""

    limit = 0

    def watch(self, directory):
        if self.limit == 0:
            raise OSError(28, "No space left on device")
        self.limit -= 1
        return super().watch(directory)


@pytest.fixture(params=["inotify", "polling"])
def tree(request, tmp_path, monkeypatch):
    """A root and its watch, told by the kernel or by looking again."""
    if request.param == "polling":
        monkeypatch.setattr(watch.inotify, "Inotify", Polling)
    root = Root(str(tmp_path))
    root.set_ignores(Ignores([Layer("", "", "f", ["*.pyc", "node_modules/"])]))
    made = root.watch()
    assert bool(made.degraded) == (request.param == "polling")
    yield tmp_path, made
    made.close()
    root.close()


def covered(hints, path):
    """Tell whether hints make a scan look at a path."""
    return hints.rescan or any(path == hint or (deep and path.startswith(hint + "/")) for hint, deep in hints.paths)


def drained(made):
    return made.drain()


def test_writes_deletions_modes_and_links_are_hinted(tree):
    base, made = tree
    for path in ("a", "b", "c", "d"):
        (base / path).write_text("x")
    drained(made)
    (base / "a").write_text("changed")
    (base / "b").unlink()
    (base / "c").chmod(0o755)
    (base / "d").rename(base / "e")
    (base / "l").symlink_to("a")
    hints = drained(made)

    assert {path for path, _ in hints.paths} == {"a", "b", "c", "d", "e", "l"}
    assert drained(made).paths == []


def test_every_file_of_a_new_tree_is_covered(tree):
    base, made = tree
    for number in range(200):
        (base / f"d{number}" / "b" / "c").mkdir(parents=True)
        for inner in ("f", "b/f", "b/c/f"):
            (base / f"d{number}" / inner).write_text("x")
    hints = drained(made)
    missed = [
        path for number in range(200) for path in (f"d{number}/f", f"d{number}/b/c/f") if not covered(hints, path)
    ]

    assert missed == []
    (base / "d7" / "b" / "c" / "late").write_text("x")
    assert covered(drained(made), "d7/b/c/late")


@linux
def test_a_tree_made_while_it_is_drained_is_covered(tmp_path):
    """Another process makes directories as fast as it can; what each drain did not cover would stay unseen."""
    root = Root(str(tmp_path))
    made = root.watch()
    pid = os.fork()
    if pid == 0:
        for number in range(300):
            os.makedirs(tmp_path / f"d{number}/b/c")
            for inner in ("f", "b/f", "b/c/f"):
                open(tmp_path / f"d{number}" / inner, "w").close()
        os._exit(0)
    seen = {}
    ended = False
    while True:
        last = ended
        hints = made.drain()
        for row in root.scan().rows if hints.rescan else root.scan(hints.paths).rows:
            seen[row.path] = row.kind
        if last:
            break
        ended = ended or os.waitpid(pid, os.WNOHANG)[0] == pid
    made.close()
    whole = {row.path: row.kind for row in root.scan().rows}
    root.close()

    assert len(whole) == 300 * 6
    assert whole == seen


def test_a_renamed_directory_is_hinted_under_both_names_and_followed(tree):
    base, made = tree
    (base / "a" / "b").mkdir(parents=True)
    (base / "a" / "b" / "f").write_text("x")
    drained(made)
    (base / "a").rename(base / "z")
    hints = drained(made)
    assert covered(hints, "a")
    assert covered(hints, "z/b/f")

    (base / "z" / "b" / "f").write_text("more")
    later = drained(made)
    assert [path for path, _ in later.paths] == ["z/b/f"]


def test_what_moves_out_of_the_root_is_no_longer_watched(tree, tmp_path_factory):
    base, made = tree
    outside = tmp_path_factory.mktemp("outside")
    (base / "a").mkdir()
    drained(made)
    (base / "a").rename(outside / "a")
    assert covered(drained(made), "a")

    (outside / "a" / "f").write_text("x")
    assert drained(made).paths == []
    (outside / "a").rename(base / "back")
    assert covered(drained(made), "back/f")


def test_a_storm_of_renames_ends_with_every_name_covered(tree):
    base, made = tree
    (base / "d0").mkdir()
    (base / "d0" / "f").write_text("x")
    drained(made)
    touched = set()
    for number in range(300):
        (base / f"d{number}").rename(base / f"d{number + 1}")
        touched.add(f"d{number}")
        if number % 50 == 0:
            assert covered(drained(made), f"d{number + 1}/f")
    hints = drained(made)

    assert covered(hints, "d300/f")
    (base / "d300" / "f").write_text("y")
    assert covered(drained(made), "d300/f")


def test_ignored_content_is_not_hinted_and_its_directories_are_not_watched(tree):
    base, made = tree
    (base / "node_modules" / "x").mkdir(parents=True)
    (base / "a.pyc").write_text("x")
    (base / ".git").mkdir()
    drained(made)
    (base / "node_modules" / "x" / "f").write_text("x")
    (base / ".git" / "index").write_text("x")
    (base / "a.pyc").write_text("y")
    hints = drained(made)

    assert (hints.paths, hints.rescan) == ([], False)


@linux
def test_a_write_through_a_mapping_is_hinted_when_the_file_is_closed(tmp_path):
    (tmp_path / "f").write_bytes(bytes(4096))
    root = Root(str(tmp_path))
    made = root.watch()
    with open(tmp_path / "f", "r+b") as file, mmap.mmap(file.fileno(), 4096) as mapped:
        mapped[0:1] = b"x"
    assert covered(made.drain(), "f")
    made.close()
    root.close()


@linux
def test_lost_events_ask_for_a_whole_scan_and_the_watch_goes_on(tmp_path):
    root = Root(str(tmp_path))
    made = root.watch()
    (tmp_path / "f").touch()
    (tmp_path / "g").touch()
    with open("/proc/sys/fs/inotify/max_queued_events", encoding="ascii") as file:
        limit = int(file.read())
    for number in range(limit + 100):  # two names in turn: the kernel joins equal neighbours
        os.utime(tmp_path / ("f" if number % 2 else "g"))
    (tmp_path / "lost" / "deep").mkdir(parents=True)
    hints = made.drain()
    while not hints.rescan and hints.paths:
        hints = made.drain()
    assert (hints.rescan, hints.reason) == (True, "the kernel lost events")

    (tmp_path / "lost" / "deep" / "f").touch()
    assert covered(made.drain(), "lost/deep/f")
    made.close()
    root.close()


@linux
def test_a_root_that_is_removed_and_made_again_says_so(tmp_path):
    base = tmp_path / "root"
    base.mkdir()
    root = Root(str(base))
    made = root.watch()
    shutil.rmtree(base)
    base.mkdir()
    (base / "f").touch()
    hints = made.drain()

    assert (hints.rescan, root.gone()) == (True, "replaced")
    made.close()
    root.close()
    again = Root(str(base))
    watching = again.watch()
    (base / "g").touch()
    assert covered(watching.drain(), "g")
    watching.close()
    again.close()


@linux
def test_at_the_limit_of_watches_it_polls_and_says_so_in_words(tmp_path, monkeypatch):
    for number in range(5):
        (tmp_path / f"d{number}").mkdir()
    monkeypatch.setattr(watch.inotify, "Inotify", type("Two", (Polling,), {"limit": 2}))
    root = Root(str(tmp_path))
    made = root.watch()

    assert "max_user_watches" in made.degraded
    assert made.fileno() == -1
    assert made.interval >= 1
    (tmp_path / "d4" / "f").touch()
    assert covered(made.drain(), "d4/f")
    made.close()
    root.close()


@linux
def test_at_the_limit_while_watching_it_polls_from_then_on(tmp_path, monkeypatch):
    monkeypatch.setattr(watch.inotify, "Inotify", type("Three", (Polling,), {"limit": 3}))
    root = Root(str(tmp_path))
    made = root.watch()
    assert made.degraded == ""
    for number in range(5):
        (tmp_path / f"d{number}").mkdir()
    hints = made.drain()

    assert hints.rescan
    assert hints.reason == made.degraded != ""
    (tmp_path / "d4" / "f").touch()
    assert covered(made.drain(), "d4/f")
    made.close()
    root.close()


@linux
def test_without_an_instance_it_polls_and_says_so(tmp_path, monkeypatch):
    class NoneLeft(inotify.Inotify):
        def __init__(self):
            raise OSError(24, "Too many open files")

    monkeypatch.setattr(watch.inotify, "Inotify", NoneLeft)
    root = Root(str(tmp_path))
    made = root.watch()

    assert "max_user_instances" in made.degraded
    made.close()
    root.close()


def test_a_flood_of_paths_becomes_one_wish(tree, monkeypatch):
    base, made = tree
    monkeypatch.setattr(watch, "HINTS_LIMIT", 50)
    for number in range(100):
        (base / f"f{number}").touch()
    hints = drained(made)

    assert (hints.paths, hints.rescan, hints.reason) == ([], True, "very many changes")


class Mirror(RuleBasedStateMachine):
    """A view kept by hints alone equals what a whole scan says, after any steps."""

    names = st.sampled_from(["a", "b", "a/a", "a/b", "a/a/b", "b/x.pyc", "b/c/d"])

    @initialize(tmp=st.none())
    def start(self, tmp):
        import tempfile

        self.base = tempfile.mkdtemp()
        self.root = Root(self.base)
        self.root.set_ignores(Ignores([Layer("", "", "f", ["*.pyc"])]))
        self.watch = self.root.watch()
        self.view = {}

    def at(self, path):
        return os.path.join(self.base, path)

    @rule(path=names, content=st.integers(0, 3))
    def write(self, path, content):
        try:
            os.makedirs(os.path.dirname(self.at(path)), exist_ok=True)
            with open(self.at(path), "wb") as file:
                file.write(b"x" * content)
        except OSError:
            pass

    @rule(path=names)
    def remove(self, path):
        if os.path.isdir(self.at(path)):
            shutil.rmtree(self.at(path))
        elif os.path.lexists(self.at(path)):
            os.unlink(self.at(path))

    @rule(path=names, to=names)
    def rename(self, path, to):
        with contextlib.suppress(OSError):
            os.rename(self.at(path), self.at(to))

    @rule(path=names)
    def make(self, path):
        with contextlib.suppress(OSError):
            os.makedirs(self.at(path), exist_ok=True)

    @rule()
    def follow(self):
        hints = self.watch.drain()
        scan = self.root.scan() if hints.rescan else self.root.scan(hints.paths)
        if hints.rescan:
            self.view = {}
        for path in scan.missing:
            self.view = {
                known: kind for known, kind in self.view.items() if known != path and not known.startswith(path + "/")
            }
        for row in scan.rows:
            if row.kind != "d" and row.kind != "h":
                self.view = {known: kind for known, kind in self.view.items() if not known.startswith(row.path + "/")}
            self.view[row.path] = (row.kind, row.stat.size if row.kind == "f" else 0)

    @rule()
    def compare(self):
        self.follow()
        whole = {row.path: (row.kind, row.stat.size if row.kind == "f" else 0) for row in self.root.scan().rows}
        assert whole == self.view

    def teardown(self):
        if hasattr(self, "watch"):
            self.compare()
            self.watch.close()
            self.root.close()
            shutil.rmtree(self.base)


TestMirror = linux(Mirror.TestCase)
TestMirror.settings = settings(max_examples=60, stateful_step_count=25)


@linux
def test_a_directory_that_is_not_to_be_watched_yet_is_hinted_whole_and_watched_by_the_next_drain(tmp_path):
    root = Root(str(tmp_path))
    made = root.watch()
    (tmp_path / "d" / "e").mkdir(parents=True)
    hints = made.drain(grow=False)
    (tmp_path / "d" / "e" / "f").touch()

    assert hints.paths == [("d", True)]
    assert made.drain(grow=False).paths == []
    assert made.drain().paths == []
    (tmp_path / "d" / "e" / "g").touch()
    assert covered(made.drain(), "d/e/g")
    (tmp_path / "gone").mkdir()
    (tmp_path / "moved").mkdir()
    made.drain(grow=False)
    (tmp_path / "gone").rmdir()
    (tmp_path / "moved").rename(tmp_path / "d" / "moved")
    made.drain()
    (tmp_path / "d" / "moved" / "f").touch()
    assert covered(made.drain(), "d/moved/f")
    made.close()
    root.close()
