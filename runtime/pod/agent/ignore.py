"""Which paths are ignored: gitignore's rules as a value that both sides share. Never reads a file.

Layers are in order of precedence, the last match wins, and nothing re-includes below an ignored directory but
`include`. The client reads the files and decides for both sides.
"""

from __future__ import annotations

import os
import re
from typing import Any, Callable, Iterable, NamedTuple, Pattern, Sequence

from . import glob, paths

LINES = 200_000
LEVELS_KEPT = 20_000


class Layer(NamedTuple):
    """The lines of one source. `base` is the directory in the root that they are relative to.

    For a file above the root, `base` is empty and `above` is the path from its directory to the root.
    """

    base: str
    above: str
    source: str
    lines: list[str]


class Match(NamedTuple):
    """The line that decides about a path; number 0 where it stands in no file."""

    source: str
    number: int
    line: str


class Rule:
    """One pattern, ready to be compared: with a name alone, or with a path from the topmost layer down."""

    __slots__ = (
        "by_name",
        "depth",
        "directories",
        "literal",
        "matcher",
        "negative",
        "order",
        "regex",
        "shown",
        "steps",
        "suffix",
    )

    def __init__(self, line: bytes, base: bytes, shown: Match, *, fold: bool) -> None:
        self.shown = shown
        self.order = 0
        self.negative = line[:1] == b"!"
        body = line[1:] if self.negative else line
        self.directories = body[-1:] == b"/"
        if self.directories:
            body = body[:-1]
        self.by_name = b"/" not in body
        self.literal: bytes | None = None
        self.suffix: bytes | None = None
        self.regex: bytes | None = None
        self.matcher: Pattern[bytes] | glob.Simulated | None = None
        if body[:1] == b"/":
            body = body[1:]
        self.depth = body.count(b"/")
        self.steps = _steps(body, fold=fold)
        lower = body.lower() if fold else body
        prefix = b"" if self.by_name or not base else (base.lower() if fold else base) + b"/"
        if glob.simple_length(body) == len(body):
            self.literal = prefix + lower
        elif self.by_name and body[:1] == b"*" and glob.simple_length(body[1:]) == len(body) - 1:
            self.suffix = lower[1:]
        else:
            tokens = glob.tokens_of(body, pathname=not self.by_name, fold=fold)
            if tokens is None:
                return
            whole: list[glob.Token] = [frozenset((byte,)) for byte in prefix] + tokens
            self.regex = glob.regex_of(whole)
            self.matcher = glob.Simulated(whole) if self.regex is None else re.compile(self.regex + rb"\Z", re.DOTALL)

    def matches(self, name: bytes, path: bytes, *, is_dir: bool) -> bool:
        """Tell whether it matches what has this name and path."""
        if self.directories and not is_dir:
            return False
        subject = name if self.by_name else path
        if self.literal is not None:
            return subject == self.literal
        if self.suffix is not None:
            return name.endswith(self.suffix)
        return self.matcher is not None and bool(self.matcher.match(subject))


def _steps(body: bytes, *, fold: bool) -> list[Rule]:
    """Return a path pattern's directories one by one, up to the first that may be any number of them."""
    steps: list[Rule] = []
    for part in body.split(b"/")[:-1]:
        if b"**" in part or b"[" in part or b"\\" in part:
            break
        steps.append(Rule(part, b"", Match("", 0, ""), fold=fold))
    return steps


class Rules:
    """The rules of some layers together, with a quick way to see that none matches."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self._literals = frozenset(rule.literal for rule in rules if rule.by_name and rule.literal is not None)
        self._suffixes = tuple(rule.suffix for rule in rules if rule.suffix is not None)
        self._paths = frozenset(rule.literal for rule in rules if not rule.by_name and rule.literal is not None)
        self._names = _any_of(rule.regex for rule in rules if rule.by_name)
        self._globs = _any_of(rule.regex for rule in rules if not rule.by_name)
        self._slow = [rule for rule in rules if isinstance(rule.matcher, glob.Simulated)]

    def may_match(self, name: bytes, path: bytes) -> bool:
        """Tell whether any rule matches, whatever kind the path is."""
        if name in self._literals or name.endswith(self._suffixes) or path in self._paths:
            return True
        if (self._names and self._names(name)) or (self._globs and self._globs(path)):
            return True
        if not self._slow:
            return False
        return any(rule.matches(name, path, is_dir=True) for rule in self._slow)

    def last(self, name: bytes, path: bytes, *, is_dir: bool) -> Rule | None:
        """Return the last rule that matches."""
        for rule in reversed(self.rules):
            if rule.matches(name, path, is_dir=is_dir):
                return rule
        return None


def _any_of(regexes: Iterable[bytes | None]) -> Callable[[bytes], object] | None:
    known = [regex for regex in regexes if regex is not None]
    return re.compile(b"(?:" + b"|".join(known) + rb")\Z", re.DOTALL).match if known else None


class Level:
    """What is ignored in one directory. `ignoring` inside an ignored one, where only `include` counts."""

    __slots__ = ("_full", "_groups", "_ignores", "ignoring", "path", "searching")

    def __init__(self, ignores: Ignores, path: str, full: bytes, groups: tuple[Rules, ...], *, ignoring: bool) -> None:
        self._ignores = ignores
        self._full = full
        self._groups = groups
        self.path = path
        self.ignoring = ignoring
        self.searching = ignoring and ignores.includes_below(full)
        """Whether `include` may still name something below, so that a walk has to look."""

    def ignores(self, name: str, *, is_dir: bool = False) -> bool:
        """Tell whether a name in this directory is ignored."""
        if (name[0] == "." or not name.isascii()) and paths.is_hard(name):
            return True
        raw = name.encode("utf-8", "surrogateescape")
        if self._ignores.fold:
            raw = raw.lower()
        full = self._full + raw
        if not self.ignoring:
            for group in self._groups:
                if group.may_match(raw, full):
                    break
            else:
                return False
        return self._decide(raw, full, is_dir=is_dir)[0]

    def why(self, name: str, *, is_dir: bool) -> Match | None:
        """Return what makes a name in this directory ignored, None when it is not."""
        if paths.is_hard(name):
            return Match("devcfg", 0, name)
        raw = os.fsencode(name)
        if self._ignores.fold:
            raw = raw.lower()
        ignored, rule = self._decide(raw, self._full + raw, is_dir=is_dir)
        return rule.shown if ignored and rule else None

    def _decide(self, raw: bytes, full: bytes, *, is_dir: bool) -> tuple[bool, Rule | None]:
        include = self._ignores.reaching if self.ignoring else self._ignores.included
        included = include.last(raw, full, is_dir=is_dir)
        if included is not None and not included.negative:
            return False, included
        if self.ignoring:
            return True, None
        decisive = None
        order = -1
        for group in self._groups:
            rule = group.last(raw, full, is_dir=is_dir)
            if rule is not None and rule.order > order:
                decisive = rule
                order = rule.order
        return decisive is not None and not decisive.negative, decisive

    def below(self, name: str, *, ignored: bool) -> Level:
        """Return the level of a directory in this one."""
        raw = os.fsencode(name)
        full = self._full + (raw.lower() if self._ignores.fold else raw) + b"/"
        path = paths.join(self.path, name)
        own = () if ignored else self._ignores.groups.get(path, ())
        return Level(self._ignores, path, full, self._groups + tuple(own), ignoring=ignored)


class Ignores:
    """What is ignored in one root.

    `include` re-includes what it names; below an ignored directory only by patterns with a slash inside, because one
    for a name alone would make every walk and watch go through all of `node_modules`.
    """

    def __init__(self, layers: Iterable[Layer] = (), include: Iterable[str] = (), *, fold: bool = False) -> None:
        self.layers = [Layer(*layer) for layer in layers]
        self.include = list(include)
        self.fold = fold
        if sum(len(layer.lines) for layer in self.layers) > LINES:
            raise ValueError(f"more than {LINES} lines of ignore patterns")
        top = max((layer.above for layer in self.layers), key=len, default="")
        self._top = os.fsencode(top)
        self.groups: dict[str, list[Rules]] = {}
        self._order = 0
        at_root: list[Rule] = []
        for layer in self.layers:
            if layer.base:
                self._group(layer)
            else:
                at_root += self._rules(layer)
        self.included = Rules(list(_read(Layer("", "", "include", self.include), self._top, fold=fold)))
        self.reaching = Rules([rule for rule in self.included.rules if rule.negative or not rule.by_name])
        full = (self._top.lower() if fold else self._top) + b"/" if top else b""
        self.root = Level(self, "", full, (Rules(at_root),), ignoring=False)
        self._levels = {"": self.root}

    def _rules(self, layer: Layer) -> list[Rule]:
        base = os.fsdecode(self._top)
        base = base[: len(base) - len(layer.above)].rstrip("/") if layer.above else paths.join(base, layer.base)
        rules = list(_read(layer, os.fsencode(base.rstrip("/")), fold=self.fold))
        for rule in rules:
            rule.order = self._order
            self._order += 1
        return rules

    def _group(self, layer: Layer) -> None:
        self.groups.setdefault(layer.base, []).append(Rules(self._rules(layer)))

    def add(self, layer: Layer) -> None:
        """Take one more layer of a directory below the root, before anything is asked about that directory."""
        self.layers.append(layer)
        self._group(layer)

    def includes_below(self, full: bytes) -> bool:
        """Tell whether `include` may name something below a directory, given by its path from the topmost layer."""
        start = len(self._top) + 1 if self._top else 0
        names = full[start:-1].split(b"/")
        return any(
            all(step.matches(name, name, is_dir=True) for step, name in zip(rule.steps, names))
            and (len(rule.steps) < rule.depth or len(names) <= rule.depth)
            for rule in self.reaching.rules
            if not rule.negative
        )

    def level(self, path: str) -> Level:
        """Return the level of a directory, whether it is there or not."""
        found = self._levels.get(path)
        if found is None:
            above = self.level(paths.parent(path))
            name = path.rpartition("/")[2]
            found = above.below(name, ignored=above.ignores(name, is_dir=True))
            if len(self._levels) > LEVELS_KEPT:
                self._levels = {"": self.root}
            self._levels[path] = found
        return found

    def ignored(self, path: str, *, is_dir: bool) -> bool:
        """Tell whether a path is ignored, by itself or with a directory above it."""
        return self.level(paths.parent(path)).ignores(path.rpartition("/")[2], is_dir=is_dir)

    def why(self, path: str, *, is_dir: bool) -> Match | None:
        """Return the line that makes a path ignored, None when it is not."""
        if not self.ignored(path, is_dir=is_dir):
            return None
        for above in paths.ancestors(path):
            found = self.level(paths.parent(above)).why(above.rpartition("/")[2], is_dir=True)
            if found:
                return found
        return self.level(paths.parent(path)).why(path.rpartition("/")[2], is_dir=is_dir)

    def json(self) -> list[Any]:
        """Return the form that travels."""
        return [[list(layer) for layer in self.layers], self.include, self.fold]

    @classmethod
    def of(cls, value: Any) -> Ignores:
        """Read what travelled; ValueError when it is none."""
        if not isinstance(value, list) or len(value) != 3 or not isinstance(value[2], bool):
            raise ValueError("ignores are a list of layers, what is included, and whether case counts")
        layers, include, fold = value
        if not isinstance(layers, list) or not _all_text(include):
            raise ValueError("layers and what is included are lists")
        read = []
        for layer in layers:
            if not isinstance(layer, list) or len(layer) != 4 or not _all_text(layer[:3]) or not _all_text(layer[3]):
                raise ValueError("a layer is its base, what is above, its source and its lines")
            for path in layer[:2]:
                if path:
                    paths.check(path)
            read.append(Layer(*layer))
        return cls(read, include, fold=fold)


def _all_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _read(layer: Layer, base: bytes, *, fold: bool) -> Iterable[Rule]:
    for number, line in enumerate(layer.lines, 1):
        raw = _trimmed(os.fsencode(line))
        if raw and raw[:1] != b"#":
            yield Rule(raw, base, Match(layer.source, number, line), fold=fold)


def _trimmed(line: bytes) -> bytes:
    """Return a line without its end, a NUL and what is behind it, and spaces at the end that no backslash keeps."""
    if line[-1:] == b"\r":
        line = line[:-1]
    line = line.partition(b"\0")[0]
    bare = line.rstrip(b" ")
    slashes = len(bare) - len(bare.rstrip(b"\\"))
    return line[: len(bare) + 1] if slashes % 2 and len(bare) < len(line) else bare
