"""A machine without busybox: the supervisor runs on the machine's own programs."""

import os
from pathlib import Path

from .conftest import PYTHON, SERVER, Project


def without_busybox(folder):
    """Make a directory with each program of the path but busybox, as links."""
    folder.mkdir()
    for each in os.environ["PATH"].split(os.pathsep):
        for program in Path(each).iterdir() if Path(each).is_dir() else ():
            name = folder / program.name
            if program.is_file() and "busybox" not in (program.name, program.resolve().name) and not name.is_symlink():
                name.symlink_to(program)
    return str(folder)


def test_a_save_a_build_and_an_escapee_without_busybox(tmp_path):
    root, home = tmp_path / "project", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    project = Project(root, home)
    project.env["PATH"] = without_busybox(tmp_path / "bin")
    leaves = f"import subprocess, sys; subprocess.Popen([sys.executable, 'stays.py', '{root}'], start_new_session=True)"
    project.config(web={"command": {"build": [PYTHON, "-c", "print('BUILT')"], "run": [PYTHON, "app.py"]}})
    project.write("src/app.py", f"{leaves}\n{SERVER}")
    project.write("src/stays.py", "import time\ntime.sleep(600)\n")
    try:
        up = project.up()
        up.wait_for("restarted", generation=1)
        project.wait_for_log("VERSION 1")
        project.write("src/app.py", f"{leaves}\n{SERVER.replace('VERSION 1', 'VERSION 2')}")
        up.wait_for("restarted", generation=2)
        project.wait_for_log("VERSION 2")
        assert project.log().splitlines().count("BUILT") == 2
        assert len([words for _, words in project.owned() if b"stays.py" in words]) <= 1
        assert project.devcfg("stop").returncode == 0
        assert not [words for _, words in project.owned() if b"stays.py" in words]
        assert up.end() == 0
        assert project.owned() == []
    finally:
        project.close()
