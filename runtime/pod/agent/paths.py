"""Relative paths: what is a safe one, and directories opened by it without following a link. Never lists or writes.

A path is text, relative, with `/`; bytes that are no UTF-8 are kept by surrogateescape. `""` is the root itself.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import OrderedDict
from typing import Iterable

NAME_BYTES = 255
PATH_BYTES = 4000
DEPTH = 200
TEMP = ".devcfg-tmp-"
STAGE = TEMP + "stage"
HARD = (".git", ".devcfg")
"""Names that are never synced at any depth, as is everything that starts with `TEMP`."""
HIDDEN = (".git", ".devcfg", ".vscode", ".idea", ".github", ".husky", ".envrc")
"""Names at the top of a local root that the far side never sees and never writes; `.git` at any depth."""
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""Never waits on a FIFO that took the file's place."""
_ODD = re.compile(r"\0|(?:\A|/)\.{0,2}(?:/|\Z)").search
"""Finds a NUL, or a part that is empty, `.` or `..`."""


class PathError(ValueError):
    """A path that no side may send."""


def check(path: object) -> str:
    """Return a path that is safe to use below a root; PathError says what is wrong with any other."""
    if not isinstance(path, str) or not path:
        raise PathError(f"a path is a text that is not empty, got {path!r:.200}")
    if len(path) <= NAME_BYTES and path.isascii() and not _ODD(path):
        return path  # nearly every one: too short for any limit
    try:
        raw = os.fsencode(path)
    except UnicodeEncodeError:
        raise PathError(f"the path {path!r:.200} is no file name") from None
    if os.fsdecode(raw) != path:
        raise PathError(f"the path {path!r:.200} has a second spelling")
    if len(raw) > PATH_BYTES or b"\0" in raw:
        raise PathError(f"the path {path!r:.200} has more than {PATH_BYTES} bytes, or a NUL")
    names = raw.split(b"/")
    if len(names) > DEPTH:
        raise PathError(f"the path {path!r:.200} is more than {DEPTH} deep")
    for name in names:
        if name in (b"", b".", b"..") or len(name) > NAME_BYTES:
            raise PathError(f"the path {path!r:.200} has the part {name!r:.40}, which no path below a root has")
    return path


def parent(path: str) -> str:
    """Return the directory of a path, `""` at the top."""
    return path.rpartition("/")[0]


def join(base: str, name: str) -> str:
    """Return the path of a name in a directory."""
    return base + "/" + name if base else name


def ancestors(path: str) -> Iterable[str]:
    """Yield every directory above a path below the root, outermost first."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def plain(name: str) -> str:
    """Return a name as the file systems of all platforms may read it: no case, no invisible letters, composed."""
    if name.isascii():
        return name.lower()
    visible = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFKC", visible).casefold()


def is_hard(path: str) -> bool:
    """Tell whether a path is never synced, whatever the ignore files say."""
    if path[:1] != "." and "/." not in path and path.isascii():
        return False  # all of them begin with a dot
    return any(plain(name) in HARD or name.startswith(TEMP) for name in path.split("/"))


def is_hidden(path: str, hidden: Iterable[str]) -> bool:
    """Tell whether a path is or lies in one of the hidden: `.git` anywhere, the others at the top."""
    names = [plain(name) for name in path.split("/")]
    return names[0] in hidden or (".git" in hidden and ".git" in names)


def link_problem(path: str, target: str) -> str:
    """Say why a link must not be synced, `""` when it may.

    Only `..` at the start are counted: they begin at the link's own directory, which is a real one. After a name they
    would depend on what that name is by then, so that two harmless links together could lead out of the root.
    """
    if not target or len(os.fsencode(target)) > PATH_BYTES or "\0" in target:
        return "a link to nowhere, or with an over-long target"
    if target.startswith("/"):
        return "an absolute link"
    names = [name for name in target.split("/") if name not in ("", ".")]
    ups = 0
    while ups < len(names) and names[ups] == "..":
        ups += 1
    if ups > path.count("/"):
        return "a link that leads out of the root"
    if ".." in names[ups:]:
        return "a link with `..` after a name, which may lead out of the root"
    return ""


def link_end(path: str, target: str) -> str:
    """Return the path that a link without problem names."""
    names = [name for name in target.split("/") if name not in ("", ".")]
    base = path.split("/")[:-1]
    while names and names[0] == "..":
        base.pop()
        names.pop(0)
    return "/".join(base + names)


class Folders:
    """Directories of one root, opened one by one without following a link and kept open for a while.

    A descriptor stays good for the next few openings only; `close` when the work is done.
    """

    KEPT = 32

    def __init__(self, root: int) -> None:
        self._root = root
        self._open: OrderedDict[str, int] = OrderedDict()

    def open(self, path: str) -> int:
        """Return a descriptor of the directory; OSError when it is none, or a link stands on the way."""
        if not path:
            return self._root
        found = self._open.get(path)
        if found is not None:
            self._open.move_to_end(path)
            return found
        above, _, name = path.rpartition("/")
        opened = os.open(name, DIRECTORY, dir_fd=self.open(above))
        self._open[path] = opened
        if len(self._open) > self.KEPT:
            os.close(self._open.popitem(last=False)[1])
        return opened

    def forget(self, path: str) -> None:
        """Close the directory and all below it: its name may stand for something else now."""
        for known in [known for known in self._open if known == path or known.startswith(path + "/")]:
            os.close(self._open.pop(known))

    def close(self) -> None:
        """Close every directory but the root."""
        while self._open:
            os.close(self._open.popitem()[1])

    def __enter__(self) -> Folders:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
