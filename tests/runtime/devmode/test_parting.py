"""Two services of one workload: the second joins the first, and leaving one keeps the other."""

import json

import pytest
from cluster import Moment, loses_answer, pulling_fails

from devcfg.runtime.commands import down as command
from devcfg.runtime.commands.down import Request as Down
from devcfg.runtime.devmode.enter import Request, enter
from devcfg.runtime.devmode.errors import DevModeError
from devcfg.runtime.devmode.lease import Session
from devcfg.runtime.devmode.leave import leave_one
from devcfg.runtime.devmode.live import Wish
from devcfg.runtime.devmode.record import owner_of
from devcfg.runtime.devmode.stays import stays_in
from devcfg.schemas.errors import UsageError

SPACE = "shop"
CONFIG = """\
base: base.yaml
namespace: shop
services:
  web: {workload: deployment/web, container: web, image: dev:1, command: {run: [sleep, "1"]}}
  side: {workload: deployment/web, container: side, image: dev:2, command: {run: [sleep, "2"]}}
"""


class Pair:
    """A workload of two containers, and a user who develops them one after the other."""

    def __init__(self, one):
        self.shop = one
        one.configure(CONFIG)

    async def deploy(self):
        await self.shop.deploy()
        found = self.shop.get()
        found["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "side:1", "command": ["s"]})
        self.shop.world.update(self.shop.resource, SPACE, "web", found, manager="kubectl")
        (self.shop.root / "base.yaml").write_text(
            json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", **self.shop.get()})
        )
        await self.shop.world.settle()
        return self.shop.state()

    async def enter(self, *services, cluster=None):
        request = Request(Wish(None, services), yes=True)
        return await enter(cluster or self.shop.cluster, request, self.shop.steps.append)

    @property
    def images(self):
        """Return the image of each container of the workload."""
        containers = self.shop.get()["spec"]["template"]["spec"]["containers"]
        return {one["name"]: one["image"] for one in containers if one["name"] in ("web", "side")}

    @property
    def services(self):
        return owner_of(self.shop.get()).services


@pytest.fixture
def pair(shop):
    return lambda: Pair(shop())


async def abandon(entered):
    """Die, as far as the lease tells."""
    for one in entered.taken:
        await one.lease.release()


def test_a_second_service_joins_the_first_in_one_patch_and_one_way_back(pair, play):
    async def go():
        one = pair()
        before = await one.deploy()
        await abandon(await one.enter("side"))
        patches = []
        client = one.shop.world.client("second", namespace=SPACE)

        def counted(call, moment):
            patches.extend([call.name] * (call.verb == "patch" and moment is Moment.AFTER and not call.dry_run))

        client.around.append(counted)
        entered = await one.enter("web", cluster=client)
        inside = one.images, set(one.services)
        names = {place.service for place in entered.places}
        client.around.clear()
        for stay in await stays_in(client, SPACE):
            await leave_one(client, stay, one.shop.steps.append)
        await one.shop.world.settle()
        return before, inside, names, patches, one.shop.state(), one.shop.left()

    before, (images, services), names, patches, after, left = play(go())

    assert images == {"web": "dev:1", "side": "dev:2"}
    assert services == names == {"web", "side"}
    assert patches == ["web"]
    assert after == before
    assert left == []


def test_a_session_leaves_what_it_was_asked_for_and_keeps_what_was_there(pair, play):
    async def go():
        one = pair()
        before = await one.deploy()
        await abandon(await one.enter("side"))
        entered = await one.enter("web")
        (report,) = await one.shop.leave(entered)
        await one.shop.world.settle()
        kept = one.images, one.services, report
        (stay,) = await stays_in(one.shop.cluster, SPACE)
        await leave_one(one.shop.cluster, stay, one.shop.steps.append)
        await one.shop.world.settle()
        return before, kept, one.shop.state(), one.shop.left()

    before, (images, services, report), after, left = play(go())

    assert images == {"web": "web:1", "side": "dev:2"}
    assert services == ("side",)
    assert (report.restored, report.parted) == (False, "web as before; side stays in dev mode")
    assert after == before
    assert left == []


def test_a_service_that_is_there_already_is_taken_over_with_its_companion_and_no_patch(pair, play):
    async def go():
        one = pair()
        await one.deploy()
        await abandon(await one.enter("web", "side"))
        generation = one.shop.get()["metadata"]["resourceVersion"]
        await one.enter("web")
        return generation, one.shop.get()["metadata"]["resourceVersion"], one.services

    first, second, services = play(go())

    assert first == second
    assert set(services) == {"web", "side"}


def test_a_second_service_that_does_not_start_leaves_the_first_as_it_was(pair, play):
    async def go():
        one = pair()
        await one.deploy()
        await abandon(await one.enter("side"))

        def kubelet(pod):
            images = {each["image"] for each in pod["spec"]["containers"]}
            return pulling_fails(pod) if "dev:1" in images else None

        one.shop.world.kubelets.append(kubelet)
        with pytest.raises(DevModeError, match="cannot be pulled"):
            await one.enter("web")
        await one.shop.world.settle()
        return one.images, one.services

    assert play(go()) == ({"web": "web:1", "side": "dev:2"}, ("side",))


@pytest.mark.parametrize(("verb", "plural"), [("patch", "deployments"), ("update", "configmaps")])
def test_an_answer_that_is_lost_while_one_leaves_changes_nothing(pair, play, verb, plural):
    async def go():
        one = pair()
        await one.deploy()
        await abandon(await one.enter("side"))
        entered = await one.enter("web")
        client = one.shop.world.client("lossy", namespace=SPACE)
        client.around.append(loses_answer(verb, plural))
        await one.shop.leave(entered, client)
        return one.images, one.services

    assert play(go()) == ({"web": "web:1", "side": "dev:2"}, ("side",))


def test_what_another_user_had_taken_is_not_kept_and_that_is_said(pair, play):
    async def go():
        one = pair()
        await one.deploy()
        request = Request(Wish(None, ("side",)), yes=True, session=Session("ann@a", 1, "a", "a1"))
        await abandon(await enter(one.shop.cluster, request, one.shop.steps.append))
        await one.enter("web")
        return one.images, [step.words for step in one.shop.steps]

    images, words = play(go())

    assert images == {"web": "dev:1", "side": "side:1"}
    assert "deployment/web: ann@a had taken it for side, which leaves dev mode" in words


@pytest.fixture
def downed(monkeypatch, capsys):
    """Return a function that runs `devcfg down` against a world in memory and returns its words."""

    async def run(one, *services, **more):
        async def opened(context=None):
            assert context is None
            return one.shop.world.client("down", namespace=SPACE)

        monkeypatch.setattr(command, "open_cluster", opened)
        request = Down(None, services, **{"everything": False, "stale": False, "yes": True, **more})
        code = await command._down(request)
        return code, capsys.readouterr().err

    return run


def test_down_of_one_service_keeps_the_other(pair, play, downed):
    async def go():
        one = pair()
        before = await one.deploy()
        await abandon(await one.enter("web", "side"))
        first = await downed(one, "web")
        kept = one.images, one.services
        nothing = await downed(one, "web")
        still = one.images
        last = await downed(one, "side")
        await one.shop.world.settle()
        return before, first, kept, nothing, still, last, one.shop.state(), one.shop.left()

    before, first, kept, nothing, still, last, after, left = play(go())

    assert first == (0, "deployment/web: web as before; side stays in dev mode\n")
    assert kept == ({"web": "web:1", "side": "dev:2"}, ("side",))
    assert nothing == (0, "nothing is in dev mode here that could be restored\n")
    assert still == kept[0]
    assert "deployment/web: restored" in last[1]
    assert after == before
    assert left == []


def test_down_of_one_service_refuses_where_the_other_is_in_no_config_here(pair, play, downed):
    async def go():
        one = pair()
        await one.deploy()
        await abandon(await one.enter("web", "side"))
        one.shop.configure(CONFIG.replace("  side:", "  other:"))
        with pytest.raises(UsageError, match="for side, too, and this config does not have that"):
            await downed(one, "web")
        return one.images

    assert play(go()) == {"web": "dev:1", "side": "dev:2"}


def test_down_of_a_workload_that_is_gone_leaves_others_of_the_namespace_alone(pair, play, downed):
    async def go():
        one = pair()
        await one.deploy()
        await abandon(await one.enter("web"))
        one.shop.configure(CONFIG.replace("  web:", "  other:").replace("deployment/web", "deployment/other"))
        (one.shop.root / "base.yaml").write_text("{}")
        said = await downed(one, "other")
        return said, one.images

    (code, words), images = play(go())

    assert code == 0
    assert "nothing is in dev mode here" in words
    assert images["web"] == "dev:1"
