"""Following what an API server streams: a watch, opened again where it was, and a log. Nothing is judged here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp

from devcfg.runtime.cluster.cluster import Seen
from devcfg.runtime.cluster.errors import ClusterError, UnreachableError
from devcfg.runtime.cluster.refusals import Refusal, error_of
from devcfg.runtime.cluster.request import Request
from devcfg.runtime.cluster.transport import CONNECT, LoginError, Transport, spread

LASTING = 300
"""Seconds after which the server is asked to end a watch: a half-open connection is never older."""
SILENCE = 150.0
"""Seconds without a word, in which the server would have sent two bookmarks: the connection is dead."""
LONGEST_LINE = 32 << 20
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0


async def follow_changes(transport: Transport, asked: Request, since: str) -> AsyncIterator[Seen]:
    """Yield each change after a resource version, for ever. Raises ExpiredError where that is too long ago."""
    waits = aiohttp.ClientTimeout(total=None, connect=CONNECT, sock_read=SILENCE)
    opened, pause = False, FIRST_PAUSE
    while True:
        watching = (("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", str(LASTING)))
        query = (*asked.query, *watching, ("resourceVersion", since))
        try:
            async with transport.answer(replace(asked, query=query), waits) as answer:
                opened = True
                async for line in _lines(answer.content):
                    event = json.loads(line)
                    about = event["object"]
                    if event["type"] == "ERROR":
                        raise error_of(asked, Refusal.of(about))
                    since, pause = about["metadata"]["resourceVersion"], FIRST_PAUSE
                    if event["type"] != "BOOKMARK":
                        yield Seen(event["type"], about)
        except LoginError:
            raise
        except UnreachableError:
            if not opened:
                raise
        # Also where the server ends each stream at once: never faster than this.
        await asyncio.sleep(spread(pause))
        pause = min(2 * pause, LONGEST_PAUSE)


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Cut a stream into lines, each byte looked at once; a last one without its end was cut off and is dropped."""
    parts: list[bytes] = []
    length = 0
    async for chunk in content.iter_any():
        *whole, rest = chunk.split(b"\n")
        for end in whole:
            yield b"".join((*parts, end))
            parts.clear()
            length = 0
        parts.append(rest)
        length += len(rest)
        if length > LONGEST_LINE:
            raise ClusterError(f"a change in the watch is larger than {LONGEST_LINE >> 20} MiB")


async def follow_log(transport: Transport, asked: Request) -> AsyncIterator[bytes]:
    """Yield what a container has printed, as it comes. Raises UnreachableError where the connection breaks."""
    async with transport.answer(asked, aiohttp.ClientTimeout(total=None, connect=CONNECT)) as answer:
        async for piece in answer.content.iter_any():
            yield piece
