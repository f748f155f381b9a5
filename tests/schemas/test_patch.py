"""Pointers and patches: against the RFCs, against another library, and where kustomize and the API server differ."""

import contextlib
import copy
import json

import jsonpatch
import jsonpointer
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devcfg.schemas.errors import PatchError
from devcfg.schemas.patch import Op, Operation, Patch, Pointer, Target, apply_patch, lookup, same

tokens = st.one_of(
    st.sampled_from(["a", "b", "", "0", "1", "-", "~", "/", "~1", "a/b", "m~n", "٣"]), st.text(max_size=3)
)
# Without booleans and floats: Python, and so the other library, takes `True` for `1`.
leaves = st.one_of(st.none(), st.integers(-2, 2), st.sampled_from(["", "x", "1"]))
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(tokens, inner, max_size=3), max_leaves=8
)
containers = st.lists(values, max_size=3) | st.dictionaries(tokens, values, max_size=4)


def walk(document, at=()):
    yield at
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, below in inner:
        yield from walk(below, (*at, str(key)))


@st.composite
def cases(draw):
    """Return a document and one operation whose pointer is mostly near something that is there."""
    document = draw(containers)
    at = draw(st.sampled_from(list(walk(document))))
    path = Pointer((*at, *draw(st.lists(tokens, max_size=1))))
    value = draw(values)
    if draw(st.booleans()):
        with contextlib.suppress(PatchError):
            value = lookup(document, path)
    return document, Operation(draw(st.sampled_from(list(Op))), path, value)


def theirs(document, step):
    try:
        patched = jsonpatch.apply_patch(document, [step.to_json()])
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError, IndexError):
        return "refused"
    return json.dumps(patched, sort_keys=True)


def ours(document, step):
    try:
        return json.dumps(apply_patch(document, (step,)), sort_keys=True)
    except PatchError:
        return "refused"


def differs_on_purpose(document, step):
    """Tell where the two libraries are meant to disagree."""
    if not step.path:
        return step.op is Op.REMOVE
    try:
        parent = lookup(document, step.path.parent)
    except PatchError:
        return False
    if isinstance(parent, dict):
        # Missing is null for `test`, as the API server's library has it.
        return step.op is Op.TEST and step.path[-1] not in parent
    # The other library reads digits of every script, and letters of a string as elements.
    return isinstance(parent, str) or not step.path[-1].isascii()


@given(cases())
@settings(max_examples=1500, deadline=None)
def test_applying_agrees_with_another_library(case):
    document, step = case
    if differs_on_purpose(document, step):
        return
    assert ours(document, step) == theirs(document, step)


@given(cases())
@settings(deadline=None)
def test_applying_never_changes_its_input(case):
    document, step = case
    before = copy.deepcopy(document)
    ours(document, step)
    assert document == before


@given(st.lists(tokens, max_size=5))
@example(["~1", "/", "~0", ""])
def test_a_pointer_reads_back_as_itself(parts):
    pointer = Pointer(parts)
    assert Pointer.parse(str(pointer)) == pointer
    assert tuple(jsonpointer.JsonPointer(str(pointer)).parts) == tuple(pointer)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a", "pointer `a` does not start with `/`"),
        ("/a~", "pointer `/a~` has a `~` that is neither `~0` nor `~1`"),
        ("/~2", "pointer `/~2` has a `~` that is neither `~0` nor `~1`"),
        ("/~01~", "pointer `/~01~` has a `~` that is neither `~0` nor `~1`"),
    ],
)
def test_a_bad_pointer_is_refused(text, said):
    with pytest.raises(PatchError) as refused:
        Pointer.parse(text)
    assert refused.value.message == said


def step(op, path, value=None):
    return Operation(op, Pointer.parse(path), value)


DOCUMENT = {"a": [{"name": "x"}, 2], "b": {"c": None}, "d": "text"}


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (step(Op.REMOVE, "/gone"), "`/gone`: there is no `/gone`"),
        (step(Op.ADD, "/gone/a", 1), "`/gone/a`: there is no `/gone`"),
        (step(Op.TEST, "/gone/a", None), "`/gone/a`: there is no `/gone`"),
        (step(Op.REMOVE, "/a/2"), "`/a/2`: there is no element `2`, the list has 2 elements"),
        (step(Op.ADD, "/a/3", 1), "`/a/3`: there is no element `3`, the list has 2 elements"),
        (step(Op.ADD, "/a/-1", 1), "`/a/-1`: there is no element `-1`, the list has 2 elements"),
        (step(Op.ADD, "/a/01", 1), "`/a/01`: there is no element `01`, the list has 2 elements"),
        (step(Op.REMOVE, "/a/-"), "`/a/-`: there is no element `-`, the list has 2 elements"),
        (step(Op.REMOVE, "/a/٠"), "`/a/٠`: there is no element `٠`, the list has 2 elements"),
        (step(Op.ADD, "/d/x", 1), "`/d/x`: there is nothing below `/d`"),
        (step(Op.TEST, "/d/0", "t"), "`/d/0`: there is nothing below `/d`"),
        (step(Op.REMOVE, ""), "the whole document cannot be removed"),
        (step(Op.TEST, "/a/0/name", "y"), 'test of `/a/0/name` failed: wanted `"y"`, found `"x"`'),
        (step(Op.TEST, "/b/x", 1), "test of `/b/x` failed: wanted `1`, found nothing"),
        (step(Op.TEST, "/b", None), 'test of `/b` failed: wanted nothing, found `{"c": null}`'),
    ],
)
def test_an_operation_that_does_not_apply_says_why(operation, said):
    with pytest.raises(PatchError) as refused:
        apply_patch(DOCUMENT, (operation,))
    assert refused.value.message == said


def test_a_missing_member_tests_as_null():
    assert apply_patch(DOCUMENT, (step(Op.TEST, "/b/missing", None), step(Op.TEST, "/b/c", None))) == DOCUMENT


def test_an_explicit_null_can_be_removed():
    assert apply_patch({"a": None}, (step(Op.REMOVE, "/a"),)) == {}


def test_add_at_the_root_replaces_the_document():
    assert apply_patch(DOCUMENT, (step(Op.ADD, "", [1]),)) == [1]


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1, 1.0, True),
        (True, 1, False),
        (False, 0, False),
        ([True], [1], False),
        ({"a": [1, {"b": 2}]}, {"a": [1.0, {"b": 2}]}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ([1, 2], [2, 1], False),
        (None, False, False),
        ("1", 1, False),
    ],
)
def test_values_are_equal_as_json_has_it(left, right, equal):
    assert same(left, right) is equal
    assert same(right, left) is equal


def test_a_patch_is_written_in_the_order_of_its_members():
    target = Target("apps", "v1", "Deployment", "web")
    patch = Patch(target, (step(Op.TEST, "/a", None), step(Op.ADD, "/a", 1), step(Op.REMOVE, "/b")))
    assert json.dumps(patch.to_json()) == (
        '[{"op": "test", "path": "/a", "value": null}, {"op": "add", "path": "/a", "value": 1},'
        ' {"op": "remove", "path": "/b"}]'
    )


@pytest.mark.parametrize(
    ("target", "version", "label"),
    [
        (Target("apps", "v1", "StatefulSet", "db", "prod"), "apps/v1", "statefulset/db"),
        (Target("", "v1", "Pod", "web"), "v1", "pod/web"),
    ],
)
def test_a_target_names_itself_as_users_do(target, version, label):
    assert (target.api_version, target.label) == (version, label)
