"""The stage of the demo: shows a command and runs it, shows files, and remembers what went otherwise. Knows no plot."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from textwrap import fill

from devcfg.runtime import console
from devcfg.runtime.files import write_atomically

Execute = Callable[[list[str]], int]
"""Runs the words of one command line and returns its exit code."""
WIDTH = 98


class Stage:
    """The working directory of a demo and what is said there."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute
        self.failed: list[str] = []

    def say(self, text: str) -> None:
        """Say what comes next."""
        console.say()
        lines(fill(text, WIDTH), console.BOLD)

    def shown(self, words: str) -> None:
        """Show a command that is run in another way than here."""
        console.say()
        console.say(f"$ {words}", console.GREEN)

    def command(self, words: str, *, wanted: int = 0) -> None:
        """Show a command of ours and run it as it stands there."""
        self.shown(f"devcfg {words}")
        words, _, sink = words.partition(" > ")
        with (
            open(sink or os.devnull, "w", encoding="utf-8") as file,
            contextlib.redirect_stdout(file if sink else sys.stdout),
        ):
            code = self._execute(words.split())
        sys.stdout.flush()
        if code:
            console.say(f"exit code {code}", console.DIM)
        if code != wanted:
            self.failed.append(f"`devcfg {words}` ended with {code}, not with {wanted}")

    def edit(self, path: str, old: str, new: str) -> None:
        """Change a file as an editor does."""
        text = read(path)
        if old not in text:
            self.failed.append(f"{path} has no {old.strip()!r} to change")
        write_atomically(path, text.replace(old, new, 1))

    def save(self, path: str, old: str, new: str) -> None:
        """Show a change of one line, and make it."""
        self.shown(f"$EDITOR {path}")
        console.say(f"-{old.strip()}", console.RED)
        console.say(f"+{new.strip()}", console.GREEN)
        self.edit(path, old, new)


def lines(text: str, *codes: str) -> None:
    """Say a text of several lines."""
    for line in text.splitlines():
        console.say(line, *codes)


def read(path: str) -> str:
    """Return a text file."""
    with open(path, encoding="utf-8") as file:
        return file.read()
