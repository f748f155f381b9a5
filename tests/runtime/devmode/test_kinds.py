"""What cannot go into dev mode in place is refused before anything is changed, with what to do."""

import copy
import json

import pytest

from devcfg.runtime.cluster.cluster import Resource
from devcfg.runtime.devmode.errors import DevModeError
from devcfg.runtime.devmode.live import Wish
from devcfg.runtime.devmode.node import check_node
from devcfg.runtime.devmode.prepare import prepare
from devcfg.runtime.devmode.scalers import SCALER as SCALERS
from devcfg.schemas.errors import ConfigError, UsageError

SPACE = "shop"
POD = {"restartPolicy": "Never", "containers": [{"name": "web", "image": "web:1", "command": ["serve"]}]}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": POD}
FIXED = {
    "Pod": (Resource("", "v1", "pods", "Pod"), POD),
    "Job": (Resource("batch", "v1", "jobs", "Job"), {"template": TEMPLATE}),
    "CronJob": (
        Resource("batch", "v1", "cronjobs", "CronJob"),
        {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": TEMPLATE}}},
    ),
}
CONFIG = """\
base: base.yaml
namespace: shop
services:
  web: {workload: KIND/web, image: dev:1, command: {run: [sleep, "1"]}, sync: [{path: src, target: /src}]}
"""


@pytest.mark.parametrize("kind", FIXED)
def test_what_has_no_pod_to_replace_is_refused_with_the_way_by_hand(shop, play, kind):
    async def go():
        one = shop()
        resource, spec = FIXED[kind]
        body = {
            "apiVersion": resource.api_version,
            "kind": kind,
            "metadata": {"name": "web", "namespace": SPACE, "labels": {"app": "web"}},
            "spec": copy.deepcopy(spec),
        }
        (one.root / "base.yaml").write_text(json.dumps(body))
        one.configure(CONFIG.replace("KIND", kind.lower()))
        one.world.create(resource, SPACE, body, manager="kubectl")
        before = one.world.version
        with pytest.raises(UsageError, match=rf"{kind.lower()}/web cannot go into dev mode as it stands") as refused:
            await one.enter()
        return before, one.world.version, refused.value

    before, after, error = play(go())

    assert after == before
    assert error.exit_code == 2
    assert f"`kubectl -n shop delete {kind.lower()}/web`" in error.hint


def test_a_copy_beside_the_workload_is_not_claimed_to_work(shop, play):
    async def go():
        one = shop()
        await one.deploy()
        one.configure(CONFIG.replace("KIND", "deployment").replace("image: dev:1", "mode: duplicate"))
        await one.enter()

    with pytest.raises(ConfigError, match="duplicate"):
        play(go())


def test_an_autoscaler_of_kedas_is_refused_by_its_owner_where_keda_itself_cannot_be_seen(shop, play):
    async def go():
        one = shop()
        before = await one.deploy()
        one.autoscale()
        found = one.world.get(SCALERS, SPACE, "web")
        owner = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "s", "uid": "1"}
        found["metadata"]["ownerReferences"] = [owner]
        one.world.update(SCALERS, SPACE, "web", found, manager="keda")
        with pytest.raises(DevModeError, match=r"KEDA scales deployment/web \(ScaledObject `s`\)") as refused:
            await one.enter()
        return before, one.state(), one.left(), refused.value.hint

    before, after, left, hint = play(go())

    assert after == before
    assert left == []
    assert "`kubectl -n shop annotate scaledobject s autoscaling.keda.sh/paused-replicas=1`" in hint


def test_a_node_is_for_a_daemon_set_that_has_a_pod_there(shop, play):
    async def go(kind, node):
        one = shop(kind)
        await one.deploy()
        prepared = await prepare(one.cluster, Wish(), yes=True, ask=None)
        await check_node(one.cluster, prepared.subjects, node)

    play(go("DaemonSet", "node-1"))
    with pytest.raises(UsageError, match="daemonset/web has no pod on node `node-9`") as refused:
        play(go("DaemonSet", "node-9"))
    assert refused.value.hint == "it has one on `node-1`"
    with pytest.raises(UsageError, match="none of the services is one"):
        play(go("Deployment", "node-1"))


def test_a_kind_of_its_own_is_bound_as_it_lives_and_not_once_more_by_the_base(shop, play):
    async def go():
        one = shop()
        workers = Resource("shop.test", "v1", "workers", "Worker")
        one.world.serve(workers)
        body = {
            "apiVersion": "shop.test/v1",
            "kind": "Worker",
            "metadata": {"name": "web", "namespace": SPACE},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": copy.deepcopy(TEMPLATE)},
        }
        del body["spec"]["template"]["spec"]["restartPolicy"]
        (one.root / "base.yaml").write_text(json.dumps(body))
        one.configure(
            CONFIG.replace("KIND/web", "shop.test/v1/Worker/web").replace("image: dev:1", "podTemplate: /spec/template")
        )
        one.world.create(workers, SPACE, body, manager="kubectl")
        prepared = await prepare(one.cluster, Wish(), yes=True, ask=None)
        return [subject.target.label for subject in prepared.subjects]

    assert play(go()) == ["worker/web"]
