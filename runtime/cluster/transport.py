"""Requests over the wire: one pool of connections, logging in once more, patience where asking again does no harm.

Knows HTTP and nothing of Kubernetes but its `Status`; who logs in, and how, it is told.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from devcfg.runtime.cluster.cluster import Identity
from devcfg.runtime.cluster.errors import UnreachableError
from devcfg.runtime.cluster.refusals import Refusal, error_of
from devcfg.runtime.cluster.request import Page, Request, encoded

CONNECT = 10.0
"""Seconds for a connection with its handshakes."""
ANSWER = 60.0
"""Seconds for a whole answer: admission webhooks may take 30 of them."""
TRIES = 6
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 3.0
CLOSING = 1.0
"""Seconds that the other side has to answer the end of a WebSocket."""
_LATER = (502, 503, 504)
LONGEST_REFUSAL = 1 << 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Login:
    """How a server is reached, and as whom."""

    identity: Identity
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None = None
    name: str | None = None
    """The name that the server's certificate is for, where it is not the address's."""
    proxy: str | None = None
    proxy_headers: Mapping[str, str] | None = None


def spread(pause: float) -> float:
    """Return a pause that is not everybody's: clients that wait for one server must not come back as one."""
    return pause * random.uniform(0.5, 1.5)  # noqa: S311 - no secret


class LoginError(UnreachableError):
    """Logging in did not help: asking again would only do it again."""


class _RefusedError(Exception):
    """An answer that is a refusal, and the seconds that the server asks to wait before the next try."""

    def __init__(self, refusal: Refusal, wait: float = 0.0) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.wait = wait

    @classmethod
    async def read(cls, answer: aiohttp.ClientResponse) -> _RefusedError:
        """Read what the server says."""
        wait = answer.headers.get("Retry-After", "")
        async with answer:
            refusal = Refusal.read(answer.status, await answer.content.read(LONGEST_REFUSAL))
        return cls(refusal, min(float(wait), LONGEST_PAUSE) if wait.isdecimal() else 0.0)


async def _keep_words(
    request: aiohttp.ClientRequest, handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
) -> aiohttp.ClientResponse:
    """Read what a server says instead of switching to WebSocket: aiohttp throws it away."""
    answer = await handler(request)
    if request.headers.get("Upgrade") and answer.status != 101:
        raise await _RefusedError.read(answer)
    return answer


class Transport:
    """The connections to one server. `log_in` reads the configuration anew, running what it says to run."""

    def __init__(self, login: Login, log_in: Callable[[], Awaitable[Login]]) -> None:
        self._login = login
        self._log_in = log_in
        self._again = asyncio.Lock()
        self._met = False
        connector = aiohttp.TCPConnector(limit=0)
        # A cookie jar would let a proxy follow us; netrc and redirects would take credentials elsewhere.
        self._pool = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            middlewares=(_keep_words,),
        )

    @property
    def identity(self) -> Identity:
        """Whom we speak to."""
        return self._login.identity

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def call(self, asked: Request | Page) -> Any:
        """Return the JSON that a request is answered with."""
        async with self.answer(asked, aiohttp.ClientTimeout(total=ANSWER, connect=CONNECT)) as answer:
            try:
                body = await answer.read()
                return json.loads(body) if body else None
            except ValueError as error:
                message = f"{self.identity.server} answered something that is no JSON"
                raise UnreachableError(message, hint="is this the address of an API server?") from error

    @asynccontextmanager
    async def answer(
        self, asked: Request | Page, timeout: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open the answer to a request, once it is no refusal."""
        answer = await self._patiently(asked, lambda: self._send(asked, timeout))
        try:
            yield answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._no_answer(error) from error
        finally:
            answer.close()  # one that was read to its end has let go of its connection already

    async def upgrade(self, asked: Request, protocols: tuple[str, ...]) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket."""

        async def open_it() -> aiohttp.ClientWebSocketResponse:
            async with asyncio.timeout(ANSWER):
                return await self._pool.ws_connect(
                    self._url(asked),
                    protocols=protocols,
                    headers=dict(self._login.headers),
                    ssl=self._login.tls or True,
                    server_hostname=self._login.name,
                    proxy=self._login.proxy,
                    proxy_headers=self._login.proxy_headers,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSING),
                    max_msg_size=0,
                )

        return await self._patiently(asked, open_it)

    def _url(self, asked: Request | Page) -> URL:
        return URL(self._login.identity.server + asked.target, encoded=True)

    async def _send(self, asked: Request | Page, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        headers = dict(self._login.headers)
        data = None
        if asked.body is not None:
            headers["Content-Type"] = asked.media
            data = encoded(asked.body)
        answer = await self._pool.request(
            asked.method,
            self._url(asked),
            data=data,
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
            ssl=self._login.tls or True,
            server_hostname=self._login.name,
            proxy=self._login.proxy,
            proxy_headers=self._login.proxy_headers,
        )
        if answer.status < 300:
            return answer
        raise await _RefusedError.read(answer)

    async def _patiently(self, asked: Request | Page, send: Callable[[], Awaitable[T]]) -> T:
        """Send; once more after logging in anew, and again with pauses where that does no harm."""
        pause, logged_in = FIRST_PAUSE, False
        for left in reversed(range(TRIES)):
            login, wait = self._login, 0.0
            try:
                answer = await send()
            except _RefusedError as refused:
                self._met = True
                if refused.refusal.code == 401:
                    if logged_in:
                        error = error_of(asked, refused.refusal)
                        raise LoginError(error.message, hint=error.hint) from None
                    logged_in = True
                    await self._renew(login)
                    continue
                # 429 is said before anything is done, so that asking again is right for a write too.
                later = refused.refusal.code == 429 or (asked.harmless and refused.refusal.code in _LATER)
                if not later or not left:
                    raise error_of(asked, refused.refusal) from None
                wait = refused.wait
            except (aiohttp.ClientError, OSError) as error:
                unsent = isinstance(error, aiohttp.ClientConnectorError)
                # A server that never answered is a wrong address more often than a restart.
                if not (asked.harmless or unsent) or not self._met or not left:
                    raise self._no_answer(error) from error
            else:
                self._met = True
                return answer
            await asyncio.sleep(max(wait, spread(pause)))
            pause = min(2 * pause, LONGEST_PAUSE)
        raise AssertionError("the last try answers or raises")

    async def _renew(self, old: Login) -> None:
        async with self._again:
            if self._login is old:
                self._login = await self._log_in()

    def _no_answer(self, error: Exception) -> UnreachableError:
        server = self.identity.server
        match error:
            case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
                return UnreachableError(
                    f"{server} cannot be trusted: {error}", hint="check `certificate-authority` in the kubeconfig"
                )
            case aiohttp.ClientConnectorDNSError():
                return UnreachableError(f"{server}: there is no such host", hint="is the VPN up?")
            case aiohttp.ClientConnectorError():
                # A connection that ends in the middle of the handshake has no reason of its own.
                reason = error.strerror or "the connection ended before it was made"
                return UnreachableError(
                    f"{server} cannot be reached: {reason}",
                    hint="is the cluster running, and the VPN up? `kubectl version` asks the same",
                )
            case TimeoutError():
                return UnreachableError(f"{server} did not answer in time", hint="is the VPN up?")
        return UnreachableError(f"the connection to {server} broke: {error or type(error).__name__}")
