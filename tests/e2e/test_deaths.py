"""`devcfg up` killed at any moment, and raced for: `down` of a fresh checkout brings all back, one of two has it."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time

import pytest
from user import Up

pytestmark = pytest.mark.cluster

BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {team: shop}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: web, image: "busybox:musl", command: [sleep, "3600"]}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: store
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: store, image: "busybox:musl", command: [sleep, "3600"]}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 4
"""
CONFIG = """\
version: 1
base: base.yaml
namespace: NAMESPACE
services:
  web: {command: {run: [sleep, "3600"]}, sync: ["src:/src"]}
  store: {command: {run: [sleep, "3600"]}, sync: ["src:/src"]}
"""
COUNTED = "deployment.kubernetes.io/revision"
REPLICAS = re.compile(r'^  "replicas": \d+,$', re.MULTILINE)
SEED = 5
TEN_AND_A_HUNDRED = [10, pytest.param(100, marks=pytest.mark.proof)]


@pytest.fixture(scope="module")
def deployed(cluster, project_of):
    """Two workloads and an autoscaler as they are in production; each test leaves them so."""
    space = cluster.make("deaths")
    files = {"base.yaml": BASE, "devcfg.yaml": CONFIG.replace("NAMESPACE", space.name), "src/a": "a\n"}
    project = project_of(space, files)
    space.kubectl("apply", "-f", "base.yaml", cwd=project.path)
    space.rollout("deployment/web", "statefulset/store")
    return project


@pytest.fixture
def someone(deployed, until, tmp_path):
    """Return a function that makes a user with a machine's home and a fresh checkout, and ends what they began."""
    made = []

    def arrived(name):
        made.append(Someone(deployed, until, tmp_path / f"{len(made)}-{name}", name))
        return made[-1]

    yield arrived
    for one in made:
        if one.up is not None and one.up.process.poll() is None:
            one.up.process.kill()


class Someone:
    """A user with a home and a checkout of their own."""

    def __init__(self, project, until, home, name):
        self.project = type(project)(home / "checkout", project.space)
        shutil.copytree(project.path, self.project.path, ignore=shutil.ignore_patterns(".devcfg"))
        self.until, self.home, self.up = until, home, None
        self.env = {"HOME": str(home), "LOGNAME": name, "USER": name}

    def begin(self, *words):
        """Begin `devcfg up`."""
        self.up = Up(self.project, self.until, self.home, *words, **self.env)
        return self.up

    def devcfg(self, *words):
        """Run a command, and want that it succeeds."""
        env = {**os.environ, **self.env, "XDG_STATE_HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home)}
        done = subprocess.run(["devcfg", *words], cwd=self.project.path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stderr


def state(space):
    """Return of every workload and autoscaler what shall come back, in one canonical form; its revision is counted."""
    found = {}
    for one in space.get("deployments,statefulsets,horizontalpodautoscalers")["items"]:
        meta = one["metadata"]
        annotations = {key: value for key, value in meta["annotations"].items() if key != COUNTED}
        kept = {"spec": one["spec"], "uid": meta["uid"], "labels": meta.get("labels"), "annotations": annotations}
        found[f"{one['kind'].lower()}/{meta['name']}"] = json.dumps(kept, sort_keys=True, indent=1)
    return found


def came_back(space, before):
    """Want that all is as it was. How many pods web has is its autoscaler's to say, on its next turn at the latest.

    One that was reading its limits just when they were released may set the number once more by the held ones.
    """
    name, now = "deployment/web", state(space)
    assert {**now, name: REPLICAS.sub("", now[name])} == {**before, name: REPLICAS.sub("", before[name])}
    for _ in range(60):
        if now == before:
            return
        time.sleep(1)
        now = state(space)
    assert now == before


def leftovers(space):
    """Return everything in the namespace that still speaks of dev mode and is not on its way out."""
    listed = space.get("configmap,lease,pvc,replicaset,controllerrevision")["items"]
    kept = [one for one in listed if "deletionTimestamp" not in one["metadata"]]
    return [f"{one['kind']}/{one['metadata']['name']}" for one in kept if "devcfg.dev/" in json.dumps(one)]


@pytest.mark.parametrize("deaths", TEN_AND_A_HUNDRED)
def test_whenever_it_is_killed_a_fresh_checkout_brings_everything_back(deployed, someone, deaths):
    space, drawn = deployed.space, random.Random(SEED)
    before = state(space)
    ann, bob = someone("ann"), someone("bob")

    def session(life):
        """Begin a session that leaves as soon as all is synced, and that has so many seconds to live."""
        started, up = time.monotonic(), ann.begin()
        asked = False
        while up.process.poll() is None and time.monotonic() - started < life:
            if not asked and len([one for one in up.events if one["event"] == "synced"]) == 2:
                up.process.send_signal(signal.SIGINT)
                asked = True
            time.sleep(0.01)
        up.process.kill()
        return up.process.wait(), time.monotonic() - started

    code, whole = session(180)
    assert code == 0, ann.up.words
    inside = 0
    for number in range(deaths):
        life = (number + drawn.random()) / deaths * whole
        session(life)
        inside += state(space) != before
        said = bob.devcfg("down", "--all", "--yes")
        came_back(space, before)
        assert leftovers(space) == [], f"killed after {life:.2f} s of {whole:.2f} s\n{said}"
    print(f"{deaths} deaths spread over {whole:.2f} s, seed {SEED}: {inside} in dev mode, all came back")
    assert inside


@pytest.mark.parametrize("wanted", ["lease", "ConfigMap", "patch", "autoscaler"])
def test_a_session_that_dies_between_two_steps_is_undone(deployed, someone, wanted):
    space = deployed.space
    before = state(space)
    ann, bob = someone("ann"), someone("bob")
    for _ in range(5):
        watch = ("kubectl", "-n", space.name, "get", "lease", "--watch-only", "-o", "name")
        with subprocess.Popen(watch, stdout=subprocess.PIPE) as watched:
            time.sleep(1)  # nothing else tells that it watches
            up = ann.begin("web")
            assert watched.stdout.readline(), up.words
            up.process.send_signal(signal.SIGSTOP)
            watched.kill()
        while ORDER.index(done := last_step(space, before)) < ORDER.index(wanted):
            up.process.send_signal(signal.SIGCONT)
            time.sleep(0.002)
            up.process.send_signal(signal.SIGSTOP)
        up.process.kill()
        up.process.wait()
        said = bob.devcfg("down", "--all", "--yes")
        came_back(space, before)
        assert leftovers(space) == [], said
        if done == wanted:
            return
    pytest.fail(f"it was never caught after its {wanted} and before the next step")


ORDER = ("", "lease", "ConfigMap", "patch", "autoscaler")
"""What a session writes, in this order."""


def last_step(space, before):
    """Return what a session has written last."""
    now = state(space)
    if now["horizontalpodautoscaler/web"] != before["horizontalpodautoscaler/web"]:
        return "autoscaler"
    if now["deployment/web"] != before["deployment/web"]:
        return "patch"
    kinds = {one.partition("/")[0] for one in leftovers(space)}
    return "ConfigMap" if "ConfigMap" in kinds else "lease" if "Lease" in kinds else ""


def test_down_stale_leaves_the_living_alone_and_restores_what_a_dead_session_left(deployed, someone):
    space = deployed.space
    before = state(space)
    ann, bob = someone("ann"), someone("bob")
    up = ann.begin()
    for service in ("web", "store"):
        up.wait_for("synced", service=service)
    taken = state(space)

    said = bob.devcfg("down", "--all", "--stale", "--yes")

    assert f"deployment/web: ann@{os.uname().nodename} is at it: left alone" in said
    assert state(space) == taken
    up.process.kill()
    up.process.wait()
    for name in space.kubectl("get", "lease", "-o", "name").stdout.split():  # as if its time had passed
        space.kubectl("patch", name, "-p", '{"spec": {"renewTime": "2026-01-01T00:00:00.000000Z"}}', "--type=merge")
    bob.devcfg("down", "--all", "--stale", "--yes")
    came_back(space, before)
    assert leftovers(space) == []


@pytest.mark.parametrize("races", TEN_AND_A_HUNDRED)
def test_of_two_users_who_race_exactly_one_has_it_and_the_other_hears_who(deployed, someone, races):
    space = deployed.space
    before = state(space)
    users = {name: someone(name) for name in ("ann", "bob")}
    for _ in range(races):
        both = {name: one.begin("web") for name, one in users.items()}
        lost = users["ann"].until(
            lambda both=both: next((name for name, one in both.items() if one.process.poll() is not None), ""),
            "one who lost",
            lambda both=both: "\n".join(one.words for one in both.values()),
        )
        (won,) = users.keys() - {lost}
        who = f"{won}@{os.uname().nodename}"
        assert space.get("lease", "devcfg-deployment.web")["spec"]["holderIdentity"].split()[0] == who
        words = both[lost].words
        assert both[lost].process.returncode != 0
        assert re.search(rf"{who} is developing it since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d", words), words
        both[won].wait_for("synced", service="web")
        assert both[won].end() == 0, both[won].words
        came_back(space, before)
        assert leftovers(space) == []
