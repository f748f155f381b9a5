"""The two clusters that the suite holds to one promise: in memory, and the one that KUBECONFIG names."""

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys

import pytest
from cluster import Process, World

from devcfg.runtime.cluster.errors import MissingError
from devcfg.runtime.cluster.kube import open_cluster

SECONDS = 180.0  # patience on a loaded machine; nothing waits this long when it works
IMAGE = "python:3-slim"
SERVER = '''
import socketserver, sys, threading

class First(socketserver.BaseRequestHandler):
    """Speaks first."""
    def handle(self):
        self.request.sendall(b"welcome\\n")
        self.request.recv(100)
        self.request.sendall(b"bye\\n")

class Echo(socketserver.BaseRequestHandler):
    """Says what it hears."""
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

servers = [Server(("127.0.0.1", int(port)), one) for port, one in zip(sys.argv[1:], (First, Echo))]
print(*(one.server_address[1] for one in servers), flush=True)
for one in servers[1:]:
    threading.Thread(target=one.serve_forever, daemon=True).start()
servers[0].serve_forever()
'''
FIRST, ECHO = 7000, 7001


class Stage:
    """A cluster with a namespace of its own, and a pod `box` in it that speaks on two ports."""

    FIRST, ECHO, NOBODY = FIRST, ECHO, 7009

    def run(self, check):
        """Run a coroutine function of a cluster; return what it returns."""

        async def patiently():
            async with asyncio.timeout(SECONDS):
                cluster = await self.open()
                try:
                    return await check(cluster)
                finally:
                    await cluster.close()

        return asyncio.run(patiently())

    @property
    def box(self):
        """Return namespace, pod and container of the pod."""
        return self.namespace, "box", "main"


class Memory(Stage):
    def __init__(self):
        self.namespace = "shop"
        self.world = World(self.namespace)
        self._server = None

    async def open(self):
        return self.world.client()

    def refuse_pods(self, sentence="exceeded quota: tiny, requested: pods=1, used: pods=0, limited: pods=0"):
        self.world.admission.append(
            lambda verb, resource, one: sentence if (verb, resource.kind) == ("create", "Pod") else None
        )

    def start_box(self):
        argv = (sys.executable, "-c", SERVER, "0", "0")
        self._server = subprocess.Popen(argv, stdout=subprocess.PIPE)
        ports = dict(zip((FIRST, ECHO), map(int, self._server.stdout.readline().split()), strict=True))
        pod = {"metadata": {"name": "box"}, "spec": {"containers": [{"name": "main", "image": IMAGE}]}}
        self.world.create(self.world.kind("Pod"), self.namespace, pod, manager="test")
        self.world.logs[self.box] = b"".join(b"line %d\n" % number for number in range(200))

        async def start(pod, container, argv, *, stdin, terminal, heard):
            return await Process.start(argv, stdin=stdin, heard=heard)

        async def dial(pod, port):
            return await asyncio.open_connection("127.0.0.1", ports.get(port, 1))

        self.world.processes, self.world.dials = start, dial

    def close(self):
        if self._server is not None:
            self._server.kill()
            self._server.communicate()


class Kube(Stage):
    def __init__(self):
        self.namespace = f"devcfg-e2e-port-{secrets.token_hex(3)}"
        self.run(lambda cluster: self._make(cluster))

    async def open(self):
        return await open_cluster()

    async def _make(self, cluster):
        kind = await cluster.find("namespace")
        await cluster.create(kind, "", {"metadata": {"name": self.namespace}})
        accounts = await cluster.find("serviceaccount")
        async for _ in cluster.watch(accounts, self.namespace, name="default"):
            break  # no pod is taken without it

    def refuse_pods(self):
        async def limit(cluster):
            quotas = await cluster.find("resourcequota")
            body = {"metadata": {"name": "tiny"}, "spec": {"hard": {"pods": "0"}}}
            await cluster.create(quotas, self.namespace, body)
            async for seen in cluster.watch(quotas, self.namespace, name="tiny"):
                if seen.object.get("status", {}).get("hard"):
                    return

        self.run(limit)

    def start_box(self):
        async def start(cluster):
            pods = await cluster.find("pod")
            words = "import sys; [print('line', n) for n in range(200)]; sys.stdout.flush()\n"
            argv = ["python3", "-c", words + SERVER, str(FIRST), str(ECHO)]
            main = {"name": "main", "image": IMAGE, "command": argv}
            spec = {"containers": [main], "terminationGracePeriodSeconds": 0}
            await cluster.create(pods, self.namespace, {"metadata": {"name": "box"}, "spec": spec})
            async for seen in cluster.watch(pods, self.namespace, name="box"):
                if any(one["ready"] for one in seen.object.get("status", {}).get("containerStatuses", ())):
                    break
            said = b""
            async for piece in cluster.log(*self.box, follow=True):
                said += piece
                if f"{FIRST} {ECHO}".encode() in said:
                    return

        self.run(start)

    def close(self):
        async def end(cluster):
            with contextlib.suppress(MissingError):
                await cluster.delete(await cluster.find("namespace"), "", self.namespace)

        self.run(end)


def _stages(make):
    if make is Kube and not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    made = make()
    try:
        yield made
    finally:
        made.close()


BOTH = [pytest.param(Memory, id="memory"), pytest.param(Kube, id="kube", marks=pytest.mark.cluster)]


@pytest.fixture(params=BOTH)
def stage(request):
    """A cluster for one test."""
    yield from _stages(request.param)


@pytest.fixture(params=BOTH, scope="module")
def shared(request):
    """A cluster for all tests of a module, which use names of their own."""
    yield from _stages(request.param)


@pytest.fixture(params=BOTH, scope="module")
def boxed(request):
    """A cluster with a pod that runs, for all tests of a module."""
    for made in _stages(request.param):
        made.start_box()
        yield made


@pytest.fixture(scope="module")
def kube():
    """The real cluster with a pod that runs, for all tests of a module."""
    for made in _stages(Kube):
        made.start_box()
        yield made
