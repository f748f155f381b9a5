"""The lock: what of the base changed since the files were generated, in words and without any value."""

import json

import pytest

from devcfg.overlays import compare, read_lock, render_component
from devcfg.schemas.errors import DevcfgError


@pytest.fixture
def lock(web, plan_of):
    """Return the lock of the usual plan."""
    files = render_component(plan_of(*web), version="0.1.0", config_file="devcfg.yaml")
    return files["devcfg.lock"]


def test_nothing_changed_is_nothing_to_say(web, plan_of, lock):
    assert compare(read_lock(lock), plan_of(*web)) == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("replicas: 2", "replicas: 3", ["spec.replicas changed"]),
        ("  replicas: 2\n", "", ["spec.replicas is gone"]),
        ("web:1", "web:2", ["spec.template.spec.containers[app].image changed"]),
        ("[a, b]", "[a, c]", ["spec.template.spec.containers[app].args changed"]),
        ("args: [a, b]", "env: [{name: A}]", [
            "spec.template.spec.containers[app].args is gone",
            "spec.template.spec.containers[app].env is new",
        ]),
        ("{name: side,", "{name: side2,", [
            "spec.template.spec.containers[side] is gone",
            "spec.template.spec.containers[side2] is new",
        ]),
        ("labels: {app: web}}\nspec", "labels: {app: web, x: y}}\nspec", ["metadata.labels.x is new"]),
        ("    spec:\n", "    spec:\n      volumes: []\n", ["spec.template.spec.volumes is new"]),
    ],
)  # fmt: skip
def test_a_change_of_the_base_is_named_by_its_field(web, plan_of, lock, old, new, words):
    config, base = web
    assert base.count(old) == 1
    changes = compare(read_lock(lock), plan_of(config, base.replace(old, new)))
    assert [(one.subject, one.words) for one in changes] == [("deployment/web", said) for said in words]
    assert {one.place for one in changes} == {"base.yaml:2"}


def test_containers_in_another_order_are_said_once(web, plan_of, lock):
    config, base = web
    first = '      - {name: app, image: "web:1", args: [a, b], livenessProbe: {httpGet: {port: 80}}}\n'
    second = '      - {name: side, image: "side:1"}\n'
    assert first + second in base
    changes = compare(read_lock(lock), plan_of(config, base.replace(first + second, second + first)))
    assert [one.words for one in changes] == ["the order of spec.template.spec.containers changed"]


def test_an_object_that_dev_mode_leaves_alone_may_change(web, plan_of, lock):
    config, base = web
    assert compare(read_lock(lock), plan_of(config, base.replace("ports: [{port: 80}]", "ports: [{port: 81}]"))) == ()


def test_a_changed_config_is_said_first(web, plan_of, lock):
    config, base = web
    changes = compare(
        read_lock(lock), plan_of(config.replace("dev:1", "dev:2"), base.replace("replicas: 2", "replicas: 3"))
    )
    assert [(one.subject, one.words) for one in changes] == [
        ("config", "the dev config changed"),
        ("deployment/web", "spec.replicas changed"),
    ]


def test_objects_that_came_and_went_are_named(web, plan_of, lock):
    config, base = web
    renamed = base.replace("metadata: {name: web, labels", "metadata: {name: new, namespace: x, labels", 1)
    changes = compare(read_lock(lock), plan_of(config.replace("deployment/web", "deployment/new"), renamed))
    assert [(one.subject, one.words) for one in changes][1:] == [
        ("x/deployment/new", "is new to dev mode"),
        ("deployment/web", "is no longer part of dev mode"),
    ]


def test_no_value_of_the_base_is_in_it(lock):
    assert not any(value in lock for value in ("web:1", "side:1", "httpGet"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "devcfg.lock cannot be read"),
        ("[]", "devcfg.lock cannot be read"),
        ("{}", "devcfg.lock cannot be read"),
        (
            '{"version": 1, "devcfg": "0", "config": "0", "objects": {"a": 5}, "files": {}}',
            "devcfg.lock cannot be read",
        ),
        ('{"version": 1, "devcfg": "0", "config": "0", "objects": [], "files": {}}', "devcfg.lock cannot be read"),
        ('{"version": 2}', "devcfg.lock has version 2, and only 1 is known"),
        ("[" * 100_000, "devcfg.lock cannot be read"),
    ],
)
def test_a_lock_that_is_not_ours_is_refused(text, said):
    with pytest.raises(DevcfgError) as refused:
        read_lock(text)
    assert refused.value.message == said
    assert "devcfg render --write --force" in refused.value.hint


def test_a_lock_reads_back_what_was_written(lock):
    found = read_lock(lock)
    assert {
        "version": 1,
        "devcfg": found.version,
        "config": found.config,
        "objects": found.objects,
        "files": found.files,
    } == json.loads(lock)
