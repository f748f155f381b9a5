"""Runs one sync rule: waits for hints, gathers what belongs together, and has rounds done. Never opens a link.

Hints come late, twice or not at all; so everything is looked at anew at the start, on each new link, when the kernel
lost events, when git switched branches, when the ignore files changed, and once a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable
from enum import Enum

from devcfg.runtime.link.agent import Agent, Hints
from devcfg.runtime.link.errors import BreachError, LinkError, RequestError
from devcfg.runtime.pod.agent.entries import DISK_FULL, words
from devcfg.runtime.pod.agent.paths import HIDDEN
from devcfg.runtime.pod.agent.root import Root
from devcfg.runtime.sync import conflicts, reasons
from devcfg.runtime.sync.events import Connected, Degraded, Disconnected, Event
from devcfg.runtime.sync.halts import Cause
from devcfg.runtime.sync.ignores import FILES, IgnoreFileError
from devcfg.runtime.sync.index import IndexFailedError, open_index
from devcfg.runtime.sync.local import LocalEnd
from devcfg.runtime.sync.modes import Side
from devcfg.runtime.sync.planner import Conflict
from devcfg.runtime.sync.remote import FarEnd
from devcfg.runtime.sync.rounds import Rounds
from devcfg.runtime.sync.rule import Rule
from devcfg.runtime.sync.status import Status
from devcfg.runtime.sync.tree import parent
from devcfg.runtime.sync.watcher import Watcher
from devcfg.schemas.errors import DevcfgError, UsageError

TRUTH = 60.0
"""Seconds after which both sides are looked at whole, whatever the hints say."""
RETRY = 1.0
"""Seconds after which what did not work is tried again."""


class SyncError(DevcfgError):
    """Sync cannot begin, or cannot do what was asked."""


class Choice(Enum):
    """Who is right where there is a conflict."""

    LOCAL = "local"
    REMOTE = "remote"
    BOTH = "both"


class Engine:
    """One rule. Open it, `run` it, tell it of links and hints, ask it from anywhere; `close` it when it has ended."""

    def __init__(self, rule: Rule, tell: Callable[[Event], None]) -> None:
        self.rule = rule
        self._tell = tell
        self._root = _open(rule)
        self._root.clean()
        self._ignores = rule.load()
        self._root.set_ignores(self._ignores)
        self._index = open_index(rule.index)
        self._end = LocalEnd(self._root)
        self._rounds = Rounds(rule.mode, rule.kept, self._index, self._end, tell)
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self._watcher = Watcher(self._wake, rule.marks)
        self._agent: Agent | None = None
        self._attached = self._told = False
        self._listing = ""
        self._identity = ""  # of a new volume that does not carry it yet
        self._stale = False  # an ignore file changed
        self._degraded: dict[str, str] = {}
        if self._index.set_aside:
            self._degrade("index", f"the sync index could not be read and was set aside as `{self._index.set_aside}`")

    def close(self) -> None:
        """Let go of the root and the index, and remove what was staged."""
        self._watcher.close()
        if not self._root.gone():
            self._root.clean()
        self._root.close()
        self._index.close()

    async def leave(self) -> None:
        """Have the far side clean up, while there is still a link."""
        async with self._turn:
            if self._agent is not None and self._attached:
                with contextlib.suppress(LinkError):
                    await self._agent.clean(self.rule.name)

    # ---- what the session tells

    def connected(self, agent: Agent) -> None:
        """Take a link that is up."""
        self._agent = agent
        self._attached = self._told = False
        self._wake.set()

    def disconnected(self, reason: str) -> None:
        """Let go of a link that was lost; changes wait."""
        if self._agent is not None:
            self._tell(Disconnected(reason))
        self._agent = None
        self._detach()

    def hinted(self, hints: Hints) -> None:
        """Take where the far side may have changed."""
        self._rounds.hint(Side.FAR, list(hints.paths))
        if hints.rescan:
            self._rounds.rescan(Side.FAR)
        self._wake.set()

    # ---- what the session asks

    async def run(self) -> None:
        """Keep both sides equal until it is cancelled."""
        loop = asyncio.get_running_loop()
        await self.watch()
        truth = loop.time() + TRUTH
        while True:
            troubled = self._rounds.halts or self._rounds.failures.problems() or (self._agent and not self._attached)
            until = loop.time() + RETRY if troubled or self._rounds.busy else truth
            await self._watcher.wait(min(until, truth))
            async with self._turn:
                if loop.time() >= truth:
                    truth = loop.time() + TRUTH
                    self._look_at_everything()
                await self._gather()
                await self._work()

    async def turn(self) -> None:
        """Take what was hinted, and do what follows from it."""
        async with self._turn:
            await self._gather()
            await self._work()

    async def flush(self) -> tuple[Conflict, ...]:
        """Return when both sides agree on all that was there when this was called; the conflicts are what is left."""
        async with self._turn:
            self._look_at_everything()
            await self._gather()
            await self._work()
            if not self._attached:
                raise SyncError("the remote side cannot be reached", hint="`devcfg status` says since when and why")
            return tuple(self._rounds.conflicts.values())

    def status(self) -> Status:
        """Say how it is right now."""
        rounds, times = self._rounds, self._rounds.times
        return Status(
            connected=self._attached,
            files=sum(entry.kind == "f" for entry in rounds.ancestor.entries.values()),
            pending=rounds.pending,
            conflicts=len(rounds.conflicts),
            problems=(*rounds.problems, *rounds.failures.problems()),
            halts=rounds.halts,
            degraded=tuple(self._degraded.values()),
            last_ms=times.last,
            p50_ms=times.share(50),
            p95_ms=times.share(95),
        )

    def conflicts(self) -> tuple[conflicts.Listed, ...]:
        """List the conflicts with what each side has."""
        found = self._rounds.conflicts.values()
        return tuple(
            conflicts.Listed(one.path, conflicts.describe(one.local), conflicts.describe(one.far)) for one in found
        )

    async def resolve(self, path: str, choice: Choice) -> None:
        """End the conflict at a path; `.` answers what sync stopped for."""
        async with self._turn:
            if self._rounds.far is None:
                raise SyncError("the remote side cannot be reached", hint="try again when it is: nothing is lost")
            winner = Side.FAR if choice is Choice.REMOTE else Side.LOCAL
            if path in ("", "."):
                if choice is Choice.BOTH or not self._rounds.overrule(winner):
                    raise UsageError("there is nothing to decide for the whole", hint="name a path that is a conflict")
            elif path not in self._rounds.conflicts:
                known = ", ".join(f"`{one}`" for one in sorted(self._rounds.conflicts)) or "there is none"
                raise UsageError(f"`{path}` is no conflict", hint=f"conflicts: {known}")
            else:
                if choice is Choice.BOTH:
                    await self._beside(path)
                self._rounds.decide(path, winner)
            await self._work()

    def why(self, path: str) -> str:
        """Say why a path is synced, or why it is not."""
        return reasons.why(path, self._rounds, self._ignores)

    # ---- the work

    def _look_at_everything(self) -> None:
        self._stale = True
        for side in Side:
            self._rounds.rescan(side)

    async def _gather(self) -> None:
        hints = await self._watcher.gather()
        self._rounds.hint(Side.LOCAL, hints.paths, self._watcher.since)
        if hints.rescan:
            self._rounds.rescan(Side.LOCAL)
        self._stale |= any(path.rpartition("/")[2] in FILES for path, _ in hints.paths)
        if self._watcher.degraded:
            self._degrade("local", self._watcher.degraded)

    async def _work(self) -> None:
        try:
            if (gone := self._root.gone()) and not await self._reopen():
                self._rounds.lose(Side.LOCAL, gone)
                return
            if self._stale:
                await self._reload()
            if self._agent is not None and not self._attached:
                await self._attach(self._agent)
            await self._rounds.settle()
            if self._agent is not None and self._identity and self._rounds.begun:
                # Not before: whoever dies in between begins again, and the image's content is still no peer's.
                await self._agent.mark(self.rule.name, self._identity)
                self._identity = ""
            self._degrade("agent", "")
        except IndexFailedError:
            self._rounds.lack(Side.LOCAL)
        except (RequestError, BreachError) as exc:
            if exc.message == DISK_FULL:
                self._rounds.lack(Side.FAR)
            else:
                self._degrade("agent", f"the agent did not do what it was asked: {exc.message}")
            self._detach()
        except OSError as exc:
            self._degrade("agent", f"the local side cannot be read or written: {words(exc)}")
            self._rounds.distrust()
        except LinkError:
            # Why it was lost is told by whoever keeps the link.
            self._detach()
        if any(one.cause is Cause.ROOT_GONE and one.side is Side.FAR for one in self._rounds.halts):
            self._detach()

    async def _attach(self, agent: Agent) -> None:
        name = self.rule.name
        try:
            opened = await agent.open(name, self.rule.far, write=self.rule.write)
        except RequestError as exc:
            if exc.code != "gone":
                raise
            self._rounds.lose(Side.FAR, exc.message)
            return
        await agent.ignores(name, self._ignores)
        new = not opened.volume_id or opened.volume_id != self._index.volume_id
        if new:
            self._identity = secrets.token_hex(16)
            self._rounds.renew(self._identity, seeded=self.rule.seeded and not opened.empty)
            self._listing = ""
        self._degrade("far", await agent.watch(name))
        self._rounds.attach(FarEnd(agent, name, self._listing))
        self._attached = True
        if new or not self._told:
            self._tell(Connected(new))
        self._told = True

    def _detach(self) -> None:
        if self._rounds.far is not None and isinstance(self._rounds.far.endpoint, FarEnd):
            self._listing = self._rounds.far.endpoint.listing
        self._rounds.detach()
        self._attached = False

    async def _reopen(self) -> bool:
        """Take the directory that stands where the root was; everything in it is looked at."""
        try:
            root = _open(self.rule)
        except SyncError:
            return False
        self._watcher.close()
        self._root.close()
        self._root = self._end.root = root
        root.clean()
        root.set_ignores(self._ignores)
        self._rounds.distrust()
        self._stale = True
        await self.watch()
        return True

    async def _reload(self) -> None:
        try:
            found = await asyncio.to_thread(self.rule.load)
        except (IgnoreFileError, OSError) as exc:
            self._degrade("ignores", f"the ignore files as they were still count: {exc}")
            return
        self._stale = False
        self._degrade("ignores", "")
        if found.json() == self._ignores.json():
            return
        # Both sides, or neither: what only one of them ignores would look deleted there.
        self._detach()
        self._ignores = found
        self._root.set_ignores(found)
        self._rounds.distrust()
        await self.watch()

    async def watch(self) -> None:
        """Watch the local root, as it is and with what is ignored now."""
        await self._watcher.begin(self._root)
        self._degrade("local", self._watcher.degraded)

    async def _beside(self, path: str) -> None:
        rounds = self._rounds
        if rounds.far is None:
            return
        place = await conflicts.put_beside(path, rounds.far, rounds.local.snapshot.tree, self._end)
        if not place:
            raise SyncError(f"what the remote side has at `{path}` could not be put next to it")
        rounds.hint(Side.LOCAL, [(parent(place), False), (place, True)] if parent(place) else [(place, True)])

    def _degrade(self, what: str, reason: str) -> None:
        if not reason:
            self._degraded.pop(what, None)
        elif self._degraded.get(what) != reason:
            self._degraded[what] = reason
            self._tell(Degraded(reason))


def _open(rule: Rule) -> Root:
    try:
        if not os.path.isdir(rule.local):
            raise NotADirectoryError(20, "no directory")
        return Root(rule.local, write=rule.write, hidden=HIDDEN)
    except OSError as exc:
        hint = "a sync rule wants a directory of this project"
        raise SyncError(f"`{rule.local}` cannot be synced: {words(exc)}", hint=hint) from exc
