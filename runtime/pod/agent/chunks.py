"""Chunks and digests of content: borders that move with the content, one pass for both. Never opens a file.

A small file's digest is over its bytes; a large one's over its chunks' digests, so that the pass that finds what a
delta may copy also gives the digest. Runs of zeros need not be read: they come out as if they had been.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Iterator

LARGE = 1 << 20
LEAST = 16 << 10
MOST = 128 << 10
"""Bytes of a chunk; some 56 KiB on average. Twice this is what one changed byte may cost."""
SIZE = 16
ZEROS = bytes(MOST)

# A border is where the first pair of bytes stands, else the second, the third (each one in 65,536 of random bytes; no
# text has them, so that they cost it next to nothing), else a word of four letters, else a shorter one. The letters are
# classes of bytes, mixed so that text of any kind, hex and digits too, has all four. Chosen by measurement; a change
# makes every known chunk worthless, no more.
PAIRS = tuple(re.compile(pair).search for pair in (b"\x93\xa1", b"\x07\xd6", b"\x1b\x8e"))
WORDS = (b"abcdbacd", b"abcdbac", b"abcdba", b"abcd")
LETTERS = (
    b"cadcadbbcaacddadbcadbdbdbacadbbcbabbcbbddcdccbcabbcadacbabbdcbad"
    b"badcbbdcaddbbbddacbdbdacbdaacacababadcbddbaacccacaadcbbbabacdcda"
    b"adcabcacdcbacbaddacddcccbbacdaabbdcbbdaaaadcbbcabaccddbdddcdcbcd"
    b"cdbabccccadabccaddcdabdccabbdbdcaaabddcabbadcacabdcdaccddadbabda"
)


def digest(content: bytes | memoryview) -> str:
    """Return the digest of a small file's content."""
    return blake2b(content, digest_size=SIZE).hexdigest()


ZERO_DIGEST = digest(ZEROS)


def border(content: bytes, start: int, end: int) -> int:
    """Return where the chunk that begins at `start` ends; `end` is how far the content is known, or MOST away."""
    low = start + LEAST
    if end <= low:
        return end
    for pair in PAIRS:
        found = pair(content, low, end)
        if found:
            return found.end()
    letters = content[low:end].translate(LETTERS)
    for word in WORDS:
        at = letters.find(word)
        if at >= 0:
            return low + at + len(word)
    return end


class Chunker:
    """Takes content piece by piece and keeps its chunks: (length, digest), one after the other."""

    def __init__(self) -> None:
        self.chunks: list[tuple[int, str]] = []
        self._rest = b""
        self._whole = blake2b(digest_size=SIZE, person=b"chunks")

    def feed(self, content: bytes) -> None:
        """Take the next bytes."""
        content = self._rest + content if self._rest else content
        view = memoryview(content)
        at = 0
        while len(content) - at >= MOST:
            end = border(content, at, at + MOST)
            self._keep(end - at, digest(view[at:end]))
            at = end
        self._rest = content[at:]

    def zeros(self, count: int) -> None:
        """Take so many zero bytes without holding them: between two chunks, MOST of them are always one chunk."""
        while count:
            if self._rest and self._rest.strip(b"\0"):
                step = min(count, MOST)
                self.feed(ZEROS[:step])
                count -= step
                continue
            count += len(self._rest)
            whole, left = divmod(count, MOST)
            for _ in range(whole):
                self._keep(MOST, ZERO_DIGEST)
            self._rest = ZEROS[:left]
            return

    def finish(self) -> str:
        """Take the end of the content; return the digest of the whole."""
        at = 0
        while at < len(self._rest):
            end = border(self._rest, at, min(at + MOST, len(self._rest)))
            self._keep(end - at, digest(self._rest[at:end]))
            at = end
        self._rest = b""
        return self._whole.hexdigest()

    def _keep(self, length: int, found: str) -> None:
        self.chunks.append((length, found))
        self._whole.update(bytes.fromhex(found))


def steps_of(chunks: list[tuple[int, str]], base: list[tuple[int, str]]) -> Iterator[tuple[str, int, int]]:
    """Yield how to make a file from a base: (`c`, offset in the base, length), or (`l` or `z`, own offset, length)."""
    known: dict[str, int] = {}
    offset = 0
    for length, found in base:
        known.setdefault(found, offset)
        offset += length
    at = 0
    pending = ("", 0, 0)
    for length, found in chunks:
        if found == ZERO_DIGEST:
            step = ("z", at, length)
        elif found in known:
            step = ("c", known[found], length)
        else:
            step = ("l", at, length)
        if step[0] == pending[0] and step[1] == pending[1] + pending[2]:
            pending = (step[0], pending[1], pending[2] + length)
        else:
            if pending[0]:
                yield pending
            pending = step
        at += length
    if pending[0]:
        yield pending
