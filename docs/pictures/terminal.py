"""A program in a terminal, the screen that it leaves, and a picture of it. Never knows the program.

The screen understands what a session prints: colours, a line that is drawn anew, and new lines.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

COLUMNS, ROWS = 100, 40
PATIENCE = 180.0
WIDTH, HEIGHT, SIZE, EDGE = 8.43, 19, 14, 16
"""Pixels of a character and a line, of the font, and around the text."""
FONT = f'font-size="{SIZE}" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace"'
INK, PAPER, FRAME = "#d7dae0", "#1b1e24", "#4b5160"  # a dark window: readable on a light and on a dark page
COLOURS = {
    "31": "#ff7b72",
    "32": "#6fdd8b",
    "33": "#e8b84b",
    "34": "#7ab7ff",
    "35": "#d8a6ff",
    "36": "#5fd7d7",
    "2": "#8b93a3",
}
TOKEN = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


@dataclass
class Screen:
    """Lines of (character, style)."""

    lines: list[list[tuple[str, str]]] = field(default_factory=lambda: [[]])
    at: int = 0
    style: str = ""

    def feed(self, text: str) -> None:
        """Take what a program printed."""
        for codes, letter, control, words in TOKEN.findall(text):
            line = self.lines[-1]
            if words:
                line[self.at : self.at + len(words)] = [(one, self.style) for one in words]
                self.at += len(words)
            elif control == "\r":
                self.at = 0
            elif control == "\n":
                self.lines.append([])
            elif letter == "K":
                del line[self.at :]
            elif letter == "m":
                self.style = "" if codes in ("", "0") else codes

    def text(self, since: int = 0) -> str:
        """Return the lines from one on, without their colours."""
        return "\n".join("".join(one for one, _ in line) for line in self.lines[since:])


class Terminal:
    """A program in a pseudo-terminal, and its screen."""

    def __init__(self, words: list[str], folder: Path, environment: dict[str, str], screen: Screen) -> None:
        self.screen = screen
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(words[0], words, environment)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._seen = len(screen.lines) - 1
        self._rest = ""
        self.ended = False

    def until(self, text: str) -> None:
        """Read on until a text is on a line that came since the last wait."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.screen.text(self._seen):
            self._read()
            if self.ended or time.monotonic() > deadline:
                raise RuntimeError(f"no {text!r} in\n{self.screen.text(self._seen)}")
        self._seen = len(self.screen.lines) - 1

    def rest(self, seconds: float = 1.0) -> None:
        """Read on until nothing has come for a while."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.ended:
            if self._read():
                until = time.monotonic() + seconds

    def end(self) -> int:
        """Read on to the end; return the exit code."""
        while not self.ended:
            self._read()
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._fd, text.encode())

    def _read(self) -> bool:
        if not select.select([self._fd], [], [], 0.1)[0]:
            return False
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return False
        # A sequence that is cut in two waits for its second part; so does a character.
        text = self._rest + data.decode(errors="replace")
        cut = text.rfind("\x1b")
        whole = cut < 0 or re.match(r"\x1b\[[0-9;?]*[A-Za-z]", text[cut:])
        self._rest = "" if whole else text[cut:]
        self.screen.feed(text if whole else text[:cut])
        return True


def picture(lines: list[list[tuple[str, str]]], title: str) -> str:
    """Return lines as SVG: text that can be selected, in a window of its own colours."""
    while lines and not lines[-1]:
        lines = lines[:-1]
    lines = [piece for line in lines for piece in _folded(line)]
    width, height = 2 * EDGE + COLUMNS * WIDTH, 2 * EDGE + len(lines) * HEIGHT
    size, window = f'width="{width:.0f}" height="{height}"', f'width="{width - 1:.0f}" height="{height - 1}"'
    found = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" {size} role="img" {FONT}>',
        f"<title>{escape(title)}</title>",
        f'<rect x="0.5" y="0.5" {window} rx="8" fill="{PAPER}" stroke="{FRAME}"/>',
    ]
    for number, line in enumerate(lines):
        for start, text, style in _runs(line):
            place = f'x="{EDGE + start * WIDTH:.1f}" y="{EDGE + number * HEIGHT + SIZE}"'
            length = f'textLength="{len(text) * WIDTH:.1f}" lengthAdjust="spacingAndGlyphs"'
            found.append(f'<text {place} {length} xml:space="preserve" {_look(style)}>{escape(text)}</text>')
    return "\n".join([*found, "</svg>\n"])


def _folded(line: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Fold as a terminal does."""
    return [line[at : at + COLUMNS] for at in range(0, len(line), COLUMNS)] or [[]]


def _runs(line: list[tuple[str, str]]) -> list[tuple[int, str, str]]:
    found: list[tuple[int, str, str]] = []
    for at, (character, style) in enumerate(line):
        if found and found[-1][2] == style:
            found[-1] = (found[-1][0], found[-1][1] + character, style)
        else:
            found.append((at, character, style))
    return [(start, text, style) for start, text, style in found if text.strip()]


def _look(style: str) -> str:
    codes = style.split(";")
    ink = next((COLOURS[one] for one in codes if one in COLOURS), INK)
    return f'fill="{ink}"' + (' font-weight="bold"' if "1" in codes else "")
