"""What two users do to their directories, and which of their values have to survive it. Never syncs.

A value is lost when nobody who could see it replaced it and it is nowhere any more. So a user's action takes from the
values that have to be there exactly those that the user's own side had in its way.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from devcfg.runtime.sync.modes import Side

HIDDEN = (".envrc", ".vscode/tasks.json", ".git/config")


class Users:
    """The users of both sides. Every file they write has a value of its own, which it keeps when it is renamed."""

    def __init__(self, near: Path, far: Path) -> None:
        self.roots = near, far
        self.live: tuple[set, set] = (set(), set())
        """(path, value) of what a side's user wrote and nobody has replaced since."""
        self._old: tuple[dict, dict] = ({}, {})
        self._touched: tuple[set, set] = (set(), set())
        self._seen: tuple[set, set] = (set(), set())
        self.number = 0

    def _value(self, side: Side) -> str:
        self.number += 1
        return f"{side.word} {self.number:04}"

    def _below(self, side: Side, path: str) -> list[str]:
        root = self.roots[side]
        if not os.path.isdir(root / path) or os.path.islink(root / path):
            return [path]
        found = [path]
        for folder, folders, files in os.walk(root / path):
            found += [os.path.relpath(os.path.join(folder, name), root) for name in (*folders, *files)]
        return found

    def _value_at(self, side: Side, path: str) -> str | None:
        full = self.roots[side] / path
        if os.path.islink(full):
            return f"-> {os.readlink(full)}"
        return full.read_text() if os.path.isfile(full) else None

    def _replaced(self, side: Side, path: str) -> None:
        """Take note that a user has replaced or removed all at and below a path of its side."""
        for below in self._below(side, path):
            value = self._value_at(side, below)
            self._touched[side].update([below, *(below[:at] for at in range(len(below)) if below[at] == "/")])
            if value is not None and not value.startswith("->"):
                self._old[side][below] = value
            self._seen[side].add((below, value))
            for values in self.live:
                values.discard((below, value))

    def _clear(self, side: Side, path: str) -> Path:
        """Make room for something at a path, as a user does who means it."""
        root = self.roots[side]
        for above in [path[:at] for at in range(len(path)) if path[at] == "/"]:
            if os.path.islink(root / above) or not os.path.isdir(root / above):
                self.remove(side, above)
                os.mkdir(root / above)
        return root / path

    def write(self, side: Side, path: str, *, how: str) -> None:
        full = self._clear(side, path)
        value = self._value(side)
        if not os.path.islink(full) and not os.path.isfile(full):
            self.remove(side, path)
        self._replaced(side, path)
        if how == "rename" or os.path.islink(full):
            beside = full.with_name(f"{full.name}~.log")
            beside.write_text(value)
            os.replace(beside, full)
        else:
            before = os.stat(full) if full.exists() else None
            full.write_text(value)
            if how == "old time" and before is not None:
                os.utime(full, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.live[side].add((path, value))

    def restore(self, side: Side, path: str) -> None:
        """Write again what was at a path, as a branch switch does, if nobody else has had a hand in it since."""
        old = self._old[side].get(path)
        if old is None or os.path.lexists(self.roots[side] / path) or path in self._touched[side.other]:
            return
        self._clear(side, path).write_text(old)
        self.live[side].add((path, old))

    def agreed(self, reported: set[str]) -> None:
        """Take note that both sides have come to agree but for what is reported: what one did, the other has seen."""
        for touched in self._touched:
            touched -= {path for path in touched if not _reported(path, reported)}
        for seen in self._seen:
            seen -= {one for one in seen if not _reported(one[0], reported)}

    def link(self, side: Side, path: str) -> None:
        full = self._clear(side, path)
        self.remove(side, path)
        self.number += 1
        os.symlink(f"target{self.number}", full)
        self.live[side].add((path, f"-> target{self.number}"))

    def mkdir(self, side: Side, path: str) -> None:
        full = self._clear(side, path)
        if os.path.islink(full) or not os.path.isdir(full):
            self.remove(side, path)
            os.mkdir(full)

    def remove(self, side: Side, path: str) -> None:
        full = self.roots[side] / path
        if not os.path.lexists(full):
            return
        self._replaced(side, path)
        if os.path.isdir(full) and not os.path.islink(full):
            shutil.rmtree(full)
        else:
            os.unlink(full)

    def rename(self, side: Side, path: str, to: str) -> None:
        root = self.roots[side]
        if not os.path.lexists(root / path) or to == path or to.startswith(path + "/") or path.startswith(to + "/"):
            return
        moved = [(below, self._value_at(side, below)) for below in self._below(side, path)]
        full = self._clear(side, to)
        if not os.path.lexists(root / path):
            return
        self.remove(side, to)
        self._touched[side].add(to)
        self._replaced(side, path)
        os.rename(root / path, full)
        for below, value in moved:
            place = to + below[len(path) :]
            # What comes back to where the other user has replaced it is for sync what was there all the time.
            if value is not None and not below.endswith(".log") and (place, value) not in self._seen[side.other]:
                self.live[side].add((place, value))

    def chmod(self, side: Side, path: str) -> None:
        full = self.roots[side] / path
        if os.path.isfile(full) and not os.path.islink(full):
            os.chmod(full, os.stat(full).st_mode ^ 0o111)

    def ignored(self, side: Side, path: str) -> None:
        """Write what is ignored: it stays where it is."""
        full = self._clear(side, f"{path}/x.log")
        full.write_text("ignored")

    def skew(self, side: Side, path: str, hours: int) -> None:
        full = self.roots[side] / path
        if os.path.isfile(full) and not os.path.islink(full):
            found = os.stat(full)
            os.utime(full, ns=(found.st_atime_ns, found.st_mtime_ns + hours * 3600 * 10**9))

    def attack(self, path: str) -> None:
        """Write on the far side what may never come to the laptop."""
        full = self.roots[Side.FAR] / path
        os.makedirs(full.parent, exist_ok=True)
        full.write_text("hostile")

    def fifo(self, side: Side, path: str) -> None:
        full = self._clear(side, path)
        self.remove(side, path)
        os.mkfifo(full)

    def lost_volume(self) -> None:
        """Take note that all that only the far side had has gone with its volume."""
        self.live[Side.FAR].clear()


def _reported(path: str, reported: set[str]) -> bool:
    return any(path == one or path.startswith(one + "/") or one.startswith(path + "/") for one in reported)
