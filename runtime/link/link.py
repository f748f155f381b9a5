"""One link to one agent: requests and their answers over a stream, until it ends. Knows no verb and never reconnects.

The agent is not trusted: what comes is bounded, and what no agent sends ends the link.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

from devcfg.runtime.link.errors import (
    BreachError,
    LinkError,
    LinkLostError,
    RequestError,
    SupersededError,
    VersionError,
)
from devcfg.runtime.link.inbox import Bulk, Events
from devcfg.runtime.link.outbox import Outbox
from devcfg.runtime.link.stream import OpenStream, Stream
from devcfg.runtime.pod.agent import frames
from devcfg.runtime.pod.agent.frames import FROM_AGENT, Decoder, Frame, ProtocolError
from devcfg.runtime.pod.agent.listing import gather

Sleep = Callable[[float], Awaitable[None]]
"""Waits for some seconds; a test gives its own clock."""
Pieces = Iterable[bytes] | AsyncIterable[bytes]

_PING = struct.Struct(">Q")
_STREAMS = 0xFFFF


@dataclass(frozen=True, slots=True)
class Hello:
    """What the agent said about itself; `clock_ns` is its time of day when it did."""

    protocol: int
    pid: int
    python: str
    features: frozenset[str]
    clock_ns: int


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its members, and its bytes, which have to be read to the end or closed."""

    ok: dict[str, Any]
    bulk: Bulk


class Link:
    """A link that is open; `async with` closes it."""

    def __init__(self, stream: Stream, *, sleep: Sleep = asyncio.sleep) -> None:
        self._stream = stream
        self._sleep = sleep
        self._outbox = Outbox(stream)
        self.events = Events()
        self.lived = False  # a ping has been answered
        self._hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self._ended: asyncio.Future[LinkError] = asyncio.get_running_loop().create_future()
        self._number = 0
        self._slots = asyncio.Semaphore(frames.WAITING)
        self._sending = asyncio.Lock()  # DATA of one request after the other: the agent reads them in this order
        self._unsent: set[int] = set()
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._bulks: dict[int, Bulk] = {}
        self._pings: deque[bytes] = deque()
        self._pinged = 0
        self._silent = 0
        self._tasks: list[asyncio.Task[None]] = []

    # ---- its life

    async def open(self) -> Hello:
        """Exchange greetings; return the agent's. Raise LinkLostError where none comes in time."""
        hello = {"protocol": frames.PROTOCOL, "oldest": frames.OLDEST, "side": "client"}
        self._outbox.control(Frame(frames.HELLO, 0, 0, frames.compose(hello)))
        for work in (self._read(), self._write(), self._ping()):
            self._tasks.append(asyncio.create_task(work))
        await asyncio.wait((self._hello, self._ended), return_when=asyncio.FIRST_COMPLETED)
        if self._hello.done():
            return self._hello.result()
        await self.close()
        raise self._ended.result()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Say goodbye if there is anybody to hear it, and end everything."""
        if not self._ended.done():
            self._finish(LinkLostError("the link was closed here"))
            self._outbox.control(Frame(frames.GOODBYE, 0, 0, frames.compose({"code": "closed", "message": ""})))
            with contextlib.suppress(TimeoutError, OSError, LinkError):
                async with asyncio.timeout(0.5):
                    await self._outbox.flush()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stream.close()

    async def ended(self) -> LinkError:
        """Wait until the link has ended, and return why."""
        return await asyncio.shield(self._ended)

    def _finish(self, why: LinkError) -> None:
        if self._ended.done():
            return
        self._ended.set_result(why)
        self._outbox.end(why)
        self.events.end(why)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(why)
                future.exception()  # marked as seen: whoever waited may be gone
        for bulk in self._bulks.values():
            bulk.end(why)

    # ---- requests

    async def request(self, verb: str, bulk: Pieces | None = None, **members: Any) -> Reply:
        """Ask, and return the answer. Raise RequestError where the agent cannot, LinkLostError where the link ended."""
        async with self._slots:
            if self._ended.done():
                raise self._ended.result()
            number = self._free()
            future = self._waiting[number] = asyncio.get_running_loop().create_future()
            try:
                await self._ask(number, {"verb": verb, **members}, bulk, future)
                reply: Reply = await future
                return reply
            finally:
                if not future.done():
                    future.cancel()  # nobody waits any longer: the answer is dropped when it comes

    def _free(self) -> int:
        while True:
            self._number = self._number % _STREAMS + 1
            if not any(self._number in taken for taken in (self._waiting, self._bulks, self._unsent)):
                return self._number

    async def _ask(
        self, number: int, members: dict[str, Any], bulk: Pieces | None, future: asyncio.Future[Reply]
    ) -> None:
        payload = frames.compose(members)
        flags = 0 if bulk is None else frames.BULK
        if len(payload) > frames.JSON_LIMIT:
            if bulk is not None or len(payload) > frames.BODY_LIMIT:
                raise ValueError(f"a request of {len(payload)} bytes")
            bulk, flags, payload = (payload,), frames.BODY, frames.compose({"verb": members["verb"]})
        if bulk is None:
            await self._outbox.put(Frame(frames.REQUEST, flags, number, payload))
            return
        async with self._sending:
            await self._outbox.put(Frame(frames.REQUEST, flags, number, payload))
            self._unsent.add(number)
            whole = False
            try:
                async for piece in _filled(bulk):
                    if future.done():
                        break  # refused already: the rest is of no use
                    await self._outbox.put_data(Frame(frames.DATA, 0, number, piece))
                else:
                    whole = True
            finally:
                self._unsent.discard(number)
                end = Frame(frames.END, 0, number, b"") if whole else Frame(frames.END, frames.ABORT, number, b"")
                self._outbox.control(end)

    # ---- what comes

    async def _read(self) -> None:
        decoder = Decoder(FROM_AGENT)
        try:
            while data := await self._stream.read():
                self._silent = 0
                for frame in decoder.feed(data):
                    self._take(frame)
            self._finish(LinkLostError(f"the agent has ended{self._words()}"))
        except ProtocolError as exc:
            where = "the agent broke the protocol" if self._hello.done() else "no devcfg agent answers"
            self._finish(BreachError(f"{where}: {exc}{self._words()}"))
        except (OSError, LinkLostError) as exc:
            self._finish(LinkLostError(f"the link broke: {exc}{self._words()}"))

    def _words(self) -> str:
        words = self._stream.words()
        return f" ({words})" if words else ""

    def _take(self, frame: Frame) -> None:
        if self._ended.done():
            return
        match frame.kind:
            case frames.HELLO:
                self._greet(frames.parse(frame.payload))
            case frames.GOODBYE:
                self._finish(_farewell(frames.parse(frame.payload)))
            case _ if not self._hello.done():
                raise ProtocolError(f"wanted HELLO first, found {frames.NAMES[frame.kind]}")
            case frames.DATA:
                self._outbox.credit.receive(len(frame.payload))
                self._coming(frame).put(frame.payload)
            case frames.END:
                self._coming(frame).finish(aborted=bool(frame.flags), payload=frame.payload)
                del self._bulks[frame.stream]
            case frames.REPLY:
                self._answer(frame)
            case frames.EVENT:
                self.events.put(frames.parse(frame.payload), len(frame.payload))
            case frames.CREDIT:
                self._outbox.grant(frame.payload)
            case frames.PING:
                self._outbox.pong(frame.payload)
            case frames.PONG:
                if not self._pings or self._pings.popleft() != frame.payload:
                    raise ProtocolError("a PONG without a PING")
                self.lived = True

    def _greet(self, members: dict[str, Any]) -> None:
        if self._hello.done():
            raise ProtocolError("a second HELLO")
        protocol = frames.choose(members)
        if not protocol:
            theirs = f"{members['oldest']} to {members['protocol']}"
            self._finish(
                VersionError(
                    f"the agent speaks protocol {theirs}, this client {frames.OLDEST} to {frames.PROTOCOL}",
                    hint="bring devcfg and the committed overlay to the same version: `devcfg render --write`",
                )
            )
            return
        pid, python, features, clock = (members.get(name) for name in ("pid", "python", "features", "clock_ns"))
        if not (isinstance(pid, int) and isinstance(python, str) and isinstance(clock, int)):
            raise ProtocolError("a HELLO without pid, python or clock_ns")
        if not isinstance(features, dict):
            raise ProtocolError("a HELLO without features")
        known = frozenset(name for name, has in features.items() if has is True)
        self._hello.set_result(Hello(protocol, pid, python, known, clock))

    def _answer(self, frame: Frame) -> None:
        number = frame.stream
        if number not in self._waiting or number in self._bulks:
            raise ProtocolError("a REPLY that nobody asked for")
        members = frames.parse(frame.payload)
        if number in self._unsent and "error" not in members:
            # Both ends would wait for the other to read, once the windows are full.
            raise ProtocolError("a REPLY before the request was whole")
        bulk = Bulk(self._outbox.consume)
        if frame.flags == frames.BODY:
            self._bulks[number] = bulk.collect(lambda whole: self._settle(number, frames.parse(whole), Bulk.empty()))
            return
        if frame.flags:
            self._bulks[number] = bulk
            if self._waiting[number].done():
                bulk.close()
        else:
            bulk = Bulk.empty()
        self._settle(number, members, bulk)

    def _settle(self, number: int, members: dict[str, Any], bulk: Bulk) -> None:
        code, message = members.get("error"), members.get("message")
        if code is not None and not (isinstance(code, str) and isinstance(message, str)):
            raise ProtocolError("an error that is no text")
        future = self._waiting.pop(number)  # not before: what is waited for when the link ends has to hear of it
        if future.done():
            return
        if code is None:
            future.set_result(Reply(members, bulk))
        else:
            future.set_exception(RequestError(code, str(message)))

    def _coming(self, frame: Frame) -> Bulk:
        if frame.stream not in self._bulks:
            raise ProtocolError(f"{frames.NAMES[frame.kind]} on stream {frame.stream}, which awaits none")
        return self._bulks[frame.stream]

    # ---- the other tasks

    async def _write(self) -> None:
        try:
            await self._outbox.run()
        except (OSError, LinkError) as exc:
            self._finish(LinkLostError(f"the link broke: {exc}{self._words()}"))

    async def _ping(self) -> None:
        while True:
            await self._sleep(frames.PING_SECONDS)
            self._silent += 1
            if self._silent >= frames.DEAD_PINGS:
                seconds = frames.PING_SECONDS * frames.DEAD_PINGS
                self._finish(LinkLostError(f"no byte from the agent for {seconds:.0f} s{self._words()}"))
                return
            self._pinged += 1
            self._pings.append(_PING.pack(self._pinged))
            self._outbox.control(Frame(frames.PING, 0, 0, self._pings[-1]))


async def connect(open_stream: OpenStream, *, sleep: Sleep = asyncio.sleep) -> tuple[Link, Hello]:
    """Open a stream and greet; raise LinkError where either fails."""
    try:
        stream = await open_stream()
    except OSError as exc:
        raise LinkLostError(f"the agent cannot be started: {exc}") from exc
    link = Link(stream, sleep=sleep)
    try:
        return link, await link.open()
    except BaseException:
        await link.close()
        raise


def _farewell(members: dict[str, Any]) -> LinkError:
    code, message = members.get("code"), members.get("message")
    said = str(message)
    match code:
        case "superseded":
            return SupersededError("a newer session has taken the agent over")
        case "protocol":
            return BreachError(f"the agent ended the link: {said}")
        case _:
            return LinkLostError(f"the agent ended the link: {said}")


async def _filled(pieces: Pieces) -> AsyncIterator[bytes]:
    """Fill DATA frames; pieces that are there at once cost no turn of the event loop."""
    if isinstance(pieces, Iterable):
        for piece in gather(pieces):
            yield piece
        return
    held: list[bytes] = []
    size = 0
    async for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= frames.DATA_LIMIT:
            *full, rest = (*gather(held), b"") if size % frames.DATA_LIMIT == 0 else tuple(gather(held))
            for one in full:
                yield one
            held, size = [rest] if rest else [], len(rest)
    for one in gather(held):
        yield one
