"""One developer a workload: of two that come at once exactly one has it, and whoever loses it hears of it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from cluster import World, away

from devcfg.runtime.devmode.errors import HeldError, LostError
from devcfg.runtime.devmode.lease import LEASE, Session, lease_of, read_held, stealing, this_session

OWNER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1"}


def lease(world, user="ann", session="a1", process=1, machine="elsewhere"):
    who = Session(f"{user}@laptop", process, machine, session)
    return lease_of(world.client(user), who, namespace="shop", workload="deployment.web", owner=OWNER)


def quiet(_):
    """Say nothing."""


@pytest.fixture
def world():
    made = World("shop")
    made.create(
        made.kind("Deployment"),
        "shop",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"a": "b"}},
                "template": {
                    "metadata": {"labels": {"a": "b"}},
                    "spec": {"containers": [{"name": "web", "image": "web:1"}]},
                },
            },
        },
        manager="kubectl",
    )
    OWNER["uid"] = made.get(made.kind("Deployment"), "shop", "web")["metadata"]["uid"]
    return made


def age(world, seconds):
    """Make the lease as old as that."""
    found = world.get(LEASE, "shop", "devcfg-deployment.web")
    moment = datetime.now(UTC) - timedelta(seconds=seconds)
    found["spec"]["renewTime"] = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    world.update(LEASE, "shop", "devcfg-deployment.web", found, manager="devcfg")


@pytest.mark.parametrize("dead", [False, True])
def test_of_two_that_come_at_once_exactly_one_has_it(world, play, dead):
    async def race(turn):
        if dead:
            await lease(world, "old", "0d").acquire(quiet)
            age(world, 1000)
        both = [lease(world, "ann", "a1"), lease(world, "bob", "b1")]
        results = await asyncio.gather(*(one.acquire(quiet) for one in both), return_exceptions=True)
        winners = [one for one, result in zip(both, results, strict=True) if result is None]
        assert [type(one) for one in results if one is not None] == [HeldError], f"turn {turn}"
        holder = read_held(world.get(LEASE, "shop", "devcfg-deployment.web"), datetime.now(UTC)).session
        assert [one.session.id for one in winners] == [holder]
        await winners[0].release()

    async def go():
        for turn in range(100):
            await race(turn)

    play(go())


def test_the_second_one_is_told_who_has_it_and_may_take_over(world, play):
    async def go():
        ann, bob = lease(world, "ann", "a1"), lease(world, "bob", "b1")
        await ann.acquire(quiet)
        with pytest.raises(HeldError, match="ann@laptop is developing it since"):
            await bob.acquire(quiet)
        await stealing(bob).acquire(quiet)
        with pytest.raises(LostError, match="bob@laptop took it over"):
            await ann.renew()
        await ann.release()
        await bob.renew()

    play(go())


def test_whoever_left_dev_mode_for_a_session_ends_it(world, play):
    async def go():
        ann = lease(world)
        await ann.acquire(quiet)
        await ann.release()
        with pytest.raises(LostError, match="left dev mode for you"):
            await ann.renew()

    play(go())


def test_a_cluster_that_is_away_does_not_end_a_session(world, play):
    async def go():
        ann = lease(world)
        await ann.acquire(quiet)
        ann.cluster.around.append(away(3))
        for _ in range(4):
            await ann.renew()

    play(go())


def test_a_holder_whose_clock_differs_is_watched_before_it_counts_as_gone(world, play, monkeypatch):
    monkeypatch.setattr("devcfg.runtime.devmode.lease.LOOK", 0.01)
    monkeypatch.setattr("devcfg.runtime.devmode.lease.DURATION", 1.0)
    said = []

    async def go():
        ann, bob = lease(world, "ann", "a1"), lease(world, "bob", "b1")
        await ann.acquire(quiet)
        age(world, 60)  # its clock is a minute behind, but it lives
        waiting = asyncio.create_task(bob.acquire(said.append))
        while not said:
            await asyncio.sleep(0.005)
        age(world, 59)
        with pytest.raises(HeldError, match="ann@laptop"):
            await waiting
        await bob.acquire(said.append)  # now it does not renew any more

    play(go())

    assert "whether that session still lives" in said[0]


def test_a_session_of_this_machine_that_runs_no_more_is_no_obstacle(world, play):
    mine = this_session()

    async def go():
        await lease(world, "me", "01", process=2**22 + 1, machine=mine.machine).acquire(quiet)
        await lease(world, "me", "02", process=mine.process, machine=mine.machine).acquire(quiet)
        with pytest.raises(HeldError):
            await lease(world, "me", "03", process=mine.process, machine=mine.machine).acquire(quiet)

    play(go())
