"""The words of a command: what a shell's text says plainly, and which of them is the program. Never runs any."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from posixpath import basename

Words = tuple[str, ...]

_SHELLS = ("sh", "bash", "dash", "ash")
_MORE = re.compile(r"[;&|<>`$(){}*?\[\]~#!\n]")
"""What a shell reads as more than words."""
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_LAUNCHERS = (("poetry", "run"), ("pipenv", "run"), ("pdm", "run"), ("uv", "run"), ("bundle", "exec"), ("tini", "--"))
"""What stands in front of a program, and runs it in its place."""


def plain(words: Words) -> Words | None:
    """Return the words that are run, a shell's text taken apart; None where the text is more than words."""
    if len(words) != 3 or basename(words[0]) not in _SHELLS or words[1] != "-c":
        return words
    if _MORE.search(words[2]):
        return None
    try:
        found = shlex.split(words[2])
    except ValueError:
        return None
    if found[:1] == ["exec"]:
        found = found[1:]
    if found and _ASSIGNMENT.fullmatch(found[0]):
        found.insert(0, "env")
    return tuple(found) or None


@dataclass(frozen=True, slots=True)
class Started:
    """A command taken apart: what stands before the program, the program, and its words."""

    before: Words
    program: str
    words: Words

    @property
    def name(self) -> str:
        """Return the program's own name."""
        return basename(self.program)


def take_apart(words: Words) -> Started | None:
    """Find the program behind `env`, `poetry run` and their like; None where there is none, or those have options.

    `words` are plain.
    """
    at = 0
    while at < len(words):
        if basename(words[at]) == "env":
            at += 1
            while at < len(words) and _ASSIGNMENT.fullmatch(words[at]):
                at += 1
        elif (basename(words[at]), *words[at + 1 : at + 2]) in _LAUNCHERS:
            at += 2
        else:
            break
    if at >= len(words) or words[at].startswith("-"):
        return None
    return Started(words[:at], words[at], words[at + 1 :])


def program_of(words: Words) -> str:
    """Return the program that a command starts; of a shell's text the first it seems to; empty where there is none."""
    found = plain(words)
    if found is None:
        found = tuple(_MORE.sub(" ", words[2]).split())
        found = found[1:] if found[:1] == ("exec",) else found
    started = take_apart(found)
    return started.program if started is not None else ""


def without(words: Words, *, flags: Words = (), valued: Words = ()) -> Words:
    """Take out flags, and those that have a value: `--name=value`, or `--name value`."""
    kept: list[str] = []
    skip = False
    for word in words:
        name, equals, _ = word.partition("=")
        if skip:
            skip = False
        elif word in flags or (equals and name in valued):
            continue
        elif word in valued:
            skip = True
        else:
            kept.append(word)
    return tuple(kept)
