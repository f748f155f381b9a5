"""The dlv of this machine, where it is as new as the Go beside it: an older one refuses what that compiles."""

import re
import shutil
import subprocess

import pytest


def find_dlv():
    """Return where dlv is, or skip."""
    dlv, go = shutil.which("dlv"), shutil.which("go")
    if dlv is None or go is None:
        pytest.skip("there is no dlv, or no go, here")
    found = {word: _minor([word, "version"]) for word in (dlv, go)}
    if found[dlv] < found[go]:
        pytest.skip(f"dlv 1.{found[dlv]} is older than go 1.{found[go]} here")
    return dlv


def _minor(words):
    text = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout
    return int(re.search(r"(?:Version: |go)1\.(\d+)", text)[1])
