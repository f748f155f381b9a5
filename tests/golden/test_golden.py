"""Runs every golden case: a directory of files and a transcript of commands with all that they print and write.

A case is data. How to write one stands in README.md beside this file.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from textwrap import indent
from unittest.mock import patch

import pytest
from devcfg.runtime.cli import main

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("cases/*/*"))
OURS = re.compile(r"([A-Z_]+=\S* )*devcfg( |$)")
EXPECTATIONS = ("transcript", "tree")
NEEDS_KUBECTL = "\n# needs kubectl\n"


def named(case: Path) -> str:
    return f"{case.parent.name}/{case.name}"


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_case_prints_and_writes_what_its_transcript_says(case, tmp_path, monkeypatch, request):
    settle(monkeypatch, tmp_path)
    if NEEDS_KUBECTL in (case / "transcript").read_text("utf-8") and shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl on the path")
    first = play(case, tmp_path / "one")
    assert play(case, tmp_path / "some" / "where" / "else") == first, "in another directory it gives other bytes"
    if any((tmp_path / "xdg_cache_home").rglob("*.json")):
        assert play(case, tmp_path / "one") == first, "with a warm cache it gives other bytes"
    if request.config.getoption("--update-golden"):
        record(case, first)
    actual = HERE / "actual" / named(case)
    shutil.rmtree(actual, ignore_errors=True)
    wanted = expected(case)
    if first != wanted:
        save(actual, first)
        pytest.fail(f"{difference(wanted, first)}\nthe files of this run are in {actual}", pytrace=False)


def settle(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Give the run an environment of its own: no colour, no cluster, no user config, an empty cache."""
    for name in list(os.environ):
        if name != "PATH" and not name.startswith("PYTEST"):
            monkeypatch.delenv(name)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(directory / name.lower()))
    for name, value in {"NO_COLOR": "1", "CI": "true", "COLUMNS": "100", "LANG": "C.UTF-8"}.items():
        monkeypatch.setenv(name, value)


def play(case: Path, directory: Path) -> dict[str, bytes]:
    """Run the case's commands in a copy of its files; return the transcript and every file that came or changed."""
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(case, directory, ignore=lambda folder, _: EXPECTATIONS if Path(folder) == case else ())
    before = contents(directory)
    lines = (case / "transcript").read_text("utf-8").splitlines(keepends=True)
    steps = [line for line in lines if line.startswith("$ ")]
    head = lines[: lines.index(steps[0])]
    said = "".join(head) + "\n".join(line + run(line[2:].rstrip("\n"), directory) for line in steps)
    after = contents(directory)
    said += "".join(f"[removed {path}]\n" for path in sorted(before.keys() - after.keys()))
    written = {f"tree/{path}": data for path, data in after.items() if before.get(path) != data}
    return {"transcript": folded(said.encode()), **{path: folded(data) for path, data in written.items()}}


def run(command: str, directory: Path) -> str:
    """Run one command: ours in this process, any other by the shell. Return stdout, `! ` stderr, `[exit N]`."""
    with contextlib.chdir(directory):
        if OURS.match(command):
            code, out, err = ours(command)
        else:
            done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60, check=False)
            code, out, err = done.returncode, done.stdout.decode(), done.stderr.decode()
    assert not re.search(r"(?m)^(\$ |! |\[exit )", out), "this output cannot be told from a transcript's own lines"
    ended = "" if not out or out.endswith("\n") else "\n[no line break at the end]\n"
    return out + ended + "".join(f"! {line}".rstrip() + "\n" for line in err.splitlines()) + f"[exit {code}]\n"


def ours(command: str) -> tuple[int, str, str]:
    """Run `[NAME=VALUE] devcfg WORDS [< FILE] [> FILE] [# comment]` in this process; it is no terminal."""
    words = shlex.split(command, comments=True)
    settings = dict(word.split("=", 1) for word in words[: words.index("devcfg")])
    del words[: len(settings)]
    source, sink = redirected(words, "<"), redirected(words, ">")
    streams = [io.TextIOWrapper(io.BytesIO(data), "utf-8", newline="") for data in (read(source), b"", b"")]
    kept = sys.argv, sys.stdin, sys.stdout, sys.stderr
    try:
        sys.argv, (sys.stdin, sys.stdout, sys.stderr) = words, streams
        with patch.dict(os.environ, settings):
            code = left(main)
    finally:
        sys.argv, sys.stdin, sys.stdout, sys.stderr = kept
    _, out, err = (text_of(one) for one in streams)
    if sink:
        Path(sink).write_text(out, "utf-8", newline="")
    return code, "" if sink else out, err


def left(entry) -> int:
    """Return the exit code with which a program's entry leaves."""
    try:
        entry()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return 0


def redirected(words: list[str], mark: str) -> str:
    """Take `mark FILE` out of the words and return the file."""
    if mark not in words:
        return ""
    at = words.index(mark)
    _, name = words[at], words[at + 1]
    del words[at : at + 2]
    return name


def read(path: str) -> bytes:
    return Path(path).read_bytes() if path else b""


def text_of(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode()


VERSION = version("devcfg")
POD = files("devcfg.runtime.pod")
SUPERVISOR = POD.joinpath("supervisor.sh").read_text("utf-8")
AGENT = {
    one.name: one.read_text("utf-8")
    for one in sorted(POD.joinpath("agent").iterdir(), key=lambda one: one.name)
    if one.name.endswith(".py")
}
OURS_FIRST = {"supervisor.sh": SUPERVISOR, **AGENT}
LINES = sum(1 + text.count("\n") for text in OURS_FIRST.values())
IN_DIFF = re.compile(r"(?m)^\+   supervisor\.sh: \|\n((?:\+     .*\n)+)\+ … (\d+) more lines\n")
DIGEST = re.compile(r'("[^"\n]*/configmap\.yaml": )"[0-9a-f]{64}"')


def folded(data: bytes) -> bytes:
    """Put a few words for supervisor and agent where they stand as they are shipped: their changes touch no case.

    The same for what follows from it, a digest in the lock, and for devcfg's own version.
    """

    def fold_in_diff(found: re.Match[str]) -> str:
        shown = re.sub(r"(?m)^\+     ", "", found[1])
        if not SUPERVISOR.startswith(shown) or LINES != 1 + shown.count("\n") + int(found[2]):
            return found[0]
        return "+   (supervisor and agent as they are shipped, the beginning and how many more lines)\n"

    text = data.decode("utf-8", "surrogateescape")
    # As we write it, and with the keys in order, as kubectl does.
    for order in (OURS_FIRST, dict(sorted(OURS_FIRST.items()))):
        text = text.replace(block(order), "  (supervisor and agent as they are shipped)\n")
    text = IN_DIFF.sub(fold_in_diff, text)
    text = DIGEST.sub(r'\1"(of supervisor and agent as they are shipped)"', text)
    text = text.replace(f'"devcfg": "{VERSION}"', '"devcfg": "(this version)"')
    text = text.replace(f"; {VERSION} writes", "; (this version) writes").replace(f"; {VERSION} may", "; (this version) may")
    return text.encode("utf-8", "surrogateescape")


def block(order: dict[str, str]) -> str:
    """Return the data of the ConfigMap in YAML's block style."""
    return "".join(f"  {name}: |\n{indent(text, '    ')}" for name, text in order.items())


def contents(directory: Path) -> dict[str, bytes]:
    found = sorted(one for one in directory.rglob("*") if one.is_file())
    return {one.relative_to(directory).as_posix(): one.read_bytes() for one in found}


def expected(case: Path) -> dict[str, bytes]:
    kept = {path: data for path, data in contents(case).items() if path.startswith("tree/")}
    return {"transcript": (case / "transcript").read_bytes(), **kept}


def record(case: Path, actual: dict[str, bytes]) -> None:
    shutil.rmtree(case / "tree", ignore_errors=True)
    save(case, actual)


def save(directory: Path, kept: dict[str, bytes]) -> None:
    for path, data in kept.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)


def difference(wanted: dict[str, bytes], actual: dict[str, bytes]) -> str:
    return "".join(chunk for path in sorted(wanted.keys() | actual.keys()) for chunk in unified(path, wanted, actual))


def unified(path: str, wanted: dict[str, bytes], actual: dict[str, bytes]) -> Iterator[str]:
    old, new = (one.get(path, b"").decode(errors="replace").splitlines(keepends=True) for one in (wanted, actual))
    lines = difflib.unified_diff(old, new, f"wanted {path}", f"actual {path}")
    return (line if len(line) <= 300 else f"{line[:300]}…\n" for line in lines)
