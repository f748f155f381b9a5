"""Bases and configs of the wrong shape everywhere: a plan or our own error comes out, never anything else."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from devcfg.compiler import check_plan, compile_plan, read_config, read_manifests
from devcfg.overlays import objects_of, read_lock, render_component, render_inverse, render_json_patch, render_plain
from devcfg.schemas.errors import ConfigError, DevcfgError

SEED = 20261124
JUNK = [
    None, True, False, 0, -1, 1.5, 10**30, "", "x", "\u0000", "\ufeff", "é" * 3, "a" * 5000, [], {}, [None], [[]], [{}],
    ["x"], [1, "x", None], {"x": None}, {"": ""}, {"name": 1}, {"name": ["app"]}, [{"name": {}}],
    [{"name": "app"}, {"name": "app"}], {"/~0": {"~1/": []}}, [[[[[[]]]]]],
]  # fmt: skip
CONTAINER = {
    "name": "app",
    "image": "web:1",
    "env": [{"name": "A", "value": "x"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    "livenessProbe": {"httpGet": {"port": 80}},
    "resources": {"limits": {"memory": "1Gi"}},
    "securityContext": {"runAsUser": 1000, "readOnlyRootFilesystem": True},
}
POD = {
    "containers": [CONTAINER, {"name": "side", "image": "s:1"}],
    "initContainers": [{"name": "init", "image": "i:1"}],
    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    "imagePullSecrets": [{"name": "pull"}],
    "securityContext": {"runAsNonRoot": True},
}
META = {"labels": {"app": "web"}, "annotations": {"a": "b"}}
BASE = [
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "prod", **META},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": META, "spec": POD},
        },
    },
    {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "prod"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "minReplicas": 1},
    },
    {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": "prod"},
        "spec": {
            "selector": {
                "matchLabels": {"app": "web"},
                "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}],
            }
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "prod"},
        "spec": {"selector": {"app": "web"}},
    },
    {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "other"},
        "spec": {"scaleTargetRef": {"name": "other"}},
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "web"},
        "subjects": [{"kind": "ServiceAccount", "name": "default"}],
    },
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "web"},
        "webhooks": [{"clientConfig": {"service": {"name": "web"}}}],
    },
]
CONFIG = {
    "version": 1,
    "namespace": "dev",
    "services": {
        "web": {
            "workload": "deployment/web",
            "container": "app",
            "image": "dev:1",
            "imagePullSecrets": ["x"],
            "command": {"run": ["sleep", "1"], "build": "make"},
            "sync": [{"path": ".", "target": "/src", "seed": "image", "exclude": ["a"]}],
            "env": {"A": "1", "B": None, "C": {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}},
            "probes": {"liveness": "relax"},
            "user": "1000:1000",
            "persist": [{"path": "/cache", "size": "1Gi"}],
            "resources": {"limits": {"memory": "1Gi"}},
            "reload": {"on": "restart", "stop": {"signal": "TERM", "grace": "3s"}},
            "ports": ["1:2"],
            "patches": [{"op": "add", "path": "/metadata/labels/x", "value": "y"}],
        }
    },
}
COMPONENT = {"version": "0", "config_file": "devcfg.yaml"}


def places(document, at=()):
    """Return the way to every value."""
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [at, *(place for key, below in inner for place in places(below, (*at, key)))]


def spoiled(document, at, value):
    """Return a copy with another value at a place."""
    if not at:
        return value
    document = copy.deepcopy(document)
    holder = document
    for step in at[:-1]:
        holder = holder[step]
    holder[at[-1]] = value
    return document


def survives(config, base):
    """Do all that a render does. Return whether it came to a plan."""
    try:
        parsed = read_config(config.encode("utf-8", "surrogatepass"), file="devcfg.yaml")
        manifests = read_manifests(base, file="base.yaml")
        check_plan(parsed, manifests)
        plan = compile_plan(parsed, manifests, shipped={})
        objects_of(plan, everything=True)
        render_plain(plan, everything=True)
        render_component(plan, **COMPONENT)
        for one in (one for workload in plan.workloads for one in workload.patched):
            render_json_patch(one)
            render_inverse(one)
    except DevcfgError as error:
        assert error.message
        if isinstance(error, ConfigError):
            assert all(len(one.message) < 500 for one in error.diagnostics)
        return False
    return True


def text_of(objects):
    return "".join(f"---\n{json.dumps(one)}\n" for one in objects)


def test_the_base_and_the_config_are_sound_before_they_are_spoiled():
    assert survives(json.dumps(CONFIG), text_of(BASE))


def breaks_no_render(number, step):
    """Spoil each place of one object with one in `step` of the values, other ones at each place."""
    for start, at in enumerate(places(BASE[number])):
        for value in JUNK[start % step :: step]:
            objects = spoiled(BASE, (number, *at), value)
            try:
                survives(json.dumps(CONFIG), text_of(objects))
            except Exception as error:
                raise AssertionError(f"{value!r} at {at}: {error!r}") from error


@pytest.mark.parametrize("number", range(len(BASE)))
def test_no_value_of_a_base_breaks_a_render(number):
    breaks_no_render(number, step=4)


@pytest.mark.proof
@pytest.mark.parametrize("number", range(len(BASE)))
def test_no_value_at_all_of_a_base_breaks_a_render(number):
    breaks_no_render(number, step=1)


def test_no_value_of_a_config_breaks_a_render():
    for start, at in enumerate(places(CONFIG)):
        for value in JUNK[start % 2 :: 2]:
            try:
                survives(json.dumps(spoiled(CONFIG, at, value)), text_of(BASE))
            except Exception as error:
                raise AssertionError(f"{value!r} at {at}: {error!r}") from error


NUMBERS = [
    "1e999999999",
    "-1e400",
    "9" * 5000,
    "0x" + "f" * 5000,
    ".inf",
    "-.INF",
    ".nan",
    "1_000",
    "0b1",
    "1e-999999999",
]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:12])
@pytest.mark.parametrize("field", ["version", "replicas", "port", "patch"])
def test_a_number_that_nothing_can_hold_is_refused(field, number):
    text = json.dumps(CONFIG)
    if field == "version":
        text = text.replace('"version": 1', f'"version": {number}')
    elif field == "patch":
        text = text.replace('"value": "y"', f'"value": {number}')
    else:
        member = f'"replicas": {number}' if field == "replicas" else f'"debug": {{"port": {number}}}'
        text = text.replace('"image": "dev:1"', f'"image": "dev:1", {member}')
    if field == "patch":
        survives(text, text_of(BASE))
    else:
        with pytest.raises(ConfigError):
            read_config(text.encode(), file="devcfg.yaml")


LOCK = {
    "version": 1,
    "devcfg": "0",
    "config": "0" * 64,
    "objects": {"deployment/web": {"spec": "0"}},
    "files": {"devcfg.lock": "0"},
}


def test_no_lock_breaks_its_reader():
    texts = [json.dumps(spoiled(LOCK, at, value)) for at in places(LOCK) for value in JUNK]
    texts += [
        "",
        "{",
        "[" * 100_000,
        "{" * 100_000,
        "9" * 5000,
        "1e999999999",
        "NaN",
        '{"version": 1e400}',
        "\ufeff{}",
        "\x00",
    ]
    texts += ['{"version": 1, ' * 2000, json.dumps(LOCK)[:-1], '"\\ud800"', "null", "<<<<<<< ours"]
    for text in texts:
        try:
            read_lock(text)
        except DevcfgError as error:
            assert error.hint


@pytest.mark.proof
def test_thousands_of_spoiled_pairs_break_nothing():
    counted = [0, 0]
    base_places, config_places = places(BASE), places(CONFIG)

    @seed(SEED)
    @settings(max_examples=5000, database=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(st.tuples(st.sampled_from(base_places), st.sampled_from(JUNK)), max_size=3),
        st.lists(st.tuples(st.sampled_from(config_places), st.sampled_from(JUNK)), max_size=2),
    )
    def every(in_base, in_config):
        objects, config = BASE, CONFIG
        for at, value in in_base:
            objects = _spoiled_if_there(objects, at, value)
        for at, value in in_config:
            config = _spoiled_if_there(config, at, value)
        text = text_of(objects) if isinstance(objects, list) else json.dumps(objects)
        counted[survives(json.dumps(config), text)] += 1

    every()
    print(f"{sum(counted)} spoiled pairs, seed {SEED}: {counted[1]} compile, {counted[0]} are refused, 0 break")


def _spoiled_if_there(document, at, value):
    try:
        return spoiled(document, at, value)
    except (KeyError, IndexError, TypeError):
        return document
