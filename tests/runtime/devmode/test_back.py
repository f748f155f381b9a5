"""What was there comes back: by the session, by `down` on another machine, after any death, and beside anybody."""

import asyncio

import pytest
from cluster import killed_after, loses_answer

from devcfg.runtime.devmode.additions import CONFIG_MAP
from devcfg.runtime.devmode.errors import DriftError
from devcfg.runtime.devmode.leave import Report, UnfinishedError, go_back, leave_one
from devcfg.runtime.devmode.scalers import SCALER as SCALERS
from devcfg.runtime.devmode.stays import stays_in

SPACE = "shop"


class DeadError(BaseException):
    """The process is no more."""


async def down(shop, **more):
    """Do what `devcfg down --all` does, from another machine."""
    cluster = shop.world.client("another", namespace=SPACE)
    return [await leave_one(cluster, one, shop.steps.append, **more) for one in await stays_in(cluster, SPACE)]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"])
def test_each_kind_comes_back_as_it_was_and_nothing_of_ours_is_left(shop, play, kind):
    async def go():
        one = shop(kind)
        before = await one.deploy()
        entered = await one.enter()
        inside = one.state()
        (report,) = await one.leave(entered)
        await one.world.settle()
        return before, inside, one.state(), report, one.left()

    before, inside, after, report, left = play(go())

    assert "dev:1" in inside
    assert after == before
    assert (report.restored, report.kept, report.left) == (True, [], [])
    assert left == []


def test_the_places_of_a_session_name_workload_and_plan(shop, play):
    async def go():
        one = shop()
        await one.deploy()
        entered = await one.enter()
        return entered.places, one.get()

    (place,), found = play(go())

    assert (place.service, place.namespace, place.name, place.container) == ("web", SPACE, "web", "web")
    assert place.uid == found["metadata"]["uid"]
    assert place.plan == found["spec"]["template"]["metadata"]["annotations"]["devcfg.dev/plan"]


def test_whoever_dies_after_any_call_leaves_what_down_restores(shop, play):
    async def once(at):
        one = shop()
        before = await one.deploy()
        scaler = one.autoscale()
        dying = one.world.client("dying", namespace=SPACE)
        dying.around.append(killed_after(at, DeadError()))
        ended = False
        try:
            entered = await one.enter(dying)
            await one.leave(entered, dying)
            ended = True
        except DeadError:
            pass
        await one.world.settle()
        await down(one)
        await one.world.settle()
        assert one.state() == before, f"killed after call {at}"
        assert one.scaler() == scaler, f"killed after call {at}"
        assert one.left() == [], f"killed after call {at}"
        return ended

    deaths = 0
    while not play(once(deaths + 1)):
        deaths += 1

    assert deaths > 20


def test_a_down_that_dies_after_any_call_is_finished_by_the_next(shop, play):
    async def once(at):
        one = shop()
        before = await one.deploy()
        await one.enter()
        dying = one.world.client("dying", namespace=SPACE)
        dying.around.append(killed_after(at, DeadError()))
        ended = False
        try:
            for stay in await stays_in(dying, SPACE):
                await leave_one(dying, stay, one.steps.append)
            ended = True
        except DeadError:
            pass
        await one.world.settle()
        await down(one)
        assert one.state() == before, f"killed after call {at}"
        assert one.left() == [], f"killed after call {at}"
        return ended

    deaths = 0
    while not play(once(deaths + 1)):
        deaths += 1

    assert deaths > 10


@pytest.mark.parametrize(
    ("verb", "plural"),
    [("patch", "deployments"), ("create", "configmaps"), ("create", "leases"), ("patch", "horizontalpodautoscalers")],
)
def test_an_answer_that_is_lost_changes_nothing(shop, play, verb, plural):
    async def go():
        one = shop()
        before = await one.deploy()
        one.autoscale()
        lose = loses_answer(verb, plural)
        one.cluster.around.append(lambda call, moment: lose(call, moment) if call.writes else None)
        entered = await one.enter()
        await one.leave(entered)
        await one.world.settle()
        return before, one.state(), one.left()

    before, after, left = play(go())

    assert after == before
    assert left == []


def test_an_autoscaler_is_held_and_comes_back(shop, play):
    async def go():
        one = shop()
        before = await one.deploy()
        scaler = one.autoscale()
        entered = await one.enter()
        held = one.world.get(SCALERS, SPACE, "web")["spec"]
        one.change(lambda found: found["spec"].update(replicas=2), "horizontal-pod-autoscaler")
        await one.leave(entered)
        return before, one.state(), scaler, one.scaler(), held

    before, after, scaler, scaler_after, held = play(go())

    assert (held["minReplicas"], held["maxReplicas"]) == (1, 1)
    assert after == before
    assert scaler_after == scaler


def test_what_others_changed_meanwhile_stays_and_is_listed(shop, play):
    async def go():
        one = shop()
        await one.deploy()
        entered = await one.enter()

        def edit(found):
            found["spec"]["replicas"] = 7
            found["spec"]["template"]["spec"]["containers"][0]["image"] = "hotfix:2"
            found["spec"]["template"]["metadata"]["annotations"]["restarted"] = "now"

        one.change(edit)
        (report,) = await one.leave(entered)
        await one.world.settle()
        return report, one.get()["spec"], one.left()

    report, spec, left = play(go())
    (container,) = spec["template"]["spec"]["containers"]

    assert spec["replicas"] == 7
    assert container == {**container, "image": "hotfix:2", "command": ["serve"]}
    assert spec["template"]["metadata"]["annotations"] == {"restarted": "now"}
    assert report.kept == [
        "/spec/replicas",
        "/spec/template/spec/containers/0/image",
        "/spec/template/metadata/annotations",
    ]
    assert left == []


def test_dev_mode_by_files_is_attached_to_and_left_as_it_is(shop, play):
    async def go():
        one = shop()
        await one.deploy()
        entered = await one.enter()
        await entered.taken[0].lease.release()

        def forget(found):
            for key in ("devcfg.dev/inverse", "devcfg.dev/owner"):
                del found["metadata"]["annotations"][key]

        one.change(forget, "kubectl-client-side-apply")
        (found,) = [one for one in one.world.all("ConfigMap", SPACE) if one["metadata"]["name"].startswith("devcfg-")]
        body = {**found, "metadata": {**found["metadata"], "ownerReferences": []}}
        one.world.update(CONFIG_MAP, SPACE, found["metadata"]["name"], body, manager="kubectl")
        before = one.state()
        attached = await one.enter()
        reports = await one.leave(attached)
        (again,) = await down(one)
        return before, one.state(), reports, again.left

    before, after, reports, said = play(go())

    assert after == before
    assert reports == ()
    assert said == ["deployment/web is in dev mode by files: apply its base to leave"]


def test_a_killed_sessions_dev_mode_is_adopted_without_a_patch(shop, play):
    async def go():
        one = shop()
        before = await one.deploy()
        first = await one.enter()
        await first.taken[0].lease.release()
        inside = one.get()["metadata"]["generation"]
        again = await one.enter()
        assert one.get()["metadata"]["generation"] == inside
        await one.leave(again)
        return before, one.state()

    before, after = play(go())

    assert after == before


def test_a_config_that_changed_is_taken_in_one_patch_and_still_leads_back(shop, play):
    async def go():
        one = shop()
        before = await one.deploy()
        first = await one.enter()
        await first.taken[0].lease.release()
        text = (one.root / "devcfg.yaml").read_text()
        one.configure(text.replace("dev:1", "dev:2"))
        generation = one.get()["metadata"]["generation"]
        again = await one.enter()
        found = one.get()
        await one.leave(again)
        await one.world.settle()
        return before, one.state(), found, generation, one.left()

    before, after, found, generation, left = play(go())

    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "dev:2"
    assert found["metadata"]["generation"] == generation + 1
    assert after == before
    assert left == []


def test_a_session_takes_back_by_itself_what_its_own_patches_changed(shop, play):
    async def go():
        one = shop()
        node = "    patches: [{op: add, path: /spec/template/spec/nodeSelector, value: {disk: fast}}]\n"
        one.configure((one.root / "devcfg.yaml").read_text() + node)
        before = await one.deploy()
        entered = await one.enter()
        inside = one.get()["spec"]["template"]["spec"]["nodeSelector"]
        (report,) = await one.leave(entered)
        return before, inside, one.state(), report.restored

    before, inside, after, restored = play(go())

    assert inside == {"disk": "fast"}
    assert (after, restored) == (before, True)


def test_of_several_that_go_back_one_that_cannot_keeps_none_of_the_others(play):
    ended = []

    async def back(name):
        await asyncio.sleep(0)
        ended.append(name)
        return Report(name, restored=True)

    async def fail():
        raise DriftError("web reaches too far", hint="look")

    async def go():
        with pytest.raises(UnfinishedError) as raised:
            await go_back([back("details"), fail(), back("ratings")])
        with pytest.raises(DriftError):
            await go_back([fail()])
        return raised.value

    error = play(go())

    assert ended == ["details", "ratings"]
    assert [one.workload for one in error.reports] == ["details", "ratings"]
    assert (error.exit_code, error.message, error.hint) == (DriftError.exit_code, "web reaches too far", "look")
