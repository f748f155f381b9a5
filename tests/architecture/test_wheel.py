"""The wheel is the whole of devcfg: every module of the tree, built of the sdist too, and it runs alone."""

import hashlib
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("compiler", "overlays", "runtime", "schemas")
EXAMPLE = ROOT / "examples/bookstore"


def shipped():
    """Return every file of the rooms and of the example as git has it: by its name in the wheel, its content."""
    folders = [*(ROOT / room for room in ROOMS), EXAMPLE]
    files = [one for folder in folders for one in folder.rglob("*") if one.is_file() and one.suffix != ".pyc"]
    return {f"devcfg/{one.relative_to(ROOT).as_posix()}": one.read_bytes() for one in files}


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **more)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the wheel, the sdist, and the wheel that is built of the sdist alone."""
    first, second = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("again")
    build = (sys.executable, "-m", "build")
    # The build's own environment is made by pip: without an index it cannot be, and hatchling of here is as good.
    alone = ("--no-isolation",) if _has("hatchling") else ()
    try:
        run(*build, *alone, "--wheel", "--sdist", "--outdir", str(first), str(ROOT))
    except AssertionError as error:
        if not alone and ("No matching distribution" in str(error) or "Connection" in str(error)):
            pytest.skip("pip reaches no index, and hatchling is not installed")
        raise
    (sdist,) = first.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(second / "source", filter="data")
    (source,) = (second / "source").iterdir()
    run(*build, *alone, "--wheel", "--outdir", str(second), str(source))
    (wheel,), (again,) = first.glob("*.whl"), second.glob("*.whl")
    return wheel, sdist, again


def _has(name):
    from importlib.util import find_spec

    return find_spec(name) is not None


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_every_file_of_the_rooms_and_the_example_and_nothing_else(built):
    wheel, _, _ = built
    found = contents(wheel)

    assert found == shipped()
    assert {"devcfg/runtime/pod/supervisor.sh", *(f"devcfg/{room}/py.typed" for room in ROOMS)} <= found.keys()
    assert sum(name.endswith(".py") for name in found) > 70


def test_the_wheel_made_of_the_sdist_is_the_same(built):
    wheel, _, again = built

    assert contents(again) == contents(wheel)


def test_the_sdist_holds_the_tests_that_it_is_judged_by_and_no_machine(built):
    _, sdist, _ = built
    with tarfile.open(sdist) as archive:
        names = [one.partition("/")[2] for one in archive.getnames()]

    assert {"tests/conftest.py", "LICENSE", "README.md", "pyproject.toml"} <= set(names)
    assert [one for one in names if ".venv" in one or "__pycache__" in one or one.startswith(".editable")] == []


def test_building_twice_gives_the_same_bytes(built, tmp_path):
    wheel, _, again = built

    assert hashlib.sha256(wheel.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest()


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """Return the directory of an empty virtual environment with nothing but the wheel and what it depends on."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=True)
    python = str(home / "bin/python")
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    done = subprocess.run([*pip, str(built[0])], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        # No index: the wheel alone, and beside it what is installed here, but for our own source tree.
        run(*pip, "--no-deps", str(built[0]))
        _lend(python)
    return home


def _lend(python):
    import shutil

    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for one in Path(__import__("sysconfig").get_path("purelib")).iterdir():
        if one.suffix != ".pth" and "devcfg" not in one.name and not (site / one.name).exists():
            (shutil.copytree if one.is_dir() else shutil.copy)(one, site / one.name)


def devcfg(installed, *words, **more):
    environment = {"PATH": f"{installed}/bin:{os.environ['PATH']}", "HOME": str(installed)}
    return run(str(installed / "bin/devcfg"), *words, cwd="/", env=environment, **more)


def test_every_module_comes_from_the_wheel(installed):
    program = (
        "import pkgutil, sys, devcfg.compiler, devcfg.overlays, devcfg.runtime, devcfg.schemas, importlib\n"
        "for room in (devcfg.compiler, devcfg.overlays, devcfg.runtime, devcfg.schemas):\n"
        "    for one in pkgutil.walk_packages(room.__path__, room.__name__ + '.'):\n"
        "        if not one.name.endswith('__main__'): importlib.import_module(one.name)\n"
        "print('\\n'.join(str(getattr(one, '__file__', '')) for one in sys.modules.values()))\n"
        "print('\\n'.join(sys.path))\n"
    )
    out = run(str(installed / "bin/python"), "-c", program, cwd="/", env={"PATH": os.environ["PATH"]})

    assert f"{installed}/lib" in out
    assert out.count("/devcfg/") > 70
    assert str(ROOT) not in out


def test_it_says_its_version(installed, built):
    assert devcfg(installed, "--version") == f"devcfg {built[0].name.split('-')[1]}\n"


def test_it_runs_as_a_module_too(installed):
    run(str(installed / "bin/python"), "-m", "devcfg.runtime", "schema", cwd="/")


def test_it_validates_and_renders_from_anywhere(installed, kubectl):
    file = str(EXAMPLE / "devcfg.yaml")
    devcfg(installed, "validate", "-f", file)
    text = devcfg(installed, "render", "-f", file)

    assert text.count("kind: ConfigMap") >= 5
    assert "supervisor.sh: |\n" in text


def test_it_explains_and_prints_the_schema(installed):
    assert devcfg(installed, "explain", "services.*.sync[].mode").startswith("services.*.sync[].mode")
    assert devcfg(installed, "schema") == (EXAMPLE / "devcfg.schema.json").read_text("utf-8")
