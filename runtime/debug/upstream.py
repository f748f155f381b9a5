"""One connection to a debugger: what it was asked, what state it is in, and how it is left. Never knows an editor."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devcfg.runtime.debug.border import DETACH
from devcfg.runtime.debug.dap import Frames, MalformedError, Message, encode, items, members, number, response
from devcfg.runtime.debug.greetings import Pair
from devcfg.runtime.debug.said import STARTS

_GOING = ("continue", "next", "stepIn", "stepOut", "stepBack", "reverseContinue", "goto")
PATIENCE = 10.0
"""Seconds that a debugger may take to let go."""
SETTLES = 1.0
"""Seconds after which the program of a debug adapter that answers has mostly come to it."""
ENDS = 2.0
"""Seconds that it may take to end the connection then."""
JOINS = 60.0
"""Seconds that a program may take to come to its debug adapter."""
THREADS = 100_000
"""Threads that are remembered at most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request under way."""

    command: str
    arguments: Any
    asker: Message | None
    """The editor's request; None where we ask ourselves."""


class Upstream:
    """A debugger as one connection shows it."""

    def __init__(self, pair: Pair) -> None:
        self.frames = Frames(pair[0])
        self._writer = pair[1]
        self._seq = 0
        self.awaiting: dict[int, Asked] = {}
        self.ended = False
        self.greeting: dict[str, Any] | None = None
        """Its capabilities, once it has answered `initialize`."""
        self.started = self.initialized = self.configured = False
        self.pausing = False
        """Whether a pause was asked for."""
        self.threads: set[int] = set()
        self.standing: int | None = None
        """A thread that stands, if any does."""

    def ask(self, command: str, arguments: Any, asker: Message | None = None) -> int:
        """Send a request and return its number. Whoever sends much calls `drain`."""
        self._seq += 1
        request: Message = {"seq": self._seq, "type": "request", "command": command}
        if arguments is not None:
            request["arguments"] = arguments
        self.awaiting[self._seq] = Asked(command, arguments, asker)
        self.started = self.started or command in STARTS
        self.pausing = self.pausing or command == "pause"
        self._writer.write(encode(request))
        return self._seq

    def reply(self, request: Message, *, refused: str = "") -> None:
        """Answer a request of the debugger's own."""
        self.send(response(request, refused=refused))

    def send(self, message: Message) -> None:
        """Send a message that awaits no answer."""
        self._seq += 1
        self._writer.write(encode({**message, "seq": self._seq}))

    async def drain(self) -> None:
        """Wait until what was sent is on its way. Raises `OSError`."""
        await self._writer.drain()

    async def read(self) -> tuple[Message, Asked | None] | None:
        """Return the next message and what it answers; None at the end. Raises `MalformedError`."""
        try:
            message = await self.frames.read()
        except OSError:
            message = None
        except MalformedError:
            self.ended = True
            raise
        if message is None:
            self.ended = True
            return None
        if message["type"] == "response":
            asked = self.awaiting.pop(message["request_seq"], None)
            if asked is not None and message.get("success") is True:
                self._answered(asked, members(message.get("body")))
            return message, asked
        if message["type"] == "event":
            self._happened(message["event"], members(message.get("body")))
        return message, None

    def _answered(self, asked: Asked, body: dict[str, Any]) -> None:
        if asked.command == "initialize":
            self.greeting = body
        elif asked.command == "configurationDone":
            self.configured = True
        elif asked.command in _GOING:
            self.standing = None
        elif asked.command == "threads":
            self.threads.update(self._numbers(items(body.get("threads")), "id"))

    def _happened(self, event: str, body: dict[str, Any]) -> None:
        thread = number(body.get("threadId"))
        if event == "initialized":
            self.initialized = True
        elif event == "stopped":
            self.standing = thread if thread is not None else 0
        elif event == "continued":
            self.standing = None
        if thread is None or event not in ("thread", "stopped"):
            return
        if body.get("reason") == "exited" and event == "thread":
            self.threads.discard(thread)
        else:
            self.threads.update(self._numbers([body], "threadId"))

    def _numbers(self, found: list[Any], name: str) -> list[int]:
        room = max(0, THREADS - len(self.threads))
        return [one for value in found if (one := number(members(value).get(name))) is not None][:room]

    async def until(self, done: Callable[[], bool]) -> bool:
        """Read until it is so, and drop what comes; return whether it is. Raises `MalformedError`."""
        while not done():
            if (found := await self.read()) is None:
                return done()
            if found[0]["type"] == "request":
                self.reply(found[0], refused="there is no editor any more")
        return True

    async def answer(self, command: str, arguments: Any) -> dict[str, Any] | None:
        """Ask, and return the body of the answer; None where the debugger says no, or nothing any more."""
        seq = self.ask(command, arguments)
        while (found := await self.read()) is not None:
            message = found[0]
            if message["type"] == "response" and message["request_seq"] == seq:
                return members(message.get("body")) if message.get("success") is True else None
        return None

    async def leave(self, patience: float = PATIENCE, joins: float = JOINS) -> None:
        """Detach in order, so that nothing stays as this connection alone wanted it. It is done with afterwards.

        debugpy's adapter ends with a client that leaves before its program has come to it: so that is waited for.
        """
        try:
            if self.ended:
                return
            if self.started and not self.initialized:
                async with asyncio.timeout(joins):
                    await self.until(lambda: self.initialized)
            elif self.greeting is not None and not self.started:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(SETTLES, patience)):
                        await self.until(lambda: False)
            if not self.ended:
                async with asyncio.timeout(patience):
                    await self.answer("disconnect", DETACH)
                # The end is the debugger's: debugpy's adapter hangs if the next client comes before it is through.
                async with asyncio.timeout(min(ENDS, patience)):
                    await self.until(lambda: False)
        except (OSError, TimeoutError, MalformedError):
            pass
        finally:
            self.close()

    def close(self) -> None:
        """End the connection."""
        self.ended = True
        self._writer.close()
