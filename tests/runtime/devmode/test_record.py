"""A way back that stands in a cluster is input from outside: it is held against what dev mode itself changes."""

import copy
import json

import pytest

from devcfg.runtime.devmode.errors import DriftError
from devcfg.runtime.devmode.leave import leave_one
from devcfg.runtime.devmode.record import inverse_of, owner_of, reach, restoration
from devcfg.runtime.devmode.stays import stay_of

POD = "/spec/template/spec"
WILD = [
    {"op": "add", "path": "/metadata/ownerReferences", "value": []},
    {"op": "add", "path": "/metadata/labels", "value": {"a": "b"}},
    {"op": "remove", "path": "/metadata/finalizers"},
    {"op": "add", "path": "/spec/selector/matchLabels/app", "value": "other"},
    {"op": "add", "path": "/kind", "value": "Secret"},
    {"op": "add", "path": "", "value": {}},
    {"op": "add", "path": "/status/replicas", "value": 1},
]
STRANGE = [
    {"op": "add", "path": f"{POD}/serviceAccountName", "value": "admin"},
    {"op": "add", "path": f"{POD}/hostNetwork", "value": True},
    {"op": "add", "path": f"{POD}/containers/0/securityContext/privileged", "value": True},
    {"op": "add", "path": f"{POD}/containers/0/securityContext", "value": {"privileged": True}},
    {"op": "add", "path": f"{POD}/containers/1", "value": {"name": "miner", "image": "miner"}},
    {"op": "add", "path": f"{POD}/volumes/0", "value": {"name": "host", "hostPath": {"path": "/"}}},
    {"op": "remove", "path": f"{POD}/volumes/0"},
    {"op": "remove", "path": f"{POD}/containers/0"},
    {"op": "add", "path": f"{POD}/initContainers", "value": [{"name": "a", "image": "b"}]},
    {"op": "add", "path": f"{POD}/containers/1/image", "value": "other:1"},
    {"op": "add", "path": "/spec/replicas", "value": "many"},
    {"op": "add", "path": "/spec/minReadySeconds", "value": 3},
]
DAMAGED = ["", "{}", "[]", '{"patch": 1}', '{"patch": [{"op": "move", "path": "/a"}]}', '{"patch": [{"op": "add"}]}']


def workload(*steps, containers=()):
    """Return a Deployment in dev mode that says it came from elsewhere."""
    meta = {
        "name": "web",
        "namespace": "shop",
        "uid": "1",
        "resourceVersion": "1",
        "annotations": {"devcfg.dev/inverse": json.dumps({"version": 1, "patch": list(steps)})},
    }
    pods = {
        "metadata": {"annotations": {"devcfg.dev/container.web": "web", "devcfg.dev/plan": "v1-0"}},
        "spec": {
            "containers": [
                {"name": "web", "image": "dev:1", "securityContext": {}},
                {"name": "side", "image": "side:1"},
                *containers,
            ],
            "volumes": [{"name": "data", "emptyDir": {}}],
        },
    }
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": pods}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


@pytest.mark.parametrize("step", WILD, ids=lambda step: step["path"] or "all")
def test_what_devcfg_never_writes_is_never_taken_back(step):
    found = workload(step)

    assert reach(found, inverse_of(found)).wild != ()


@pytest.mark.parametrize("step", STRANGE, ids=lambda step: step["op"] + step["path"])
def test_what_dev_mode_itself_does_not_change_needs_somebodys_consent(step):
    found = workload(step)

    assert reach(found, inverse_of(found)).wild == ()
    assert reach(found, inverse_of(found)).strange != ()


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_record_is_an_error_in_words(text):
    found = workload()
    found["metadata"]["annotations"]["devcfg.dev/inverse"] = text

    with pytest.raises(DriftError, match="is damaged"):
        inverse_of(found)


@pytest.mark.parametrize("text", ["", "x", "[]", "1", '{"services": 3, "template": "/metadata", "paused": "yes"}'])
def test_an_owner_that_is_damaged_is_somebody(text):
    found = workload()
    found["metadata"]["annotations"]["devcfg.dev/owner"] = text
    owner = owner_of(found)

    assert (owner.holder, owner.services, owner.template, owner.paused) == ("somebody", (), "/spec/template", False)


def test_the_way_back_of_a_real_session_is_all_our_own(shop, play):
    async def go():
        one = shop()
        await one.deploy()
        await one.enter()
        return one.get()

    found = play(go())

    assert reach(found, inverse_of(found)) == type(reach(found, ()))((), ())
    assert "dev:1" not in json.dumps(restoration(found, inverse_of(found)).after["spec"])


@pytest.mark.parametrize("step", [WILD[0], WILD[3], STRANGE[0], STRANGE[3]], ids=lambda step: step["path"])
def test_down_refuses_it_and_changes_nothing(shop, play, step):
    async def go():
        one = shop()
        await one.deploy()
        await one.enter()

        def write(found):
            record = json.loads(found["metadata"]["annotations"]["devcfg.dev/inverse"])
            record["patch"].append(step)
            found["metadata"]["annotations"]["devcfg.dev/inverse"] = json.dumps(record)

        one.change(write)
        before = copy.deepcopy(one.get())
        with pytest.raises(DriftError):
            await leave_one(one.cluster, stay_of(one.resource, one.get()), one.steps.append)
        return before, one.get()

    before, after = play(go())

    assert after == before
