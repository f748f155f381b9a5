"""Histories of two users, a failing link and dying processes on real disks: nothing that was written is ever lost.

After *Mysteries of Dropbox* (Hughes, Pierce, Arts, Norell, 2016), with the invariants I1 to I6 of the trust research.
"""

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.runtime.sync.sites import Site, listing, scratch
from tests.runtime.sync.users import HIDDEN as HOSTILE
from tests.runtime.sync.users import Users

from devcfg.runtime.pod.agent.paths import HIDDEN, is_hidden
from devcfg.runtime.sync.modes import Mode, Side

sides = st.sampled_from(Side)
names = st.sampled_from(["a", "b", "dir", "dir/a", "dir/b", "dir/sub", "dir/sub/a", "weird \n\N{SNOWMAN}", "B"])
sizes = st.one_of(st.integers(0, 300), st.integers(300, 6000))


class Histories(RuleBasedStateMachine):
    """One rule in mode `mode`."""

    mode = Mode.TWO_WAY_SAFE
    process = False

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="devcfg-model-", dir=scratch()))
        self.site = Site(self.folder, self.mode, process=self.process)
        self.users = Users(self.site.near, self.site.far)
        for name in ("anchor", "other anchor"):
            (self.site.near / name).write_text(name)
        self.site.sync(whole=True)

    # ---- what users do

    @rule(side=sides, path=names, how=st.sampled_from(["in place", "rename", "old time"]))
    def write(self, side, path, how):
        self.users.write(side, path, how=how)

    @rule(side=sides, path=names)
    def remove(self, side, path):
        self.users.remove(side, path)

    @rule(side=sides, path=names, to=names)
    def rename(self, side, path, to):
        self.users.rename(side, path, to)

    @rule(side=sides, path=names)
    def mkdir(self, side, path):
        self.users.mkdir(side, path)

    @rule(side=sides, path=names)
    def symlink(self, side, path):
        self.users.link(side, path)

    @rule(side=sides, path=names)
    def chmod(self, side, path):
        self.users.chmod(side, path)

    @rule(side=sides, path=st.sampled_from(["dir", "dir/sub", "b"]))
    def write_what_is_ignored(self, side, path):
        self.users.ignored(side, path)

    @rule(side=sides, path=names)
    def make_a_fifo(self, side, path):
        self.users.fifo(side, path)

    @rule(side=sides, path=names, hours=st.sampled_from([-1, 1]))
    def skew_the_clock(self, side, path, hours):
        self.users.skew(side, path, hours)

    @rule(path=st.sampled_from(HOSTILE))
    def attack_the_laptop(self, path):
        self.users.attack(path)

    # ---- what happens to sync

    @rule()
    def sync(self):
        self.site.sync(whole=False)

    @rule()
    def sync_without_the_hints(self):
        self.site.sync(whole=False, lose=True)

    @rule(after=sizes, whole=st.booleans())
    def sync_until_the_link_is_cut(self, after, whole):
        self.site.sync(whole=whole, after=after)

    @rule(after=sizes, side=sides, path=names, how=st.sampled_from(["in place", "rename", "remove", "mkdir"]))
    def sync_while_somebody_saves(self, after, side, path, how):
        def save():
            match how:
                case "remove":
                    self.users.remove(side, path)
                case "mkdir":
                    self.users.mkdir(side, path)
                case _:
                    self.users.write(side, path, how=how)

        self.site.sync(whole=True, after=after, event=save)

    @rule()
    def drop_the_link(self):
        self.site.drop_link()

    @rule()
    def kill_the_client(self):
        self.site.kill_client()

    @rule()
    def lose_the_volume(self):
        self.users.lost_volume()
        self.site.new_volume()

    @rule()
    def stabilise(self):
        self.check(self.settled())

    # ---- what holds

    def settled(self):
        for _ in range(10):
            left = self.site.sync(whole=True)
            engine = self.site.engine
            if left is not None and not engine._rounds.busy and not engine._rounds._todo - self.reported():
                return left
        raise AssertionError(f"not quiet: {self.site.engine.status()}, {self.site.engine._rounds._todo}")

    def reported(self):
        status = self.site.engine.status()
        return {one.path for one in self.site.engine.conflicts()} | {one.path for one in status.problems}

    def is_reported(self, path):
        return any(path == one or path.startswith(one + "/") or one.startswith(path + "/") for one in self.reported())

    def seen(self, side):
        """Return what counts on a side: not what is ignored, ours or hidden; no directory with nothing else in it."""
        found = listing((self.site.near, self.site.far)[side])
        mine = {
            path: value
            for path, value in found.items()
            if not path.startswith(".devcfg") and not path.endswith(".log") and not is_hidden(path, HIDDEN)
        }
        full = {path for path in found if path.endswith(".log")}
        return {
            path: value
            for path, value in mine.items()
            if value != "/" or not any(one.startswith(path + "/") for one in full)
        }

    def check(self, left):
        assert not self.site.engine.status().halts
        near, far = self.seen(Side.LOCAL), self.seen(Side.FAR)
        different = {path for path in {*near, *far} if near.get(path) != far.get(path)}
        self.check_equal(different, near, far)
        self.check_values(near, far)
        for path in HOSTILE:
            assert not (self.site.near / path).exists()
        before = [self.stats(root) for root in (self.site.near, self.site.far)]
        self.settled()
        assert before == [self.stats(root) for root in (self.site.near, self.site.far)], "a second time is no no-op"

    def check_equal(self, different, near, far):
        unexplained = {
            path for path in different if not self.is_reported(path) and near.get(path, far.get(path)) != "/"
        }
        assert not unexplained, {path: (near.get(path), far.get(path)) for path in unexplained}

    def check_values(self, near, far):
        there = {(path, value.removeprefix("*")) for found in (near, far) for path, value in found.items()}
        kept = (
            {value.removeprefix("*") for value in listing(self.site.kept).values()}
            if self.site.kept.exists()
            else set()
        )
        beside = {value for path, value in there if ".devcfg-kept-" in path}
        lost = {
            (path, value)
            for path, value in self.users.live[0] | self.users.live[1]
            if (path, value) not in there and value not in kept | beside
        }
        assert not lost, f"lost: {lost}"
        assert ("anchor", "anchor") in there

    @staticmethod
    def stats(root):
        found = {}
        for folder, folders, files in os.walk(root):
            for name in (*folders, *files):
                stat = os.lstat(os.path.join(folder, name))
                if not name.startswith(".devcfg"):
                    found[os.path.join(folder, name)] = stat.st_mtime_ns, stat.st_ino, stat.st_ctime_ns
        return found

    @invariant()
    def nothing_outside_has_changed(self):
        assert listing(self.folder / "outside") == {"file": "outside"}

    def teardown(self):
        try:
            self.check(self.settled())
        finally:
            self.site.end()
        left = [path for root in (self.site.near, self.site.far) for path in listing(root) if ".devcfg-tmp" in path]
        shutil.rmtree(self.folder)
        assert not left, "temporary files are left"


def history(machine, count, steps):
    run_state_machine_as_test(machine, settings=settings(max_examples=count, stateful_step_count=steps))


def test_no_history_loses_a_value():
    history(Histories, int(os.environ.get("HISTORIES", "100")), 20)
