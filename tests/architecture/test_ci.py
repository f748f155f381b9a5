"""`.ci/run` as it would be run: what it says and with which code it ends, around small stand-ins for make's targets."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PASSES = "echo '3 passed in 0.10s'"
FAILS = "echo '1 failed, 2 passed in 0.10s'; exit 1"


@pytest.fixture
def ci(tmp_path):
    """Return a function that runs the script in a checkout with these targets, and this cluster beside it."""
    if any(shutil.which(one) is None for one in ("bash", "make", "busybox", "dash")):
        pytest.skip("bash, make, busybox or dash is missing")

    def run(cluster="", environment=(), **targets):
        (tmp_path / "repo/.ci").mkdir(parents=True)
        shutil.copy(ROOT / ".ci/run", tmp_path / "repo/.ci/run")
        targets = {"install": ":", "check": "echo checked", "test": PASSES, "e2e": PASSES, **targets}
        text = "".join(f"{name}:\n\t@{command.replace('$', '$$')}\n" for name, command in targets.items())
        (tmp_path / "repo/Makefile").write_text(f".PHONY: {' '.join(targets)}\n{text}")
        if cluster:
            up = tmp_path / "shared/cluster/up"
            up.parent.mkdir(parents=True)
            up.write_text(f"#!/bin/sh\n{cluster}\n")
            up.chmod(0o755)
        own = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
        done = subprocess.run(
            [str(tmp_path / "repo/.ci/run")],
            cwd="/",
            env={**own, **dict(environment)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout

    return run


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts a cluster")


def test_without_a_cluster_it_says_what_was_skipped_and_why(ci):
    code, out = ci()

    assert code == 0
    assert "skipped: make e2e: KUBECONFIG is not set, and there is no ../shared/cluster/up" in out
    assert out.endswith("\n3 passed in 0.10s\n")
    assert out.count("3 passed") == 2, "once as it runs, once at the end"


@as_root
def test_with_a_cluster_the_end_to_end_tests_get_its_kubeconfig(ci):
    code, out = ci(cluster="sleep 1; echo /some/kubeconfig", e2e="echo found $KUBECONFIG; echo '5 passed in 1.00s'")

    assert code == 0
    assert "found /some/kubeconfig" in out
    assert "skipped" not in out
    assert out.endswith("\n3 passed in 0.10s\n5 passed in 1.00s\n")


def test_a_cluster_that_is_given_is_used_but_not_shown_to_the_other_tests(ci):
    test = "echo test sees [$KUBECONFIG]; echo '3 passed in 0.10s'"
    code, out = ci(environment={"KUBECONFIG": "/given"}, test=test, e2e="echo e2e sees [$KUBECONFIG]")

    assert code == 0
    assert "test sees []" in out
    assert "e2e sees [/given]" in out


@pytest.mark.parametrize("target", ["check", "test"])
def test_what_fails_is_named_and_the_rest_still_runs(ci, target):
    code, out = ci(**{target: FAILS})

    assert code == 1
    assert f"failed: {target}" in out
    assert "== test" in out


@as_root
def test_end_to_end_tests_that_fail_fail_the_whole(ci):
    code, out = ci(cluster="echo /some/kubeconfig", e2e=FAILS)

    assert code == 1
    assert "failed: e2e" in out


@as_root
def test_a_cluster_that_breaks_fails_with_its_own_words(ci):
    code, out = ci(cluster="echo 'no room for etcd' >&2; exit 3")

    assert code == 1
    assert "no room for etcd" in out
    assert "skipped: make e2e: the cluster did not come up" in out


@as_root
def test_a_cluster_that_does_not_come_is_not_waited_for_beyond_the_time(ci):
    code, out = ci(cluster="exec sleep 600", environment={"CI_SECONDS": "8"})

    assert code == 0
    assert "skipped: make e2e: the cluster was not up after" in out
    assert out.endswith("3 passed in 0.10s\n")


def test_tests_that_hang_are_stopped_and_named(ci):
    code, out = ci(environment={"CI_SECONDS": "4"}, test="exec sleep 600")

    assert code == 1
    assert "test ran out of time" in out
