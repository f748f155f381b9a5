"""The diff: each place that changes, once, with the config field that causes it."""

from devcfg.overlays import diff_plan
from devcfg.overlays.hunks import diff_object
from devcfg.schemas.manifest import Manifest
from devcfg.schemas.patch import Op, Operation, Patch, Pointer, Role
from devcfg.schemas.plan import ObjectPatch


def add(path, value, source="services.web.x"):
    return Operation(Op.ADD, Pointer.parse(path), value, source)


def remove(path, source="services.web.x"):
    return Operation(Op.REMOVE, Pointer.parse(path), None, source)


def check(path, value):
    return Operation(Op.TEST, Pointer.parse(path), value, "", Role.ASSUME)


def diff(document, *steps):
    manifest = Manifest(document, "base.yaml", 3)
    found = diff_object(ObjectPatch(manifest, Patch(manifest.target, steps)))
    return [(str(one.path), one.before, one.after) for one in found]


def test_a_value_that_changes_is_shown_before_and_after():
    assert diff({"a": {"b": 1}}, check("/a/b", 1), add("/a/b", [2, "y"])) == [("/a/b", ("1",), ("- 2", '- "y"'))]


def test_a_value_that_stays_is_not_shown():
    assert diff({"a": 1}, add("/a", 1)) == []


def test_a_removal_that_works_either_way_is_one_hunk_or_none():
    steps = (add("/a", {}), remove("/a"))
    assert diff({"a": {"b": 1}}, *steps) == [("/a", ("b: 1",), ())]
    assert diff({}, *steps) == []


def test_a_list_made_to_be_filled_is_shown_by_its_elements():
    assert diff({}, add("/a", []), add("/a/-", 1), add("/a/-", 2)) == [("/a/0", (), ("1",)), ("/a/1", (), ("2",))]


def test_a_mark_at_the_end_of_a_list_is_not_shown():
    assert diff({"a": [1]}, add("/a/-", {}), check("/a/1", {}), remove("/a/1")) == []


def test_an_element_that_is_replaced_is_one_hunk():
    assert diff({"a": [1]}, remove("/a/0"), add("/a/0", 2)) == [("/a/0", ("1",), ("2",))]


def test_two_elements_removed_at_one_index_are_two_hunks():
    assert diff({"a": [1, 2]}, remove("/a/0"), remove("/a/0")) == [("/a/0", ("1",), ()), ("/a/0", ("2",), ())]


def test_two_elements_put_at_one_index_are_two_hunks():
    assert diff({"a": []}, add("/a/0", 1), add("/a/0", 2)) == [("/a/0", (), ("1",)), ("/a/0", (), ("2",))]


def test_a_member_called_dash_is_no_end_of_a_list():
    assert diff({"a": {}}, add("/a/-", 1)) == [("/a/-", (), ("1",))]


def test_a_plan_shows_every_object_with_its_place(web, plan_of):
    workload, added = diff_plan(plan_of(*web))
    assert (workload.label, workload.place) == ("deployment/web", "base.yaml:2")
    image = next(one for one in workload.hunks if one.path[-1] == "image")
    assert (image.source, image.before, image.after) == ("services.web.image", ("web:1",), ("dev:1",))
    assert (added.label, added.place) == ("configmap/devcfg-deployment.web", "")
    assert added.hunks[0].after[:2] == ("apiVersion: v1", "kind: ConfigMap")


def test_every_hunk_of_a_plan_says_its_field(web, plan_of):
    workload = diff_plan(plan_of(*web))[0]
    assert {one.source.split(".")[1] for one in workload.hunks} == {"web"}
