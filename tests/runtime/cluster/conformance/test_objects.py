"""Objects: what is kept, what is refused and in which words, on either cluster."""

import asyncio
import contextlib

import pytest

from devcfg.runtime.cluster.cluster import Access
from devcfg.runtime.cluster.errors import ConflictError, GuardError, MissingError, RejectedError
from devcfg.schemas.patch import Op, Operation, Pointer


def operation(op, path, value=None):
    return Operation(Op(op), Pointer.parse(path), value)


def config_map(name, data=None, **meta):
    return {"metadata": {"name": name, **meta}, "data": data or {"a": "b"}}


def workload(name, image="busybox:musl", **spec):
    main = {"name": "main", "image": image, "command": ["sleep", "100000"]}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [main]}}
    template["spec"]["terminationGracePeriodSeconds"] = 0
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template, **spec},
    }


def test_what_is_created_is_read_back_with_what_the_server_adds(shared):
    async def check(cluster):
        kind = await cluster.find("configmap")
        made = await cluster.create(kind, shared.namespace, config_map("plain"))
        return made, await cluster.get(kind, shared.namespace, "plain")

    made, read = shared.run(check)
    assert made == read
    assert (read["kind"], read["apiVersion"], read["data"]) == ("ConfigMap", "v1", {"a": "b"})
    assert {"uid", "resourceVersion", "creationTimestamp"} <= read["metadata"].keys()
    assert [one["manager"] for one in read["metadata"]["managedFields"]] == ["devcfg"]


def test_a_dry_run_leaves_nothing(shared):
    async def check(cluster):
        kind = await cluster.find("cm")
        made = await cluster.create(kind, shared.namespace, config_map("dry"), dry_run=True)
        with pytest.raises(MissingError):
            await cluster.get(kind, shared.namespace, "dry")
        await cluster.create(kind, shared.namespace, config_map("wet"))
        shown = await cluster.patch(kind, shared.namespace, "wet", [operation("add", "/data/a", "new")], dry_run=True)
        return made, shown, await cluster.get(kind, shared.namespace, "wet")

    made, shown, kept = shared.run(check)
    assert (made["data"], shown["data"], kept["data"]) == ({"a": "b"}, {"a": "new"}, {"a": "b"})


def test_a_name_is_taken_once(shared):
    async def check(cluster):
        kind = await cluster.find("configmap")
        await cluster.create(kind, shared.namespace, config_map("twice"))
        with pytest.raises(ConflictError, match="already exists"):
            await cluster.create(kind, shared.namespace, config_map("twice"))

    shared.run(check)


def test_what_is_not_valid_is_rejected(shared):
    async def check(cluster):
        kind = await cluster.find("configmap")
        with pytest.raises(RejectedError, match="invalid"):
            await cluster.create(kind, shared.namespace, config_map("Not_A_Name"))

    shared.run(check)


def test_a_missing_object_its_namespace_and_its_kind_are_told_apart(shared):
    async def check(cluster):
        kind = await cluster.find("deployment")
        with pytest.raises(MissingError, match="no deployment `nobody` in namespace"):
            await cluster.get(kind, shared.namespace, "nobody")
        with pytest.raises(MissingError, match="no namespace `nowhere-at-all`"):
            await cluster.get(kind, "nowhere-at-all", "nobody")
        with pytest.raises(MissingError, match="no namespace `nowhere-at-all`"):
            await cluster.create(await cluster.find("configmap"), "nowhere-at-all", config_map("x"))
        with pytest.raises(MissingError, match="serves no `gadget`"):
            await cluster.find("Gadget")
        with pytest.raises(MissingError):
            await cluster.delete(kind, shared.namespace, "nobody")

    shared.run(check)


@pytest.mark.parametrize("word", ["Deployment", "deployment", "deployments", "deploy", "apps/v1/Deployment"])
def test_a_kind_is_found_by_each_of_its_words(shared, word):
    found = shared.run(lambda cluster: cluster.find(word))

    assert (found.api_version, found.plural, found.kind, found.namespaced) == (
        "apps/v1",
        "deployments",
        "Deployment",
        True,
    )


def test_a_stale_object_does_not_replace_a_newer_one(shared):
    async def check(cluster):
        kind = await cluster.find("configmap")
        first = await cluster.create(kind, shared.namespace, config_map("stale"))
        second = await cluster.replace(kind, shared.namespace, {**first, "data": {"a": "2"}})
        with pytest.raises(ConflictError):
            await cluster.replace(kind, shared.namespace, {**first, "data": {"a": "3"}})
        return second, await cluster.get(kind, shared.namespace, "stale")

    second, kept = shared.run(check)
    assert kept == second


def test_a_patch_is_applied_whole_or_not_at_all(shared):
    async def check(cluster):
        kind = await cluster.find("configmap")
        made = await cluster.create(kind, shared.namespace, config_map("patched"))
        where = (kind, shared.namespace, "patched")
        with pytest.raises(GuardError, match="/data/a"):
            await cluster.patch(*where, [operation("add", "/data/b", "1"), operation("test", "/data/a", "other")])
        with pytest.raises(GuardError, match="/nothing"):
            await cluster.patch(*where, [operation("add", "/data/b", "1"), operation("add", "/nothing/here", "1")])
        with pytest.raises(RejectedError):
            await cluster.patch(*where, [operation("add", "/metadata/labels", {"a b": "c d"})])
        with pytest.raises(MissingError):
            await cluster.patch(kind, shared.namespace, "nobody", [operation("add", "/data/b", "1")])
        assert await cluster.get(*where) == made
        guards = [operation("test", f"/metadata/{one}", made["metadata"][one]) for one in ("uid", "resourceVersion")]
        return made, await cluster.patch(
            *where, [*guards, operation("add", "/data/b", "1"), operation("remove", "/data/a")]
        )

    made, patched = shared.run(check)
    assert patched["data"] == {"b": "1"}
    assert patched["metadata"]["uid"] == made["metadata"]["uid"]
    assert patched["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]


def test_a_write_that_changes_nothing_is_no_new_version(shared):
    async def check(cluster):
        kind = await cluster.find("configmap")
        made = await cluster.create(kind, shared.namespace, config_map("same"))
        again = await cluster.patch(kind, shared.namespace, "same", [operation("add", "/data/a", "b")])
        return made, again

    made, again = shared.run(check)
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_only_the_object_that_was_meant_is_deleted(shared):
    async def check(cluster):
        kind = await cluster.find("configmap")
        made = await cluster.create(kind, shared.namespace, config_map("deleted"))
        meta = made["metadata"]
        where = (kind, shared.namespace, "deleted")
        with pytest.raises(ConflictError):
            await cluster.delete(*where, uid="00000000-0000-0000-0000-000000000000")
        with pytest.raises(ConflictError):
            await cluster.delete(*where, resource_version="1")
        await cluster.delete(*where, uid=meta["uid"], resource_version=meta["resourceVersion"])
        with pytest.raises(MissingError):
            await cluster.get(*where)

    shared.run(check)


@pytest.mark.parametrize(
    ("labels", "fields", "names"),
    [
        ("set=s", "", "abc"),
        ("set=s,color=red", "", "ab"),
        ("set=s,color!=red", "", "c"),
        ("set=s,color in (red, green)", "", "ab"),
        ("set=s,color notin (red)", "", "c"),
        ("set=s,!size", "", "bc"),
        ("set=s,size", "", "a"),
        ("set=s", "metadata.name=sel-b", "b"),
        ("set=s", "metadata.name!=sel-b", "ac"),
    ],
)
def test_selectors_take_what_they_say(shared, labels, fields, names):
    async def check(cluster):
        kind = await cluster.find("configmap")
        for name, extra in (("a", {"color": "red", "size": "1"}), ("b", {"color": "red"}), ("c", {"color": "blue"})):
            with contextlib.suppress(ConflictError):  # another case made it
                await cluster.create(kind, shared.namespace, config_map(f"sel-{name}", labels={"set": "s", **extra}))
        return await cluster.list(kind, shared.namespace, labels=labels, fields=fields)

    found = shared.run(check)
    assert [one["metadata"]["name"] for one in found] == [f"sel-{one}" for one in names]
    assert {(one["kind"], one["apiVersion"]) for one in found} == {("ConfigMap", "v1")}


def test_what_belongs_to_a_deleted_object_goes_with_it(shared):
    async def check(cluster):
        kind = await cluster.find("configmap")
        owner = await cluster.create(kind, shared.namespace, config_map("owner"))
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
        await cluster.create(kind, shared.namespace, config_map("owned", ownerReferences=[reference]))
        await cluster.delete(kind, shared.namespace, "owner")
        await until(cluster, kind, shared.namespace, "owned", lambda one: one is None)

    shared.run(check)


async def until(cluster, kind, namespace, name, wanted):
    """Wait until an object, None for one that is gone, is as wanted; return it."""
    while True:
        try:
            found = await cluster.get(kind, namespace, name)
        except MissingError:
            found = None
        if wanted(found):
            return found
        await asyncio.sleep(0.05)


def rolled_out(one):
    status, spec = one.get("status", {}), one["spec"]
    return (
        status.get("observedGeneration") == one["metadata"]["generation"]
        and status.get("updatedReplicas", status.get("updatedNumberScheduled")) == spec.get("replicas", 1)
        and status.get("availableReplicas", status.get("numberAvailable")) == spec.get("replicas", 1)
        and status.get("replicas", status.get("currentNumberScheduled")) == spec.get("replicas", 1)
    )


def test_a_deployment_that_gets_its_template_back_gets_its_replica_set_back(stage):
    async def check(cluster):
        kind, sets = await cluster.find("deployment"), await cluster.find("replicaset")
        await cluster.create(kind, stage.namespace, workload("web"))
        first = await until(cluster, kind, stage.namespace, "web", rolled_out)
        (old,) = await cluster.list(sets, stage.namespace)
        where = (kind, stage.namespace, "web")
        path = "/spec/template/spec/containers/0/command"
        await cluster.patch(*where, [operation("add", path, ["sleep", "200000"])])
        await until(*(cluster, *where), rolled_out)
        await cluster.patch(*where, [operation("add", path, ["sleep", "100000"])])
        last = await until(*(cluster, *where), rolled_out)
        return (
            first,
            last,
            old,
            await cluster.list(sets, stage.namespace),
            await cluster.list(await cluster.find("pod"), stage.namespace),
        )

    first, last, old, sets, pods = stage.run(check)
    serving = [one for one in sets if one["spec"]["replicas"]]
    assert last["spec"] == first["spec"]
    assert last["metadata"]["generation"] == 3
    assert len(sets) == 2
    assert [one["metadata"]["uid"] for one in serving] == [old["metadata"]["uid"]]
    revision = "deployment.kubernetes.io/revision"
    assert serving[0]["metadata"]["annotations"][revision] == last["metadata"]["annotations"][revision] == "3"
    alive = [one for one in pods if "deletionTimestamp" not in one["metadata"]]
    assert {ref["uid"] for one in alive for ref in one["metadata"]["ownerReferences"]} == {old["metadata"]["uid"]}


@pytest.mark.parametrize("word", ["statefulset", "daemonset"])
def test_pods_of_other_workloads_are_replaced_when_their_template_changes(stage, word):
    async def check(cluster):
        kind, pods = await cluster.find(word), await cluster.find("pod")
        body = workload("db", **({"serviceName": "db"} if word == "statefulset" else {}))
        await cluster.create(kind, stage.namespace, body)
        where = (kind, stage.namespace, "db")
        await until(cluster, *where, rolled_out)
        (before,) = await cluster.list(pods, stage.namespace)
        await cluster.patch(*where, [operation("add", "/spec/template/spec/containers/0/command", ["sleep", "200000"])])
        await until(cluster, *where, rolled_out)
        return before, await cluster.list(pods, stage.namespace)

    before, after = stage.run(check)
    alive = [one for one in after if "deletionTimestamp" not in one["metadata"]]
    assert [one["spec"]["containers"][0]["command"] for one in alive] == [["sleep", "200000"]]
    assert alive[0]["metadata"]["uid"] != before["metadata"]["uid"]


def test_a_selector_cannot_be_changed(stage):
    async def check(cluster):
        kind = await cluster.find("deployment")
        await cluster.create(kind, stage.namespace, workload("web"))
        with pytest.raises(RejectedError, match=r"immutable|selector"):
            await cluster.patch(
                kind, stage.namespace, "web", [operation("add", "/spec/selector/matchLabels/app", "other")]
            )

    stage.run(check)


def test_a_full_quota_is_no_missing_permission_and_is_told_of_in_an_event(stage):
    stage.refuse_pods()

    async def check(cluster):
        pods, kind = await cluster.find("pod"), await cluster.find("deployment")
        body = workload("web")
        pod = {"metadata": {"name": "alone"}, "spec": body["spec"]["template"]["spec"]}
        with pytest.raises(RejectedError, match="exceeded quota"):
            await cluster.create(pods, stage.namespace, pod, dry_run=True)
        await cluster.create(kind, stage.namespace, body)
        events = await cluster.find("event")
        async for seen in cluster.watch(events, stage.namespace):
            if seen.object["reason"] == "FailedCreate":
                return seen.object
        raise AssertionError("the watch ended")

    event = stage.run(check)
    assert event["involvedObject"]["kind"] == "ReplicaSet"
    assert "exceeded quota" in event["message"]


def test_whoever_may_do_everything_may_do_each_thing(shared):
    asked = [
        Access("patch", "apps", "deployments", namespace=shared.namespace),
        Access("get", "", "pods", "exec", namespace=shared.namespace),
    ]

    assert list(shared.run(lambda cluster: cluster.may(asked))) == [True, True]
