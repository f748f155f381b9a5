"""A local port to a debugger that speaks the debug adapter protocol: editors stay while debuggers come and go.

Bound to 127.0.0.1 and nothing else. What is not of that protocol is carried as the bytes it is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from devcfg.runtime.debug.dap import HEAD, MalformedError
from devcfg.runtime.debug.editor import Editor
from devcfg.runtime.debug.greetings import Pair
from devcfg.runtime.debug.kept import Kept
from devcfg.runtime.debug.upstream import Upstream
from devcfg.runtime.debug.visit import Visit
from devcfg.runtime.debug.way import Way
from devcfg.runtime.session.forward import HOLD, Dial, Ports, bind, join_whole, reach

SILENCE = 0.3
"""Seconds without a word, after which the debugger may be one that speaks first."""
REST = 0.5
"""Seconds between an editor and the next: debugpy's adapter may hang for good in taking one while it parts from one."""
CLOSING = 2.0
"""Seconds to detach in order from a debugger that is about to end anyway."""


class Sticky:
    """One listening port. `coming` tells whether a dev process runs or is on its way."""

    def __init__(
        self,
        ports: Ports,
        dial: Dial,
        coming: Callable[[], bool],
        *,
        left: Callable[[], Awaitable[None]] | None = None,
        ready: Callable[[], Awaitable[bool]] | None = None,
        keeps: bool = False,
        said: Callable[[str], None] | None = None,
    ) -> None:
        """Take what it is to do.

        `left` is awaited whenever the last editor has gone; the next one waits for it. `ready` tells whether a
        debugger that listens takes an editor already, where that is not always so. `keeps` says that the debugger takes
        one session of the protocol in its life, which all editors share then, one after the other. `said` hears what
        the user should.
        """
        self._ports = ports
        self._dial = dial
        self._coming = coming
        self._left = left
        self._ready = ready
        self._said = said
        self._kept = Kept() if keeps else None
        self._seat = asyncio.Lock()
        self._parting = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._local = 0
        self._open: set[asyncio.Task[None]] = set()
        self._visits: set[Visit] = set()
        self._rested = 0.0
        self._gate = asyncio.Event()
        self._gate.set()

    async def listen(self) -> int:
        """Bind and return the local port. Raises `DevcfgError` where it is taken."""
        self._server = await bind(self._accept, self._ports)
        self._local = self._server.sockets[0].getsockname()[1]
        return self._local

    async def close(self) -> None:
        """Stop listening, tell editors that it is over, and end what is open."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self._kept is not None:
            await self._kept.close()

    async def release(self) -> None:
        """Let go of a debugger that is about to be ended; editors stay, and wait for `resume`.

        A dlv that is told to end does not while an editor is attached to it and its program runs.
        """
        self._gate.clear()
        if self._kept is None:
            await asyncio.gather(*(visit.release() for visit in self._visits))

    def resume(self) -> None:
        """Have editors go on to the debugger that is there, or comes."""
        self._gate.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve((reader, writer)))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, near: Pair) -> None:
        try:
            async with self._parting:
                pass  # what the last editor left is put right first
            await asyncio.sleep(max(0.0, self._rested - asyncio.get_running_loop().time()))
            await self._meet(near)
        except OSError:
            pass  # the client has gone
        finally:
            near[1].close()
        if self._left is not None and len(self._open) == 1:
            async with self._parting:
                await self._left()

    # ---- who it is

    async def _meet(self, near: Pair) -> None:
        """Serve a client by what it says first."""
        try:
            async with asyncio.timeout(SILENCE):
                first = await near[0].read(1)
        except TimeoutError:
            if self._kept is None:
                await self._listen_both(near)
                return
            first = await near[0].read(1)  # its one client must not be one without a word
        if first:
            await self._begin(near, first, None)

    async def _listen_both(self, near: Pair) -> None:
        """Let the client or the debugger speak first."""
        far = await reach(self._ports.remote, self._dial, self._coming)
        if far is None:
            return
        asking = [asyncio.ensure_future(pair[0].read(1)) for pair in (near, far)]
        try:
            await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            far[1].close()
            raise
        finally:
            for task in asking:
                task.cancel()
            said, answered = await asyncio.gather(*asking, return_exceptions=True)
        if isinstance(answered, bytes):
            near[1].write(answered)
        if isinstance(said, bytes) and said and not isinstance(answered, bytes):
            await self._begin(near, said, far)
            return
        if isinstance(said, bytes):
            far[1].write(said)
        await join_whole(near, far)

    async def _begin(self, near: Pair, first: bytes, far: Pair | None) -> None:
        """Serve a client that has spoken."""
        head = first
        while len(head) < len(HEAD) and HEAD.startswith(head.lower()):
            more = await near[0].read(len(HEAD) - len(head))
            if not more:
                break
            head += more
        if head.lower() == HEAD:
            await self._visit(Editor(near, head), None if far is None else Upstream(far))
        elif self._kept is not None and self._kept.held:
            self._say("a client that is no editor was turned away: the debugger's one session is an editor's")
        else:
            far = far or await reach(self._ports.remote, self._dial, self._coming)
            if far is not None:
                far[1].write(head)
                await join_whole(near, far)

    def _say(self, words: str) -> None:
        if self._said is not None:
            self._said(words)

    # ---- an editor

    async def _visit(self, editor: Editor, first: Upstream | None) -> None:
        if self._kept is None:
            await self._stay(editor, first)
            return
        try:
            async with asyncio.timeout(HOLD):
                await self._seat.acquire()
        except TimeoutError:
            self._say("an editor was turned away: the debugger takes one at a time, and has one")
            editor.say("the debugger takes one editor at a time, and has one", "important")
            editor.dismiss([])
            return
        try:
            await self._stay(editor, await self._kept.take())
        finally:
            self._seat.release()

    async def _stay(self, editor: Editor, first: Upstream | None) -> None:
        way = Way(lambda: self._dial(self._ports.remote), self._coming, self._gate, self._ready)
        keeps = self._kept is not None
        visit = Visit(editor, way, first, port=self._local, keeps=keeps, tell=self._say)
        self._visits.add(visit)
        try:
            with contextlib.suppress(MalformedError):
                await visit.stay()
        except BaseException:  # whatever ends it, nothing stays as this editor wanted it
            visit.dismiss()
            await self._leave(visit.up, CLOSING)
            raise
        finally:
            self._visits.discard(visit)
        async with self._parting:
            if self._kept is not None and visit.up is not None:
                await self._kept.give(visit.up)
            else:
                await self._leave(visit.up, None)
            self._rested = asyncio.get_running_loop().time() + REST
        await editor.part()

    async def _leave(self, up: Upstream | None, patience: float | None) -> None:
        if up is None:
            return
        if patience is None:
            await up.leave()
        else:
            await up.leave(patience, patience)
