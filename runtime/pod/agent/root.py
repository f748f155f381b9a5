"""Root: one sync root on one side, with scan, digest, transfer, apply and watch behind it. Never decides what to sync.

Both sides use it: the agent for the far side, the engine for the local one. One call at a time.
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping, Sequence

from .entries import Change, Digested, Outcome, Scan, Staged, Wanted


class Root:
    """A directory that is kept equal to one on the other side."""

    def __init__(self, path: str, *, write: str = "atomic", hidden: Sequence[str] = ()) -> None:
        """Open the directory; OSError when there is none. `hidden` (paths.HIDDEN) is for the local side."""
        raise NotImplementedError

    def close(self) -> None:
        """Let the directory go."""
        raise NotImplementedError

    def gone(self) -> str:
        """Say that the root is missing or was replaced, `""` while it is the one that was opened."""
        raise NotImplementedError

    def empty(self) -> bool:
        """Tell whether nothing but what is never synced is in it."""
        raise NotImplementedError

    def set_ignores(self, ignores: Any) -> None:
        """Take what the client decided for both sides."""
        raise NotImplementedError

    def scan(self, hints: Iterable[tuple[str, bool]] | None = None) -> Scan:
        """Walk the tree, or only the hinted (path, deep); rows of what is above a hint are among the rows.

        A hint's path that is ignored is neither a row nor missing. The root itself has no row.
        """
        raise NotImplementedError

    def digest(self, files: Iterable[str], known: Mapping[str, Digested]) -> dict[str, Digested | str]:
        """Return each file's digest, or the problem in words (`changed` when it changed while it was read).

        A known digest is taken over when the file's stat is equal; that it is old enough is for the caller to know.
        """
        raise NotImplementedError

    def read(self, path: str) -> Iterator[bytes]:
        """Yield a file's content; OSError when it cannot be read."""
        raise NotImplementedError

    def records(self, wanted: Iterable[Wanted]) -> Iterator[bytes]:
        """Yield the transfer stream of the wanted files, never more than a MiB in memory."""
        raise NotImplementedError

    def stage(self, stream: Iterable[bytes]) -> list[Staged]:
        """Take a transfer stream; what is whole and right waits for `apply`. ValueError when it is no such stream."""
        raise NotImplementedError

    def apply(self, changes: Iterable[Change]) -> list[Outcome]:
        """Bring changes into place: directories, then files and links, then deletions."""
        raise NotImplementedError

    def clean(self) -> None:
        """Remove whatever an interrupted run left, staged content too."""
        raise NotImplementedError

    def watch(self) -> Any:
        """Return a new watch of the tree: `fileno()` (-1: poll), `interval` (s), `drain() -> Hints`, `degraded`."""
        raise NotImplementedError

    def volume_id(self) -> str:
        """Return the volume's identity, `""` when it has none."""
        raise NotImplementedError

    def mark_volume(self, identity: str) -> None:
        """Give the volume its identity."""
        raise NotImplementedError
