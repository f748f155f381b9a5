"""What was there comes back: by the session, by `down` on another machine, after any death, and beside anybody."""

import json

import pytest
from cluster import crashing, killed_after, loses_answer, pulling_fails, unready

from devcfg.runtime.cluster.errors import RejectedError
from devcfg.runtime.devmode.additions import CONFIG_MAP
from devcfg.runtime.devmode.errors import DevModeError
from devcfg.runtime.devmode.leave import leave_one
from devcfg.runtime.devmode.pods import is_dev
from devcfg.runtime.devmode.scalers import SCALER as SCALERS
from devcfg.runtime.devmode.stays import stays_in
from devcfg.runtime.devmode.steps import Move

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


def test_a_dev_container_whose_kept_probe_says_no_until_its_source_comes_is_up(shop, play):
    async def go():
        one = shop()
        before = await one.deploy()
        one.configure((one.root / "devcfg.yaml").read_text() + "    probes: {readiness: keep}\n")
        one.world.kubelets.append(lambda pod: unready(pod, "web") if "devcfg.dev/plan" in json.dumps(pod) else None)
        entered = await one.enter()
        inside = one.state()
        await one.leave(entered)
        await one.world.settle()
        return before, inside, one.state(), one.left()

    before, inside, after, left = play(go())

    assert "dev:1" in inside
    assert after == before
    assert left == []


def test_dev_pods_that_never_served_do_not_wait_for_pods_of_its_own_that_never_will(shop, play):
    async def go():
        one = shop()
        one.world.kubelets.append(crashing)
        before = await one.deploy()
        with pytest.raises(DevModeError, match="ends again and again"):
            await one.enter()
        await one.world.settle()
        return before, one.state(), one.left()

    before, after, left = play(go())

    assert after == before
    assert left == []


def test_dev_pods_that_serve_go_on_where_its_own_do_not_start_and_it_is_said(shop, play, monkeypatch):
    monkeypatch.setattr("devcfg.runtime.devmode.handover.BROKEN", 0.1)

    async def go():
        one = shop()
        one.world.kubelets.append(lambda pod: None if is_dev(pod) else crashing(pod))
        before = await one.deploy()
        entered = await one.enter()
        (report,) = await one.leave(entered)
        await one.world.settle()
        return before, one, report

    before, one, report = play(go())

    assert one.state() == before
    assert report.restored
    (said,) = report.left
    assert "still has dev pods since its own do not start (container `web` ends again and again" in said
    assert any(is_dev(pod) for pod in one.world.all("Pod", SPACE))


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


def test_why_it_is_taken_back_is_not_hidden_by_what_fails_on_the_way_back(shop, play):
    class Cut:
        """The cluster for somebody who may not write any more once the pods do not start."""

        def __init__(self, one):
            self.one = one

        def __getattr__(self, name):
            found = getattr(self.one.cluster, name)
            if name != "patch":
                return found

            async def patch(*words, **more):
                if self.one.world.kubelets[-1] is pulling_fails:
                    raise RejectedError("a policy refuses it")
                done = await found(*words, **more)
                if not more.get("dry_run"):
                    self.one.world.kubelets.append(pulling_fails)
                return done

            return patch

    async def go():
        one = shop()
        await one.deploy()
        with pytest.raises(DevModeError, match="manifest unknown"):
            await one.enter(Cut(one))
        return [step.words for step in one.steps if step.move is Move.NOTE]

    (note,) = play(go())

    assert "it may still be in dev mode" in note and "a policy refuses it" in note
