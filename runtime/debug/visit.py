"""One editor at the sticky proxy: it stays, with its breakpoints, while debuggers come and go. Never listens itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from devcfg.runtime.debug.border import CHILDREN, DETACH, RESTARTS, capable, child, child_request
from devcfg.runtime.debug.dap import MalformedError, Message, event, items, members, response
from devcfg.runtime.debug.editor import Editor
from devcfg.runtime.debug.pauses import Pauses
from devcfg.runtime.debug.said import ONCE, STARTS, Key, key_of
from devcfg.runtime.debug.upstream import Asked, Upstream
from devcfg.runtime.debug.way import PAUSE, PAUSE_LAST, Way

LASTS = 5.0
"""Seconds after which a connection is held to have been one, so that the next try comes at once."""
REFUSALS = 5
"""How often a new debugger may refuse what the last one took, as one does that is going down."""
RELEASE = 2.0
"""Seconds that a debugger may take to let go before it is ended."""
EARLY = 64
"""Requests that wait for the first connection."""
AWAY = "the process is on its way: ask again once the debugger is back"
LOST = "the process that was asked has ended"


class _LostError(Exception):
    """The debugger has gone."""


class _RefusedError(Exception):
    """The debugger does not take what was said; the message is in its words."""


class Visit:
    """One editor, from its first message to its last."""

    def __init__(
        self,
        editor: Editor,
        way: Way,
        first: Upstream | None,
        *,
        port: int,
        keeps: bool,
        tell: Callable[[str], None],
    ) -> None:
        """Take the editor, the way to debuggers, and the first of them if it is connected already.

        `port` is our own, which leads here again; `keeps` says that a debugger grants one session in its life.
        """
        self._editor = editor
        self._way = way
        self._port = port
        self._keeps = keeps
        self._tell = tell
        self._first = first
        self.up: Upstream | None = None
        """The debugger that is connected, or was last."""
        self._live = False
        """Whether what the editor says goes to the debugger."""
        self._early: list[Message] | None = []
        self._owed: dict[str, Message] = {}
        self._todo: list[Key] = []
        self._held: list[Message] = []
        self._anew = False
        self._pauses: Pauses | None = None
        self._set = 0
        self._parted = asyncio.Event()

    async def stay(self) -> None:
        """Serve the editor until it goes, or no debugger comes any more. What is connected then is `up`."""
        tasks = [asyncio.ensure_future(one) for one in (self._follow(), self._hear())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled():
                task.result()

    def dismiss(self) -> None:
        """Tell the editor that it is over."""
        for message in self._owed.values():
            self._editor.send(response(message, refused=LOST))
        self._owed.clear()
        self._editor.dismiss(self._held)

    async def release(self) -> None:
        """Let go of the debugger in order, as far as it lets us; the editor stays."""
        up = self.up
        if up is None or not self._live or not up.configured:
            return
        self._live = False
        self._parted.clear()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(RELEASE):
                up.ask("disconnect", DETACH)
                await up.drain()
                await self._parted.wait()

    # ---- what the editor says

    async def _hear(self) -> None:
        """Take the editor's requests until it leaves. Raises `MalformedError`."""
        while (message := await self._editor.request()) is not None:
            if self._early is None:
                self._request(message)
            elif len(self._early) < EARLY:
                self._early.append(message)
            else:
                return
            with contextlib.suppress(OSError):
                await self._editor.drain()
                if self.up is not None and not self.up.ended:
                    await self.up.drain()

    def _request(self, message: Message) -> None:
        command, arguments, up, editor = message["command"], message.get("arguments"), self.up, self._editor
        if command == "restart":
            editor.send(response(message, refused=RESTARTS))
            return
        editor.said.take(command, arguments)
        if up is not None and self._live:
            if not self._heard_before(up, message):
                up.ask(command, arguments, message)
            return
        key = key_of(command, arguments)
        if key is not None:
            self._todo = [one for one in self._todo if one != key] + [key]
            self._provide(message, key)
        elif command in ONCE:
            self._owed[_once(command)] = message
        elif command == "threads":
            editor.send(response(message, {"threads": []}))
        else:
            editor.send(response(message, refused=AWAY))

    def _provide(self, message: Message, key: Key) -> None:
        """Answer for a debugger that is not there yet."""
        editor = self._editor
        editor.send(response(message, editor.marks.provisional(key, editor.said.wanted(key))))

    def _heard_before(self, up: Upstream, message: Message) -> bool:
        """Answer what this debugger was asked by an editor before this one; return whether it was."""
        command = message["command"]
        if command == "initialize" and up.greeting is not None:
            self._editor.send(response(message, capable(up.greeting)))
            if up.initialized:
                self._editor.initialized()
        elif (command in STARTS and up.started) or (command == "configurationDone" and up.configured):
            self._editor.send(response(message))
        else:
            return False
        return True

    # ---- one debugger after the other

    async def _follow(self) -> None:
        """Pass on what debuggers say until none is on its way."""
        loop, pause, refusals, over = asyncio.get_running_loop(), PAUSE, 0, False
        while not over and (up := await self._next()) is not None:
            self.up, began = up, loop.time()
            try:
                await self._catch_up(up)
                refusals = 0
                while True:
                    await self._read(up)
            except (_LostError, OSError):
                over = self._editor.said.child
            except _RefusedError as error:
                refusals += 1
                if over := refusals >= REFUSALS:
                    self._complain(f"the new debugger says no: {error}")
            except MalformedError as error:
                over = True
                self._complain(f"the debugger is not listened to any more: {error.message}")
            self._live = False
            up.close()
            self._lost(up)
            self._parted.set()
            pause = PAUSE if loop.time() - began > LASTS else min(pause * 1.5, PAUSE_LAST)
            await asyncio.sleep(0 if over else pause)
        self.dismiss()

    async def _next(self) -> Upstream | None:
        first, self._first = self._first, None
        return first or await self._way.reach(first=self._early is not None)

    def _lost(self, up: Upstream) -> None:
        """Tell the editor what the end of a debugger means, and that alone."""
        editor, awaiting = self._editor, tuple(up.awaiting.values())
        up.awaiting.clear()
        for asked in awaiting:
            key = key_of(asked.command, asked.arguments)
            if asked.asker is None:
                continue
            if key is not None:
                self._provide(asked.asker, key)
            elif asked.command in ONCE:
                self._owed[_once(asked.command)] = asked.asker
            else:
                editor.send(response(asked.asker, refused=LOST))
        if up.standing is not None:
            editor.send(event("continued", threadId=up.standing, allThreadsContinued=True))
        for thread in sorted(up.threads):
            editor.send(event("thread", reason="exited", threadId=thread))

    def _complain(self, words: str) -> None:
        self._editor.say(words, "important")
        self._tell(words)

    # ---- a new one

    async def _catch_up(self, up: Upstream) -> None:
        """Have a debugger hear what the editor has said, in the protocol's order, until nothing is left unheard."""
        editor, said = self._editor, self._editor.said
        editor.marks.renew()
        self._held, self._anew, self._set = [], editor.greeted, 0
        self._pauses = Pauses(up, hides=self._anew or self._keeps)
        if self._early is not None:
            early, self._early, self._live = self._early, None, True
            for message in early:
                self._request(message)
            return
        self._todo = list(said.sets)
        done = False
        if said.initialize is not None:
            await self._ask(up, "initialize", said.initialize)
        if said.start is not None:
            up.ask(*said.start, self._owed.pop("start", None))
            while not up.initialized:
                await self._read(up)
            while self._todo or (said.done and not done):
                if self._todo:
                    key = self._todo.pop(0)
                    await self._ask(up, key[0], said.sets[key])
                else:
                    done = True
                    await self._ask(up, "configurationDone", None)
        self._live = True
        if self._anew:
            self._welcome()

    async def _ask(self, up: Upstream, command: str, arguments: Any) -> None:
        """Ask what the editor has said, and wait for the answer."""
        seq = up.ask(command, arguments, self._owed.pop(_once(command), None))
        await up.drain()
        while seq in up.awaiting:
            await self._read(up)

    def _welcome(self) -> None:
        editor = self._editor
        wanted = sum(editor.said.wanted(key) for key in editor.said.sets)
        counted = str(self._set) if self._set == wanted else f"{self._set} of {wanted}"
        editor.say(f"reloaded, {counted} breakpoint{'' if wanted == 1 else 's'} set again")
        if editor.said.supports("supportsInvalidatedEvent"):
            editor.send(event("invalidated", areas=["all"]))

    # ---- what a debugger says

    async def _read(self, up: Upstream) -> None:
        """Take one message of the debugger. Raises `_LostError`, `_RefusedError`, `MalformedError`, `OSError`."""
        found = await up.read()
        if found is None:
            raise _LostError
        message, asked = found
        match message["type"]:
            case "response" if asked is not None:
                self._answer(message, asked)
            case "event":
                self._event(message, members(message.get("body")))
            case "request":
                self._asked(up, message)
        await self._editor.drain()

    def _answer(self, message: Message, asked: Asked) -> None:
        editor, body = self._editor, members(message.get("body"))
        key, good = key_of(asked.command, asked.arguments), message.get("success") is True
        if asked.asker is None:
            if key is not None and good:
                self._set_again(key, body)
            elif asked.command in ONCE and not good:
                raise _RefusedError(str(message.get("message", ""))[:200])
            elif self._pauses is not None:
                self._pauses.answered(asked.command)
            return
        made = {**message, "request_seq": asked.asker["seq"]}
        if asked.command == "configurationDone" and self._pauses is not None:
            self._pauses.resume()
        if asked.command == "initialize" and good:
            made["body"] = capable(body)
        elif key is not None and good:
            made["body"] = editor.marks.answered(key, body)
        editor.send(made)

    def _set_again(self, key: Key, body: dict[str, Any]) -> None:
        if self._editor.said.wanted(key):
            self._set += sum(members(one).get("verified") is True for one in items(body.get("breakpoints")))
        for one in self._editor.marks.again(key, body):
            self._editor.send(event("breakpoint", reason="changed", breakpoint=one))

    def _event(self, message: Message, body: dict[str, Any]) -> None:
        editor, name = self._editor, message["event"]
        if name in ("terminated", "exited") and not editor.said.child:
            self._held.append(message)
            raise _LostError
        if name in CHILDREN:
            found = child(editor.said, body, self._port)
            if found is not None:
                editor.send({**message, "body": found})
            return
        match name:
            case "initialized":
                editor.initialized()
                return
            case "stopped":
                if self._pauses is not None and self._pauses.stopped(body):
                    return
                if "hitBreakpointIds" in body:
                    hit = [editor.marks.own(one) for one in items(body["hitBreakpointIds"])]
                    body = {**body, "hitBreakpointIds": [one for one in hit if one is not None]}
            case "breakpoint":
                one = members(body.get("breakpoint"))
                own = editor.marks.own(one.get("id"))
                body = {**body, "breakpoint": {**one, "id": own} if own is not None else one}
            case "capabilities":
                body = {**body, "capabilities": capable(body.get("capabilities"))}
        editor.send({**message, "body": body} if "body" in message else message)

    def _asked(self, up: Upstream, message: Message) -> None:
        """Take a request of the debugger: one that attaches to a subprocess passes, no other does."""
        found = None
        if self._editor.said.supports("supportsStartDebuggingRequest"):
            found = child_request(self._editor.said, message, self._port)
        up.reply(message, refused="" if found is not None else "devcfg does not pass this on")
        if found is not None:
            self._editor.send(found)


def _once(command: str) -> str:
    return "start" if command in STARTS else command
