"""Patience and its bounds: what is asked again, what never is, and what is said when no answer comes."""

import asyncio

import pytest

from devcfg.runtime.cluster.errors import ClusterError, RejectedError, UnreachableError
from devcfg.runtime.cluster.kinds import USUAL
from devcfg.runtime.cluster.transport import LoginError
from devcfg.schemas.patch import Op, Operation, Pointer

MAPS = next(one.resource for one in USUAL if one.resource.kind == "ConfigMap")
FOUND = {"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}}
CHANGE = [Operation(Op.ADD, Pointer.parse("/data/a"), "c")]


def methods(server):
    return [one[0] for one in server.asked]


def test_reading_goes_on_after_a_connection_that_broke(server, answers):
    says, _, breaks = answers
    server.add(says({"gitVersion": "v1"}), breaks, breaks, says(FOUND))

    async def check(cluster):
        await cluster.version()
        return await cluster.get(MAPS, "shop", "x")

    assert server.run(check) == FOUND
    # aiohttp asks once more by itself where a kept connection breaks
    assert set(methods(server)) == {"GET"}
    assert len(server.asked) >= 4


def test_a_write_whose_answer_is_lost_is_not_made_twice(server, answers):
    says, _, breaks = answers
    server.add(says({"gitVersion": "v1"}), breaks, says(FOUND))

    async def check(cluster):
        await cluster.version()
        with pytest.raises(UnreachableError, match="broke"):
            await cluster.patch(MAPS, "shop", "x", CHANGE)

    server.run(check)
    assert methods(server) == ["GET", "PATCH"]


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again_when_it_says(server, answers, code):
    says, refuses, _ = answers
    server.add(refuses(code, **{"Retry-After": "0"}), refuses(code), says(FOUND))

    assert server.run(lambda cluster: cluster.get(MAPS, "shop", "x")) == FOUND
    assert methods(server) == ["GET"] * 3


def test_only_too_many_requests_let_a_write_be_sent_again(server, answers):
    says, refuses, _ = answers
    server.add(refuses(429, **{"Retry-After": "0"}), says(FOUND), refuses(503), says(FOUND))

    async def check(cluster):
        await cluster.patch(MAPS, "shop", "x", CHANGE)
        with pytest.raises(UnreachableError, match="cannot answer now"):
            await cluster.patch(MAPS, "shop", "x", CHANGE)

    server.run(check)
    assert methods(server) == ["PATCH"] * 3


def test_patience_ends(server, answers, monkeypatch):
    monkeypatch.setattr("devcfg.runtime.cluster.transport.LONGEST_PAUSE", 0.01)
    _, refuses, _ = answers
    server.add(refuses(503, message="etcd is down"))

    async def check(cluster):
        with pytest.raises(UnreachableError, match="etcd is down"):
            await cluster.get(MAPS, "shop", "x")

    server.run(check)
    assert 2 < len(server.asked) < 10


def test_who_is_not_known_logs_in_once_more(server, answers):
    says, refuses, _ = answers
    server.add(refuses(401, "Unauthorized", "Unauthorized"), says(FOUND))

    assert server.run(lambda cluster: cluster.get(MAPS, "shop", "x")) == FOUND
    assert [one[2] for one in server.asked] == ["Bearer 1", "Bearer 2"]


def test_logging_in_again_is_tried_once_and_writes_go_on_after_it(server, answers):
    says, refuses, _ = answers
    server.add(refuses(401), says(FOUND), refuses(401), refuses(401))

    async def check(cluster):
        await cluster.patch(MAPS, "shop", "x", CHANGE)
        with pytest.raises(LoginError, match="does not know who we are") as raised:
            await cluster.get(MAPS, "shop", "x")
        return raised.value.exit_code

    assert server.run(check) == 6
    assert server.logins == 3


def test_many_that_are_refused_together_log_in_once(server, answers):
    says, refuses, _ = answers

    async def by_token(request):
        fresh = request.headers["Authorization"] == "Bearer 2"
        return await (says(FOUND) if fresh else refuses(401))(request)

    server.add(by_token)

    async def check(cluster):
        return await asyncio.gather(*(cluster.get(MAPS, "shop", "x") for _ in range(20)))

    assert server.run(check) == [FOUND] * 20
    assert server.logins == 2


def test_what_is_no_api_server_is_told_of(server, answers):
    says, _, _ = answers
    server.add(says("<html>welcome to the router</html>"))

    async def check(cluster):
        with pytest.raises(UnreachableError, match="no JSON") as raised:
            await cluster.version()
        return raised.value.hint

    assert "address" in server.run(check)


def test_a_page_of_a_proxy_is_passed_on_shortened(server, answers):
    says, _, _ = answers
    server.add(says("x" * 100_000, 418))

    async def check(cluster):
        with pytest.raises(ClusterError) as raised:
            await cluster.version()
        return str(raised.value)

    assert len(server.run(check)) < 3000


def test_nobody_is_followed_to_another_server(server, answers):
    says, _, _ = answers
    server.add(says("", 302, Location="http://127.0.0.1:1/"))

    async def check(cluster):
        with pytest.raises(ClusterError):
            await cluster.version()

    server.run(check)
    assert len(server.asked) == 1


def test_a_server_that_was_never_there_is_told_of_at_once(server, answers):
    says, _, _ = answers
    server.add(says({}))

    async def check(cluster):
        from devcfg.runtime.cluster.cluster import Identity
        from devcfg.runtime.cluster.server import Server
        from devcfg.runtime.cluster.transport import Login, Transport

        nowhere = Login(Identity("test", "http://127.0.0.1:1", "default", "me"), {})
        other = Server(Transport(nowhere, None))
        try:
            with pytest.raises(UnreachableError, match="cannot be reached") as raised:
                await other.version()
        finally:
            await other.close()
        return raised.value.hint

    assert "VPN" in server.run(check)


def test_a_server_that_ends_the_handshake_is_told_of_in_words(server, answers):
    says, _, _ = answers
    server.add(says({}))

    async def check(_):
        from devcfg.runtime.cluster.cluster import Identity
        from devcfg.runtime.cluster.server import Server
        from devcfg.runtime.cluster.transport import Login, Transport

        async def end(reader, writer):
            await reader.read(10)
            writer.close()

        silent = await asyncio.start_server(end, "127.0.0.1", 0)
        address = f"https://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        other = Server(Transport(Login(Identity("test", address, "default", "me"), {}), None))
        try:
            with pytest.raises(UnreachableError) as raised:
                await other.version()
        finally:
            await other.close()
            silent.close()
        return address, raised.value.message

    address, message = server.run(check)
    assert message == f"{address} cannot be reached: the connection ended before it was made"


def test_a_list_in_pages_is_read_to_its_end_and_anew_where_a_page_expired(server, answers):
    says, refuses, _ = answers

    def page(*names, more=""):
        return says(
            {
                "metadata": {"continue": more, "resourceVersion": "9"},
                "items": [{"metadata": {"name": n}} for n in names],
            }
        )

    server.add(
        page("a", more="m1"), page("b", more="m2"), page("c"), page("a", more="m1"), refuses(410), page("a", "b", "d")
    )

    async def check(cluster):
        first = await cluster.list(MAPS, "shop", labels="a in (b)")
        return first, await cluster.list(MAPS, "shop")

    first, second = server.run(check)
    assert [one["metadata"]["name"] for one in first] == ["a", "b", "c"]
    assert [one["metadata"]["name"] for one in second] == ["a", "b", "d"]
    assert (
        server.asked[1][1] == "/api/v1/namespaces/shop/configmaps?labelSelector=a%20in%20%28b%29&limit=500&continue=m1"
    )
    assert "limit" not in server.asked[5][1]


def test_a_write_says_who_it_is_and_what_may_fail_is_rejected(server, answers):
    says, refuses, _ = answers
    server.add(says(FOUND), refuses(422, "Invalid", 'x "" is invalid', {"causes": [{"message": "no"}]}))

    async def check(cluster):
        await cluster.patch(MAPS, "shop", "x", CHANGE, dry_run=True)
        with pytest.raises(RejectedError):
            await cluster.patch(MAPS, "shop", "x", CHANGE)

    server.run(check)
    method, path, _, body = server.asked[0]
    assert (method, path) == ("PATCH", "/api/v1/namespaces/shop/configmaps/x?fieldManager=devcfg&dryRun=All")
    assert body == '[{"op":"add","path":"/data/a","value":"c"}]'
