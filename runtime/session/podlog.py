"""The log of a dev container as lines, across restarts of the container and of the pod. Never shows one.

Each line comes with the kubelet's time, by which a stream that broke goes on where it was: the API knows only whole
seconds, so what was told already is left out here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable

from devcfg.runtime.cluster.cluster import Cluster
from devcfg.runtime.cluster.errors import ClusterError
from devcfg.runtime.session.pods import Pod

FIRST, LAST = 0.1, 2.0
"""Seconds between two tries to read a log that cannot be read, growing."""
RECENT = 20
"""Lines that are told of what was printed before a session came."""
Told = dict[str, str]
"""Until when a container's log was told: the time of the last line, by the pod's uid."""
STAMP = re.compile(r"\d{4}-\d\d-\d\dT")
LONGEST = 1024 * 1024
"""Bytes of one line; what is longer is dropped."""


class PodLog:
    """Where the reading of one container's log is.

    `whole` wants all that the first pod has printed before, not only the last lines. `told` is kept by whoever has
    another one read on, in the same session.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        container: str,
        find: Callable[[], Awaitable[Pod]],
        *,
        whole: bool,
        told: Told,
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._container = container
        self._find = find
        self._whole = whole
        self._known: Pod | None = None
        self._told = told

    async def follow(self) -> AsyncIterator[str]:
        """Yield each line from now on, for ever."""
        pause = FIRST
        while True:
            pod = await self._find()
            try:
                async for line in self._lines(pod):
                    pause = FIRST
                    yield line
            except (ClusterError, OSError):
                pass  # the link says what is wrong; here it is enough to try again
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST)

    async def _lines(self, pod: Pod) -> AsyncIterator[str]:
        before, tail = self._known, None
        if before is None:
            tail = None if self._whole or pod.uid in self._told else RECENT
        elif before.uid == pod.uid and before.restarts != pod.restarts:
            # What the ended container printed last may not have come any more.
            async for line in self._read(pod, previous=True):
                yield line
        async for line in self._read(pod, tail=tail):
            yield line

    async def _read(self, pod: Pod, *, previous: bool = False, tail: int | None = None) -> AsyncIterator[str]:
        pieces = self._cluster.log(
            self._namespace,
            pod.name,
            self._container,
            follow=not previous,
            tail=tail,
            previous=previous,
            since=self._told.get(pod.uid, ""),
            stamped=True,
        )
        async for raw in lines_of(pieces):
            if not previous:
                self._known = pod
            stamp, _, text = raw.partition(" ")
            # A node that has lost the log says so in the log's place, without a time.
            if stamp > self._told.get(pod.uid, "") and STAMP.match(stamp):
                self._told[pod.uid] = stamp
                yield text


async def lines_of(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield whole lines, and the rest at the end; one that has no end is dropped."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace")
        if len(rest) > LONGEST:
            rest = b""
    if rest:
        yield rest.decode("utf-8", "replace")
