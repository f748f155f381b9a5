"""The prover: every change is seen, only what was declared may differ, and no selector wins or loses a pod."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.compiler import compile_plan, read_config, read_manifests
from devcfg.compiler.prover import changed, declared, lost_selectors, removed, selects, undeclared
from devcfg.schemas.manifest import Manifest
from devcfg.schemas.patch import Pointer, apply_patch, lookup, same

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("ab", max_size=1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3)
TEMPLATE = Pointer(("spec", "template"))


@given(VALUES)
def test_nothing_differs_from_itself(value):
    assert list(changed(value, copy.deepcopy(value))) == []
    assert list(removed(value, copy.deepcopy(value))) == []


@given(VALUES, VALUES)
def test_two_values_that_are_not_the_same_differ_somewhere(one, other):
    assert bool(list(changed(one, other))) == (not same(one, other))


@given(st.dictionaries(st.sampled_from("abc"), VALUES), st.dictionaries(st.sampled_from("abc"), VALUES))
def test_each_place_that_is_named_does_differ(before, after):
    for path in changed(before, after):
        parent = path.parent
        old, new = lookup(before, parent), lookup(after, parent)
        assert not same(old, new)


def test_true_is_not_one_and_one_is_one_point_nothing():
    assert list(changed({"a": True}, {"a": 1})) == [Pointer(("a",))]
    assert list(changed({"a": 1}, {"a": 1.0})) == []


def test_a_list_that_grew_names_only_what_is_new():
    assert list(changed({"l": [1, 2]}, {"l": [1, 2, 3]})) == [Pointer(("l", "2"))]
    assert list(changed({"l": [1, 2]}, {"l": [2]})) == [Pointer(("l",))]


def test_named_elements_are_followed_when_they_move():
    before = [{"name": "a", "x": 1}, {"name": "b"}]

    assert list(removed(before, [{"name": "new"}, {"name": "b"}, {"name": "a"}])) == [Pointer(("0", "x"))]


ALLOWED = declared(TEMPLATE, (TEMPLATE / "spec" / "containers" / 0,), ())


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"metadata": {"annotations": {"a": "b"}}}, []),
        ({"metadata": None}, {"metadata": {"annotations": {"a": "b"}}}, []),
        ({"metadata": {}}, {"metadata": {"annotations": {"a": "b"}}}, []),
        ({}, {"metadata": {"annotations": {"a": "b"}, "labels": {"a": "b"}}}, ["/spec/template/metadata/labels/a"]),
        ({}, {"metadata": {}}, ["/spec/template/metadata"]),
        ({"metadata": "text"}, {"metadata": {"annotations": {}}}, ["/spec/template/metadata"]),
        ({"metadata": {"labels": {"a": "b"}}}, {"metadata": {}}, ["/spec/template/metadata/labels"]),
        ({"spec": {"containers": [1, 2]}}, {"spec": {"containers": [9, 2]}}, []),
        ({"spec": {"containers": [1, 2]}}, {"spec": {"containers": [1, 9]}}, ["/spec/template/spec/containers/1"]),
        ({"spec": {"volumes": []}}, {"spec": {"volumes": [1]}}, []),
        ({"spec": {}}, {"spec": {"hostNetwork": True}}, ["/spec/template/spec/hostNetwork"]),
    ],
)
def test_only_what_is_declared_may_differ(before, after, expected):
    found = undeclared({"spec": {"template": before}}, {"spec": {"template": after}}, ALLOWED)

    assert [str(one) for one in found] == expected


@pytest.mark.parametrize("metadata", ["", "metadata: null, ", "metadata: {}, ", "metadata: {labels: {a: b}}, "])
@pytest.mark.parametrize("kind", ["apps/v1 Deployment", "batch/v1 Job"])
def test_a_template_that_says_nothing_of_metadata_is_no_fault(kind, metadata):
    version, name = kind.split()
    base = f"""
apiVersion: {version}
kind: {name}
metadata: {{name: web}}
spec: {{template: {{{metadata}spec: {{containers: [{{name: web, image: "web:1"}}]}}}}}}
"""
    parsed = read_config(b"services: {web: {command: {run: [a]}}}\n", file="devcfg.yaml")
    plan = compile_plan(parsed, read_manifests(base, file="base.yaml"), shipped={})
    (part,) = plan.workloads
    after = apply_patch(part.workload.manifest.object, part.workload.patch.operations)

    assert after["spec"]["template"]["metadata"]["annotations"]["devcfg.dev/plan"] == part.digest


@given(LABELS, LABELS)
def test_match_labels_take_pods_that_have_them_all(wanted, labels):
    assert selects({"matchLabels": wanted}, labels) == (wanted.items() <= labels.items())


@pytest.mark.parametrize(
    ("expression", "taken"),
    [
        ({"key": "a", "operator": "In", "values": ["x", "y"]}, [{"a": "x"}, {"a": "y"}]),
        ({"key": "a", "operator": "NotIn", "values": ["x"]}, [{}, {"a": "y"}, {"a": "z"}]),
        ({"key": "a", "operator": "Exists"}, [{"a": "x"}, {"a": "y"}, {"a": "z"}]),
        ({"key": "a", "operator": "DoesNotExist"}, [{}]),
    ],
)
def test_match_expressions_mean_what_kubernetes_says(expression, taken):
    pods = [{}, {"a": "x"}, {"a": "y"}, {"a": "z"}]

    assert [one for one in pods if selects({"matchExpressions": [expression]}, one)] == taken


def selecting(kind, spec, namespace=""):
    metadata = {"name": "s", **({"namespace": namespace} if namespace else {})}
    return Manifest({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}, "f")


@pytest.mark.parametrize(
    "one",
    [
        selecting("Service", {"selector": {"app": "web"}}),
        selecting("NetworkPolicy", {"podSelector": {"matchLabels": {"app": "web"}}}),
        selecting("PodDisruptionBudget", {"selector": {"matchLabels": {"app": "web"}}}),
        selecting("Deployment", {"selector": {"matchLabels": {"app": "web"}}}),
    ],
    ids=lambda one: one.kind,
)
def test_a_pod_that_a_selector_loses_or_wins_is_noticed(one):
    with_it, without = {"app": "web"}, {"app": "other"}

    assert lost_selectors((one,), "", with_it, without) == (one,)
    assert lost_selectors((one,), "", without, with_it) == (one,)
    assert lost_selectors((one,), "", with_it, {**with_it, "more": "x"}) == ()


def test_a_selector_in_another_namespace_has_no_say():
    one = selecting("Service", {"selector": {"app": "web"}}, "elsewhere")

    assert lost_selectors((one,), "here", {"app": "web"}, {}) == ()
    assert lost_selectors((one,), "elsewhere", {"app": "web"}, {}) == (one,)
