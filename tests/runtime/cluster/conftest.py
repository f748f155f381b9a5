"""A server of HTTP on loopback that answers as a test says, and the port over it."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from aiohttp import web

from devcfg.runtime.cluster.cluster import Identity
from devcfg.runtime.cluster.server import Server
from devcfg.runtime.cluster.transport import Login, Transport

SECONDS = 60.0  # patience on a loaded machine


class Answering:
    """What a server does: `answers` are coroutine functions of a request, one for each request that comes."""

    def __init__(self):
        self.answers = []
        self.asked = []
        self.logins = 0

    def add(self, *answers):
        self.answers += answers

    async def handle(self, request):
        self.asked.append((request.method, request.path_qs, request.headers.get("Authorization"), await request.text()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)

    def run(self, check):
        """Run a coroutine function of the port; return what it returns."""

        async def patiently():
            async with asyncio.timeout(SECONDS), self._serving() as address:
                cluster = Server(Transport(self._login(address), lambda: self._log_in(address)))
                try:
                    return await check(cluster)
                finally:
                    await cluster.close()

        return asyncio.run(patiently())

    def _login(self, address):
        self.logins += 1
        identity = Identity("test", address, "default", "somebody")
        return Login(identity, {"Authorization": f"Bearer {self.logins}"})

    async def _log_in(self, address):
        return self._login(address)

    @contextlib.asynccontextmanager
    async def _serving(self):
        application = web.Application(client_max_size=1 << 30)
        application.router.add_route("*", "/{any:.*}", self.handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        finally:
            await runner.cleanup()


def says(document, status=200, **headers):
    """Return an answer: JSON, or text as it is."""
    text = document if isinstance(document, str) else json.dumps(document)

    async def answer(_):
        return web.Response(text=text, status=status, headers=headers, content_type="application/json")

    return answer


def refuses(code, reason="", message="no", details=None, **headers):
    """Return an answer that is a Status."""
    status = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    return says({**status, "details": details or {}}, code, **headers)


async def breaks(request):
    """Answer nothing and end the connection."""
    request.transport.abort()
    return web.Response()


@pytest.fixture
def server():
    return Answering()


@pytest.fixture
def answers():
    """What a server may answer: `says`, `refuses`, `breaks`."""
    return says, refuses, breaks
