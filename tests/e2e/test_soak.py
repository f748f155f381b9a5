"""A session among faults, one every ten seconds, while both sides are edited: no value is lost, and it stays usable."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from tests.e2e import soak
from tests.e2e.users import SIDES

pytestmark = pytest.mark.cluster
HOUR = 3600.0


@pytest.fixture
def session(space_of, project_of, tmp_path):
    """A small service as it is in production, and what will happen to a session of it."""
    if shutil.which("git") is None:
        pytest.skip("there is no git here")
    space = space_of("soak")
    files = {
        "base.yaml": soak.BASE,
        "devcfg.yaml": soak.CONFIG.replace("NAMESPACE", space.name),
        "src/app.py": soak.APP,
    }
    project = project_of(space, files)
    space.kubectl("apply", "-f", "base.yaml", cwd=project.path)
    space.rollout("deployment/web")
    seed = int(os.environ.get("DEVCFG_SOAK_SEED") or random.randrange(10**6))
    log = os.environ.get("DEVCFG_SOAK_LOG")
    made = soak.Soak(project.path, space.name, tmp_path / "home", seed, Path(log) if log else None)
    yield made, space
    made.close()


def endure(session, seconds):
    made, space = session
    before = space.specs()
    made.run(seconds)
    made._say(f"{made.summary}, 0 lost")
    assert space.specs() == before
    assert all(made.model.edits[side] > seconds / 4 for side in SIDES), made.summary
    assert sum(made.counts.values()) > seconds / 30, made.summary


def test_a_minute_of_faults_loses_nothing(session):
    endure(session, float(os.environ.get("DEVCFG_SOAK") or 60))


@pytest.mark.proof
def test_an_hour_of_faults_loses_nothing(session):
    endure(session, float(os.environ.get("DEVCFG_SOAK") or HOUR))
