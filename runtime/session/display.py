"""What a session shows: steps, log lines with their service's name, one live line. stderr is words, stdout events.

Nothing that a program prints moves the cursor: colours (SGR) pass, every other control sequence is made visible.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable

from devcfg.runtime import console
from devcfg.runtime.session.events import BROUGHT, Event, Happening
from devcfg.runtime.session.locations import Respell

_PALETTE = (console.CYAN, "35", console.YELLOW, console.BLUE, "36;1", "35;1", "33;1", "34;1")
LONGEST = 4000
"""Characters of one log line; the rest of a longer one is cut, and said so."""
CLEAR = "\r\x1b[K"


def visible_log(text: str, respell: Respell = str) -> str:
    """Return a log line that cannot move the cursor: colours pass and are ended, all other controls become visible.

    `respell` gets what is shown of the line; what it returns is no more trusted than the line.
    """
    text = text.rstrip("\r").rpartition("\r")[2]
    more = len(text) - LONGEST
    text = respell(text[:LONGEST])
    if more > 0:
        text = f"{text}… ({more} more characters)"
    if text.isprintable():
        return text
    parts = console.SGR.split(text)
    colours = console.SGR.findall(text)
    safe = "".join(f"{console.printable(part)}{colour}" for part, colour in zip(parts, [*colours, ""], strict=True))
    return f"{safe}\x1b[0m" if colours else safe


class Display:
    """Writes what happens. `events` also writes each event to stdout as a JSON line.

    Log lines lose their colours where stderr wants none, unless they are wanted `raw`. On a terminal there is one live
    line at the bottom; elsewhere every line has its time.
    """

    def __init__(
        self, services: tuple[str, ...], *, events: bool, status: Callable[[], str], raw: bool = False
    ) -> None:
        self._width = max(map(len, services), default=0)
        self._colours = {name: _PALETTE[at % len(_PALETTE)] for at, name in enumerate(services)}
        self._terminal = sys.stderr.isatty()
        self._events = events
        self._is_raw = raw
        self._status = status
        self._live = ""

    def step(self, text: str, *codes: str) -> None:
        """Say one step of entering or leaving."""
        self._line(console.paint(console.printable(text), *codes))

    def log(self, service: str, text: str, respell: Respell = str) -> None:
        """Show one line of a dev process or its supervisor."""
        shown = visible_log(text, respell)
        self._named(service, shown if self._is_raw else console.toned(shown), "|")

    def tell(self, service: str, text: str, *codes: str) -> None:
        """Say something of a service that is no event."""
        self._named(service, console.paint(console.printable(text), *codes), ">")
        self.refresh()

    def show(self, event: Event) -> None:
        """Show one event in words, and as JSON where that is wanted."""
        if self._events:
            with contextlib.suppress(OSError):
                console.data(event.to_json() + "\n", now=True)
        words = _words(event)
        if words:
            self._named(event.service, console.paint(console.printable(words), _tone(event.what)), ">")
        self.refresh()

    def refresh(self) -> None:
        """Draw the live line anew where it changed."""
        width = shutil.get_terminal_size().columns - 1  # a line that wraps could not be drawn anew
        if self._terminal and (text := self._status()[:width]) != self._live:
            self._live = text
            self._raw(f"{CLEAR}{text}")

    def close(self) -> None:
        """Take the live line away for good."""
        if self._live:
            self._raw(CLEAR)
        self._live, self._status = "", lambda: ""

    def _named(self, service: str, text: str, mark: str) -> None:
        name = console.paint(f"{service.ljust(self._width)} {mark}", self._colours.get(service, console.DIM))
        self._line(f"{name} {text}")

    def _line(self, text: str) -> None:
        clock = "" if self._terminal else time.strftime("%H:%M:%S ")
        self._raw(f"{CLEAR if self._live else ''}{clock}{text}\n{self._live}")

    def _raw(self, text: str) -> None:
        # The terminal may be gone: the session has to end in order all the same.
        with contextlib.suppress(OSError):
            console.raw(text)


def _tone(what: Happening) -> str:
    match what:
        case Happening.CONFLICT | Happening.DEGRADED | Happening.DRIFT | Happening.DISCONNECTED | Happening.EXITED:
            return console.YELLOW
        case Happening.HALTED | Happening.BUILD_FAILED:
            return console.RED
        case Happening.RESTARTED:
            return console.GREEN
        case _:
            return console.DIM


def _words(event: Event) -> str:
    """Say an event in a line; an empty string where a line of its own would only repeat another."""
    words = _sentence(event)
    return f"{words}{event.remark}" if words and event.remark != BROUGHT else words


_KILLED = " (killed: mostly for want of memory, of which `resources` in the config gives more)"


def _sentence(event: Event) -> str:
    found = event.members
    match event.what:
        case Happening.SYNCED:
            return f"synced {_count(found['files'], 'file')} ({_size(found['bytes'])}) in {seconds(found['ms'])}"
        case Happening.CHANGED:
            paths = found["paths"]
            listed = ", ".join(paths[:3]) + ", …" * (len(paths) > 3)
            return f"brought here: {listed}" if event.remark == BROUGHT else f"live in {seconds(found['ms'])}: {listed}"
        case Happening.RESTARTED:
            word = "restarted" if found["generation"] > 1 else "started"
            mode = " under the debugger" if found["command"] == "debug" else ""
            # Nobody asked for it where it took no time: a container that came back starts what ran in it.
            took = f"in {seconds(found['ms'])} " if found["ms"] else "by its container "
            return f"{word}{mode} {took}(generation {found['generation']})"
        case Happening.EXITED:
            return f"exited with code {found['code']}{_KILLED if found['code'] == 137 else ''}"
        case Happening.BUILD_FAILED:
            return f"build failed with code {found['code']}"
        case Happening.CONFLICT:
            return f"conflict: `{found['path']}` changed on both sides; `devcfg sync conflicts` shows what to decide"
        case Happening.DISCONNECTED:
            return f"disconnected: {found['reason']}; what is saved meanwhile is kept, and goes there afterwards"
        case Happening.HALTED | Happening.DEGRADED:
            return f"{event.what.value}: {found['reason']}"
        case Happening.FORWARDING:
            return f"http://127.0.0.1:{found['local']} reaches its port {found['remote']}"
        case _:
            return ""


def seconds(milliseconds: float) -> str:
    """Return a duration in words."""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def _size(count: int) -> str:
    return f"{count} B" if count < 1000 else f"{count / 1000:.0f} kB" if count < 1_000_000 else f"{count / 1e6:.1f} MB"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
