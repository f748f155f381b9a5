"""Root: one sync root on one side, with scan, digest, transfer, apply and watch behind it. Never decides what to sync.

Both sides use it: the agent for the far side, the engine for the local one. One call at a time, but for a watch.
"""

from __future__ import annotations

import errno
import os
import sys
from collections import OrderedDict
from contextlib import suppress
from typing import Callable, Iterable, Iterator, Mapping, Sequence

from . import paths
from .apply import Applier
from .cleaning import clean
from .digest import digest_file, open_file, read_exactly
from .entries import Change, Digested, Outcome, Scan, Staged, Stat, Wanted, stat_from
from .ignore import Ignores
from .records import first_records, records
from .scan import Walk
from .stage import NEW, Stage, write_all
from .watch import Watch

CHUNKS_KEPT = 200_000
"""Chunks of large files that are remembered between digest and transfer, some 30 MB."""
VOLUME_ID = ".devcfg/volume-id"


class Root:
    """A directory that is kept equal to one on the other side."""

    def __init__(self, path: str, *, write: str = "atomic", hidden: Sequence[str] = ()) -> None:
        """Open the directory; OSError when there is none. `hidden` (paths.HIDDEN) is for the local side."""
        if sys.getfilesystemencoding() != "utf-8":
            raise OSError(errno.EILSEQ, "file names are not read as UTF-8: set PYTHONUTF8=1")
        self.path = os.path.abspath(path)
        self._inplace = write == "inplace"
        self._hidden = tuple(hidden)
        self._ignores = Ignores()
        self._fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._stage = Stage(self._fd)
        self._chunked: OrderedDict[str, Digested] = OrderedDict()

    def close(self) -> None:
        """Let the directory go."""
        self._stage.close()
        os.close(self._fd)

    def gone(self) -> str:
        """Say that the root is missing or was replaced, `""` while it is the one that was opened."""
        try:
            found = os.stat(self.path)
        except OSError as problem:
            return "missing" if problem.errno in (errno.ENOENT, errno.ENOTDIR) else (problem.strerror or "unreadable")
        return "" if os.path.samestat(found, os.fstat(self._fd)) else "replaced"

    def empty(self) -> bool:
        """Tell whether nothing but what is never synced is in it."""
        return all(paths.is_hard(name) or name == "lost+found" for name in os.listdir(self._fd))

    def set_ignores(self, ignores: Ignores) -> None:
        """Take what the client decided for both sides."""
        self._ignores = ignores

    def scan(self, hints: Iterable[tuple[str, bool]] | None = None) -> Scan:
        """Walk the tree, or only the hinted (path, deep); rows of what is above a hint are among the rows.

        A hint's path that is ignored is neither a row nor missing. The root itself has no row.
        """
        walk = Walk(self._fd, self._ignores, self._hidden)
        return walk.tree() if hints is None else walk.hinted(hints)

    def stats(self, names: Iterable[str]) -> dict[str, Stat | None]:
        """Return the stat of what stands at each path, None where nothing does."""
        found: dict[str, Stat | None] = {}
        with paths.Folders(self._fd) as folders:
            for path in names:
                above, _, name = path.rpartition("/")
                try:
                    found[path] = stat_from(os.lstat(name, dir_fd=folders.open(above)))
                except OSError:
                    found[path] = None
        return found

    def digest(self, files: Iterable[str], known: Mapping[str, Digested]) -> dict[str, Digested | str]:
        """Return each file's digest, or the problem in words (`changed` when it changed while it was read).

        A known digest is taken over when the file's stat is equal; that it is old enough is for the caller to know.
        """
        found: dict[str, Digested | str] = {}
        with paths.Folders(self._fd) as folders:
            for path in files:
                result = found[path] = digest_file(folders, path, known.get(path))
                if isinstance(result, Digested) and result.chunks is not None:
                    self._remember(path, result)
        return found

    def _remember(self, path: str, digested: Digested) -> None:
        self._chunked.pop(path, None)
        self._chunked[path] = digested
        while sum(len(each.chunks or ()) for each in self._chunked.values()) > CHUNKS_KEPT:
            self._chunked.popitem(last=False)

    def read(self, path: str) -> Iterator[bytes]:
        """Yield a file's content; OSError when it cannot be read."""
        with paths.Folders(self._fd) as folders:
            fd, stat = open_file(folders, path)
        try:
            yield from read_exactly(fd, 0, stat.st_size)
        finally:
            os.close(fd)

    def records(self, wanted: Iterable[Wanted]) -> Iterator[bytes]:
        """Yield the transfer stream of the wanted files, never more than a MiB in memory."""
        return records(self._fd, wanted, self._chunked)

    def first_records(self, files: Iterable[str], found: dict[str, Digested | str]) -> Iterator[bytes]:
        """Yield the transfer stream of files that have no digest yet; `found` gets what `digest` would return."""
        return first_records(self._fd, files, found)

    def stage(self, stream: Iterable[bytes]) -> list[Staged]:
        """Take a transfer stream; what is whole and right waits for `apply`. ValueError when it is no such stream."""
        return self._stage.receive(stream)

    def apply(self, changes: Sequence[Change]) -> list[Outcome]:
        """Bring changes into place: directories, then files and links, then deletions."""
        return list(self.applying(changes))

    def applying(self, changes: Sequence[Change], tell: Callable[[Outcome], None] | None = None) -> Iterator[Outcome]:
        """Do the same while the outcomes are taken, which keep the order of the changes; `tell` hears each at once."""
        return Applier(self._fd, self._stage, self._ignores, self._hidden, inplace=self._inplace).run(changes, tell)

    def clean(self) -> None:
        """Remove whatever an interrupted run left, staged content too."""
        self._stage.close()
        clean(self._fd)

    def watch(self) -> Watch:
        """Return a new watch of the tree with the ignores as they are now."""
        return Watch(self._fd, self._ignores, self._hidden, lambda: self.scan().rows)

    def volume_id(self) -> str:
        """Return the volume's identity, `""` when it has none."""
        try:
            return b"".join(self.read(VOLUME_ID))[:200].decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def mark_volume(self, identity: str) -> None:
        """Give the volume its identity."""
        with suppress(FileExistsError):
            os.mkdir(".devcfg", 0o777, dir_fd=self._fd)
        name = self._stage.name()
        fd = os.open(name, NEW, 0o666, dir_fd=self._stage.fd)
        try:
            write_all(fd, identity.encode() + b"\n")
        finally:
            os.close(fd)
        with paths.Folders(self._fd) as folders:
            os.rename(name, "volume-id", src_dir_fd=self._stage.fd, dst_dir_fd=folders.open(".devcfg"))
