"""One gitignore pattern as something that matches bytes, as git's `wildmatch` does. Never knows where it came from.

Source: git's dir.c and wildmatch.c (2.39), quirks included; `git check-ignore` is the oracle of the tests. Git compares
bytes, so `?` is one byte of a letter.
"""

from __future__ import annotations

import re
from typing import Iterable

SPECIAL = b"*?[\\"
STAR, DEEP, DEEP_SLASH = "*", "**", "**/"
Token = object
"""A frozenset of the bytes that may stand there, or one of the three stars."""
SLASH = 0x2F
REGEX_STARS = 2
"""With more stars than these a backtracking engine can be kept busy for years, so they are simulated instead."""

CLASSES = {
    b"alnum": re.compile(rb"[0-9A-Za-z]"),
    b"alpha": re.compile(rb"[A-Za-z]"),
    b"blank": re.compile(rb"[ \t]"),
    b"cntrl": re.compile(rb"[\x00-\x1f\x7f]"),
    b"digit": re.compile(rb"[0-9]"),
    b"graph": re.compile(rb"[!-~]"),
    b"lower": re.compile(rb"[a-z]"),
    b"print": re.compile(rb"[ -~]"),
    b"punct": re.compile(rb"[!-/:-@[-`{-~]"),
    b"space": re.compile(rb"[ \t\n\r]"),
    b"upper": re.compile(rb"[A-Z]"),
    b"xdigit": re.compile(rb"[0-9A-Fa-f]"),
}


def simple_length(pattern: bytes) -> int:
    """Return how many bytes stand before the first special one."""
    found = re.search(rb"[*?\[\\]", pattern)
    return found.start() if found else len(pattern)


def tokens_of(pattern: bytes, *, pathname: bool, fold: bool) -> list[Token] | None:
    """Take a pattern apart; None when it is malformed in a way that never matches.

    With `fold` the subject is lower case already. A path's plain beginning is compared first and on its own, so that
    `**` right behind it counts as if it stood at the start: git does so.
    """
    start = simple_length(pattern) if pathname else 0
    tokens: list[Token] = [_literal(byte, fold) for byte in pattern[:start]]
    at = start
    while at < len(pattern):
        byte = pattern[at]
        at += 1
        if byte == 0x2A:
            first = at - 1
            while pattern[at : at + 1] == b"*":
                at += 1
            deep = at - first > 1 and pathname and (first == start or pattern[first - 1] == SLASH)
            if deep and pattern[at : at + 1] == b"/":
                tokens.append(DEEP_SLASH)
                at += 1
            elif deep and (at == len(pattern) or pattern[at : at + 2] == b"\\/"):
                tokens.append(DEEP)
            else:
                tokens.append(STAR)
        elif byte == 0x3F:
            tokens.append(frozenset(range(256)) - {SLASH})
        elif byte == 0x5B:
            found = _class_at(pattern, at, fold)
            if found is None:
                return None
            tokens.append(found[0])
            at = found[1]
        elif byte == 0x5C:
            if at == len(pattern):
                return None
            tokens.append(frozenset((pattern[at],)))
            at += 1
        else:
            tokens.append(_literal(byte, fold))
    return tokens


def _literal(byte: int, fold: bool) -> Token:  # noqa: FBT001 - the pattern's, passed through
    return frozenset(bytes((byte,)).lower() if fold else (byte,))


def _class_at(pattern: bytes, at: int, fold: bool) -> tuple[frozenset[int], int] | None:  # noqa: FBT001 - as above
    """Return what `[...]` stands for and where it ends."""
    negated = pattern[at : at + 1] in (b"!", b"^")
    at += negated
    end = len(pattern)
    matched: set[int] = set()
    before = 0
    first = True
    while first or pattern[at] != 0x5D:
        first = False
        if at >= end:
            return None
        byte = pattern[at]
        if byte == 0x5C:
            at += 1
            if at >= end:
                return None
            byte = pattern[at]
            matched.add(byte)
        elif byte == 0x2D and before and at + 1 < end and pattern[at + 1] != 0x5D:
            at += 1
            if pattern[at] == 0x5C:
                at += 1
                if at >= end:
                    return None
            span = set(range(before, pattern[at] + 1))
            matched |= span
            if fold:
                matched |= {upper + 32 for upper in span if 0x41 <= upper <= 0x5A}
            byte = 0
        elif byte == 0x5B and pattern[at + 1 : at + 2] == b":":
            close = pattern.find(b"]", at + 2)
            if close < 0:
                return None
            name = pattern[at + 2 : close - 1]
            if close - at - 3 < 0 or pattern[close - 1] != 0x3A:
                matched.add(0x5B)
            elif name in CLASSES:
                matched |= {each for each in range(256) if CLASSES[name].match(bytes((each,)))}
                if fold and name == b"upper":
                    matched |= set(range(0x61, 0x7B))
                at = close
                byte = 0
            else:
                return None
        else:
            matched.add(byte)
        before = byte
        at += 1
        if at >= end:
            return None
    allowed = set(range(256)) - matched if negated else matched
    return frozenset(allowed - {SLASH}), at + 1


def regex_of(tokens: list[Token]) -> bytes | None:
    """Return the regular expression, None when one could take too long."""
    stars = [token for token in tokens[:-1] if isinstance(token, str)]
    if len(stars) > REGEX_STARS:
        return None
    parts = []
    for token in tokens:
        if token == STAR:
            parts.append(b"[^/]*")
        elif token == DEEP:
            parts.append(b".*")
        elif token == DEEP_SLASH:
            parts.append(b"(?:.*/)?")
        else:
            parts.append(_set_regex(token))  # type: ignore[arg-type] # what is no text is a set
    return b"".join(parts)


def _set_regex(allowed: frozenset[int]) -> bytes:
    if len(allowed) == 1:
        return re.escape(bytes(allowed))
    if not allowed:
        return b"(?!)"
    return b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(allowed)) + b"]"


class Simulated:
    """A pattern of many stars, matched in time that grows with pattern and subject only, all its states at once."""

    def __init__(self, tokens: list[Token]) -> None:
        self._steps = [0] * 256
        self._loops = [0] * 256
        self._skips = 0
        self._gates = 0
        bit = 1
        for token in tokens:
            if token == DEEP_SLASH:  # all of it or nothing: a gate, any bytes, a slash
                self._gates |= bit
                self._star(bit << 1, range(256))
                self._steps[SLASH] |= bit << 2
                bit <<= 3
            elif isinstance(token, frozenset):
                for byte in token:
                    self._steps[byte] |= bit
                bit <<= 1
            else:
                self._star(bit, [byte for byte in range(256) if byte != SLASH or token == DEEP])
                bit <<= 1
        self._end = bit

    def _star(self, bit: int, allowed: Iterable[int]) -> None:
        self._skips |= bit
        for byte in allowed:
            self._loops[byte] |= bit

    def match(self, subject: bytes) -> bool:
        """Tell whether the whole subject matches."""
        states = self._closed(1)
        for byte in subject:
            states = self._closed((states & self._steps[byte]) << 1 | states & self._loops[byte])
            if not states:
                return False
        return bool(states & self._end)

    def _closed(self, states: int) -> int:
        while True:
            gates = states & self._gates
            more = states | (states & self._skips) << 1 | gates << 1 | gates << 3
            if more == states:
                return states
            states = more
