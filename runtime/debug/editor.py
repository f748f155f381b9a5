"""One editor's end of the sticky proxy: what it said, what it is told, how it is left. Never knows a debugger."""

from __future__ import annotations

import asyncio
import contextlib

from devcfg.runtime.debug.dap import Frames, MalformedError, Message, encode, event, response
from devcfg.runtime.debug.greetings import Pair
from devcfg.runtime.debug.said import Marks, Said

FAREWELL = 2.0
"""Seconds for an editor to say its last word."""
LEAVING = ("disconnect", "terminate")
OVER = "the debugging is over"


class Editor:
    """What an editor is to a proxy."""

    def __init__(self, near: Pair, head: bytes) -> None:
        """Take the connection, and what was read of it."""
        self._frames = Frames(near[0], head)
        self._writer = near[1]
        self._seq = 0
        self.said = Said()
        self.marks = Marks()
        self.greeted = False
        """Whether it was told `initialized`."""
        self.last: Message | None = None
        """The request with which it leaves."""

    async def request(self) -> Message | None:
        """Return the next request; None where it leaves or has gone. Raises `MalformedError`."""
        with contextlib.suppress(OSError):
            while (message := await self._frames.read()) is not None:
                if message["type"] != "request":
                    continue  # it answers a debugger's request, which was answered for it
                if message["command"] in LEAVING:
                    self.last = message
                    return None
                return message
        return None

    def send(self, message: Message) -> None:
        """Send a message. Whoever sends much calls `drain`."""
        self._seq += 1
        self._writer.write(encode({**message, "seq": self._seq}))

    def say(self, words: str, category: str = "console") -> None:
        """Say something to the user, in the editor's console."""
        self.send(event("output", category=category, output=f"[devcfg] {words}\n"))

    def initialized(self) -> None:
        """Tell that breakpoints may be set, once."""
        if not self.greeted:
            self.greeted = True
            self.send({"type": "event", "event": "initialized"})

    async def drain(self) -> None:
        """Wait until what was sent is on its way, or the editor has gone, of which `request` tells."""
        with contextlib.suppress(OSError):
            await self._writer.drain()

    def dismiss(self, held: list[Message]) -> None:
        """Tell that it is over, with what a debugger said last."""
        with contextlib.suppress(OSError):
            for message in held:
                self.send(message)
            if all(one["event"] != "terminated" for one in held):
                self.send({"type": "event", "event": "terminated"})

    async def part(self) -> None:
        """Answer the last word, and hear what it still has to say."""
        last, self.last = self.last, None
        with contextlib.suppress(OSError, TimeoutError, MalformedError):
            async with asyncio.timeout(FAREWELL):
                while last is not None or (last := await self._frames.read()) is not None:
                    await self._answer(last)
                    if last.get("command") == "disconnect":
                        return
                    last = None

    async def _answer(self, message: Message) -> None:
        if message["type"] != "request":
            return
        self.send(response(message, refused="" if message["command"] in LEAVING else OVER))
        if message["command"] == "terminate":
            self.dismiss([])
        await self.drain()
