"""Code locations in what a dev process prints, with the paths that they have here. Pure: never asks the disk itself.

A location is a path and a line, in a form that runtimes and compilers print and terminals make a link of. It is
respelled where its path lies in a sync target and the file is here, so that every respelled one can be opened: what
only the dev container has, a package that it installed say, keeps its path there. Everything else in a line stays as
it is: text in double quotes (JSON), URLs and what a request asks for are data, whatever they look like.

Relative paths count from where the command was started. A bare name is respelled only in the forms of compilers and of
Ruby, since loggers print the name of a file of any directory; a frame of Java has no path and stays.
"""

from __future__ import annotations

import posixpath
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from devcfg.schemas.config import Service

Respell = Callable[[str], str]
"""Takes a line and returns it with the paths that its locations have here."""
_FILE = "file://"
_COLOUR = re.compile(r"\x1b\[[0-9;:]*[mK]")
"""What programs put into a location to colour it; gcc clears the rest of the line with each."""
_LOOKS = re.compile(r"[:(]\[?\d|line \d")
"""What every location has: most lines have none, and are looked at no further."""
_AHEAD = r"(?= :\d++(?!\w) | :\[\d++, | :line\ \d | \(\d++(?:,\d++)?\) | (?:\ on)?\ line\ \d )"
_SCAN = re.compile(
    rf"""
      "(?P<quoted>[^"\\]++)" (?= ,\ line\ \d )                       # Python
    | " (?: [^"\\]++ | \\. )*+ (?: " | \Z )                           # other quoted text is data
    | (?<!\S) (?: GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE ) \ \S++
    | (?<!\S) (?: [(\[] | [\w.-]++= )*+ (?P<word>(?:file://)?+ [^\s":]+? ) {_AHEAD}
    | (?<!\S) \(?+ (?P<spaced>/ (?: [^\s":()] | \ (?!/) )*+ ) (?= :\d++(?!\w) )
    | [^\s"]++
    """,
    re.VERBOSE | re.DOTALL,
)
"""Walks over a line. No alternative looks at a character more than a few times, so a hostile line is only long."""
_BARE = re.compile(
    r"\s*+(?:from )?(?P<word>[^\s:\"/(]++)(?::\d++(?::\d++)?|\(\d++,\d++\))"
    r":(?:in | (?:fatal error|syntax error|error|warning|note)\b)"
)


@dataclass(frozen=True, slots=True)
class View:
    """From where a user looks at a project, both as the user spells them."""

    project: str
    here: str

    def shown(self, path: str) -> str:
        """Return a directory as it is shown: relative to the current one where that is shorter; empty for itself."""
        relative = posixpath.relpath(path, self.here)
        shorter = "" if relative == "." else relative
        return shorter if len(shorter) < len(path) else path


@dataclass(frozen=True, slots=True)
class Mapping:
    """A sync target as the dev process sees it, the directory here, and how that is shown."""

    remote: str
    local: str
    shown: str


@dataclass(frozen=True, slots=True)
class Locations:
    """The locations of one service's lines."""

    mappings: tuple[Mapping, ...]
    folder: str
    """Where its commands start, as they see it; empty where nobody knows."""
    exists: Callable[[str], bool]
    """Tells whether a file is here."""

    def respell(self, line: str) -> str:
        """Return a line with the paths that its locations have here; colours stay."""
        if not (self.mappings and ("\x1b" in line or _LOOKS.search(line))):
            return line
        plain = _COLOUR.sub("", line)
        found = tuple(self._found(plain))
        return _replaced(line, plain, found) if found else line

    def _found(self, plain: str) -> Iterator[tuple[int, int, str]]:
        bare = _BARE.match(plain)
        for match in _SCAN.finditer(plain):
            group = match.lastgroup
            if group is None:
                continue
            path, (start, end) = match[group], match.span(group)
            if group == "word" and "/" not in path and (bare is None or bare.start("word") != start):
                continue
            new = self._here(path)
            if new is not None:
                yield start, end, new

    def _here(self, path: str) -> str | None:
        """Return how a path of the dev process is shown; None where it stays."""
        path = unquote(path.removeprefix(_FILE)) if path.startswith(_FILE + "/") else path
        if not path.startswith("/") and not self.folder:
            return None
        remote = posixpath.normpath(posixpath.join(self.folder, path))
        holding = [one for one in self.mappings if remote.startswith(one.remote.rstrip("/") + "/")]
        if not holding:
            return None
        # A target within another hides what that one has there.
        one = max(holding, key=lambda each: len(each.remote))
        rest = remote[len(one.remote.rstrip("/")) + 1 :]
        local = posixpath.join(one.local, rest)
        return posixpath.join(one.shown, rest) if local != remote and self.exists(local) else None


def _replaced(line: str, plain: str, found: tuple[tuple[int, int, str], ...]) -> str:
    """Put the new paths into a line; a colour that began or ended within a path does so behind it."""
    marks, away = deque[tuple[int, str]](), 0
    for match in _COLOUR.finditer(line):
        marks.append((match.start() - away, match[0]))
        away += len(match[0])
    parts, at = [], 0
    for start, end, new in (*found, (len(plain), len(plain), "")):
        while marks and marks[0][0] <= start:
            offset, mark = marks.popleft()
            parts += [plain[at : max(at, offset)], mark]
            at = max(at, offset)
        parts += [plain[at:start], new]
        at = end
    return "".join(parts)


def respelling(view: View, spec: Service, place: Callable[[str], str], exists: Callable[[str], bool]) -> Respell:
    """Return what respells the lines of a service. `place` says where its process has a path of the container."""
    locals_ = [posixpath.normpath(posixpath.join(view.project, rule.path)) for rule in spec.sync]
    mappings = tuple(
        Mapping(place(rule.target), local, view.shown(local)) for rule, local in zip(spec.sync, locals_, strict=True)
    )
    folder = spec.workdir or (spec.sync[0].target if spec.sync else "")
    return Locations(mappings, place(folder) if folder else "", exists).respell
