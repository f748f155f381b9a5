"""`devcfg demo` as a newcomer runs it: in a process of its own, with and without kubectl."""

import os
import re
import subprocess
import sys

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


def test_every_command_it_shows_says_what_it_did(done):
    commands = re.findall(r"(?m)^\$ (.*)", done.stderr)
    assert len(commands) >= 9
    assert "exit code 1" in done.stderr and "exit code 2" in done.stderr
    assert "the demo failed" not in done.stderr
