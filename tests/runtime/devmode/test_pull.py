"""Images come to the node before the old pod stops: only where it stops first, only for who may, and at no cost."""

import json

import pytest
from cluster import Moment, pulling_fails

from devcfg.runtime.devmode.errors import DevModeError

EVERY = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
NO_PODS = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch", "update", "patch"]},
    {"apiGroups": ["", "coordination.k8s.io"], "resources": ["configmaps", "leases"], "verbs": ["create", "delete"]},
    {"apiGroups": [""], "resources": ["pods/log", "pods/exec", "pods/portforward"], "verbs": ["*"]},
]


def watched(one, rules=None):
    """Return a client, and what it makes and takes away of pods, in order with the workload's patch."""
    client = one.world.client("puller", namespace="shop", **({"rules": rules} if rules is not None else {}))
    seen = []

    def around(call, moment):
        if moment is Moment.AFTER and not call.dry_run:
            if call.resource.kind == "Pod" and call.verb in ("create", "delete"):
                seen.append(call.verb)
            if call.verb == "patch" and call.resource.kind == one.kind:
                seen.append("patch")

    client.around.append(around)
    return client, seen


@pytest.mark.parametrize(
    ("kind", "calls"),
    [("StatefulSet", ["create", "delete", "patch"]), ("Deployment", ["patch"]), ("DaemonSet", ["patch"])],
)
def test_images_are_pulled_ahead_where_the_old_pod_stops_first(shop, play, kind, calls):
    async def go():
        one = shop(kind)
        before = await one.deploy()
        client, seen = watched(one)
        entered = await one.enter(client)
        during = list(seen)
        await one.leave(entered)
        await one.world.settle()
        return before, during, one.state(), one.left()

    before, during, after, left = play(go())

    assert during == calls
    assert after == before
    assert left == []


def test_who_may_not_make_pods_goes_without(shop, play):
    async def go():
        one = shop("StatefulSet")
        await one.deploy()
        client, seen = watched(one, NO_PODS)
        await one.enter(client)
        return seen

    assert play(go()) == ["patch"]


def test_an_image_that_is_not_there_costs_no_minute_of_service(shop, play):
    async def go():
        one = shop("StatefulSet")
        before = await one.deploy()

        def kubelet(pod):
            return pulling_fails(pod) if any(each["image"] == "dev:1" for each in pod["spec"]["containers"]) else None

        one.world.kubelets.append(kubelet)
        client, seen = watched(one)
        with pytest.raises(DevModeError, match=r"image `.+` of container `pull-0` cannot be pulled") as refused:
            await one.enter(client)
        return before, one.state(), one.left(), seen, refused.value.hint

    before, after, left, seen, hint = play(go())

    assert after == before
    assert left == []
    assert seen == ["create", "delete"]
    assert "still serves" in hint


def test_the_pod_that_pulls_is_as_strict_as_the_one_to_come_and_no_service_selects_it(shop, play):
    async def go():
        one = shop("StatefulSet")
        await one.deploy()
        made = []

        def kubelet(pod):
            if pod["metadata"]["name"].startswith("devcfg-pull-"):
                made.append(pod)

        one.world.kubelets.append(kubelet)
        await one.enter()
        return made[0], one.get()

    pod, workload = play(go())

    assert pod["spec"]["nodeName"] == "node-1"
    assert "app" not in pod["metadata"]["labels"]
    assert "volumes" not in pod["spec"]
    assert "dev:1" in {each["image"] for each in pod["spec"]["containers"]}
    assert pod["metadata"]["ownerReferences"][0]["uid"] == workload["metadata"]["uid"]
    template = json.dumps(workload["spec"]["template"]["spec"])
    for each in pod["spec"]["containers"]:
        assert json.dumps(each.get("securityContext", {}))[1:-1] in template
