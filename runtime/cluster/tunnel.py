"""A connection to a port of a pod, over the port-forward subresource, as a pair of streams. Opens nothing itself."""

from __future__ import annotations

import asyncio
from typing import Any

from devcfg.runtime.cluster.channels import LARGEST, Channels
from devcfg.runtime.session.forward import Pair

PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = 0, 1
GREETING = 2
"""Bytes of the port's number, with which each channel begins."""
HIGH, LOW = 256 * 1024, 64 * 1024
"""Bytes in the outgoing buffer at which a writer waits, and goes on."""
GRACE = 0.05
"""Seconds in which the node says that nothing listens: it does so right behind its greeting, however far we are."""
LINGER = 30.0
"""Seconds without a byte after which a connection ends whose local end will send no more, and may be gone."""


async def open_tunnel(channels: Channels) -> Pair:
    """Return the streams of a fresh port-forward. Raises OSError where nothing listens."""
    tunnel = Tunnel(channels)
    try:
        await asyncio.wait((tunnel.settled,), timeout=GRACE)
        if tunnel.settled.done():
            tunnel.settled.result()
    except BaseException:
        tunnel.abort()
        raise
    return tunnel.pair()


def refusal_of(said: bytes) -> OSError:
    """Return the error that the node's words mean."""
    words = said.decode("utf-8", "replace").strip()
    if "connection refused" in words:
        return ConnectionRefusedError(f"nothing listens there: {words}")
    return ConnectionResetError(f"the connection failed in the pod: {words}")


class Tunnel(asyncio.Transport):
    """The transport below the two streams: bytes to and from channel 0, the reason of a failure from channel 1.

    The protocol cannot say that one direction has ended: after `write_eof` the other one has `LINGER` to come to its
    end. It always reads what the pod has sent before it ends.
    """

    def __init__(self, channels: Channels) -> None:
        super().__init__()
        self._channels = channels
        self._loop = asyncio.get_running_loop()
        self.reader = asyncio.StreamReader(limit=LARGEST)
        self._protocol = asyncio.StreamReaderProtocol(self.reader)
        self._buffer = bytearray()
        self._filled = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()
        self._paused = False
        self._closing = False
        self._lost = False
        self._lingering: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self.settled: asyncio.Future[None] = self._loop.create_future()
        """Done with the first byte or the end; fails with OSError where nothing listens."""
        self._protocol.connection_made(self)
        self._tasks = (asyncio.create_task(self._receive()), asyncio.create_task(self._send()))

    def pair(self) -> Pair:
        """Return the streams."""
        return self.reader, asyncio.StreamWriter(self, self._protocol, self.reader, self._loop)

    # ---- what a StreamWriter asks of a transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes to send."""
        if self._lost or not data:
            return
        self._buffer += data
        self._filled.set()
        if len(self._buffer) > HIGH and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        """Tell that an end is taken note of."""
        return True

    def write_eof(self) -> None:
        """Send no more; end once the other direction has ended, or is silent for `LINGER`."""
        if self._lingering is None and not self._lost:
            self._lingering = self._loop.call_later(LINGER, self.close)

    def is_closing(self) -> bool:
        """Whether it ends."""
        return self._closing

    def close(self) -> None:
        """End it once what was written is sent."""
        if not self._closing:
            self._closing = True
            self._filled.set()

    def abort(self) -> None:
        """End it at once."""
        self._closing = True
        self._lose(None)

    def pause_reading(self) -> None:
        """Let what comes wait on the wire."""
        self._reading.clear()

    def resume_reading(self) -> None:
        """Take what comes."""
        self._reading.set()

    def get_write_buffer_size(self) -> int:
        """Return the bytes that wait to be sent."""
        return len(self._buffer)

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ARG002 - asyncio names it
        """Know nothing of a socket."""
        return default

    # ---- the wire

    async def _receive(self) -> None:
        greeted: set[int] = set()
        said = b""
        error: OSError | None = None
        try:
            while not said and (received := await self._channels.receive()) is not None:
                channel, data = received
                if channel not in greeted:
                    greeted.add(channel)
                    data = data[GREETING:]
                if channel == ERROR:
                    said = data
                elif data:
                    await self._deliver(data)
        except OSError as broke:
            error = broke
        self._lose(refusal_of(said) if said else error)

    async def _deliver(self, data: bytes) -> None:
        self._settle(None)
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = self._loop.call_later(LINGER, self.close)
        self._protocol.data_received(data)
        await self._reading.wait()

    async def _send(self) -> None:
        try:
            while not (self._closing and not self._buffer):
                self._filled.clear()
                while self._buffer:
                    piece = bytes(self._buffer[: LARGEST - 1])
                    del self._buffer[: LARGEST - 1]
                    await self._channels.send(DATA, piece)
                    self._make_room()
                if not self._closing:
                    await self._filled.wait()
        except OSError as error:
            self._lose(error)
        else:
            self._lose(None)

    def _make_room(self) -> None:
        if self._paused and len(self._buffer) <= LOW:
            self._paused = False
            self._protocol.resume_writing()

    def _settle(self, error: OSError | None) -> None:
        if self.settled.done():
            return
        if error is None:
            self.settled.set_result(None)
        else:
            self.settled.set_exception(error)
            self.settled.exception()  # nobody may be left to ask

    def _lose(self, error: OSError | None) -> None:
        if self._lost:
            return
        self._lost = self._closing = True
        self._settle(error)
        self._buffer.clear()
        if self._lingering is not None:
            self._lingering.cancel()
        self._ending = asyncio.create_task(self._end(error))

    async def _end(self, error: OSError | None) -> None:
        # Behind what was written, and before the reader is cancelled: aiohttp would then not wait for the other side.
        await self._channels.close()
        for task in self._tasks:
            task.cancel()
        self._protocol.connection_lost(error)
