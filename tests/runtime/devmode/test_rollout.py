"""Dev pods that do not start: why is said once, somebody is asked, and what is put right meanwhile goes on."""

import asyncio

import pytest
from cluster import pulling_fails

from devcfg.runtime.devmode.errors import DevModeError
from devcfg.runtime.devmode.pods import is_dev
from devcfg.runtime.devmode.steps import Move


def test_what_does_not_start_waits_for_a_word_and_goes_on_where_it_is_put_right_meanwhile(shop, play):
    asked = []

    async def ask(one, trouble):
        asked.append(trouble.words)
        one.world.kubelets.pop()
        await one.world.settle()
        await asyncio.Event().wait()

    async def go():
        one = shop()
        await one.deploy()
        one.world.kubelets.append(pulling_fails)
        entered = await one.enter(give_up=lambda trouble: ask(one, trouble))
        return entered.taken

    assert play(go())
    (words,) = asked
    assert "cannot be pulled: manifest unknown" in words


def test_an_image_that_cannot_be_pulled_is_a_short_step_and_a_whole_error(shop, play):
    async def go():
        one = shop()
        await one.deploy()
        one.world.kubelets.append(lambda pod: pulling_fails(pod) if is_dev(pod) else None)
        with pytest.raises(DevModeError) as refused:
            await one.enter()
        return refused.value.message, [step.words for step in one.steps if step.move is Move.WAITING]

    message, said = play(go())

    what = next(words for words in said if "cannot be pulled" in words)
    assert what.endswith("cannot be pulled")
    assert message == f"deployment/web: {what}: manifest unknown"
    assert "manifest unknown" not in " ".join(said)


def test_a_word_takes_back_what_does_not_start(shop, play):
    said = asyncio.Event()

    async def ask(one):
        inside.append(one.state())
        await said.wait()
        return True

    async def go():
        one = shop()
        before = await one.deploy()
        one.world.kubelets.append(pulling_fails)
        asyncio.get_running_loop().call_later(0.2, said.set)
        with pytest.raises(DevModeError, match="manifest unknown"):
            await one.enter(give_up=lambda _: ask(one))
        return before, one.state(), one.left()

    inside = []
    before, after, left = play(go())

    assert "dev:1" in inside[0]
    assert (after, left) == (before, [])
