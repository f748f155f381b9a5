"""Each rule of the planner by one small example."""

import pytest
from tests.runtime.sync.trees import HOLLOW, file

from devcfg.runtime.pod.agent.entries import Entry
from devcfg.runtime.sync.modes import Mode, Side
from devcfg.runtime.sync.planner import Conflict, Problem, Step, plan
from devcfg.runtime.sync.tree import DIRECTORY, Tree

OLD, MINE, YOURS = file("old"), file("mine"), file("yours")
LINK = Entry("l", "old", False)
FIFO = Entry("x", "a fifo", False)
TWO_WAY, RESOLVED, ONE_WAY, REPLICA = Mode


def made(ancestor, local, far, mode=TWO_WAY, **options):
    return plan(Tree(ancestor), Tree(local), Tree(far), mode, **options)


def folder(**files):
    return {"d": DIRECTORY} | {f"d/{name}": entry for name, entry in files.items()}


def test_a_file_that_one_side_made_travels_to_the_other():
    found = made({}, {"a": MINE}, {"b": YOURS})

    assert found.to_far == (Step("a", None, MINE),)
    assert found.to_local == (Step("b", None, YOURS),)


def test_a_deletion_travels_where_the_other_side_is_as_it_was():
    found = made({"a": OLD, "b": OLD}, {"b": OLD}, {"a": OLD})

    assert found.to_far == (Step("a", OLD, None),)
    assert found.to_local == (Step("b", OLD, None),)


def test_without_an_ancestor_nothing_is_deleted():
    found = made({}, {}, {"a": OLD})

    assert found.to_local == (Step("a", None, OLD),)
    assert not found.to_far


def test_an_edit_beats_a_deletion_whichever_side_it_is_on():
    found = made({"a": OLD, "b": OLD}, {"a": MINE}, {"b": YOURS})

    assert found.to_far == (Step("a", None, MINE),)
    assert found.to_local == (Step("b", None, YOURS),)


def test_two_edits_are_a_conflict_and_touch_neither_side():
    found = made({"a": OLD}, {"a": MINE}, {"a": YOURS})

    assert found.conflicts == (Conflict("a", MINE, YOURS),)
    assert not (found.to_local or found.to_far or found.ancestor)


def test_equal_edits_only_update_the_ancestor():
    found = made({"a": OLD, "b": OLD}, {"a": MINE}, {"a": MINE})

    assert found.ancestor == {"a": MINE, "b": None}
    assert not (found.to_local or found.to_far or found.conflicts)


def test_of_a_deleted_directory_only_what_was_edited_comes_back():
    found = made(folder(a=OLD, b=OLD), {}, folder(a=YOURS, b=OLD))

    assert found.to_local == (Step("d", None, DIRECTORY), Step("d/a", None, YOURS))
    assert found.to_far == (Step("d/b", OLD, None),)


def test_a_file_in_place_of_a_directory_replaces_it_when_nothing_in_it_changed():
    found = made(folder(a=OLD), {"d": MINE}, folder(a=OLD))

    assert found.to_far == (Step("d", DIRECTORY, MINE), Step("d/a", OLD, None))


@pytest.mark.parametrize("inside", [{"a": YOURS}, {"a": OLD, "b": YOURS}, {"a": FIFO}])
def test_a_file_in_place_of_a_directory_is_a_conflict_when_something_in_it_changed(inside):
    found = made(folder(a=OLD), {"d": MINE}, folder(**inside))

    assert found.conflicts == (Conflict("d", MINE, DIRECTORY),)
    assert not (found.to_local or found.to_far or found.ancestor)


def test_a_directory_in_place_of_a_file_and_a_link_in_place_of_a_file_travel():
    found = made({"d": OLD, "l": OLD}, folder(a=MINE) | {"l": LINK}, {"d": OLD, "l": OLD})

    assert found.to_far == (Step("d", OLD, DIRECTORY), Step("d/a", None, MINE), Step("l", OLD, LINK))


def test_the_executable_bit_alone_is_no_conflict():
    found = made(
        {"a": OLD}, {"a": OLD, "b": file("b", executable=True)}, {"a": file("old", executable=True), "b": file("b")}
    )

    assert found.to_local == (Step("a", OLD, file("old", executable=True)),)
    assert found.to_far == (Step("b", file("b"), file("b", executable=True)),)


def test_what_cannot_be_synced_blocks_its_path_and_all_below():
    found = made(folder(a=OLD), {"d": FIFO}, folder(a=YOURS))

    assert found.problems == (Problem("d", Side.LOCAL, "a fifo"),)
    assert not (found.to_local or found.to_far or found.ancestor)


def test_a_deleted_directory_stays_where_it_holds_what_cannot_be_synced():
    found = made(folder(a=OLD), {}, folder(a=OLD, p=FIFO))

    assert found.to_far == (Step("d/a", OLD, None),)
    assert [(one.path, one.side) for one in found.problems] == [("d", Side.FAR), ("d/p", Side.FAR)]


def test_a_hollow_directory_is_a_directory_only_where_the_other_side_has_one():
    assert made({}, {"d": HOLLOW}, {"d": DIRECTORY}).ancestor == {"d": DIRECTORY}
    assert made({"d": DIRECTORY}, {"d": HOLLOW}, {}).ancestor == {"d": None}
    assert made({}, {"d": HOLLOW}, {}) == made({}, {}, {})


def test_a_file_never_takes_the_place_of_ignored_content():
    found = made({"d": DIRECTORY}, {"d": MINE}, {"d": HOLLOW})

    assert [(one.path, one.side) for one in found.problems] == [("d", Side.FAR)]
    assert not found.to_far


def test_resolved_lets_the_laptop_win_and_keeps_what_the_far_side_loses():
    found = made(folder(a=OLD, b=OLD), {"d": MINE}, folder(a=YOURS, b=OLD), RESOLVED)

    assert found.to_far == (Step("d", DIRECTORY, MINE), Step("d/a", YOURS, None), Step("d/b", OLD, None))
    assert found.keep == (Step("d/a", YOURS, None),)


def test_a_verdict_makes_one_side_as_the_other_at_its_path_only():
    sides = {"a": MINE, "b": MINE}, {"a": YOURS, "b": YOURS}
    found = made({}, *sides, verdicts={"a": Side.FAR})

    assert found.to_local == (Step("a", MINE, YOURS),)
    assert [one.path for one in found.conflicts] == ["b"]


def test_one_way_safe_restores_what_was_deleted_and_leaves_what_was_added():
    found = made({"a": OLD}, {"a": OLD}, {"b": YOURS}, ONE_WAY)

    assert found.to_far == (Step("a", None, OLD),)


def test_one_way_safe_reports_what_the_far_side_edited():
    assert made({"a": OLD}, {"a": OLD}, {"a": YOURS}, ONE_WAY).conflicts == (Conflict("a", OLD, YOURS),)


def test_replica_takes_back_whatever_the_far_side_did():
    found = made({"a": OLD}, {"a": OLD}, {"a": YOURS, "b": YOURS}, REPLICA)

    assert found.to_far == (Step("a", YOURS, OLD), Step("b", YOURS, None))


def test_one_changed_path_is_planned_without_a_look_at_the_rest_of_a_large_tree():
    entries = {f"d{number // 100}": DIRECTORY for number in range(10_000)}
    entries |= {f"d{number // 100}/f{number}": OLD for number in range(10_000)}
    seen = []

    class Watched(dict):
        def get(self, key, default=None):
            seen.append(key)
            return super().get(key, default)

    trees = [Tree(entries), Tree(entries | {"d7/f700": MINE}), Tree(entries)]
    for tree in trees:
        tree.entries = Watched(tree.entries)
    found = plan(*trees, TWO_WAY, paths=["d7/f700"])

    assert found.to_far == (Step("d7/f700", OLD, MINE),)
    assert set(seen) == {"d7", "d7/f700"}
