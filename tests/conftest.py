"""What all tests share: the options of this test suite, how hypothesis searches, and what stands in for the world."""

import glob
import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

# No timed assertion: the machine is shared. Equal runs try equal examples, so that a failure is nobody's luck; the
# full counts of `make proof` search anew each time and print their seed.
settings.register_profile("test", deadline=None, derandomize=True, database=None)
settings.register_profile("proof", deadline=None, print_blob=True)
settings.load_profile("test")

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write what comes out as what is expected")


@pytest.fixture(scope="session")
def kubectls():
    """Return every kubectl of this machine: the one on the path and the versions that lie beside it."""
    found = shutil.which("kubectl")
    if found is None:
        pytest.skip("there is no kubectl on the path")
    beside = os.path.join(os.path.dirname(os.path.realpath(found)), "kubectl.1.*")
    return (found, *sorted(glob.glob(beside)))


@pytest.fixture(scope="session")
def corpora():
    """Return the directory of manifests that nobody here wrote; `DEVCFG_CORPORA` names it where it lies elsewhere."""
    folder = Path(os.environ.get("DEVCFG_CORPORA") or ROOT.parent / "shared" / "corpora")
    if not folder.is_dir():
        pytest.skip(f"there are no corpora in {folder}")
    return folder


@pytest.fixture(scope="session")
def canonical():
    """Return a function that writes objects for comparison: by kind, namespace and name, keys in order."""

    def written(objects):
        def key(one):
            meta = one["metadata"]
            return one["kind"], one["apiVersion"], meta.get("namespace") or "", meta["name"]

        return "\n".join(json.dumps(one, sort_keys=True) for one in sorted(objects, key=key))

    return written
