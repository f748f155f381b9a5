"""A session notices who changes its workload: a revert is put right once, and what ends it is said with a name."""

import asyncio

import pytest

from devcfg.runtime.devmode.errors import LostError
from devcfg.runtime.devmode.hold import hold
from devcfg.runtime.devmode.leave import leave_one
from devcfg.runtime.devmode.stays import stays_in
from devcfg.runtime.devmode.steps import Move

SPACE = "shop"


async def held(one, *changes):
    """Hold a session while others change things; return what ended it, None where nothing did."""
    entered = await one.enter()
    holding = asyncio.create_task(hold(one.cluster, entered, one.steps.append))
    for change in changes:
        for _ in range(200):
            await asyncio.sleep(0.001)
        await change()
    for _ in range(200):
        await asyncio.sleep(0.001)
    holding.cancel()
    (ended,) = await asyncio.gather(holding, return_exceptions=True)
    return entered, None if isinstance(ended, asyncio.CancelledError) else ended


def revert(found):
    """Bring the base back, as an `apply` of it does: what only dev mode added stays."""
    container = found["spec"]["template"]["spec"]["containers"][0]
    container.update(image="web:1", command=["serve"])


def editing(one, edit, manager):
    async def change():
        one.change(edit, manager)

    return change


def drifts(one):
    return [step for step in one.steps if step.move is Move.DRIFT]


def test_a_revert_is_named_and_put_right_once(shop, play):
    async def go():
        one = shop()
        before = await one.deploy()
        entered, ended = await held(one, editing(one, revert, "argocd-controller"))
        inside = one.get()["spec"]["template"]["spec"]["containers"][0]
        await one.leave(entered)
        await one.world.settle()
        return one, before, ended, inside, one.state(), one.left()

    one, before, ended, inside, after, left = play(go())

    assert ended is None
    assert inside["image"] == "dev:1"
    assert {step.by for step in drifts(one)} == {"argocd-controller"}
    assert "/spec/template/spec/containers/0/image" in drifts(one)[0].fields
    assert after == before
    assert left == []


def test_a_second_revert_ends_the_session_with_a_name(shop, play):
    async def go():
        one = shop()
        await one.deploy(labels={"argocd.argoproj.io/instance": "shop"})
        return await held(one, *[editing(one, revert, "argocd-controller")] * 2)

    _, ended = play(go())

    assert isinstance(ended, LostError)
    assert "argocd-controller took dev mode back twice" in ended.message
    assert "patch application shop" in ended.hint


def test_somebody_who_scales_is_named_and_lets_the_session_be(shop, play):
    async def go():
        one = shop()
        await one.deploy()
        scale = editing(one, lambda found: found["spec"].update(replicas=4), "kubectl")
        _, ended = await held(one, scale)
        return one, ended

    one, ended = play(go())

    assert ended is None
    assert [(step.fields, step.by) for step in drifts(one)] == [(("/spec/replicas",), "kubectl")]


def test_a_down_elsewhere_ends_the_session_and_is_not_undone(shop, play):
    async def go():
        one = shop()
        before = await one.deploy()

        async def down():
            for stay in await stays_in(one.cluster, SPACE):
                await leave_one(one.cluster, stay, one.steps.append)

        _, ended = await held(one, down)
        return before, one.state(), ended

    before, after, ended = play(go())

    assert isinstance(ended, LostError)
    assert after == before


@pytest.mark.parametrize("again", [False, True])
def test_a_workload_that_is_deleted_ends_the_session(shop, play, again):
    async def go():
        one = shop()
        await one.deploy()

        async def delete():
            one.world.delete(one.resource, SPACE, "web")
            await one.world.settle()
            if again:
                await one.deploy()

        return await held(one, delete)

    _, ended = play(go())

    assert isinstance(ended, LostError)
    assert "it was deleted" in ended.message
