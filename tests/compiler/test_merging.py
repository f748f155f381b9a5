"""One order and one writer a place."""

from hypothesis import given
from hypothesis import strategies as st

from devcfg.compiler.merging import collision, merge, writers
from devcfg.schemas.patch import Op, Operation, Pointer, Role, apply_patch

PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(Pointer)
TESTS = st.lists(st.builds(Operation, st.just(Op.TEST), PATHS, st.integers(0, 2)), max_size=8).map(tuple)
ADDS = st.lists(st.builds(Operation, st.just(Op.ADD), PATHS, st.integers(0, 2)), max_size=5).map(tuple)


DOCUMENT = {one: {two: {three: {} for three in "abc"} for two in "abc"} for one in "abc"}
"""Has every one of the paths."""


def add(path, value, source=""):
    return Operation(Op.ADD, Pointer.parse(path), value, source)


@given(TESTS, ADDS)
def test_each_place_is_assumed_once_and_before_any_change(tests, changes):
    merged = merge(tests, changes)
    first, rest = merged[: len(merged) - len(changes)], merged[len(merged) - len(changes) :]

    assert rest == changes
    assert [one.path for one in first] == list(dict.fromkeys(one.path for one in tests))


@given(TESTS, ADDS)
def test_merging_again_changes_nothing(tests, changes):
    merged = merge(tests, changes)
    cut = len(merged) - len(changes)

    assert merge(merged[:cut], merged[cut:]) == merged


def test_an_appended_element_is_known_by_its_index():
    steps = (add("/list/-", 1, "one"), add("/list/-", 2, "two"))

    assert writers({"list": [0]}, steps) == {Pointer(("list", "1")): "one", Pointer(("list", "2")): "two"}
    assert apply_patch({"list": [0]}, steps) == {"list": [0, 1, 2]}


def test_what_only_reads_writes_nothing():
    steps = (Operation(Op.TEST, Pointer(("a",)), 1), Operation(Op.ADD, Pointer(("b",)), 1, "f", Role.ASSUME))

    assert writers({"a": 1}, steps) == {}


def test_above_below_and_at_a_written_place_are_collisions():
    written = {Pointer(("a", "b")): "services.web.env"}

    for path in ("/a", "/a/b", "/a/b/c"):
        found = collision(written, DOCUMENT, (add(path, 1, "services.web.patches[0]"),))
        assert (found.first, found.second) == ("services.web.env", "services.web.patches[0]")
    for path in ("/b", "/a/c", "/a/bb"):
        assert collision(written, DOCUMENT, (add(path, 1, "services.web.patches[0]"),)) is None


@given(PATHS, PATHS)
def test_collisions_do_not_depend_on_who_came_first(one, other):
    there = collision({one: "x"}, DOCUMENT, (Operation(Op.ADD, other, 1, "y"),))
    back = collision({other: "y"}, DOCUMENT, (Operation(Op.ADD, one, 1, "x"),))

    assert (there is None) == (back is None)


def test_a_test_of_the_user_collides_with_nothing():
    assert collision({Pointer(("a",)): "x"}, {"a": 1}, (Operation(Op.TEST, Pointer(("a",)), 1, "y"),)) is None
