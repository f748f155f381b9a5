"""Sync stops before it spreads a loss, and not for less."""

import pytest
from tests.runtime.sync.trees import HOLLOW, file

from devcfg.runtime.sync.halts import Cause, Halt, check_halts, disk_full, root_gone
from devcfg.runtime.sync.modes import Mode, Side
from devcfg.runtime.sync.planner import plan
from devcfg.runtime.sync.tree import Tree

TWO = {"a": file("1"), "b": file("2")}


def halts(ancestor, local, far, mode=Mode.TWO_WAY_SAFE):
    trees = Tree(ancestor), Tree(local), Tree(far)
    return check_halts(*trees, mode, plan(*trees, mode))


def many(count):
    return {f"f{number}": file("1") for number in range(count)}


@pytest.mark.parametrize("mode", Mode)
def test_an_emptied_laptop_stops_every_mode(mode):
    (found,) = halts(TWO, {"ignored": HOLLOW}, TWO, mode)

    assert (found.cause, found.side) == (Cause.EMPTIED, Side.LOCAL)
    assert "--remote` brings them back" in found.hint


def test_an_emptied_far_side_stops_what_travels_both_ways_and_is_filled_again_else():
    assert [found.side for found in halts(TWO, TWO, {})] == [Side.FAR]
    assert halts(TWO, TWO, {}, Mode.ONE_WAY_SAFE) == ()


def test_a_root_with_one_entry_may_lose_it_and_both_may_be_emptied():
    assert halts({"a": file("1")}, {}, {"a": file("1")}) == ()
    assert halts(TWO, {}, {}) == ()


@pytest.mark.parametrize(
    ("tracked", "left", "stops"), [(300, 200, False), (300, 199, True), (1000, 750, False), (1000, 749, True)]
)
def test_more_than_a_hundred_and_a_quarter_of_deletions_stop_on_their_way_to_the_laptop(tracked, left, stops):
    found = halts(many(tracked), many(tracked), many(left))

    assert [one.cause for one in found] == [Cause.DELETIONS] * stops


def test_a_branch_switch_on_the_laptop_may_delete_as_much_as_it_likes():
    assert halts(many(1000), many(1), many(1000)) == ()


@pytest.mark.parametrize("halt", [root_gone(Side.LOCAL, "it is missing"), disk_full(Side.FAR), *halts(TWO, {}, TWO)])
def test_every_halt_says_what_happened_and_the_way_on(halt: Halt):
    assert halt.side.word in halt.reason
    assert halt.hint
