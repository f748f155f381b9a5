"""Client and agent die at each write, rename and unlink in turn: the next session has every edit of both sides."""

import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest
from tests.runtime.pod.agent.conftest import in_child
from tests.runtime.pod.agent.test_kill import doom
from tests.runtime.sync.sites import Site, listing, scratch

from devcfg.runtime.pod.agent.chunks import LARGE
from devcfg.runtime.sync.index import Index
from devcfg.runtime.sync.modes import Mode

LARGE_TEXT = random.Random(3).randbytes(LARGE // 2 + 3000).hex()


def write(root, path, text):
    full = root / path
    full.parent.mkdir(parents=True, exist_ok=True)
    full.write_text(text)


def made(folder, seed):
    """Make two sides that were in sync and where each side has its own edits since; return what both shall end as."""
    drawn = random.Random(seed)
    site = Site(folder, Mode.TWO_WAY_SAFE)
    paths = [f"d{number % 5}/e{number % 3}/f{number}" for number in range(30)]
    for path in paths:
        write(site.near, path, f"old {path}")
    write(site.near, "large", LARGE_TEXT)
    site.sync(whole=True)
    site.end()
    drawn.shuffle(paths)
    for number, path in enumerate(paths[:24]):
        root = (site.near, site.far)[number % 2]
        if number < 12:
            write(root, path, f"edited {path} " * drawn.randrange(1, 50))
        elif number < 18:
            (root / path).unlink()
        else:
            os.rename(root / path, root / f"moved-{number}")
    write(site.near, "large", "+" + LARGE_TEXT)
    write(site.near, "new/near", "near")
    write(site.far, "new/far", "far")
    os.symlink("new", site.far / "link")
    changed = Path(tempfile.mkdtemp(dir=scratch()))
    shutil.copytree(folder, changed, symlinks=True, dirs_exist_ok=True)
    whole = Site(folder, Mode.TWO_WAY_SAFE)
    whole.sync(whole=True)
    whole.end()
    wanted = seen(whole.near)
    assert wanted == seen(whole.far)
    return changed, wanted


def seen(root):
    return {path: text for path, text in listing(root).items() if path != ".devcfg" and not path.startswith(".devcfg/")}


def dying(folder, number, *, after):
    """Sync with every call counted, and die at the given one; return how many there were."""

    def work():
        site = Site(folder, Mode.TWO_WAY_SAFE)
        count = doom(number, after=after, others=[(Index, name) for name in ("save", "intend", "renew")])
        site.sync(whole=True)
        return count[0]

    return in_child(work)


def deaths(tmp_path, step, seed):
    template, wanted = made(tmp_path, seed)
    tried = 0
    try:
        with tempfile.TemporaryDirectory(dir=scratch()) as place:
            folder = Path(place)

            def fresh():
                shutil.rmtree(folder)
                shutil.copytree(template, folder, symlinks=True)

            fresh()
            total = dying(folder, -1, after=False)
            assert isinstance(total, int), total
            for number in range(1, total + 1, step):
                fresh()
                dying(folder, number, after=bool(tried % 2))
                site = Site(folder, Mode.TWO_WAY_SAFE)
                assert not site.engine._index.set_aside
                assert site.sync(whole=True) == ()
                site.end()
                assert seen(site.near) == seen(site.far) == wanted, number  # and none of our temporary files
                tried += 1
    finally:
        shutil.rmtree(template)
    return tried


def test_a_death_of_both_ends_at_a_sample_of_calls_loses_nothing(tmp_path):
    assert deaths(tmp_path, 25, 1) >= 10


@pytest.mark.proof
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_death_of_both_ends_at_every_call_loses_nothing(tmp_path, seed):
    tried = deaths(tmp_path, 1, seed)
    print(f"seed {seed}: {tried} deaths, 0 lost")
