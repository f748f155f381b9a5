"""`devcfg demo` as a newcomer runs it: in a process of its own, with and without kubectl."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def run(tmp_path, path):
    env = {"PATH": path, "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "NO_COLOR": "1"}
    words = [sys.executable, "-m", "devcfg.runtime", "demo"]
    return subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(params=["with the PATH of this machine", "without kubectl"])
def done(request, tmp_path):
    return run(tmp_path, os.environ["PATH"] if request.param.startswith("with ") else str(tmp_path))


def test_it_ends_well_and_leaves_nothing(done, tmp_path):
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.glob("devcfg-demo-*"))


def test_it_shows_a_slip_with_its_caret_and_the_change_that_made_the_files_stale(done):
    assert "did you mean `command`?" in done.stderr
    assert re.search(r"deployment/reviews \(k8s/base/\S+:\d+\): \S+containers\[proxy\] is new", done.stderr)


def test_a_save_is_answered_by_the_new_process_and_a_conflict_is_decided(tmp_path):
    if not shutil.which("busybox"):
        pytest.skip("there is no busybox here")
    done = run(tmp_path, os.environ["PATH"])
    assert done.returncode == 0, done.stderr
    assert "\nsaved a moment ago\n" in done.stderr
    assert re.search(r"(?m)^storefront +> restarted in ", done.stderr)
    assert re.search(r"build failed with code 1; generation 1 goes on|exited with code 1", done.stderr)
    assert "conflict: `note.txt` changed on both sides" in done.stderr
    # What the session says meanwhile may stand between a command and its answer.
    assert re.search(r"\$ cat services/storefront/note\.txt\n(\w+ +[|>] .*\n)*changed there\n", done.stderr), (
        done.stderr
    )
    assert not marked(str(tmp_path))


def marked(text):
    """Return the processes that have a text in their words or environment."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            with contextlib.suppress(OSError):
                if text.encode() in (process / "cmdline").read_bytes() + (process / "environ").read_bytes():
                    found.append(process.name)
    return found


def test_every_command_it_shows_says_what_it_did(done):
    commands = re.findall(r"(?m)^\$ (.*)", done.stderr)
    assert len(commands) >= 9
    assert "exit code 1" in done.stderr and "exit code 2" in done.stderr
    assert "the demo failed" not in done.stderr
