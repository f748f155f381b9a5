"""Byte streams that a link can run on. Knows no frame."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from devcfg.runtime.link.errors import LinkLostError

READ = 256 * 1024
LINES = 5
PATIENCE = 2.0
"""Seconds that a subprocess has to end after its input did."""


class Stream(Protocol):
    """Bytes both ways to one agent."""

    async def read(self) -> bytes:
        """Return what has come, at least a byte; nothing at the end. Raise OSError where the end is no clean one."""

    async def write(self, data: bytes) -> None:
        """Send; return when there is room for more."""

    async def close(self) -> None:
        """End both directions; whatever waits for the stream gets its end."""

    def words(self) -> str:
        """Return the last of what the far side said beside the stream, such as the reason why it ended."""


OpenStream = Callable[[], Awaitable[Stream]]
"""Opens a new stream to a fresh agent; raises OSError or LinkError where it cannot."""


class LocalStream:
    """An agent that runs as a subprocess of this process; its standard error goes to `log` by lines."""

    def __init__(self, process: asyncio.subprocess.Process, log: Callable[[str], None]) -> None:
        self._process = process
        self._last: deque[str] = deque(maxlen=LINES)
        self._log = log
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(
        cls, argv: Sequence[str], *, env: Mapping[str, str] | None = None, log: Callable[[str], None] = lambda _: None
    ) -> LocalStream:
        """Start the agent, in a session of its own, so that a terminal's Ctrl-C is the client's alone."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=pipe, stdout=pipe, stderr=pipe, env=env, start_new_session=True, limit=READ
        )
        return cls(process, log)

    @property
    def pid(self) -> int:
        """Return the process id of the agent."""
        return self._process.pid

    async def read(self) -> bytes:
        """Return what has come."""
        if self._process.stdout is None:
            return b""
        return await self._process.stdout.read(READ)

    async def write(self, data: bytes) -> None:
        """Send to the agent."""
        if self._process.stdin is None or self._process.stdin.is_closing():
            raise LinkLostError("the agent's input is closed")
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def close(self) -> None:
        """Close its input, and end the process when it does not end by itself."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            # abort: what a stopped agent has not read would keep the transport open for ever
            self._process.stdin.transport.abort()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await self._listening

    def words(self) -> str:
        """Return the last lines of its standard error."""
        return "; ".join(self._last)

    async def _listen(self) -> None:
        stderr = self._process.stderr
        while stderr is not None:
            try:
                line = await stderr.readline()
            except ValueError:
                continue  # longer than the limit: dropped
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip("\n")
            self._last.append(text)
            self._log(text)
