"""A port in the pod that reaches a port of this machine, carried over the link. Never listens here.

It ends with the link and comes back with the next one. A connection has one piece on its way in each direction, so
what one of them holds up is itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from devcfg.runtime.link.agent import Agent
from devcfg.runtime.link.errors import RequestError
from devcfg.runtime.session.forward import Pair, Ports
from devcfg.runtime.session.process import Ask

PIECE = 64 * 1024
"""Bytes of one request: as much as the agent takes."""
AGAIN, AGAIN_LAST = 0.2, 5.0
"""Seconds between two tries for a port that is taken: an agent of before may be on its way out."""
Say = Callable[[str], None]


def parse_reverse(entry: str) -> Ports:
    """Read `remote:local`, which the config has checked."""
    remote, _, local = entry.partition(":")
    return Ports(int(local), int(remote))


class Reverse:
    """One entry of `reverse`."""

    def __init__(self, ports: Ports, ask: Ask, say: Say, trouble: Say) -> None:
        """Take what has the agent do something, what hears words, and what hears of trouble."""
        self._ports = ports
        self._ask = ask
        self._say = say
        self._trouble = trouble
        self._open: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Listen in the pod until cancelled, in whichever it is."""
        remote, local = self._ports.remote, self._ports.local
        pause, said = AGAIN, ""
        try:
            while True:
                try:
                    await self._ask(lambda agent: agent.listen(remote))
                    self._say(f"port {remote} of the pod reaches port {local} here")
                    pause, said = AGAIN, ""
                    await self._accept()
                except RequestError as error:
                    if pause > AGAIN_LAST / 4 and error.message != said:
                        said = error.message
                        self._trouble(f"nothing in the pod reaches port {local} here: {said}")
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, AGAIN_LAST)
        finally:
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self) -> None:
        """Take connections. Raises `RequestError` once the agent is another one, which does not listen yet."""
        while True:
            name = await self._ask(lambda agent: agent.accept(self._ports.remote))
            task = asyncio.get_running_loop().create_task(self._serve(name))
            self._open.add(task)
            task.add_done_callback(self._open.discard)

    async def _serve(self, name: str) -> None:
        try:
            pair = await asyncio.open_connection("127.0.0.1", self._ports.local)
        except OSError:
            self._say(f"nothing listens on port {self._ports.local} here: a connection from the pod was ended")
        else:
            try:
                await self._carry(name, pair)
            finally:
                pair[1].close()
        with contextlib.suppress(RequestError):
            await self._ask(lambda agent: agent.close_connection(name))

    async def _carry(self, name: str, pair: Pair) -> None:
        with contextlib.suppress(*(OSError, RequestError)):
            up = asyncio.create_task(self._up(name, pair[0]))
            try:
                await self._down(name, pair[1])
                await up
            finally:
                up.cancel()
                await asyncio.gather(up, return_exceptions=True)

    async def _up(self, name: str, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(PIECE):
            await self._ask(_sending(name, data))
        await self._ask(lambda agent: agent.finish_connection(name))

    async def _down(self, name: str, writer: asyncio.StreamWriter) -> None:
        while data := await self._ask(lambda agent: agent.receive(name)):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def _sending(name: str, data: bytes) -> Callable[[Agent], Awaitable[None]]:
    return lambda agent: agent.send(name, data)
