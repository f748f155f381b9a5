"""A debugger that is brought along: where it is looked for, and that a Python without one is debugged with it."""

import json
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from asking import Asking, free_port
from editors import Debugpy
from programs import PYTHON as PYTHON_APP
from tests.runtime.session.conftest import PYTHON, debug, eventually

from devcfg.runtime.session.luggage import find

PACKAGES = Path(sysconfig.get_path("purelib"))
OWN = "devcfg's own Python"


def lay(environment, version="1.8.9"):
    """Make what an environment with debugpy looks like, as far as it is looked at."""
    packages = environment / "lib" / "python3.12" / "site-packages"
    (packages / "debugpy").mkdir(parents=True)
    (packages / "debugpy" / "__main__.py").write_text("raise SystemExit('it was run')\n")
    (packages / f"debugpy-{version}.dist-info").mkdir()
    return packages / "debugpy"


def origin(project, folders=(), **variables):
    found = find(str(project), folders, variables)
    return found.origin if found else None


def test_the_python_of_the_project_comes_first_then_the_users_then_our_own(tmp_path):
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    assert origin(project, ["src"]) == OWN
    lay(tmp_path / "active")
    active = {"VIRTUAL_ENV": str(tmp_path / "active")}
    assert origin(project, ["src"], **active) == "`$VIRTUAL_ENV`"
    lay(project / "src" / "venv")
    assert origin(project, ["src"], **active) == "`src/venv`"
    lay(project / ".venv")
    assert origin(project, ["src"], **active) == "`.venv`"


def test_a_link_of_the_project_leads_to_nothing_outside_of_it(tmp_path):
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    secret = lay(elsewhere)
    packages = project / ".venv" / "lib" / "python3.12" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "debugpy").symlink_to(secret)
    (packages / "debugpy-1.8.9.dist-info").mkdir()
    assert origin(project) == OWN

    shutil.rmtree(project / ".venv")
    (project / ".venv").symlink_to(elsewhere)
    assert origin(project) == OWN

    (project / ".venv").unlink()
    lay(project / "real")
    (project / ".venv").symlink_to(project / "real")
    assert origin(project) == "`.venv`"


@pytest.mark.parametrize("version", ["..", "x", "1.8 9", ""])
def test_what_has_no_version_is_none(tmp_path, version):
    lay(tmp_path / ".venv", version)
    assert origin(tmp_path) == OWN


@pytest.fixture
def bare(tmp_path):
    """Return a Python that has nothing but its standard library."""
    folder = tmp_path / "bare"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    return folder / "bin" / "python"


@pytest.fixture
def running(project, bare):
    """Start a session of a program that runs in a Python without debugpy."""
    ups = []

    def start(command=(), text=PYTHON_APP):
        project.write("src/app.py", text)
        port = free_port()
        command = {"run": [str(bare), *(command or ("app.py",))]}
        project.config(
            web={"command": command, "env": {"PORT": str(port)}, "ports": [f":{port}"], "debug": {"port": free_port()}}
        )
        ups.append(project.up())
        forwarded = ups[-1].wait_for("forwarding")["local"]
        ups[-1].wait_for("restarted", generation=1)
        return ups[-1], forwarded

    yield start
    for up in ups:
        assert up.process.poll() is not None or up.end() == 0, up.words


def stop_at(found, path, port):
    editor = Debugpy.to(found)
    assert editor.attach(path, 7)
    asking = Asking(port).begin()
    where = editor.stopped("answer")
    editor.leave()
    return where, asking.end()


@pytest.mark.parametrize("command", [("app.py",), ("-I", "app.py"), ("-m", "app")])
def test_a_python_without_debugpy_is_debugged_with_one_that_is_brought_along(project, running, command):
    up, port = running(command)
    local = project.root / "src" / "app.py"
    done = project.devcfg("debug", "-o", "json")
    assert done.returncode == 0, f"{done.stderr}\n{project.log()}"

    assert "its Python has no debugpy: bringing version 1.8." in done.stderr
    assert f"along from {OWN}" in done.stderr
    assert stop_at(json.loads(done.stdout), local, port) == ((str(local), 7, "41"), "42")
    project.write("src/app.py", PYTHON_APP.replace("41", "51"))
    up.wait_for("restarted", generation=4, command="debug")
    assert stop_at(debug(project), local, port) == ((str(local), 7, "51"), "52")


def test_it_is_brought_once_for_a_session_and_none_of_its_compiled_parts(project, running):
    up, _ = running()
    debug(project)
    brought = project.root / ".devcfg" / "local" / "web" / "agent"
    assert project.devcfg("run").returncode == 0
    again = project.devcfg("debug")

    assert again.returncode == 0, again.stderr
    assert "bringing" not in again.stderr
    assert "No module named debugpy" not in project.log().rpartition("run: generation")[2]
    kinds = {path.suffix for path in brought.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert kinds == {".py", ".json", ".lock"}
    assert next(one.name for one in brought.iterdir() if one.is_dir()).startswith("debugpy-1.8.")
    up.wait_for("restarted", command="debug", generation=5)


def test_what_was_there_before_is_compared_and_made_whole(project, running):
    up, _ = running()
    debug(project)
    (package,) = (project.root / ".devcfg" / "local" / "web" / "agent").glob("debugpy-*/debugpy")
    (package / "public_api.py").write_text("raise SystemExit('cut off')\n")
    (package / "server" / "cli.py").unlink()
    up.kill()

    again = project.up()
    again.wait_for("synced")
    eventually(lambda: project.devcfg("run").returncode == 0, "run")
    found = debug(project)
    local = project.root / "src" / "app.py"
    assert stop_at(found, local, again.wait_for("forwarding")["local"]) == ((str(local), 7, "41"), "42")
    for name in ("public_api.py", "server/cli.py"):
        assert (package / name).read_bytes() == (PACKAGES / "debugpy" / name).read_bytes()
    assert again.end() == 0
    assert not package.exists()


def test_a_machine_that_has_none_either_says_both_ways_and_run_goes_on(project, running, tmp_path, monkeypatch):
    # Our own Python is one that sees its packages elsewhere than in its own directory.
    folder = tmp_path / "ours"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    (site,) = (folder / "lib").glob("python3*/site-packages")
    (site / "ours.pth").write_text(f"{PACKAGES}\nimport site; site.addsitedir({str(PACKAGES)!r})\n")
    ours = [str(folder / "bin" / "python"), "-m", "devcfg.runtime"]
    monkeypatch.setattr("tests.runtime.session.conftest.DEVCFG", ours)
    project.env.pop("VIRTUAL_ENV", None)
    up, port = running()
    done = project.devcfg("debug")

    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "there is no debugpy" in done.stderr
    assert "pip install debugpy" in done.stderr
    assert "`.venv` of the project, from where it is brought along" in done.stderr
    up.wait_for("restarted", command="run", after=2)
    assert Asking(port).begin().end() == "42"
