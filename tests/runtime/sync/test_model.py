"""Histories of two users, a failing link and dying processes on real disks: nothing that was written is ever lost.

After *Mysteries of Dropbox* (Hughes, Pierce, Arts, Norell, 2016), with the invariants I1 to I6 of the trust research.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
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
from devcfg.runtime.sync.events import Changed
from devcfg.runtime.sync.modes import Mode, Side

NAMES = ["a", "dir", "dir/a", "dir/sub", "dir/sub/a", "weird \n\N{SNOWMAN}"]
sides = st.sampled_from(Side)
names = st.sampled_from(NAMES)
sizes = st.one_of(st.integers(0, 300), st.integers(300, 6000))
acts = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(["in place", "rename", "old time"])),
    st.tuples(st.sampled_from(["write", "remove"]), st.just("in place")),
    st.tuples(st.just("rename"), names),
    st.tuples(st.sampled_from(["remove", "restore", "mkdir", "link", "chmod", "fifo", "ignored"]), st.none()),
    st.tuples(st.just("skew"), st.sampled_from([-1, 1])),
)


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
        for name in NAMES:
            if name not in ("dir", "dir/sub"):
                self.users.write(Side.LOCAL, name, how="in place")
        self.site.sync(whole=True)

    # ---- what users do

    def act(self, side, path, act):
        what, how = act
        users = self.users
        match what:
            case "write":
                users.write(side, path, how=how)
            case "rename":
                users.rename(side, path, how)
            case "skew":
                users.skew(side, path, how)
            case _:
                getattr(users, what)(side, path)

    @rule(side=sides, path=names, act=acts)
    def one_acts(self, side, path, act):
        self.act(side, path, act)

    @rule(path=names, near=acts, far=acts)
    def both_act(self, path, near, far):
        self.act(Side.LOCAL, path, near)
        self.act(Side.FAR, path, far)

    @rule(path=st.sampled_from(HOSTILE))
    def attack_the_laptop(self, path):
        self.users.attack(path)

    # ---- what happens to sync

    @rule(whole=st.booleans(), lose=st.booleans())
    def sync(self, whole, lose):
        self.site.sync(whole=whole, lose=lose)

    @rule(after=sizes, whole=st.booleans())
    def sync_until_the_link_is_cut(self, after, whole):
        self.site.sync(whole=whole, after=after)

    @rule(after=sizes, side=sides, path=names, act=acts)
    def sync_while_somebody_acts(self, after, side, path, act):
        self.site.sync(whole=True, after=after, event=lambda: self.act(side, path, act))

    @rule(what=st.sampled_from(["drop_link", "kill_client", "new_volume"]))
    def fail(self, what):
        if what == "new_volume":
            self.users.lost_volume()
        getattr(self.site, what)()

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
        self.users.agreed(self.reported())
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


class Resolved(Histories):
    """The laptop wins; what the far side loses by that is kept."""

    mode = Mode.TWO_WAY_RESOLVED

    def check_equal(self, different, near, far):
        # Only what cannot be synced keeps a directory, and so the conflict about it.
        assert not self.site.engine.conflicts() or "special" in {*near.values(), *far.values()}
        super().check_equal(different, near, far)


class OneWaySafe(Histories):
    """Nothing reaches the laptop, and what the far side wrote itself stays."""

    mode = Mode.ONE_WAY_SAFE

    def check_equal(self, different, near, far):
        super().check_equal({path for path in different if path in near}, near, far)
        assert not [one for one in self.site.told if isinstance(one, Changed) and one.to_local]


class OneWayReplica(Histories):
    """The far side ends as the laptop, and the laptop as its user left it."""

    mode = Mode.ONE_WAY_REPLICA

    def check_values(self, near, far):
        self.users.live[Side.FAR].clear()
        super().check_values(near, far)
        assert not [one for one in self.site.told if isinstance(one, Changed) and one.to_local]


class Processes(Histories):
    """The agent as it is shipped, killed in the middle of whatever it does."""

    process = True


def history(machine, count, steps):
    run_state_machine_as_test(machine, settings=settings(max_examples=count, stateful_step_count=steps))


MACHINES = [Histories, Resolved, OneWaySafe, OneWayReplica]


@pytest.mark.parametrize("machine", MACHINES)
def test_no_history_loses_a_value(machine):
    history(machine, 100, 20)


def test_no_history_loses_a_value_when_the_agent_is_killed():
    history(Processes, 8, 20)


@pytest.mark.proof
@pytest.mark.parametrize(("machine", "count"), [*zip(MACHINES, (6000, 2000, 750, 750), strict=True), (Processes, 500)])
def test_no_history_of_ten_thousand_loses_a_value(machine, count):
    history(machine, count, 30)
