"""A disk in memory that is an honest side of a rule: it checks what it is told as the agent does. Never syncs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from devcfg.runtime.pod.agent.entries import (
    DONE,
    FAILED,
    HELD,
    MODIFIED,
    Digested,
    Entry,
    Outcome,
    Row,
    Scan,
    Staged,
    Stat,
)
from devcfg.runtime.sync.endpoint import Unchanged
from devcfg.runtime.sync.tree import parent

SECOND = 1_000_000_000


class CutError(Exception):
    """The side cannot be reached any more, or the process that asked is dead."""


@dataclass
class Disk:
    """Files by path. `cut` counts down the calls and single changes until nothing works any more."""

    entries: dict[str, Entry] = field(default_factory=dict)
    stats: dict[str, Stat] = field(default_factory=dict)
    clock: int = 1000 * SECOND
    inodes: int = 0
    cut: int | None = None
    listing: str = ""
    found: str = ""
    """The whole scan that all is known from, and the last one, as the far end keeps them."""
    staged: set = field(default_factory=set)
    sent: int = 0
    """The files that were read once more to be sent: their digests were known."""
    meanwhile: list = field(default_factory=list)
    """What users do just before each single change of an apply."""

    def tick(self, seconds: float = 0.5) -> None:
        self.clock += int(seconds * SECOND)

    def set(self, path: str, entry: Entry | None) -> None:
        """Put one entry in place, or take it out."""
        if entry is None:
            self.entries.pop(path, None)
            self.stats.pop(path, None)
            return
        # A file that is overwritten keeps its inode, and the clock is coarse: two writes may give equal stats.
        if path not in self.stats:
            self.inodes += 1
        inode = self.stats[path].inode if path in self.stats else self.inodes
        self.entries[path] = entry
        self.stats[path] = Stat(len(entry.content), self.clock, self.clock, inode)

    def step(self) -> None:
        if self.cut is not None:
            self.cut -= 1
            if self.cut < 0:
                raise CutError

    # ---- as an endpoint

    async def scan(self, hints):
        self.step()
        rows = {path: self._row(path) for path, entry in self.entries.items() if entry.kind != "i"}
        listing = json.dumps(sorted(rows.values()))
        if hints is None:
            known, self.listing, self.found = self.listing, "", listing
            if listing == known:
                return Unchanged(self.clock)
            return Scan([rows[path] for path in sorted(rows)], [], self.clock)
        found, missing = {}, []
        self.listing = self.found = ""
        for path, deep in hints:
            above = [path[:at] for at in range(len(path)) if path[at] == "/"]
            found |= {one: rows[one] for one in (*above, path) if one in rows}
            missing += [one for one in (*above, path) if one not in rows and one]
            if deep:
                found |= {one: rows[one] for one in rows if one.startswith(path + "/") or not path}
        return Scan([found[path] for path in sorted(found)], sorted(set(missing)), self.clock)

    def settle(self):
        self.listing = self.found

    def _row(self, path):
        kind, content, executable = self.entries[path]
        if kind == "d" and self._is_hollow(path):
            kind = "h"
        return Row(path, kind, executable, self.stats[path], "" if kind == "f" else content)

    def _is_hollow(self, path):
        below = [(known, entry.kind) for known, entry in self.entries.items() if parent(known) == path]
        return bool(below) and all(kind == "i" or (kind == "d" and self._is_hollow(known)) for known, kind in below)

    async def digest(self, files):
        self.step()
        found = {}
        for path in files:
            entry = self.entries.get(path)
            known = entry is not None and entry.kind == "f"
            found[path] = Digested(entry.content, self.stats[path], None) if known else "changed"
        return found

    async def send(self, wanted):
        self.step()
        for one in wanted:
            self.sent += 1
            entry = self.entries.get(one.path)
            whole = entry is not None and entry.kind == "f" and entry.content == one.digest
            yield json.dumps([one.path, one.digest, "" if whole else "changed"]).encode()
            self.step()

    async def send_first(self, files, found):
        found |= await self.digest(files)
        for path, known in found.items():
            yield json.dumps([path, "", known] if known == "changed" else [path, known.digest, ""]).encode()
            self.step()

    async def stage(self, stream):
        results = []
        async for piece in stream:
            self.step()
            path, digest, problem = json.loads(piece)
            if not problem:
                self.staged.add((path, digest))
            results.append(Staged(path, digest, problem))
        return results

    async def apply(self, changes):
        self.listing = self.found = ""
        self.step()
        outcomes, told = {}, 0
        for change in sorted(changes, key=_turn):
            if self.meanwhile:
                self.meanwhile.pop(0)()
            self.step()
            outcomes[change.path] = self._apply(change)
            while changes[told:] and changes[told].path in outcomes:
                yield [outcomes[changes[told].path]]
                told += 1
        self.step()

    def _apply(self, change):
        path, old, old_stat, new, _ = change
        now = self.entries.get(path)
        if now is None and new is None:
            return Outcome(path, DONE, None, "")
        if now != old or (old_stat is not None and self.stats[path] != old_stat):
            if now == new:
                return Outcome(path, DONE, self.stats[path], "")
            return Outcome(path, MODIFIED, None, "it changed since it was last seen")
        below = [known for known in self.entries if parent(known) == path]
        if old is not None and old.kind == "d" and below:
            return Outcome(path, HELD if self._is_hollow(path) else MODIFIED, None, "")
        above = parent(path)
        if new is not None and above and (above not in self.entries or self.entries[above].kind != "d"):
            return Outcome(path, MODIFIED, None, "no such directory")
        needs = new is not None and new.kind == "f" and (old is None or old.content != new.content)
        if needs and (path, new.content) not in self.staged:
            return Outcome(path, FAILED, None, "its content was not sent")
        self.set(path, new)
        return Outcome(path, DONE, self.stats.get(path), "")


def _turn(change):
    if change.new is None:
        return 2, -change.path.count("/")
    if change.old is not None and change.old.kind == "d" and change.new.kind != "d":
        return 3, 0
    return (0 if change.new.kind == "d" else 1), change.path.count("/")
