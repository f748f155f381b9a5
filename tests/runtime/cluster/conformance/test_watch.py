"""Watches: what is there, then each change in order, and nothing twice."""

import asyncio

import pytest

from devcfg.runtime.cluster.errors import ExpiredError
from devcfg.schemas.patch import Op, Operation, Pointer


def config_map(name, **meta):
    return {"metadata": {"name": name, **meta}, "data": {"n": "0"}}


def numbered(number):
    return [Operation(Op.ADD, Pointer.parse("/data/n"), str(number))]


async def take(changes, count):
    """Return type, name and content of the next changes."""
    taken = []
    async for seen in changes:
        taken.append((seen.type, seen.object["metadata"]["name"], seen.object["data"]["n"]))
        if len(taken) == count:
            return taken
    raise AssertionError("the watch ended")


def test_fifty_changes_come_once_and_in_order(shared):
    async def check(cluster):
        kind = await cluster.find("configmap")
        await cluster.create(kind, shared.namespace, config_map("counted"))
        changes = cluster.watch(kind, shared.namespace, name="counted")
        first = await take(changes, 1)
        watching = asyncio.create_task(take(changes, 51))
        for number in range(1, 51):
            await cluster.patch(kind, shared.namespace, "counted", numbered(number))
        await cluster.delete(kind, shared.namespace, "counted")
        rest = await watching
        await changes.aclose()
        return first + rest

    seen = shared.run(check)
    expected = [("MODIFIED", "counted", str(number)) for number in range(1, 51)]
    assert seen == [("ADDED", "counted", "0"), *expected, ("DELETED", "counted", "50")]


def test_a_watch_from_a_version_on_sees_only_what_came_later(shared):
    async def check(cluster):
        kind = await cluster.find("configmap")
        made = await cluster.create(kind, shared.namespace, config_map("later"))
        since = made["metadata"]["resourceVersion"]
        await cluster.patch(kind, shared.namespace, "later", numbered(1))
        changes = cluster.watch(kind, shared.namespace, name="later", since=since)
        seen = await take(changes, 1)
        await changes.aclose()
        return seen

    assert shared.run(check) == [("MODIFIED", "later", "1")]


def test_what_leaves_a_label_selector_is_gone_for_the_watch(shared):
    async def check(cluster):
        kind = await cluster.find("configmap")
        await cluster.create(kind, shared.namespace, config_map("labelled", labels={"watched": "yes"}))
        changes = cluster.watch(kind, shared.namespace, labels="watched=yes")
        first = await take(changes, 1)
        await cluster.patch(
            kind, shared.namespace, "labelled", [Operation(Op.ADD, Pointer.parse("/metadata/labels/watched"), "no")]
        )
        await cluster.patch(kind, shared.namespace, "labelled", numbered(7))
        await cluster.create(kind, shared.namespace, config_map("other", labels={"watched": "yes"}))
        rest = await take(changes, 2)
        await changes.aclose()
        return [one[:2] for one in first + rest]

    assert shared.run(check) == [("ADDED", "labelled"), ("DELETED", "labelled"), ("ADDED", "other")]


def test_two_watches_do_not_disturb_each_other(shared):
    async def check(cluster):
        kind = await cluster.find("configmap")
        await cluster.create(kind, shared.namespace, config_map("pair"))
        left, right = (cluster.watch(kind, shared.namespace, name="pair") for _ in range(2))
        await asyncio.gather(take(left, 1), take(right, 1))
        await left.aclose()
        await cluster.patch(kind, shared.namespace, "pair", numbered(1))
        seen = await take(right, 1)
        await right.aclose()
        return seen

    assert shared.run(check) == [("MODIFIED", "pair", "1")]


def test_a_version_of_long_ago_has_expired(shared):
    if hasattr(shared, "world"):
        shared.world.compact()

    async def check(cluster):
        kind = await cluster.find("configmap")
        with pytest.raises(ExpiredError):
            await take(cluster.watch(kind, shared.namespace, since="1"), 1)

    shared.run(check)
