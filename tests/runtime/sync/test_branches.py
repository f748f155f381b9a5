"""A repository whose branch is switched while its tree is synced: nothing goes missing, nothing comes back."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from tests.runtime.sync.live import Live, leftovers
from tests.runtime.sync.sites import scratch

from devcfg.runtime.sync.events import Halted
from devcfg.runtime.sync.modes import Mode

BRANCHES = ("main", "topic", "half", "moved")


class Repository:
    """A repository with so many files on its first branch, and branches that git needs most of them for."""

    def __init__(self, root: Path, count: int) -> None:
        self.root = root
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.email", "dev@example.org")
        self.git("config", "user.name", "Dev")
        self.git("config", "gc.auto", "0")
        (root / ".gitignore").write_text("*.log\n/build/\n")
        for number in range(count):
            self.write(self.place(number), f"main {number}\n")
        self.commit()
        # Another content at every third path, new ones beside; then half of it gone; then directories as files.
        self.git("switch", "--quiet", "-c", "topic")
        for number in range(0, count, 3):
            self.write(self.place(number), f"topic {number}\n")
            if number % 9 == 0:
                self.write(f"new/{number}/file", f"new {number}\n")
        (root / ".gitignore").write_text("*.log\n/build/\n/only-here/\n")
        self.commit()
        self.git("switch", "--quiet", "-c", "half", "main")
        for number in range(0, count, 2):
            (root / self.place(number)).unlink()
        self.commit()
        self.git("switch", "--quiet", "-c", "moved", "main")
        for folder in sorted({os.path.dirname(self.place(number)) for number in range(0, count, 5)}):
            shutil.rmtree(root / folder)
            (root / folder).write_text(f"was a directory: {folder}\n")
        (root / self.place(1).split("/")[0] / "link").symlink_to("../.gitignore")
        self.commit()
        self.git("switch", "--quiet", "main")

    @staticmethod
    def place(number: int) -> str:
        return f"src{number % 7}/package{number % 50:02}/module{number:05}.py"

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "step")

    def git(self, *words: str) -> bytes:
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        return subprocess.run(["git", *words], cwd=self.root, env=env, check=True, capture_output=True).stdout

    def files(self) -> set[str]:
        """Return what git has in its tree."""
        return {os.fsdecode(name) for name in self.git("ls-files", "-z").split(b"\0") if name}


@pytest.fixture
def place():
    if shutil.which("git") is None:
        pytest.skip("there is no git here")
    folder = Path(tempfile.mkdtemp(prefix="devcfg-branches-", dir=scratch()))
    yield folder
    shutil.rmtree(folder)


def switch_branches(place: Path, mode: Mode, *, count: int, switches: int) -> None:
    near, far = place / "near", place / "far"
    near.mkdir()
    far.mkdir()
    repository = Repository(near, count)
    with Live(place, near, far, mode) as live:
        live.settle()
        for number in range(switches):
            # Every fourth is switched again before sync can be done with it.
            for branch in (number, number + 2) if number % 4 == 3 else (number,):
                repository.git("switch", "--quiet", BRANCHES[(branch + 1) % len(BRANCHES)])
            live.settle()
            tracked = repository.files()
            assert {path for path, text in live.seen(far).items() if text != "/"} == tracked
            assert not repository.git("status", "--porcelain"), "the far side changed the working tree"
        assert not [event for event in live.told if isinstance(event, Halted)]
        assert not live.engine.conflicts() and not live.engine.status().problems
    assert not leftovers(near, far)


@pytest.mark.parametrize("mode", list(Mode))
def test_branch_switches_arrive_whole_and_bring_nothing_back(place, mode):
    switch_branches(place, mode, count=300, switches=6)


@pytest.mark.proof
def test_two_hundred_branch_switches_of_ten_thousand_files_arrive_whole(place):
    switch_branches(place, Mode.TWO_WAY_SAFE, count=10_000, switches=200)
