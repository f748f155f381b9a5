"""The process of one command: it leaves with the command's exit code, however it was started."""

import subprocess
import sys
from pathlib import Path

import pytest

STARTS = ([sys.executable, "-m", "devcfg.runtime"], [str(Path(sys.executable).with_name("devcfg"))])


@pytest.mark.parametrize("start", STARTS, ids=("module", "script"))
def test_the_exit_code_is_the_commands_own(start, tmp_path):
    (tmp_path / "devcfg.yaml").write_text("version: 2\n")
    version = subprocess.run([*start, "--version"], capture_output=True, check=False, cwd=tmp_path)
    refused = subprocess.run([*start, "validate"], capture_output=True, check=False, cwd=tmp_path)

    assert (version.returncode, version.stderr) == (0, b"")
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert refused.stderr.startswith(b"error[")
