"""A real site, with the real agent, in memory where the machine has room for it."""

import shutil
import tempfile
from pathlib import Path

import pytest
from tests.runtime.sync.sites import Site, scratch

from devcfg.runtime.sync.modes import Mode


@pytest.fixture
def make_site():
    """Make sites; each is ended and removed afterwards."""
    made = []

    def make(mode=Mode.TWO_WAY_SAFE, **options):
        site = Site(Path(tempfile.mkdtemp(prefix="devcfg-site-", dir=scratch())), mode, **options)
        made.append(site)
        return site

    yield make
    for site in made:
        site.end()
        shutil.rmtree(site.folder)


@pytest.fixture
def site(make_site):
    """A site in the default mode, not synced yet."""
    return make_site()


@pytest.fixture
def place():
    folder = Path(tempfile.mkdtemp(prefix="devcfg-faults-", dir=scratch()))
    folder.chmod(0o755)
    for name in ("near", "far"):
        (folder / name).mkdir()
    yield folder
    shutil.rmtree(folder)
