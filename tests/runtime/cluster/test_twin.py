"""The twin beyond the suite: controllers at rest, users with Roles, and what goes wrong on the way."""

import asyncio

import pytest
from cluster import World, away, crashing, killed_after, loses_answer, pending, pulling_fails

from devcfg.runtime.cluster.cluster import Resource
from devcfg.runtime.cluster.errors import ForbiddenError, MissingError, RejectedError, UnreachableError
from devcfg.schemas.patch import Op, Operation, Pointer

IMAGE = "/spec/template/spec/containers/0/image"


def workload(**spec):
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    return {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": pod, **spec}}


def image(name):
    return [Operation(Op.ADD, Pointer.parse(IMAGE), name)]


def images(world):
    return sorted(one["spec"]["containers"][0]["image"] for one in world.all("Pod"))


async def deployed(world, kind="Deployment", **spec):
    cluster = world.client()
    resource = await cluster.find(kind)
    await cluster.create(resource, "shop", workload(**spec))
    await world.settle()
    return cluster, resource


def test_recreate_starts_nothing_before_the_old_pods_are_gone():
    async def check():
        world = World("shop")
        cluster, kind = await deployed(world, strategy={"type": "Recreate"}, replicas=2)
        seen = []
        world.kubelets.append(lambda pod: seen.append(set(images(world))))
        await cluster.patch(kind, "shop", "web", image("dev:1"))
        await world.settle()
        return seen, images(world)

    seen, after = asyncio.run(check())
    assert {"web:1", "dev:1"} not in seen
    assert after == ["dev:1", "dev:1"]


@pytest.mark.parametrize("status", [pulling_fails, crashing, pending])
def test_a_rolling_update_keeps_the_old_pods_while_the_new_ones_are_not_ready(status):
    async def check():
        world = World("shop")
        cluster, kind = await deployed(world)
        world.kubelets.append(lambda pod: status(pod) if pod["spec"]["containers"][0]["image"] == "dev:1" else None)
        await cluster.patch(kind, "shop", "web", image("dev:1"))
        await world.settle()
        stuck = images(world)
        await cluster.patch(kind, "shop", "web", image("web:1"))
        await world.settle()
        return stuck, images(world)

    assert asyncio.run(check()) == (["dev:1", "web:1"], ["web:1"])


def test_a_stateful_pod_that_never_gets_ready_stands_in_its_own_way_back():
    async def check():
        world = World("shop")
        cluster, kind = await deployed(world, "StatefulSet", serviceName="web")
        world.kubelets.append(lambda pod: crashing(pod) if pod["spec"]["containers"][0]["image"] == "dev:1" else None)
        await cluster.patch(kind, "shop", "web", image("dev:1"))
        await world.settle()
        await cluster.patch(kind, "shop", "web", image("web:1"))
        await world.settle()
        stuck = images(world)
        await cluster.delete(await cluster.find("pod"), "shop", "web-0")
        await world.settle()
        return stuck, images(world)

    assert asyncio.run(check()) == (["dev:1"], ["web:1"])


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_on_delete_changes_no_pod_by_itself(kind):
    async def check():
        world = World("shop")
        cluster, resource = await deployed(world, kind, updateStrategy={"type": "OnDelete"})
        await cluster.patch(resource, "shop", "web", image("dev:1"))
        await world.settle()
        return images(world)

    assert asyncio.run(check()) == ["web:1"]


def test_old_replica_sets_are_kept_up_to_the_limit():
    async def check():
        world = World("shop")
        cluster, kind = await deployed(world, revisionHistoryLimit=2)
        for number in range(5):
            await cluster.patch(kind, "shop", "web", image(f"web:{number + 2}"))
            await world.settle()
        return len(world.all("ReplicaSet")), images(world)

    assert asyncio.run(check()) == (3, ["web:6"])


def test_a_role_allows_what_it_says_and_the_refusal_names_the_rest():
    rules = [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"], "resourceNames": ["web"]},
        {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get"]},
    ]

    async def check():
        world = World("shop")
        _, kind = await deployed(world)
        alice = world.client("alice", rules)
        await alice.get(kind, "shop", "web")
        await alice.patch(kind, "shop", "web", image("dev:1"))
        denied = []
        pods = await alice.find("pod")
        for asked in (
            alice.get(kind, "shop", "other"),
            alice.list(kind, "shop"),
            alice.delete(kind, "shop", "web"),
            alice.get(pods, "shop", "web"),
            alice.dial("shop", "web", 80),
        ):
            with pytest.raises(ForbiddenError) as raised:
                await asked
            denied.append((raised.value.verb, raised.value.resource))
        return denied

    assert asyncio.run(check()) == [
        ("get", "deployments"),
        ("list", "deployments"),
        ("delete", "deployments"),
        ("get", "pods"),
        ("get", "pods/portforward"),
    ]


def test_an_answer_may_get_lost_after_the_write():
    async def check():
        world = World("shop")
        cluster, kind = await deployed(world)
        cluster.around.append(loses_answer("patch", "deployments"))
        with pytest.raises(UnreachableError):
            await cluster.patch(kind, "shop", "web", image("dev:1"))
        return (await cluster.get(kind, "shop", "web"))["spec"]["template"]["spec"]["containers"][0]["image"]

    assert asyncio.run(check()) == "dev:1"


def test_a_server_that_is_away_does_nothing():
    async def check():
        world = World("shop")
        cluster, kind = await deployed(world)
        cluster.around.append(away(2))
        for _ in range(2):
            with pytest.raises(UnreachableError):
                await cluster.delete(kind, "shop", "web")
        return await cluster.get(kind, "shop", "web")

    assert asyncio.run(check())["metadata"]["name"] == "web"


def test_a_client_can_be_killed_after_any_call():
    class KilledError(Exception):
        pass

    async def check():
        world = World("shop")
        cluster, kind = await deployed(world)
        cluster.around.append(killed_after(2, KilledError()))
        await cluster.get(kind, "shop", "web")
        with pytest.raises(KilledError):
            await cluster.patch(kind, "shop", "web", image("dev:1"))
        with pytest.raises(KilledError):
            await cluster.get(kind, "shop", "web")
        return images(world) or True

    assert asyncio.run(check())


def test_a_custom_kind_is_served_once_it_is_told_of():
    rollouts = Resource("argoproj.io", "v1alpha1", "rollouts", "Rollout")

    async def check():
        world = World("shop")
        cluster = world.client()
        with pytest.raises(MissingError):
            await cluster.find("rollout")
        world.serve(rollouts, "ro")
        found = await cluster.find("ro")
        made = await cluster.create(found, "shop", {"metadata": {"name": "web"}, "spec": {"replicas": 1}})
        more = [Operation(Op.ADD, Pointer.parse("/spec/replicas"), 2)]
        return made, await cluster.patch(found, "shop", "web", more)

    made, patched = asyncio.run(check())
    assert (made["metadata"]["generation"], patched["metadata"]["generation"]) == (1, 2)
    assert made["apiVersion"] == "argoproj.io/v1alpha1"


def test_two_who_replace_the_same_version_are_one_winner_and_one_conflict():
    async def check():
        world = World("shop")
        cluster = world.client()
        kind = await cluster.find("lease")
        made = await cluster.create(kind, "shop", {"metadata": {"name": "devcfg"}, "spec": {"holderIdentity": "-"}})

        async def claim(who):
            body = {**made, "spec": {"holderIdentity": who}}
            await world.client(who).replace(kind, "shop", body)
            return who

        done = await asyncio.gather(*(claim(f"user-{number}") for number in range(5)), return_exceptions=True)
        kept = (await cluster.get(kind, "shop", "devcfg"))["spec"]["holderIdentity"]
        return [one for one in done if isinstance(one, str)], kept

    winners, kept = asyncio.run(check())
    assert winners == [kept]


def test_admission_refuses_in_its_own_words():
    async def check():
        world = World("shop")
        cluster = world.client()
        said = 'violates PodSecurity "restricted:latest": runAsNonRoot != true'
        world.admission.append(lambda verb, resource, one: said if resource.kind == "Pod" else None)
        with pytest.raises(RejectedError, match="violates PodSecurity"):
            pod = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "a", "image": "b:1"}]}}
            await cluster.create(await cluster.find("pod"), "shop", pod, dry_run=True)
        await cluster.create(await cluster.find("deployment"), "shop", workload())
        await world.settle()
        (deployment,) = world.all("Deployment")
        return deployment["status"]["conditions"], [one["reason"] for one in world.all("Event")]

    conditions, reasons = asyncio.run(check())
    assert [one["reason"] for one in conditions if one["type"] == "ReplicaFailure"] == ["FailedCreate"]
    assert reasons == ["FailedCreate"]


def test_who_wrote_what_stands_in_the_managed_fields():
    async def check():
        world = World("shop")
        cluster, kind = await deployed(world)
        found = world.get(kind, "shop", "web")
        found["spec"]["replicas"] = 3
        world.update(kind, "shop", "web", found, manager="flux")
        return (await cluster.get(kind, "shop", "web"))["metadata"]["managedFields"]

    fields = {(one["manager"], one.get("subresource")): one["fieldsV1"] for one in asyncio.run(check())}
    assert fields["flux", None] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in fields["devcfg", None]["f:spec"]
    assert ("kube-controller-manager", "status") in fields
