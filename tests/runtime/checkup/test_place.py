"""`devcfg doctor` in a cluster: each trouble that a session would come to is told, and nothing is changed."""

import asyncio
import copy
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from cluster import World

from devcfg.runtime.checkup.finding import Verdict
from devcfg.runtime.checkup.place import examine
from devcfg.runtime.cluster.cluster import Resource
from devcfg.runtime.devmode.live import Wish

SPACE = "shop"
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
"""When a world in memory begins."""
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")
BODY = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": SPACE},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1", "command": ["serve"]}]},
        },
    },
}


@pytest.fixture
def visited(web):
    """Return a function that deploys a workload and returns what is found, by check, and whether it was changed."""
    web.write("devcfg.yaml", "base: base.yaml\nnamespace: shop\nservices:\n  web: {command: {run: [a]}}\n")

    def visit(edit=lambda body: None, prepare=lambda world: None, *, offset=0, **more):
        async def go():
            world = World(SPACE)
            body = copy.deepcopy(BODY)
            edit(body)
            world.create(DEPLOYMENTS, SPACE, body, manager="kubectl")
            await world.settle()
            prepare(world)
            before = json.dumps(world.get(DEPLOYMENTS, SPACE, "web"))
            client = world.client(namespace=SPACE, **more)
            now = BEGINNING + timedelta(seconds=offset)
            found = [one async for one in examine(client, Wish(), lambda: now)]
            assert json.dumps(world.get(DEPLOYMENTS, SPACE, "web")) == before
            return found

        return asyncio.run(asyncio.wait_for(go(), 60))

    return visit


def worst(found):
    """Return the findings that are not well."""
    return [(one.check, one.verdict, one.words) for one in found if one.verdict is not Verdict.OK]


def test_where_all_is_well_each_check_says_so(visited):
    found = visited()

    assert worst(found) == []
    assert [one.check for one in found] == ["cluster", "guard", "clock", "rights", "quota", "rehearsal"]


def test_a_right_that_is_missing_is_named_with_what_it_is_for(visited):
    every = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch", "create", "update", "delete"]}

    found = visited(rules=[every])

    ((check, verdict, words),) = [one for one in worst(found) if one[0] == "rights"]
    assert (check, verdict) == ("rights", Verdict.FAILURE)
    assert words == "you may not `patch deployments` in namespace `shop`: the workload itself"


def test_a_workload_that_argo_keeps_is_told_with_the_way_that_fits(visited):
    found = visited(lambda body: body["metadata"].update(annotations={"argocd.argoproj.io/tracking-id": "shop:apps/x"}))

    (one,) = (one for one in found if one.check == "owner")
    assert one.verdict is Verdict.WARNING
    assert "argo cd application `shop`" in one.words
    assert "kubectl -n argocd patch application shop" in one.fix


def test_a_workload_that_is_paused_is_told_with_the_command_that_resumes_it(visited):
    found = visited(lambda body: body["spec"].update(paused=True))

    ((check, verdict, words),) = worst(found)
    assert (check, verdict) == ("deployment/web", Verdict.FAILURE)
    assert "is paused" in words


def test_a_quota_that_is_nearly_used_up_is_told(visited):
    def fill(world):
        status = {"hard": {"pods": "10", "limits.memory": "1Gi"}, "used": {"pods": "9", "limits.memory": "100Mi"}}
        body = {"metadata": {"name": "small", "namespace": SPACE}, "spec": {"hard": status["hard"]}, "status": status}
        world.create(QUOTAS, SPACE, {"apiVersion": "v1", "kind": "ResourceQuota", **body}, manager="kubectl")
        one = world.find(QUOTAS, SPACE, "small")
        world.status(one, status)

    found = visited(prepare=fill)

    assert worst(found) == [("quota", Verdict.WARNING, "nearly used up: pods 9 of 10 (`small`)")]


@pytest.mark.parametrize(("offset", "way"), [(-90, "behind"), (90, "ahead of")])
def test_clocks_that_differ_are_told_with_by_how_much(visited, offset, way):
    ((check, verdict, words),) = worst(visited(offset=offset))

    assert (check, verdict) == ("clock", Verdict.WARNING)
    assert re.match(rf"the clock here is (8|9)\d s {way} the cluster's", words)


def test_a_workload_that_is_not_deployed_is_told_with_how_to_deploy_it(visited, web):
    web.write("devcfg.yaml", "base: cluster\nnamespace: shop\nservices:\n  other: {workload: deployment/other}\n")

    found = visited()

    assert worst(found) == [("workloads", Verdict.FAILURE, "deployment/other is not in namespace `shop`")]
    assert found[-1].fix.startswith("deploy it first")
