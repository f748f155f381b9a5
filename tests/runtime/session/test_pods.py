"""The pod site on a cluster in memory: which pod is spoken to, with the real agent in it, and what is in its log."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from cluster import Process, World, pulling_fails

from devcfg.runtime.cluster.errors import ClusterError
from devcfg.runtime.devmode.place import PodPlace
from devcfg.runtime.link.errors import LinkLostError
from devcfg.runtime.link.link import connect
from devcfg.runtime.session.pod import PodSite
from devcfg.runtime.session.podlog import RECENT, PodLog
from devcfg.runtime.session.pods import PODS, LeftError, Pod, Pods, find_dev_pod, selector_of
from devcfg.runtime.session.podsites import needs_new_pod
from devcfg.schemas.config import Service
from devcfg.schemas.errors import DevcfgError
from devcfg.schemas.patch import Op, Operation, Pointer

SOURCE = Path(__file__).resolve().parents[3] / "runtime" / "pod"
PLAN = "v1-00"
ANNOTATIONS = {"devcfg.dev/plan": PLAN, "devcfg.dev/container.web": "web"}


def run(check):
    """Run a coroutine function of a world with a workload in dev mode, its place, and a client."""

    async def patiently():
        async with asyncio.timeout(60):
            world = World("shop")
            cluster = world.client()
            deployments = await cluster.find("deployment")
            made = await cluster.create(deployments, "shop", deployment())
            await world.settle()
            place = PodPlace("web", "shop", deployments, "web", made["metadata"]["uid"], "web", PLAN)
            return await check(world, cluster, place)

    return asyncio.run(patiently())


def deployment(name="web"):
    env = [{"name": "COLOUR", "value": "green"}, {"name": "GONE", "value": "x"}]
    containers = [{"name": "web", "image": "w:1", "env": env}, {"name": "devcfg-agent", "image": "p:3"}]
    template = {"metadata": {"labels": {"app": "web"}, "annotations": ANNOTATIONS}, "spec": {"containers": containers}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


async def replace_pod(world, cluster, name):
    await cluster.delete(PODS, "shop", name)
    await world.settle()


def test_the_pod_is_the_one_that_the_workload_owns_through_its_replica_set():
    async def check(world, cluster, place):
        stranger = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "zz-stranger", "labels": {"app": "web"}, "annotations": ANNOTATIONS},
            "spec": deployment()["spec"]["template"]["spec"],
        }
        await cluster.create(PODS, "shop", stranger)
        await world.settle()
        found = await Pods(cluster, place).find()
        assert isinstance(found, Pod) and found.name.startswith("web-")
        return found.environment[0]

    assert run(check) == {"name": "COLOUR", "value": "green"}


def test_a_pod_of_another_plan_is_not_spoken_to():
    async def check(world, cluster, place):
        other = PodPlace("web", "shop", place.resource, place.name, place.uid, "web", "v1-11")
        return await Pods(cluster, other).find()

    assert run(check) == "deployment/web has no pod yet"


def test_why_there_is_no_pod_is_said_in_the_kubelets_words():
    async def check(world, cluster, place):
        world.kubelets.append(pulling_fails)
        await replace_pod(world, cluster, (await cluster.list(PODS, "shop"))[0]["metadata"]["name"])
        return await Pods(cluster, place).find()

    assert run(check).endswith("container web: ErrImagePull: manifest unknown")


def test_each_end_of_the_dev_container_is_said_once_with_its_reason(tmp_path):
    async def refused(pod, container, argv, **given):
        raise ClusterError("it does not start")

    async def check(world, cluster, place):
        world.processes = refused
        said = []
        site = PodSite(cluster, place, Service.validate({}), str(tmp_path), say=said.append, fresh=True)
        await site.enter()
        runs, killed = {"running": {}}, {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
        waiting, left = {"waiting": {"reason": "CrashLoopBackOff"}}, {"terminated": {"exitCode": 3}}
        for restarts, state, last in (
            (0, runs, {}),
            (0, killed, {}),
            (0, waiting, killed),
            (1, runs, killed),
            (2, runs, left),
            (2, left, killed),
            (3, {"waiting": {"reason": "ContainerCreating"}}, left),
        ):
            status = world.all("Pod", "shop")[0]["status"]["containerStatuses"][0]
            status |= {"restartCount": restarts, "state": state, "lastState": last}
            with pytest.raises(LinkLostError):
                await site.open_stream()
        return said

    again = "Kubernetes waits longer each time before it starts it again"
    assert run(check) == [
        "its container ended (it took more memory than its limit): Kubernetes starts it again",
        "its container ended (exit code 3) and runs again",
        f"its container ended (exit code 3), 3 times by now: {again}",
    ]


def test_a_pod_that_was_evicted_is_said_in_the_kubelets_words():
    async def check(world, cluster, place):
        said = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."}
        world.kubelets.append(lambda pod: said)
        await replace_pod(world, cluster, (await cluster.list(PODS, "shop"))[0]["metadata"]["name"])
        return await Pods(cluster, place).find()

    assert run(check).endswith(" has ended: Evicted: The node was low on memory.")


def test_what_became_of_a_pod_is_told_also_where_the_cluster_knows_it_later_than_that_it_is_gone(tmp_path):
    async def check(world, cluster, place):
        said = []
        site = PodSite(cluster, place, Service.validate({}), str(tmp_path), say=said.append, fresh=True)
        await site.enter()
        first, status = site.pod, {"phase": "Running"}
        world.kubelets.append(lambda pod: status if pod["metadata"]["name"] == first else {"phase": "Pending"})
        await cluster.patch(place.resource, "shop", "web", [Operation(Op.ADD, Pointer.parse("/spec/replicas"), 2)])
        await world.settle()
        opening = asyncio.create_task(site.open_stream())
        while not said:
            await asyncio.sleep(0.01)
        status = {"phase": "Failed", "reason": "Evicted", "message": "usage exceeds the total limit"}
        await world.settle()
        while len(said) < 2:
            await asyncio.sleep(0.01)
        opening.cancel()
        return first, said

    first, (waiting, fate, *_) = run(check)
    assert waiting.endswith(" is being started")
    assert fate == f"pod {first} has ended: Evicted: usage exceeds the total limit"


def test_a_workload_that_was_made_anew_is_not_taken_for_the_one_that_was_entered():
    async def check(world, cluster, place):
        await cluster.delete(place.resource, "shop", "web")
        await world.settle()
        with pytest.raises(LeftError, match="was deleted while"):
            await Pods(cluster, place).find()
        await cluster.create(place.resource, "shop", {**deployment(), "spec": {**deployment()["spec"], "replicas": 0}})
        await world.settle()
        with pytest.raises(LeftError, match="made anew"):
            await Pods(cluster, place).find()

    run(check)


def test_a_link_leads_to_the_pod_that_is_there_and_after_it_to_the_next(tmp_path):
    async def agent(pod, container, argv, **given):
        assert container == "devcfg-agent" and argv[:4] == ("python3", "-S", "-m", "agent")
        words = [sys.executable, "-S", "-m", "agent", str(tmp_path / pod["metadata"]["name"])]
        return await Process.start(words, stdin=True, env={"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"]})

    async def check(world, cluster, place):
        world.processes = agent
        said = []
        site = PodSite(cluster, place, Service.validate({}), str(tmp_path), say=said.append, fresh=True)
        await site.enter()
        link, hello = await connect(site.open_stream)
        async with link:
            assert "inotify" in hello.features
        first, name = site.incarnation, site.pod
        assert site.renew("commands") and not site.renew("commands")
        await replace_pod(world, cluster, name)
        link, _ = await connect(site.open_stream)
        async with link:
            assert site.incarnation not in ("", first) and site.pod != name
        assert site.renew("commands")
        return said

    assert run(check) == []


def test_what_the_config_says_of_the_environment_by_now_goes_before_a_command(tmp_path):
    async def check(world, cluster, place):
        def site(env):
            return PodSite(cluster, place, Service.validate({"env": env}), str(tmp_path), say=print, fresh=True)

        same, other = site({"COLOUR": "green"}), site({"COLOUR": "blue", "GONE": None, "NEW": "1", "ABSENT": None})
        for one in (same, other):
            await one.enter()
        return same.started_as(["run"]), other.started_as(["run"])

    same, other = run(check)
    assert same == ["run"]
    assert other == ["/devcfg/bin/busybox", "env", "-u", "GONE", "COLOUR=blue", "NEW=1", "run"]


def test_a_pod_in_dev_mode_is_found_without_a_session_by_what_it_says_of_itself():
    async def check(world, cluster, place):
        pod, container = await find_dev_pod(cluster, "shop", "web")
        with pytest.raises(DevcfgError, match="no pod of service `api`"):
            await find_dev_pod(cluster, "shop", "api")
        return pod.name[:4], container

    assert run(check) == ("web-", "web")


def test_a_log_goes_on_in_the_next_pod_and_repeats_no_line_where_a_stream_broke(monkeypatch):
    monkeypatch.setattr("devcfg.runtime.session.podlog.FIRST", 0.01)
    pods = [
        Pod("one", "1", 0, None, ()),
        Pod("one", "1", 0, None, ()),
        Pod("one", "1", 1, None, ()),
        Pod("two", "2", 0, None, ()),
    ]
    logs = {
        0: "2026-01-01T00:00:01.1Z a\n2026-01-01T00:00:01.2Z b\n",
        1: "2026-01-01T00:00:01.1Z a\n2026-01-01T00:00:01.2Z b\n2026-01-01T00:00:01.3Z c\n",
        2: "2026-01-01T00:00:04.1Z e\n",
        3: "2026-01-01T00:00:00.5Z f\n",
    }
    previous = "2026-01-01T00:00:01.3Z c\n2026-01-01T00:00:02.0Z d\n"
    asked = []

    class Logs:
        """Only what a log needs of a cluster."""

        async def log(self, namespace, pod, container, **given):
            asked.append(given["tail"])
            if given["previous"]:
                yield previous.encode()
            else:
                at = next(turn)
                yield logs[at].encode()
                if at == 0:
                    raise ConnectionResetError

    turn, following = iter(range(4)), iter(pods)

    async def find():
        return next(following)

    async def read():
        found = []
        async for line in PodLog(Logs(), "shop", "web", find, whole=False, told={}).follow():
            found.append(line)
            if line == "f":
                break
        return found

    assert asyncio.run(read()) == ["a", "b", "c", "d", "e", "f"]
    assert asked[0] == RECENT and set(asked[1:]) == {None}


@pytest.mark.parametrize(
    ("after", "fields"),
    [
        ({"command": {"run": ["b"]}, "env": {"A": "2"}, "ports": ["80"], "reload": "none"}, ()),
        ({"env": {"A": "1"}, "image": "x:2"}, ("image",)),
        ({"env": {}}, ("env",)),
        ({"env": {"A": {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}}}, ("env",)),
        ({"env": {"A": "1"}, "sync": [{"path": "other", "target": "/src"}]}, ()),
        ({"env": {"A": "1"}, "sync": [{"path": "src", "target": "/app"}]}, ("sync",)),
    ],
)
def test_only_what_stands_in_the_pod_needs_a_new_one(after, fields):
    before = Service.validate({"command": {"run": ["a"]}, "env": {"A": "1"}, "sync": ["src:/src"]})
    assert needs_new_pod(before, Service.validate({"sync": ["src:/src"], **after})) == fields


def test_selectors_are_written_as_the_api_takes_them():
    expressions = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "old", "operator": "DoesNotExist"},
        {"key": "track", "operator": "Exists"},
    ]
    found = {"spec": {"selector": {"matchLabels": {"app": "web"}, "matchExpressions": expressions}}}
    assert selector_of(found) == "app=web,tier in (a,b),!old,track"
    assert selector_of({"spec": {"selector": {"app": "web"}}}) == ""


def test_what_a_node_says_in_place_of_a_log_is_no_line_of_it():
    async def check(world, cluster, place):
        pod = (await cluster.list(PODS, "shop"))[0]
        key = ("shop", pod["metadata"]["name"], "web")
        world.logs[key] = b"unable to retrieve container logs for containerd://f0a2\n2026-01-01T00:00:02Z two\n"
        log = PodLog(cluster, "shop", "web", Pods(cluster, place).find, whole=True, told={})
        return await anext(log.follow())

    assert run(check) == "two"


def test_what_became_of_a_pod_is_told_where_it_failed_and_not_where_it_goes_on_or_was_deleted():
    async def check(world, cluster, place):
        pods = Pods(cluster, place)
        pod = await pods.find()
        told = [await pods.fate(pod)]
        failed = {"phase": "Failed", "reason": "Evicted", "message": "usage exceeds the total limit"}
        world.kubelets.append(lambda _: failed)
        await world.settle()
        told.append(await pods.fate(pod))
        await replace_pod(world, cluster, pod.name)
        return pod.name, [*told, await pods.fate(pod)]

    name, told = run(check)
    assert told == ["", f"pod {name} has ended: Evicted: usage exceeds the total limit", ""]


def test_an_evicted_pod_whose_containers_ended_in_order_is_told_from_the_event():
    async def check(world, cluster, place):
        pods = Pods(cluster, place)
        pod = await pods.find()
        world.kubelets.append(lambda _: {"phase": "Succeeded"})
        await world.settle()
        told = [await pods.fate(pod)]
        about = {"kind": "Pod", "name": pod.name, "namespace": "shop", "uid": pod.uid}
        for reason, kind in (("Evicted", "Warning"), ("Killing", "Normal")):
            body = {"metadata": {"name": reason.lower()}, "involvedObject": about, "reason": reason, "type": kind}
            world.create(world.kind("Event"), "shop", {**body, "message": "usage exceeds the total limit"}, manager="k")
        return pod.name, [*told, await pods.fate(pod)]

    name, told = run(check)
    assert told == [f"pod {name} has ended: Succeeded", f"pod {name} has ended: Evicted: usage exceeds the total limit"]


def test_of_a_pod_that_ran_before_the_session_the_last_lines_are_told_and_each_once():
    async def check(world, cluster, place):
        pod = (await cluster.list(PODS, "shop"))[0]["metadata"]["name"]
        lines = [b"2026-01-01T00:00:%02dZ %d\n" % (number, number) for number in range(30)]
        world.logs["shop", pod, "web"] = b"".join(lines)
        told = {}

        async def read(last, *, whole):
            found = []
            log = PodLog(cluster, "shop", "web", Pods(cluster, place).find, whole=whole, told=told)
            async for line in log.follow():
                found.append(int(line))
                if line == last:
                    break
            return found

        first = await read("29", whole=False)
        world.logs["shop", pod, "web"] += b"2026-01-01T00:00:40Z 40\n"
        return first, await read("40", whole=True)

    first, after = run(check)

    assert first == list(range(10, 30))
    assert after == [40]
