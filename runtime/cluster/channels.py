"""A WebSocket of the API server: each message begins with the number of its channel. Knows no channel's meaning."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp

ALIVE = 20.0
"""Seconds between pings: proxies on the way drop what is silent for a minute."""
LARGEST = 128 * 1024
"""Bytes of a message at most: larger ones only cost the server's memory."""


class Channels:
    """The two ends of one WebSocket; one reader at a time, any number of writers."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._closed = False
        self._waiting: dict[int, bytearray] = {}
        self._sending = asyncio.Lock()
        self._pings = asyncio.create_task(self._ping())

    @property
    def protocol(self) -> str:
        """The subprotocol that the server chose."""
        return self._socket.protocol or ""

    async def receive(self) -> tuple[int, bytes] | None:
        """Return a channel and what came on it; None at the end. Raise OSError where the connection broke."""
        while True:
            message = await self._socket.receive()
            match message.type:
                case aiohttp.WSMsgType.BINARY if message.data:
                    return message.data[0], message.data[1:]
                case aiohttp.WSMsgType.TEXT if message.data:
                    data = message.data.encode()
                    return data[0], data[1:]
                case aiohttp.WSMsgType.BINARY | aiohttp.WSMsgType.TEXT:
                    continue
                case aiohttp.WSMsgType.ERROR:
                    raise ConnectionResetError(f"the connection broke: {message.data}")
            return None

    async def send(self, channel: int, data: bytes) -> None:
        """Send; return when there is room for more. What several want to send at once goes out together."""
        if self._closed or self._socket.closed:
            raise BrokenPipeError("the connection is closed")
        queue = self._waiting.setdefault(channel, bytearray())
        queue += data
        async with self._sending:
            await asyncio.sleep(0)  # whoever wants to send now does so in the same message
            while queue:
                piece = bytes(queue[: LARGEST - 1])
                del queue[: LARGEST - 1]
                await self._socket.send_bytes(bytes((channel,)) + piece)

    async def signal(self, channel: int, data: bytes) -> None:
        """Send one message whole, even an empty one."""
        if self._closed or self._socket.closed:
            raise BrokenPipeError("the connection is closed")
        async with self._sending:
            await self._socket.send_bytes(bytes((channel,)) + data)

    async def close(self) -> None:
        """End it; whoever receives gets the end."""
        if not self._closed:
            self._closed = True
            self._pings.cancel()
            with contextlib.suppress(aiohttp.ClientError, OSError):
                await self._socket.close()

    async def _ping(self) -> None:
        with contextlib.suppress(aiohttp.ClientError, OSError):
            while not self._socket.closed:
                await asyncio.sleep(ALIVE)
                await self._socket.ping()
