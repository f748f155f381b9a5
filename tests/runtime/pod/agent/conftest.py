"""Two roots and the steps between them, as the engine takes them."""

import json
import os
import traceback
from pathlib import Path

import pytest

from devcfg.runtime.pod.agent import paths
from devcfg.runtime.pod.agent.chunks import digest
from devcfg.runtime.pod.agent.entries import DIRECTORY, FILE, LINK, Change, Entry, Stat, Wanted, stat_from
from devcfg.runtime.pod.agent.root import Root


class Sides:
    """A local and a far root, and what brings single paths from one to the other."""

    def __init__(self, base: Path, **far):
        (base / "local").mkdir()
        (base / "far").mkdir()
        self.base = base
        self.local = Root(str(base / "local"), hidden=paths.HIDDEN)
        self.far = Root(str(base / "far"), **far)

    def send(self, path: str, *, base=None):
        """Stage a local file on the far side; return its entry."""
        digested = self.local.digest([path], {})[path]
        wanted = Wanted(path, digested.digest, digested.stat, *(base or (None, None)))
        (staged,) = self.far.stage(self.local.records([wanted]))
        assert staged == (path, digested.digest, "")
        return Entry(FILE, digested.digest, bool(os.stat(self.base / "local" / path).st_mode & 0o111))

    def write(self, path: str, content: bytes, side: str = "local") -> Path:
        """Write a file, whatever is missing above it too."""
        full = self.base / side / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(content)
        return full

    def there(self, path: str, side: str = "far"):
        """Return entry and stat of what is at a path now, as a scan and a digest would say it."""
        full = self.base / side / path
        root = self.far if side == "far" else self.local
        try:
            found = os.lstat(full)
        except OSError:
            return None, None
        if full.is_symlink():
            return Entry(LINK, os.readlink(full), False), stat_from(found)
        if full.is_dir():
            return Entry(DIRECTORY, "", False), stat_from(found)
        digested = root.digest([path], {})[path]
        return Entry(FILE, digested.digest, bool(found.st_mode & 0o111)), digested.stat

    def change(self, path: str, new, mtime_ns: int = 5) -> Change:
        """Return the change from what is on the far side now."""
        old, stat = self.there(path)
        return Change(path, old, stat, new, mtime_ns)

    def apply(self, *changes: Change):
        """Apply on the far side; return the results in words."""
        return [outcome.result for outcome in self.far.apply(changes)]

    def leftovers(self, side: str = "far"):
        """Return our temporary names that are left anywhere, the empty stage directory aside."""
        found = []
        for folder, folders, files in os.walk(self.base / side):
            found += [os.path.join(folder, name) for name in folders + files if name.startswith(paths.TEMP)]
            if paths.STAGE in folder:
                found += [os.path.join(folder, name) for name in files]
        return [name for name in found if not name.endswith(paths.STAGE)]


@pytest.fixture
def sides(tmp_path):
    """Two empty roots."""
    made = Sides(tmp_path)
    yield made
    made.local.close()
    made.far.close()


def in_child(work, before=lambda: None):
    """Run `work` in a forked child and return what it returned, by JSON; None when it died on the way."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            before()
            answer = json.dumps(work())
        except BaseException:
            answer = json.dumps(traceback.format_exc())
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(answer) if answer else None


@pytest.fixture
def as_nobody(tmp_path):
    """Run work as a user that permissions bind, in a child."""
    for folder in [tmp_path, *tmp_path.parents][:4]:
        if str(folder) not in ("/", "/tmp"):
            os.chmod(folder, 0o755)

    def drop():
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)

    return lambda work: in_child(work, drop)


def digest_entry(content: bytes, *, executable: bool = False) -> Entry:
    """Return the entry of a small file."""
    return Entry(FILE, digest(content), executable)


NOWHERE = Stat(0, 0, 0, 0)
