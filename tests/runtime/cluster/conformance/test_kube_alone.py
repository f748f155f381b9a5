"""What only the real cluster has: terminals, connections that are cut, tokens, Roles bound by its own rules."""

import asyncio
import contextlib
import json
import subprocess
from urllib.parse import urlsplit

import pytest

from devcfg.runtime.cluster.cluster import Access
from devcfg.runtime.cluster.errors import ForbiddenError, RejectedError
from devcfg.runtime.cluster.kube import open_cluster
from devcfg.schemas.patch import Op, Operation, Pointer

pytestmark = pytest.mark.cluster


async def until(command, wanted):
    said = b""
    while wanted not in said:
        piece = await command.read()
        assert piece, said
        said += piece
    return said


def test_a_terminal_has_the_size_it_is_told_and_takes_an_interrupt(kube):
    async def check(cluster):
        shell = await cluster.execute(*kube.box, ["sh"], stdin=True, terminal=True)
        for width, height in ((132, 43), (80, 24)):
            await shell.resize(width, height)
            # A size and what is typed go by different ways: the node may be later with the size.
            asked = f"until [ \"$(stty size)\" = '{height} {width}' ]; do sleep 0.1; done; echo as-''told-{width}\r"
            await shell.write(asked.encode())
            await until(shell, b"as-told-%d" % width)
        await shell.write(b"sleep 1000\r")
        await until(shell, b"sleep 1000")
        await asyncio.sleep(0.5)
        await shell.write(b"\x03")
        await shell.write(b"exit 7\r")
        while await shell.read():
            pass
        return await shell.wait()

    code = kube.run(check)

    assert code == 7


class Relay:
    """A TCP relay to the API server that can cut what goes through it."""

    def __init__(self, host, port):
        self._target = (host, port)
        self._open = set()

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    def cut(self):
        """Break every connection."""
        for writer in tuple(self._open):
            writer.transport.abort()

    async def close(self):
        self._server.close()
        self.cut()

    async def _serve(self, reader, writer):
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._open |= {writer, far_writer}
        with contextlib.suppress(OSError):
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._open -= {writer, far_writer}

    async def _pump(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()


@pytest.fixture
def relayed(kube, tmp_path, monkeypatch):
    """Return a function that runs a check with a cluster behind a relay."""
    raw = subprocess.run(
        ["kubectl", "config", "view", "--raw", "--flatten", "-o", "json"], capture_output=True, check=True
    )
    config = json.loads(raw.stdout)

    def run(check):
        async def inside():
            direct = await open_cluster()
            server = urlsplit(direct.identity.server)
            relay = Relay(server.hostname, server.port or 443)
            port = await relay.start()
            for one in config["clusters"]:
                one["cluster"] |= {"server": f"https://127.0.0.1:{port}", "tls-server-name": server.hostname}
            path = tmp_path / "relayed"
            path.write_text(json.dumps(config))
            monkeypatch.setenv("KUBECONFIG", str(path))
            cluster = await open_cluster()
            try:
                async with asyncio.timeout(120):
                    return await check(cluster, relay, direct)
            finally:
                await cluster.close()
                await direct.close()
                await relay.close()

        return asyncio.run(inside())

    return run


def numbered(number):
    return [Operation(Op.ADD, Pointer.parse("/data/n"), str(number))]


def test_a_watch_whose_connection_is_cut_misses_nothing_and_repeats_nothing(kube, relayed):
    async def check(cluster, relay, direct):
        kind = await cluster.find("configmap")
        await cluster.create(kind, kube.namespace, {"metadata": {"name": "cut"}, "data": {"n": "0"}})
        seen = []

        async def watch():
            async for one in cluster.watch(kind, kube.namespace, name="cut"):
                seen.append(one.object["data"]["n"])
                if len(seen) == 51:
                    return

        watching = asyncio.create_task(watch())
        for number in range(1, 51):
            await direct.patch(kind, kube.namespace, "cut", numbered(number))
            if number % 10 == 5:
                relay.cut()
        await watching
        return seen

    assert relayed(check) == [str(number) for number in range(51)]


def test_a_command_whose_connection_is_cut_is_no_clean_end_and_others_start(kube, relayed):
    async def check(cluster, relay, _):
        command = await cluster.execute(*kube.box, ["cat"], stdin=True)
        await command.write(b"x")
        await command.read()
        relay.cut()
        with pytest.raises(OSError):
            while await command.read():
                pass
        with pytest.raises(OSError):
            for _ in range(3):
                await command.write(b"y")
        await command.close()
        again = await cluster.execute(*kube.box, ["true"], stdin=False)
        while await again.read():
            pass
        return await again.wait()

    assert relayed(check) == 0


def kubectl(kube, *words):
    done = subprocess.run(["kubectl", "-n", kube.namespace, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def alice(kube, tmp_path, monkeypatch):
    """A user who may read pods and run commands, and whose token comes from a plugin: the first one is stale."""
    with contextlib.suppress(subprocess.CalledProcessError):
        kubectl(kube, "create", "serviceaccount", "alice")
        kubectl(kube, "create", "role", "reader", "--verb=get,list", "--resource=pods,pods/portforward")
        kubectl(kube, "create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={kube.namespace}:alice")
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    for number, token in ((1, "stale"), (2, kubectl(kube, "create", "token", "alice"))):
        (tmp_path / f"token-{number}").write_text(json.dumps({**credential, "status": {"token": token}}))
    script = tmp_path / "login"
    script.write_text(
        f"#!/bin/sh\ncd {tmp_path}\nn=1; [ -e again ] && n=2; : > again; echo login >> logins; cat token-$n\n"
    )
    script.chmod(0o755)
    raw = subprocess.run(
        ["kubectl", "config", "view", "--raw", "--flatten", "-o", "json"], capture_output=True, check=True
    )
    config = json.loads(raw.stdout)
    run = {"apiVersion": credential["apiVersion"], "command": str(script), "interactiveMode": "Never"}
    config["users"] = [{"name": "alice", "user": {"exec": run}}]
    config["contexts"] = [{"name": "alice", "context": {"cluster": config["clusters"][0]["name"], "user": "alice"}}]
    config["current-context"] = "alice"
    path = tmp_path / "alice"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    return tmp_path / "logins"


def test_a_stale_token_is_renewed_by_its_plugin_and_missing_verbs_are_named(kube, alice):
    async def check(cluster):
        pods, maps = await cluster.find("pod"), await cluster.find("configmap")
        (box,) = await cluster.list(pods, kube.namespace)
        denied = []
        for asked in (
            cluster.list(maps, kube.namespace),
            cluster.create(maps, kube.namespace, {"metadata": {"name": "x"}}),
            cluster.delete(pods, kube.namespace, "box"),
            cluster.execute(*kube.box, ["true"], stdin=False),
        ):
            with pytest.raises(ForbiddenError) as raised:
                await asked
            denied.append((raised.value.verb, raised.value.resource))
        reader, writer = await cluster.dial(kube.namespace, "box", kube.FIRST)
        hello = await reader.readline()
        writer.close()
        may = await cluster.may(
            [
                Access("list", "", "pods", namespace=kube.namespace),
                Access("list", "", "configmaps", namespace=kube.namespace),
                Access("get", "", "pods", "exec", namespace=kube.namespace),
                Access("get", "", "pods", "portforward", namespace=kube.namespace),
            ]
        )
        return box["metadata"]["name"], denied, hello, list(may)

    name, denied, hello, may = kube.run(check)
    assert (name, hello) == ("box", b"welcome\n")
    assert denied == [("list", "configmaps"), ("create", "configmaps"), ("delete", "pods"), ("get", "pods/exec")]
    assert may == [True, False, False, True]
    assert alice.read_text() == "login\nlogin\n"


def test_pod_security_is_no_missing_permission(kube):
    kubectl(kube, "label", "namespace", kube.namespace, "pod-security.kubernetes.io/enforce=restricted", "--overwrite")

    async def check(cluster):
        pods = await cluster.find("pod")
        pod = {"metadata": {"name": "loose"}, "spec": {"containers": [{"name": "a", "image": "busybox:musl"}]}}
        with pytest.raises(RejectedError, match="violates PodSecurity"):
            await cluster.create(pods, kube.namespace, pod, dry_run=True)

    kube.run(check)


def test_a_log_can_go_on_where_it_was(kube):
    async def read(cluster, **how):
        return b"".join([piece async for piece in cluster.log(*kube.box, follow=False, **how)]).splitlines()

    async def check(cluster):
        stamped = await read(cluster, stamped=True)
        since = stamped[-1].split(b" ")[0].decode()
        return stamped, await read(cluster, stamped=True, since=since)

    stamped, later = kube.run(check)
    assert stamped[0].endswith(b" line 0")
    assert later[-1] == stamped[-1]
