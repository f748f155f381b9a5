"""The user's own patches: lowered to guarded test, add and remove that mean what RFC 6902 and RFC 7386 say."""

import copy

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.compiler.lowering.patches import lower_patches
from devcfg.schemas.errors import PatchError
from devcfg.schemas.patch import Op, apply_patch

BASE = {
    "spec": {
        "replicas": 3,
        "containers": [{"name": "a", "image": "x"}, {"name": "b", "args": ["1", "2"]}],
        "node": {"zone": "z"},
    }
}


def lowered(patches):
    result = lower_patches(BASE, patches, "services.web.patches")
    assert result.error is None, result.error
    return result.operations


STEPS = [
    {"op": "add", "path": "/spec/new", "value": {"a": 1}},
    {"op": "add", "path": "/spec/replicas", "value": 5},
    {"op": "add", "path": "/spec/containers/0", "value": {"name": "first"}},
    {"op": "add", "path": "/spec/containers/-", "value": {"name": "last"}},
    {"op": "add", "path": "/spec/containers/1/args/1", "value": "between"},
    {"op": "replace", "path": "/spec/containers/1/args/0", "value": "9"},
    {"op": "replace", "path": "/spec/node", "value": None},
    {"op": "remove", "path": "/spec/containers/0"},
    {"op": "remove", "path": "/spec/node/zone"},
    {"op": "move", "from": "/spec/node/zone", "path": "/spec/zone"},
    {"op": "move", "from": "/spec/containers/0", "path": "/spec/containers/1"},
    {"op": "copy", "from": "/spec/containers/0/image", "path": "/spec/containers/1/image"},
    {"op": "test", "path": "/spec/replicas", "value": 3},
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step['op']}{step['path']}")
def test_each_operation_means_what_rfc_6902_says(step):
    expected = jsonpatch.apply_patch(copy.deepcopy(BASE), [step])

    assert apply_patch(BASE, lowered((step,))) == expected


@given(st.lists(st.sampled_from(STEPS), min_size=1, max_size=4))
def test_several_operations_build_on_each_other(steps):
    try:
        expected = jsonpatch.apply_patch(copy.deepcopy(BASE), steps)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
        return
    result = lower_patches(BASE, tuple(steps), "f")
    if result.error is None:
        assert apply_patch(BASE, result.operations) == expected


@pytest.mark.parametrize("step", STEPS[:-1], ids=lambda step: f"{step['op']}{step['path']}")
def test_each_operation_fails_where_what_it_changes_has_changed(step):
    operations = lowered((step,))
    changed = copy.deepcopy(BASE)
    changed["spec"]["replicas"] = 7
    changed["spec"]["new"] = "there"
    changed["spec"]["zone"] = "there"
    changed["spec"]["node"]["zone"] = "other"
    changed["spec"]["containers"].insert(0, {"name": "sidecar", "args": []})

    with pytest.raises(PatchError):
        apply_patch(changed, operations)


def test_only_test_add_and_remove_are_emitted():
    used = {operation.op for step in STEPS for operation in lowered((step,))}

    assert used == {Op.TEST, Op.ADD, Op.REMOVE}


def test_a_merge_patch_sets_replaces_and_removes():
    merge = {"spec": {"replicas": None, "node": {"zone": "y", "rack": {"a": None, "b": 1}}, "containers": [1]}}

    assert apply_patch(BASE, lowered(merge)) == {"spec": {"containers": [1], "node": {"zone": "y", "rack": {"b": 1}}}}


@pytest.mark.parametrize(
    ("patches", "words"),
    [
        (({"op": "remove", "path": "/spec/none"},), "nothing at"),
        (({"op": "replace", "path": "/spec/none/deep", "value": 1},), "no `/spec/none`"),
        (({"op": "add", "path": "/metadata/name", "value": "x"},), "says which object this is"),
        (({"op": "add", "path": "/metadata", "value": {}},), "says which object this is"),
        (({"op": "move", "from": "/spec", "path": "/spec/inner"},), "into itself"),
        (({"op": "add", "path": "/spec/containers/9", "value": 1},), "no element `9`"),
        ({"kind": "Other"}, "says which object this is"),
    ],
)
def test_what_cannot_be_lowered_says_why(patches, words):
    result = lower_patches(BASE, patches, "f")

    assert result.error is not None
    assert words in result.error.message
