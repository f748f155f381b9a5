"""What the contracts are checked with."""

import shutil

import pytest


@pytest.fixture(scope="session")
def kubectl():
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl on the path")
