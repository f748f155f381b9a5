"""The way back: whatever dev mode does to an object, its inverse takes back, or says that it cannot."""

import json

import kustomize_twin
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from live import live

from devcfg.overlays.inverse import invert, render_inverse
from devcfg.overlays.jsonpatch import render_json_patch
from devcfg.schemas.errors import PatchError
from devcfg.schemas.manifest import Manifest
from devcfg.schemas.patch import Op, Operation, Patch, Pointer, Role, apply_patch, lookup, same
from devcfg.schemas.plan import ObjectPatch

names = st.sampled_from(["a", "b", "c/d", "e~f", "0", "-"])
leaves = st.sampled_from([None, True, False, 0, 1, 2.5, "", "x", "1", [], {}])
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)
documents = st.dictionaries(names, values, min_size=1, max_size=4)


EMPTIED = """
version: 1
services:
  web:
    env: {{A: null, B: null}}
    {patches}
"""
ONE_OF_EACH = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {disk: ssd}
      tolerations: [{operator: Exists}]
      containers: [{name: web, image: "web:1", env: [{name: A, value: a}, {name: B, value: b}]}]
"""


@pytest.mark.parametrize(
    "patches",
    [
        "",
        "patches: [{op: remove, path: /spec/template/spec/tolerations/0}]",
        "patches: [{op: remove, path: /spec/template/spec/nodeSelector/disk}]",
        "patches: {spec: {template: {spec: {nodeSelector: {disk: null}}}}}",
    ],
)
def test_what_dev_mode_empties_comes_back_although_the_server_drops_what_is_empty(plan_of, patches):
    one = plan_of(EMPTIED.format(patches=patches), ONE_OF_EACH).workloads[0].workload
    during = kustomize_twin.apply(live(one.manifest.object), json.loads(render_json_patch(one)))
    assert "env" not in during["spec"]["template"]["spec"]["containers"][0]
    after = kustomize_twin.apply(live(during), json.loads(render_inverse(one)))
    assert live(after) == live(one.manifest.object)


def add(path, value):
    return Operation(Op.ADD, Pointer.parse(path), value)


def remove(path):
    return Operation(Op.REMOVE, Pointer.parse(path))


def check(path, value):
    return Operation(Op.TEST, Pointer.parse(path), value, "", Role.ASSUME)


def places(document, kind, at=()):
    """Return the pointers of every mapping or list of a document."""
    found = [Pointer(at)] if isinstance(document, kind) else []
    if isinstance(document, dict):
        inner = [(key, below) for key, below in document.items() if key != "-"]
    else:
        inner = list(enumerate(document)) if isinstance(document, list) else []
    return found + [one for key, below in inner for one in places(below, kind, (*at, str(key)))]


@st.composite
def patches(draw):
    """Return a document and operations of the kinds that lowering emits, each of which applies."""
    document = draw(documents)
    start, steps = document, []
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(
            st.sampled_from(["set", "set", "unset", "probe", "append", "insert", "take", "list", "mark", "test"])
        )
        at = draw(
            st.sampled_from(places(document, list if kind in ("append", "insert", "take", "mark") else dict) or [None])
        )
        if at is None:
            continue
        here = lookup(document, at)
        if kind in ("set", "probe", "list"):
            path = at / draw(names)
        elif kind in ("unset", "test"):
            if not here:
                continue
            path = at / draw(st.sampled_from(sorted(here)))
        else:
            path = at / "-"
        value = draw(values)
        match kind:
            case "set":
                new = [Operation(Op.ADD, path, value)]
            case "unset":
                new = [Operation(Op.REMOVE, path)]
            case "test":
                new = [Operation(Op.TEST, path, lookup(document, path))]
            case "probe":
                new = [Operation(Op.ADD, path, {}), Operation(Op.REMOVE, path)]
            case "append":
                new = [Operation(Op.ADD, path, value)]
            case "insert":
                new = [Operation(Op.ADD, at / draw(st.integers(0, len(here))), value)]
            case "take":
                new = [Operation(Op.REMOVE, at / draw(st.integers(0, len(here) - 1)))] if here else []
            case "mark":
                end = at / len(here)
                new = [Operation(Op.ADD, path, {}), Operation(Op.TEST, end, {}), Operation(Op.REMOVE, end)]
            case _:
                if here.get(path[-1]) is not None:
                    continue
                new = [
                    Operation(Op.TEST, path, None),
                    Operation(Op.ADD, path, []),
                    Operation(Op.ADD, path / "-", value),
                ]
        for step in new:
            document = apply_patch(document, (step,))
            steps.append(step)
    return start, tuple(steps)


@given(patches())
@settings(max_examples=600, deadline=None)
def test_the_inverse_takes_back_exactly_what_the_patch_did(case):
    document, operations = case
    patched = apply_patch(document, operations)
    assert same(apply_patch(patched, invert(document, operations)), document)


@given(patches())
@settings(deadline=None)
def test_every_step_back_that_removes_or_overwrites_is_guarded(case):
    document, operations = case
    current = apply_patch(document, operations)
    tested = []
    for step in invert(document, operations):
        if step.op is Op.TEST:
            tested.append(step.path)
        else:
            parent = lookup(current, step.path.parent)
            if isinstance(parent, dict):
                assert any(step.path.covers(path) for path in tested), f"{step.op} {step.path}"
            tested = []
        current = apply_patch(current, (step,))


@given(patches())
@settings(deadline=None)
def test_the_inverse_of_nothing_but_tests_is_nothing(case):
    document, operations = case
    tests = tuple(one for one in operations if one.op is Op.TEST)
    assume(len(tests) < len(operations))
    try:
        apply_patch(document, tests)
    except PatchError:
        assume(False)
    assert invert(document, tests) == ()


def shown(operations):
    return [
        f"{one.op.value} {one.path}" + (f" {json.dumps(one.value)}" * (one.op is not Op.REMOVE)) for one in operations
    ]


def test_a_removal_that_works_either_way_leaves_no_trace_where_nothing_was():
    assert invert({"a": {}}, (add("/a/probe", {}), remove("/a/probe"))) == ()


def test_a_removal_that_works_either_way_gives_back_what_was_there():
    back = invert({"probe": {"port": 1}}, (add("/probe", {}), remove("/probe")))
    assert shown(back) == ["test /probe null", 'add /probe {"port": 1}']


def test_a_mark_at_the_end_of_a_list_leaves_no_trace():
    steps = (add("/a/-", {}), check("/a/1", {}), remove("/a/1"))
    assert invert({"a": [1]}, steps) == ()


def test_two_removals_at_one_index_both_come_back_in_order():
    document = {"a": [1, 2, 3]}
    steps = (remove("/a/0"), remove("/a/0"))
    assert apply_patch(apply_patch(document, steps), invert(document, steps)) == document


def test_an_element_put_where_one_was_taken_comes_back():
    document = {"a": [{"name": "x"}]}
    steps = (remove("/a/0"), add("/a/0", {"name": "y"}))
    assert shown(invert(document, steps)) == ['test /a/0/name "y"', "remove /a/0", 'add /a/0 {"name": "x"}']


def test_a_member_set_to_null_over_one_of_ours_is_removed():
    assert apply_patch({"a": None}, invert({}, (add("/a", 1), add("/a", None)))) == {}


DEPLOYMENT = {
    "kind": "Deployment",
    "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "web:1", "args": ["a"]}]}}},
}
DEV = (
    check("/spec/template/spec/containers/0/name", "web"),
    check("/spec/template/spec/volumes", None),
    add("/spec/template/spec/containers/0/image", "dev:1"),
    add("/spec/template/spec/containers/0/args", ["--dir=/devcfg"]),
    add("/spec/template/spec/volumes", []),
    add("/spec/template/spec/volumes/-", {"name": "source", "configMap": {"name": "devcfg-x"}}),
    add("/spec/template/spec/initContainers", []),
    add(
        "/spec/template/spec/initContainers/-",
        {
            "name": "tools",
            "image": "busybox",
            "volumeMounts": [{"name": "source", "mountPath": "/s", "readOnly": False}],
        },
    ),
    add("/spec/replicas", 1),
)


def defaulted(document):
    """Fill in and leave out what the API server does."""
    spec = document["spec"]["template"]["spec"]
    tool, volume = spec["initContainers"][0], spec["volumes"][0]
    mount = {"name": "source", "mountPath": "/s"}
    tool = {**tool, "terminationMessagePath": "/dev/termination-log", "volumeMounts": [mount]}
    volume = {**volume, "configMap": {**volume["configMap"], "defaultMode": 420}}
    spec = {**spec, "initContainers": [tool], "volumes": [volume]}
    return {**document, "spec": {**document["spec"], "template": {"spec": spec}}}


def test_what_the_api_server_fills_in_is_no_obstacle():
    live = defaulted(apply_patch(DEPLOYMENT, DEV))
    assert apply_patch(live, invert(DEPLOYMENT, DEV)) == DEPLOYMENT


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (add("/spec/replicas", 3), "`/spec/replicas` failed: wanted `1`, found `3`"),
        (add("/spec/template/spec/containers/0/image", "web:2"), 'wanted `"dev:1"`, found `"web:2"`'),
        (remove("/spec/template/spec/containers/0/args"), "found nothing"),
        (add("/spec/template/spec/volumes/0", {"name": "other"}), "`/spec/template/spec/volumes/0/name` failed"),
        (add("/spec/template/spec/volumes/-", {"name": "other"}), "`/spec/template/spec/volumes` failed"),
        (remove("/spec/template/spec/volumes"), "there is no `/spec/template/spec/volumes`"),
        (add("/spec/template/spec/initContainers/0/image", "evil"), "`/spec/template/spec/initContainers/0/image`"),
    ],
)
def test_the_inverse_refuses_where_our_value_is_no_longer_there(change, said):
    drifted = apply_patch(apply_patch(DEPLOYMENT, DEV), (change,))
    with pytest.raises(PatchError) as refused:
        apply_patch(drifted, invert(DEPLOYMENT, DEV))
    assert said in refused.value.message


def test_an_operation_that_does_not_apply_cannot_be_taken_back():
    with pytest.raises(PatchError, match="there is no `/gone`"):
        invert({}, (add("/gone/a", 1),))


def test_the_whole_document_cannot_be_taken_back():
    with pytest.raises(PatchError, match="the whole document"):
        invert({}, (add("", {}),))


def test_the_inverse_prints_one_operation_a_line():
    manifest = Manifest({"spec": {"replicas": 2}}, "base.yaml")
    one = ObjectPatch(manifest, Patch(manifest.target, (add("/spec/replicas", 1),)))
    assert render_inverse(one) == (
        "[\n"
        '  {"op": "test", "path": "/spec/replicas", "value": 1},\n'
        '  {"op": "add", "path": "/spec/replicas", "value": 2}\n'
        "]\n"
    )


@pytest.mark.parametrize(("version", "stored"), [("apps/v1", "500m"), ("example.test/v1", "0.5")])
def test_a_quantity_is_found_again_as_its_kind_of_object_is_stored(version, stored):
    document = {"apiVersion": version, "kind": "Web", "spec": {}}
    resources = {"limits": {"cpu": "0.5"}}
    back = invert(document, (Operation(Op.ADD, Pointer(("spec", "resources")), resources),))
    live = {**document, "spec": {"resources": {"limits": {"cpu": stored}}}}

    assert apply_patch(live, back) == document
