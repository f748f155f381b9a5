"""How long until a breakpoint is bound: `devcfg debug` on this machine beside the same program debugged by itself.

    python benchmarks/debug.py [--quick] [--only python,node,java,ruby]

One small server a language, and the same editor on both sides: the one that the tests attach with. Bound means that
the debugger has said so. Two moments: from `devcfg debug` on, and from a save on while the editor is attached; by
itself that is a start of the debugger, and an end, a build and a start. A third figure has no peer: how long after an
editor was killed at a breakpoint the request that stood there is answered. Go is left out: by itself dlv loses an
editor that comes right after it listens, and never answers what an editor left standing. A language whose debugger is
not here is left out, too. Wall times; a ratio is taken between neighbours of one round.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from table import Row, lines_of, machine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "twins"))

import editors
from asking import Asking, answer_of, free_port, listens
from programs import PROGRAMS, Program

from devcfg.runtime.debug.adapters.adapter import Wish
from devcfg.runtime.debug.choice import ADAPTERS

DEVCFG = str(Path(sys.executable).with_name("devcfg"))
LANGUAGES = "python,node,java,ruby"
ANSWERS = 2.0
"""Seconds within which a request is answered whose program a killed editor left at a breakpoint."""
PATIENCE = 120.0
PAUSE = 0.02
"""Seconds between two tries, on both sides: what an editor waits is its own."""


class Session:
    """A program in `devcfg up --local`."""

    def __init__(self, program: Program, folder: Path) -> None:
        self._program, self._folder = program, folder / "session"
        write(program, self._folder / "src", 41)
        port, homes = free_port(), dict.fromkeys(("XDG_STATE_HOME", "XDG_CONFIG_HOME"), str(folder / "home"))
        service = {**program.service(free_port()), "env": {"PORT": str(port)}, "ports": [f":{port}"]}
        (self._folder / "devcfg.yaml").write_text(json.dumps({"version": 1, "services": {"web": service}}))
        self._env = {**os.environ, **homes, "NO_COLOR": "1"}
        with open(folder / "log", "wb") as log:
            words = [DEVCFG, "up", "--local", "--yes"]
            self._process = subprocess.Popen(words, cwd=self._folder, env=self._env, stdout=log, stderr=log)
        wait(lambda: answer_of(port) == "42")
        self._port = port

    def start(self) -> editors.Editor:
        """Put the program under its debugger and return the editor that is attached."""
        found = json.loads(self._devcfg("debug", "-o", "json"))
        editor = self._program.editor.to(found)
        editor.insist(self._folder / "src" / self._program.file, self._program.line)
        return editor

    def save(self, editor: editors.Editor, number: int) -> None:
        """Save, and return once the breakpoint is bound in the new program."""
        write(self._program, self._folder / "src", number)
        editor.come_back()

    def outlive(self, editor: editors.Editor) -> float:
        """Kill the editor at the breakpoint; return the seconds until the request that stands there is answered."""
        wait(lambda: listens(self._port))
        asking = Asking(self._port).begin()
        editor.stand("answer")
        began = time.monotonic()
        editor.drop()
        asking.end()
        return time.monotonic() - began

    def back(self) -> None:
        """Go back to `run`."""
        self._devcfg("run")

    def end(self) -> None:
        """End the session."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(PATIENCE)

    def _devcfg(self, *words: str) -> str:
        return subprocess.run(
            [DEVCFG, *words], cwd=self._folder, env=self._env, capture_output=True, text=True, check=True
        ).stdout


class Alone:
    """The same program, started under its debugger by hand."""

    def __init__(self, program: Program, folder: Path) -> None:
        self._program, self._folder = program, folder / "alone"
        self._process: subprocess.Popen[bytes] | None = None
        write(program, self._folder, 41)

    def start(self) -> editors.Editor:
        """Start the debugger, build where that is due, and return the editor that is attached."""
        port = free_port()
        editor = self._program.editor(port)
        self._begin(port)
        editor.insist(self._folder / self._program.file, self._program.line)
        return editor

    def save(self, editor: editors.Editor, number: int) -> None:
        """Save, end the program, start it anew, and return once the breakpoint is bound."""
        write(self._program, self._folder, number)
        editor.drop()  # first: dlv does not end while an editor is attached
        self.back()
        editor.port = free_port()  # debugpy's adapter outlives its program by a moment
        self._begin(editor.port)
        editor.insist(*editor.breakpoint)

    def back(self) -> None:
        """End the program, and whatever it has started."""
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(PATIENCE)

    def end(self) -> None:
        """End what still runs."""
        if self._process is not None and self._process.poll() is None:
            self.back()

    def _begin(self, port: int) -> None:
        if self._program.build:
            subprocess.run(self._program.build, cwd=self._folder, check=True)
        command = self._program.service(port)["command"].get("debug")
        if command is None:
            adapter = next(one for one in ADAPTERS if one.name == self._program.name)
            command = adapter.rewrite(self._program.run, Wish(port, wait=False)).command
        env = {**os.environ, "PORT": str(free_port())}
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(
            command, cwd=self._folder, env=env, stdout=quiet, stderr=quiet, start_new_session=True
        )


def write(program: Program, folder: Path, number: int) -> None:
    """Write the program with an answer."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {**program.beside, program.file: program.version(number)}.items():
        (folder / f".{name}.new").write_text(text)
        (folder / f".{name}.new").replace(folder / name)


def wait(look: Callable[[], Any]) -> None:
    """Return when something is so."""
    until = time.monotonic() + PATIENCE
    while not look():
        if time.monotonic() > until:
            raise RuntimeError(f"not within {PATIENCE:g} s")
        time.sleep(PAUSE)


def measure(program: Program, rounds: int, folder: Path) -> list[Row]:
    """Measure both sides in turn, after a round that does not count."""
    sides = {"ours": Session(program, folder), "alone": Alone(program, folder)}
    found: dict[tuple[str, str], list[float]] = {}
    outlived: list[float] = []
    try:
        for number in range(rounds + 1):
            for name, side in sides.items():
                moments = round_of(side, 1000 + number, outlived)
                if number:
                    for what, took in zip(("first", "again"), moments, strict=True):
                        found.setdefault((what, name), []).append(took)
    finally:
        for side in sides.values():
            side.end()
    words = {"first": "`devcfg debug` → breakpoint bound", "again": "save → breakpoint bound again"}
    rows = [row(f"{program.name}: {text}", found[what, "ours"], found[what, "alone"]) for what, text in words.items()]
    spread, held = f"{min(outlived):.2f} to {max(outlived):.2f} s", max(outlived) <= ANSWERS
    name = f"{program.name}: editor killed at a breakpoint → answer"
    return [*rows, Row(name, f"{median(outlived):.2f} s", "", "", spread, f"≤ {ANSWERS:g} s", held)]


def round_of(side: Session | Alone, number: int, outlived: list[float]) -> tuple[float, float]:
    """Attach, save, kill the editor, go back; return how long the breakpoint took to be bound at first, and again."""
    began = time.monotonic()
    editor = side.start()
    bound = time.monotonic()
    side.save(editor, number)
    again = time.monotonic()
    if isinstance(side, Session):
        outlived.append(side.outlive(editor))
    editor.drop()
    side.back()
    return bound - began, again - bound


def row(name: str, ours: list[float], alone: list[float]) -> Row:
    """Compare round by round."""
    ratios = [one / other for one, other in zip(ours, alone, strict=True)]
    spread = f"{min(ratios):.1f} to {max(ratios):.1f}"
    return Row(name, f"{median(ours):.2f} s", f"by itself {median(alone):.2f} s", f"{median(ratios):.1f} ×", spread)


def main() -> int:
    """Measure what is here, print the table."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", default=LANGUAGES, help="some of the languages")
    options = parser.parse_args()
    editors.AGAIN = PAUSE
    rows = []
    for name in options.only.split(","):
        if missing := [one for one in PROGRAMS[name].needs if shutil.which(one) is None]:
            print(f"{name} is left out: there is no {missing[0]} here", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory(prefix="devcfg-bench-") as folder:
            rows += measure(PROGRAMS[name], 2 if options.quick else 7, Path(folder))
    print(machine(0))
    for line in lines_of(rows):
        print(line)
    return 1 if any(one.held is False for one in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
