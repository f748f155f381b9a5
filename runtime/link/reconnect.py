"""A link that comes back: opens a new one when one is lost, and tells whoever listens. Repeats no request.

What was under way when a link was lost may have happened or not: the engine scans and plans again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devcfg.runtime.link.errors import LinkEndedError, LinkError, LinkLostError
from devcfg.runtime.link.link import Hello, Link, Pieces, Reply, Sleep, connect
from devcfg.runtime.link.stream import OpenStream

FIRST, LAST = 0.2, 5.0
"""Seconds before the first retry and, after doublings, between later ones; each jittered by half."""


@dataclass(frozen=True, slots=True)
class Back:
    """There is a link, the first or a new one; nothing that an older agent was told holds in it."""

    link: Link
    hello: Hello


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no link, and was none for `spent` seconds; `retry` seconds until the next try."""

    reason: LinkError
    retry: float
    spent: float


Change = Back | Lost


class Reconnecting:
    """Keeps a link up while `run` runs."""

    def __init__(
        self,
        open_stream: OpenStream,
        tell: Callable[[Change], None],
        *,
        sleep: Sleep = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._open_stream = open_stream
        self._tell = tell
        self._sleep = sleep
        self._chance = chance
        self._link: Link | None = None

    @property
    def current(self) -> Link | None:
        """The link that is up, if there is one."""
        return self._link

    async def request(self, verb: str, bulk: Pieces | None = None, **members: Any) -> Reply:
        """Ask over the link that is up; raise LinkLostError at once where none is."""
        if self._link is None:
            raise LinkLostError("there is no link to the agent")
        return await self._link.request(verb, bulk, **members)

    async def run(self) -> None:
        """Connect again and again; raise LinkEndedError where that is of no use. Cancel it to close the link."""
        tries, clock = 0, asyncio.get_running_loop().time
        since = clock()
        while True:
            try:
                link, hello = await connect(self._open_stream, sleep=self._sleep)
            except LinkEndedError:
                raise
            except LinkError as exc:
                reason = exc
            else:
                async with link:
                    self._link = link
                    try:
                        self._tell(Back(link, hello))
                        reason = await link.ended()
                    finally:
                        self._link = None
                        since = clock()
                if isinstance(reason, LinkEndedError):
                    raise reason
                if link.lived:
                    tries = 0
            delay = min(LAST, FIRST * 2**tries) * (0.5 + self._chance() / 2)
            tries = min(tries + 1, 10)
            self._tell(Lost(reason, delay, clock() - since))
            await self._sleep(delay)
