"""A tree of entries by path, with what lies below each directory. Never touches a disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from devcfg.runtime.pod.agent.entries import Entry

DIRECTORY = Entry("d", "", executable=False)


class Tree:
    """Entries by path. The root itself is not among them; a path's parents need not be either."""

    __slots__ = ("_children", "entries")

    def __init__(self, entries: Mapping[str, Entry] | Iterable[tuple[str, Entry]] = ()) -> None:
        self.entries: dict[str, Entry] = dict(entries)
        self._children: dict[str, set[str]] | None = None

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, path: str) -> bool:
        return path in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def get(self, path: str) -> Entry | None:
        """Return what is at a path, None where nothing is."""
        return self.entries.get(path)

    def put(self, path: str, entry: Entry | None) -> None:
        """Set what is at a path; None takes it out, and leaves what is below."""
        if entry is not None:
            self.entries[path] = entry
            if self._children is not None:
                _link(self._children, path)
        elif self.entries.pop(path, None) is not None and self._children is not None:
            self._unlink(path, self._children)

    def children(self, path: str) -> frozenset[str] | set[str]:
        """Return the paths right below a directory (`""` for the root)."""
        return self._index().get(path, _NONE)

    def below(self, path: str) -> Iterator[str]:
        """Yield every path below one, and directories that are no entries on the way. No change meanwhile."""
        index = self._index()
        waiting = [path]
        while waiting:
            for child in index.get(waiting.pop(), ()):
                yield child
                waiting.append(child)

    def _index(self) -> dict[str, set[str]]:
        # Made when it is first asked for: a tree that is only compared whole never pays for it.
        if self._children is None:
            children = self._children = {}
            for path in self.entries:
                siblings = children.get(parent(path))
                if siblings is None:
                    _link(children, path)
                else:
                    siblings.add(path)
        return self._children

    def _unlink(self, path: str, children: dict[str, set[str]]) -> None:
        while path and path not in self.entries and path not in children:
            above = parent(path)
            children[above].discard(path)
            if not children[above]:
                del children[above]
            path = above


def _link(children: dict[str, set[str]], path: str) -> None:
    # A parent that is no entry is linked as well: what is below it must be found from above.
    while path:
        above = parent(path)
        siblings = children.setdefault(above, set())
        if path in siblings:
            return
        siblings.add(path)
        path = above


_NONE: frozenset[str] = frozenset()


def parent(path: str) -> str:
    """Return the directory of a path, `""` for what lies at the top."""
    return path.rpartition("/")[0]


def prefixes(path: str) -> Iterator[str]:
    """Yield the directories above a path, the outermost first, the root left out."""
    end = path.find("/")
    while end > 0:
        yield path[:end]
        end = path.find("/", end + 1)


def depth_order(path: str) -> str:
    """Return a sort key that puts a directory right before all that is below it."""
    # NUL is in no name, so `a/x` comes after `a` and before `a-b`.
    return path.replace("/", "\0")
