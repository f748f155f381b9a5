"""Rounds over two disks in memory that lose hints, die at any step and come back: no value is lost, and both agree."""

import asyncio
import gc
import tempfile

from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.sync.disks import CutError, Disk
from tests.runtime.sync.sites import scratch
from tests.runtime.sync.trees import change, changes, place

from devcfg.runtime.pod.agent.entries import Entry
from devcfg.runtime.sync.failures import Failures
from devcfg.runtime.sync.index import open_index
from devcfg.runtime.sync.modes import Mode, Side
from devcfg.runtime.sync.rounds import Rounds

sides = st.sampled_from(Side)
events = st.lists(
    st.one_of(
        st.tuples(st.just("user"), sides, changes(odd=True)),
        st.tuples(st.just("during"), sides, changes(odd=False)),
        st.tuples(st.just("sync"), st.none() | sides, st.integers(0, 30)),
        st.tuples(st.sampled_from(["forget", "tick", "restore", "restart"]), sides, st.integers(0, 5)),
    ),
    max_size=12,
)


class World:
    """Two disks, the rounds between them, and what their users have written and not overwritten since."""

    def __init__(self, mode, folder, *, fresh=False):
        self.mode, self.file = mode, f"{folder}/index"
        self.disks = Disk(), Disk()
        self.live, self.touched, self.old = (set(), set()), (set(), set()), {}
        self.number, self.now = 0, 0.0
        self.told = []
        for disk in self.disks[: 1 if fresh else 2]:
            disk.set("anchor", Entry("f", "anchor", False))
        self.start()

    def start(self):
        self.index = open_index(self.file)
        self.rounds = Rounds(self.mode, "", self.index, self.disks[0], self.told.append)
        self.rounds.failures = Failures(lambda: self.now)

    def restart(self):
        """Die, whatever was in memory, and begin with what the index knows."""
        self.index.close()
        for disk in self.disks:
            disk.listing = disk.found = ""
        self.start()

    def user(self, side, steps, *, hinted=True):
        disk = self.disks[side]
        before = dict(disk.entries)
        self.number += 1
        after = change(before, [step for step in steps if step[1] != "h"], f"{side.word}{self.number}-")
        for path in [path for path, kind, _ in steps if kind == "h"]:
            place(after, f"{path}/ignored", Entry("i", "", False))
        self._write(side, before, after, hinted=hinted)

    def _write(self, side, before, after, *, hinted):
        disk = self.disks[side]
        changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
        for path in changed:
            if path in before and before[path].kind in "fl":
                self.old[path] = before[path]
                for values in self.live:
                    values.discard((path, before[path].content))
            disk.set(path, after.get(path))
            if path in after and after[path].kind in "fl":
                self.live[side].add((path, after[path].content))
        self.touched[side].update(path.split("/")[0] for path in changed)
        if hinted:
            self.rounds.hint(side, [(path, False) for path in changed])

    def restore(self, side, number):
        """Write again what was at a path before, as a branch switch does, where the other side's users had no hand."""
        known = sorted(path for path in self.old if path.split("/")[0] not in self.touched[side.other])
        before = dict(self.disks[side].entries)
        if known and known[number % len(known)] not in before:
            path = known[number % len(known)]
            after = dict(before)
            place(after, path, self.old[path])
            self._write(side, before, after, hinted=True)

    async def sync(self):
        if self.rounds.far is None:
            self.rounds.attach(self.disks[1])
        await self.rounds.settle()
        assert not self.rounds.halts

    async def run(self, history):
        for what, side, argument in history:
            disk = self.disks[side if side is not None else 0]
            match what:
                case "user":
                    self.user(side, argument)
                case "during":
                    disk.meanwhile.append(lambda side=side, steps=argument: self.user(side, steps))
                case "sync":
                    disk.cut = None if side is None else argument
                    try:
                        await self.sync()
                    except CutError:
                        self.rounds.detach()
                        if side is Side.LOCAL:
                            self.restart()
                    disk.cut = None
                case "forget":
                    for hints in self.rounds._hints:
                        hints.clear()
                case "tick":
                    disk.tick(argument)
                case "restore":
                    self.restore(side, argument)
                case "restart":
                    self.restart()
        await self.stabilise()

    async def stabilise(self):
        for disk in self.disks:
            disk.meanwhile.clear()
            disk.tick(10)
        for side in Side:
            self.rounds.rescan(side)
        for _ in range(20):
            self.now += 100
            await self.sync()
        assert not self.rounds.busy

    def reported(self, path):
        found = [*self.rounds.conflicts, *(one.path for one in self.rounds.problems)]
        return any(path == one or path.startswith(one + "/") for one in found)

    def seen(self, side):
        entries = self.disks[side].entries
        return {
            path: entry
            for path, entry in entries.items()
            if entry.kind != "i" and not self.disks[side]._is_hollow(path)
        }


def check(world):
    local, far = world.seen(Side.LOCAL), world.seen(Side.FAR)
    for path in {*local, *far}:
        if not world.reported(path):
            # A directory may be hollow on one side.
            assert local.get(path) == far.get(path) or (local.get(path) or far.get(path)).kind == "d", path
    there = {(path, entry.content) for tree in (local, far) for path, entry in tree.items() if entry.kind in "fl"}
    assert world.live[0] | world.live[1] <= there


@given(events, st.booleans())
def test_whatever_is_cut_or_forgotten_both_sides_agree_and_every_value_is_there(history, fresh):
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        world = World(Mode.TWO_WAY_SAFE, folder, fresh=fresh)
        asyncio.run(world.run(history))
        check(world)
        before = [dict(disk.stats) for disk in world.disks]
        asyncio.run(world.stabilise())
        assert [dict(disk.stats) for disk in world.disks] == before
        world.index.close()


HERE, THERE = Side


def scenario(*history, mode=Mode.TWO_WAY_SAFE, fresh=False):
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        world = World(mode, folder, fresh=fresh)
        asyncio.run(world.run(history))
        world.index.close()
    return world


def file_at(path):
    return [(path, "f", False)]


def gone(path):
    return [(path, "gone", False)]


def test_a_file_that_comes_back_as_it_was_is_not_taken_for_one_that_the_far_side_deleted():
    # The answer to the deletion is cut off: for all the client knows, both sides have the file. Whatever the step at
    # which it dies, a file that is written again afterwards has to stay.
    for step in range(12):
        for victim in Side:
            world = scenario(
                ("user", HERE, file_at("a")),
                ("sync", None, 0),
                ("user", HERE, gone("a")),
                ("sync", victim, step),
                ("restore", HERE, 0),
            )
            check(world)
            assert "a" in world.seen(HERE), (step, victim)


def test_two_writes_within_one_tick_of_the_clock_are_both_seen():
    world = scenario(
        ("user", HERE, file_at("a")),
        ("sync", None, 0),
        ("user", HERE, file_at("a")),
        ("sync", None, 0),
        ("restart", HERE, 0),
        ("user", HERE, file_at("a")),
        ("forget", HERE, 0),
    )
    check(world)


def test_what_changes_while_it_is_applied_is_not_overwritten():
    world = scenario(
        ("user", HERE, file_at("a")),
        ("sync", None, 0),
        ("user", HERE, file_at("a")),
        ("during", THERE, file_at("a")),
        ("sync", None, 0),
    )
    check(world)
    assert list(world.rounds.conflicts) == ["a"]


def test_an_empty_side_is_filled_from_one_reading_of_each_file():
    world = scenario(("user", HERE, [*file_at("a"), *file_at("b/c")]), ("sync", None, 0), fresh=True)
    check(world)
    assert world.seen(HERE) == world.seen(THERE)
    assert world.disks[HERE].sent == 0


def test_whatever_the_step_at_which_a_side_dies_while_it_is_filled_all_of_it_arrives():
    for step in range(20):
        for victim in Side:
            world = scenario(
                ("user", HERE, [*file_at("a"), *file_at("b/c")]),
                ("sync", victim, step),
                ("user", HERE, file_at("a")),
                ("user", THERE, file_at("d")),
                ("sync", None, 0),
                fresh=True,
            )
            check(world)
            assert not world.rounds.conflicts, (step, victim)
            assert world.seen(HERE) == world.seen(THERE)


def test_cycles_are_looked_for_again_after_a_tree_was_compared_but_never_in_what_is_known_of_it():
    gc.unfreeze()
    try:
        scenario(("user", HERE, file_at("a")), ("sync", THERE, 3), ("sync", None, 0))
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
