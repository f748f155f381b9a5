"""Editors of five languages attached to a session: stops by local paths, saves while attached, rounds, sudden ends."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from asking import Asking, answer_of, free_port, listens
from editors import Editor
from programs import PROGRAMS, Program
from tests.runtime.session.conftest import debug, eventually

ROUNDS = [3, pytest.param(20, marks=pytest.mark.proof)]


@dataclass(frozen=True)
class Debugged:
    """A session whose program is under its debugger."""

    project: Any
    up: Any
    program: Program
    port: int
    """Where its requests go."""
    inner: tuple[int, ...]
    """What program and debugger listen on."""
    found: dict

    @property
    def local(self) -> Path:
        return self.project.root / "src" / self.program.file

    def attach(self) -> Editor:
        """Attach, and try again where that is refused: debugpy takes a moment to see that a client has gone."""
        editor = self.program.editor.to(self.found)
        editor.insist(self.local, self.program.line)
        return editor

    def hit(self, editor: Editor):
        """Have a request stop; return where, what the variable is, and the answer in the end."""
        asking = Asking(self.port).begin()
        where = editor.stopped("answer")
        return where, asking.end()

    def hits(self, number: int):
        """Return what `hit` returns for an answer that the program has."""
        return (str(self.local), self.program.line, str(number)), str(number + 1)

    def save(self, number: int) -> None:
        """Save the program with another answer, and wait until that runs under the debugger."""
        known = len(self.up.events)
        self.project.write(f"src/{self.program.file}", self.program.version(number))
        self.up.wait_for("restarted", after=known, command="debug")

    def follow(self, editor: Editor) -> None:
        """Have the editor attach to the new program: by itself, or by its task."""
        editor.come_back()

    def left(self):
        """Return what is left of it: processes with the mark of this session, and ports that are held.

        The debugger's local port is no sign: it is the same for every project and service of these names.
        """
        marked = []
        for process in Path("/proc").iterdir():
            try:
                text = (process / "environ").read_bytes() if process.name.isdigit() else b""
            except OSError:
                continue
            if b"DEVCFG_RUN=" + os.fsencode(self.project.root) in text:
                marked.append(process.name)
        return marked, [one for one in (*self.inner, self.port) if listens(one)]


@pytest.fixture
def begin(project, debugged):
    """Start a session of a language's program and put it under its debugger; at its end nothing may be left of it."""
    begun = []

    def start(name):
        program = PROGRAMS[name]
        program.check()
        for path, text in program.beside.items():
            project.write(f"src/{path}", text)
        (project.root / "src" / "app.py").unlink()
        debugger = free_port()
        up, port = debugged(program.file, program.text, **program.service(debugger))
        eventually(lambda: answer_of(port) == "42", "the first answer", lambda: project.log())
        listens_on = int(up.find("forwarding", 0, {})["remote"])
        begun.append(Debugged(project, up, program, port, (debugger, listens_on), debug(project)))
        return begun[-1]

    yield start
    for one in begun:
        assert one.up.end() == 0, one.up.words
        eventually(lambda: one.left() == ([], []), "nothing is left", lambda: str(one.left()))  # noqa: B023


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_request_stops_at_a_local_line_and_again_in_what_is_saved_while_attached(name, begin):
    one = begin(name)
    editor = one.attach()
    for number in (41, 51, 61):
        if number != 41:
            one.save(number)
            one.follow(editor)
        assert one.hit(editor) == one.hits(number)
        assert one.hit(editor) == one.hits(number)
    editor.drop()


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_editors_come_and_go_and_saves_between_them_are_what_is_debugged(name, rounds, begin):
    one = begin(name)
    for number in range(100, 100 + rounds):
        one.save(number)
        one = replace(one, found=debug(one.project))
        editor = one.attach()
        assert one.hit(editor) == one.hits(number)
        editor.leave()
        assert [answer_of(one.port) for _ in range(2)] == [str(number + 1)] * 2


@pytest.mark.parametrize("name", PROGRAMS)
def test_debug_answers_while_an_editor_is_attached(name, begin):
    one = begin(name)
    editor = one.attach()
    assert debug(one.project)["port"] == one.found["port"]
    assert one.hit(editor) == one.hits(41)
    editor.leave()


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_editor_that_is_killed_at_a_breakpoint_leaves_nothing_standing(name, begin):
    one = begin(name)
    for _ in range(2):
        editor = one.attach()
        asking = Asking(one.port).begin()
        editor.stand("answer")
        editor.drop()
        assert asking.end() == "42"
        assert [answer_of(one.port) for _ in range(2)] == ["42"] * 2
