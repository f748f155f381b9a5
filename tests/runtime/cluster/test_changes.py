"""A watch over connections that end, break and stutter."""

import asyncio
import json

import pytest
from aiohttp import web

from devcfg.runtime.cluster.errors import ClusterError, ExpiredError, ForbiddenError
from devcfg.runtime.cluster.kinds import USUAL
from devcfg.runtime.cluster.transport import LoginError

MAPS = next(one.resource for one in USUAL if one.resource.kind == "ConfigMap")


def event(kind, version, **more):
    return json.dumps({"type": kind, "object": {"metadata": {"name": "x", "resourceVersion": str(version)}, **more}})


def streams(*pieces, broken=False):
    """Return an answer that sends pieces, each on its own, and ends or breaks."""

    async def answer(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece.encode())
            await asyncio.sleep(0)
        if broken:
            request.transport.abort()
        return response

    return answer


async def take(changes, count):
    taken = []
    async for seen in changes:
        taken.append((seen.type, seen.object["metadata"]["resourceVersion"]))
        if len(taken) == count:
            break
    await changes.aclose()
    return taken


def since(server):
    return [one[1].rpartition("resourceVersion=")[2] for one in server.asked]


def test_a_stream_that_ends_or_breaks_is_opened_again_where_it_was(server):
    server.add(
        streams(event("ADDED", 5) + "\n"),
        streams(event("MODIFIED", 6) + "\n" + event("MODIFIED", 7)[:20], broken=True),
        streams(event("MODIFIED", 7) + "\n" + event("BOOKMARK", 30) + "\n"),
        streams(event("DELETED", 31) + "\n"),
    )

    seen = server.run(lambda cluster: take(cluster.watch(MAPS, "shop", since="4"), 4))
    assert seen == [("ADDED", "5"), ("MODIFIED", "6"), ("MODIFIED", "7"), ("DELETED", "31")]
    assert since(server) == ["4", "5", "6", "30"]


def test_lines_may_come_in_any_pieces(server):
    text = "".join(event("MODIFIED", number) + "\n" for number in range(1, 20))
    server.add(streams(*text))

    seen = server.run(lambda cluster: take(cluster.watch(MAPS, "shop", since="0"), 19))
    assert seen == [("MODIFIED", str(number)) for number in range(1, 20)]


def test_a_server_that_comes_back_is_found_again(server, answers, monkeypatch):
    monkeypatch.setattr("devcfg.runtime.cluster.transport.LONGEST_PAUSE", 0.01)
    monkeypatch.setattr("devcfg.runtime.cluster.changes.LONGEST_PAUSE", 0.01)
    _, refuses, breaks = answers
    server.add(
        streams(event("ADDED", 5) + "\n"), *[refuses(503)] * 10, *[breaks] * 10, streams(event("MODIFIED", 6) + "\n")
    )

    assert len(server.run(lambda cluster: take(cluster.watch(MAPS, "shop", since="4"), 2))) == 2


@pytest.mark.parametrize("said", ["event", "answer"])
def test_a_version_that_is_too_old_ends_the_watch(server, answers, said):
    _, refuses, _ = answers
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 4 (9)"}
    as_event = streams(json.dumps({"type": "ERROR", "object": gone}) + "\n")
    server.add(as_event if said == "event" else refuses(410, "Expired", gone["message"]))

    async def check(cluster):
        with pytest.raises(ExpiredError, match="too old"):
            await take(cluster.watch(MAPS, "shop", since="4"), 1)

    server.run(check)


def test_what_will_not_get_better_ends_the_watch(server, answers):
    _, refuses, _ = answers
    denied = 'configmaps is forbidden: User "me" cannot watch resource "configmaps" in API group ""'
    server.add(
        streams(event("ADDED", 5) + "\n"),
        refuses(403, "Forbidden", denied),
        streams(event("ADDED", 5) + "\n"),
        refuses(401),
    )

    async def check(cluster):
        with pytest.raises(ForbiddenError) as raised:
            await take(cluster.watch(MAPS, "shop", since="4"), 2)
        with pytest.raises(LoginError):
            await take(cluster.watch(MAPS, "shop", since="4"), 2)
        return raised.value.verb, raised.value.resource

    assert server.run(check) == ("watch", "configmaps")


def test_an_endless_line_fills_no_memory(server, monkeypatch):
    monkeypatch.setattr("devcfg.runtime.cluster.changes.LONGEST_LINE", 100_000)
    server.add(streams(*["x" * 1000] * 1000))

    async def check(cluster):
        with pytest.raises(ClusterError, match="larger than"):
            await take(cluster.watch(MAPS, "shop", since="4"), 1)

    server.run(check)
