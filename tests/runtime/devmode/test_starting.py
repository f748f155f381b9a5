"""Dev pods that start late, or not at all: what is said, who is asked, and what comes back."""

import json

import pytest
from cluster import crashing, pulling_fails, unready

from devcfg.runtime.cluster.errors import RejectedError
from devcfg.runtime.devmode.errors import DevModeError
from devcfg.runtime.devmode.pods import is_dev
from devcfg.runtime.devmode.steps import Move

SPACE = "shop"


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
