"""Whatever two sides did to a tree, the plan loses nothing, ends, and does not depend on how it was asked for."""

import random

from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.sync.trees import MODES, carry_out, change, changes, worlds

from devcfg.runtime.sync.modes import Mode, Side
from devcfg.runtime.sync.planner import plan
from devcfg.runtime.sync.tree import Tree

ROUNDS = 200
modes = st.sampled_from(MODES)
TWO_WAY = st.sampled_from([Mode.TWO_WAY_SAFE, Mode.TWO_WAY_RESOLVED])


def copy(tree):
    return Tree(tree.entries)


def run(ancestor, local, far, mode, chance=None):
    """SyncPlan and carry out until nothing is left to do; return the last plan, the rounds and all that was kept."""
    kept = []
    for number in range(ROUNDS):
        found = plan(ancestor, local, far, mode)
        if not (found.to_local or found.to_far or found.ancestor):
            return found, number, kept
        kept += [(step.path, step.old.content) for step in found.keep]
        carry_out(ancestor, (local, far), found, chance)
    raise AssertionError(f"still busy after {ROUNDS} rounds: {found}")


def values(tree, ancestor):
    """Return each value that someone wrote since the ancestor, with its path."""
    written = {(path, entry.content) for path, entry in tree.entries.items() if entry.kind in "fl"}
    return written - {(path, entry.content) for path, entry in ancestor.entries.items()}


@given(worlds(), modes)
def test_two_rounds_are_enough_and_the_third_has_nothing_to_do(world, mode):
    ancestor, local, far = world
    last, rounds, _ = run(ancestor, local, far, mode)

    # A directory that could not go for its ignored content turns hollow, which takes one more round.
    assert rounds <= 3
    assert not last.keep


@given(worlds(), modes, st.integers())
def test_steps_that_fail_are_done_in_a_later_round(world, mode, seed):
    ancestor, local, far = world
    run(ancestor, local, far, mode, random.Random(seed))


@given(worlds(), TWO_WAY)
def test_both_sides_end_equal_but_for_what_is_reported(world, mode):
    ancestor, local, far = world
    last, _, _ = run(ancestor, local, far, mode)
    reported = last.undecided

    for path in {*local, *far}:
        here, there = (side.get(path) for side in (local, far))
        if any(path == one or path.startswith(one + "/") for one in reported):
            continue
        kinds = {entry.kind for entry in (here, there) if entry is not None}
        assert here == there == ancestor.get(path) or kinds <= {"h", "d"}, path


@given(worlds(), TWO_WAY, st.one_of(st.none(), st.integers()))
def test_every_value_that_was_written_is_still_at_its_path_or_kept(world, mode, seed):
    ancestor, local, far = world
    written = values(local, ancestor) | values(far, ancestor)
    _, _, kept = run(ancestor, local, far, mode, seed if seed is None else random.Random(seed))
    nothing = Tree()

    assert written <= values(local, nothing) | values(far, nothing) | set(kept)


@given(worlds(), TWO_WAY)
def test_nothing_is_deleted_or_replaced_that_the_ancestor_does_not_know(world, mode):
    ancestor, local, far = world
    found = plan(ancestor, local, far, mode)
    kept = {step.path for step in found.keep}

    for step in (*found.to_local, *found.to_far):
        same_value = step.new is not None and step.old is not None and step.new[:2] == step.old[:2]
        directory = step.old is not None and step.old.kind == "d" and mode is Mode.TWO_WAY_RESOLVED
        known = step.old is None or step.old == ancestor.get(step.path)
        assert known or same_value or step.path in kept or directory, step


@given(worlds())
def test_one_way_safe_never_touches_the_laptop_and_keeps_what_the_far_side_wrote(world):
    ancestor, local, far = world
    before, written = copy(local), values(far, ancestor)
    found, _, _ = run(ancestor, local, far, Mode.ONE_WAY_SAFE)

    assert before.entries == local.entries
    assert not found.to_local
    assert written <= values(far, Tree())


@given(worlds())
def test_one_way_replica_ends_as_the_laptop_but_for_what_is_reported(world):
    ancestor, local, far = world
    before = copy(local)
    last, _, _ = run(ancestor, local, far, Mode.ONE_WAY_REPLICA)
    reported = last.undecided

    assert before.entries == local.entries
    for path in {*local, *far}:
        if not any(path == one or path.startswith(one + "/") or one.startswith(path + "/") for one in reported):
            here, there = (side.get(path) for side in (local, far))
            assert here == there or {entry.kind for entry in (here, there) if entry is not None} <= {"h", "d"}


@given(worlds(bits=False))
def test_the_two_ways_are_alike(world):
    ancestor, local, far = world
    one, other = (plan(ancestor, *sides, Mode.TWO_WAY_SAFE) for sides in ((local, far), (far, local)))

    assert (one.to_local, one.to_far) == (other.to_far, other.to_local)
    assert one.ancestor == other.ancestor
    assert [item.path for item in one.conflicts] == [item.path for item in other.conflicts]


@given(worlds(), modes, changes(odd=True), changes(odd=True), st.integers())
def test_a_plan_of_what_changed_is_the_plan_of_the_whole(world, mode, here, there, seed):
    ancestor, local, far = world
    last = plan(ancestor, local, far, mode)
    known = {side: copy(tree).entries for side, tree in enumerate((local, far))}
    carry_out(ancestor, (local, far), last, random.Random(seed))
    # What was not done is still to be done: the engine keeps the paths of such steps as changed.
    dirty = set(last.undecided) | {step.path for step in (*last.to_local, *last.to_far)}
    local, far = Tree(change(local.entries, here, "m")), Tree(change(far.entries, there, "n"))
    for side, tree in enumerate((local, far)):
        dirty |= {path for path in {*known[side], *tree} if known[side].get(path) != tree.get(path)}

    assert plan(ancestor, local, far, mode) == plan(ancestor, local, far, mode, paths=dirty)


@given(worlds(), modes)
def test_nothing_at_or_below_a_path_that_is_reported_is_touched(world, mode):
    found = plan(*world, mode)
    blocked = [one.path for one in found.conflicts]
    blocked += [one.path for one in found.problems if "stays" not in one.reason]

    for step in (*found.to_local, *found.to_far):
        assert not any(step.path == one or step.path.startswith(one + "/") for one in blocked)


@given(worlds(odd=False), st.sampled_from(Side))
def test_a_verdict_ends_every_conflict(world, side):
    ancestor, local, far = world
    mode = Mode.TWO_WAY_SAFE
    last, _, _ = run(ancestor, local, far, mode)
    wanted = {one.path: (one.local, one.far)[side] for one in last.conflicts}
    found = plan(ancestor, local, far, mode, verdicts=dict.fromkeys(wanted, side))
    carry_out(ancestor, (local, far), found)

    assert not plan(ancestor, local, far, mode).conflicts
    assert wanted == {path: local.get(path) for path in wanted}
    assert local.entries == far.entries
