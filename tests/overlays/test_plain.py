"""Plain objects, the overlay, the patch of a live object: the small back ends."""

import json
import subprocess
import sys

import pytest
import yaml

from devcfg.compiler import read_manifests
from devcfg.overlays import invert, objects_of, render_inverse, render_json_patch, render_overlay, render_plain
from devcfg.schemas.manifest import Manifest
from devcfg.schemas.patch import Op, Operation, Patch, Pointer, Role, apply_patch
from devcfg.schemas.plan import ObjectPatch


def shown(objects):
    return [f"{one['kind']}/{one['metadata'].get('namespace', '')}/{one['metadata']['name']}" for one in objects]


def test_only_what_changes_or_is_added_unless_everything_is_wanted(web, plan_of):
    plan = plan_of(*web)
    assert shown(objects_of(plan, everything=False)) == ["ConfigMap//devcfg-deployment.web", "Deployment//web"]
    assert shown(objects_of(plan, everything=True)) == [
        "Deployment//web",
        "Service//web",
        "ConfigMap//devcfg-deployment.web",
    ]


def test_what_is_left_alone_is_the_base_s_own(web, plan_of):
    plan = plan_of(*web)
    assert objects_of(plan, everything=True)[1] is plan.base[1].object


def test_the_configured_namespace_is_in_every_object_that_has_none(web, plan_of):
    config, base = web
    plan = plan_of(
        f"namespace: dev\n{config}",
        base.replace("kind: Service\nmetadata: {", "kind: Service\nmetadata: {namespace: x, "),
    )
    assert shown(objects_of(plan, everything=True)) == [
        "Deployment/dev/web",
        "Service/x/web",
        "ConfigMap/dev/devcfg-deployment.web",
    ]


@pytest.mark.parametrize("everything", [False, True])
def test_the_text_reads_back_as_the_objects(web, plan_of, everything):
    plan = plan_of(*web)
    found = read_manifests(render_plain(plan, everything=everything), file="plain")
    assert tuple(one.object for one in found) == objects_of(plan, everything=everything)


def test_the_workload_is_the_base_with_its_patch(web, plan_of):
    plan = plan_of(*web)
    one = plan.workloads[0].workload
    assert objects_of(plan, everything=False)[1] == apply_patch(one.manifest.object, one.patch.operations)


def test_the_inverse_of_a_compiled_patch_restores_the_base(web, plan_of):
    config, base = web
    extra = """\
    sync: [{path: ., target: /src}]
    env: {A: "1", B: null, C: {valueFrom: {fieldRef: {fieldPath: metadata.name}}}}
    resources: {limits: {memory: 1Gi}}
    persist: [{path: /var/cache}]
    user: "1000:1000"
    patches: [{op: replace, path: /spec/template/spec/containers/1/image, value: "side:2"}]
"""
    base = base.replace("args: [a, b]", 'env: [{name: B, value: "1"}, {name: C, value: "2"}, {name: D, value: "3"}]')
    one = plan_of(config + extra, base).workloads[0].workload
    patched = apply_patch(one.manifest.object, one.patch.operations)
    assert patched != one.manifest.object
    assert apply_patch(patched, invert(one.manifest.object, one.patch.operations)) == one.manifest.object


def test_a_patch_for_a_live_object_leaves_out_what_defaults_break():
    manifest = Manifest({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {}}, "base.yaml")
    steps = (
        Operation(Op.TEST, Pointer(("spec", "securityContext")), None, "", Role.PRISTINE),
        Operation(Op.TEST, Pointer(("spec", "volumes")), None, "", Role.ASSUME),
        Operation(Op.ADD, Pointer(("metadata", "annotations")), {"a/b": "é"}, "", Role.GUARD),
    )
    one = ObjectPatch(manifest, Patch(manifest.target, steps))
    assert render_json_patch(one) == (
        "[\n"
        '  {"op": "test", "path": "/spec/volumes", "value": null},\n'
        '  {"op": "add", "path": "/metadata/annotations", "value": {"a/b": "é"}}\n'
        "]\n"
    )
    assert json.loads(render_inverse(one)) == [
        {"op": "test", "path": "/metadata/annotations/a~1b", "value": "é"},
        {"op": "remove", "path": "/metadata/annotations"},
    ]


def test_the_overlay_names_base_and_component_and_keeps_the_order():
    text = render_overlay(base="../../base", component="../../components/devcfg", namespace="")
    assert yaml.safe_load(text) == {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["../../base"],
        "components": ["../../components/devcfg"],
        "sortOptions": {"order": "fifo"},
    }


def test_the_overlay_gives_the_namespace_to_what_has_none_alone():
    overlay = yaml.safe_load(render_overlay(base="a", component="b", namespace="1e3"))
    assert "namespace" not in overlay
    assert [yaml.safe_load(one) for one in overlay["transformers"]] == [
        {
            "apiVersion": "builtin",
            "kind": "NamespaceTransformer",
            "metadata": {"name": "devcfg", "namespace": "1e3"},
            "unsetOnly": True,
        }
    ]


def test_the_front_door_imports_nothing_before_it_is_asked():
    code = (
        "import sys, devcfg.overlays as room\n"
        "assert not [name for name in sys.modules if name.startswith(('devcfg.overlays.', 'devcfg.schemas'))]\n"
        "assert all(callable(getattr(room, name)) for name in room.__all__)\n"
        "assert 'difflib' not in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr == ""


def test_the_front_door_knows_what_it_does_not_have():
    import devcfg.overlays

    with pytest.raises(AttributeError, match="has no attribute 'gone'"):
        devcfg.overlays.gone  # noqa: B018  the access is the test
