"""Into dev mode and back on a real cluster: spec, annotations and uid as they were, whatever kind it is."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
import yaml

from devcfg.runtime.cluster.errors import ForbiddenError
from devcfg.runtime.cluster.kube import open_cluster
from devcfg.runtime.devmode.additions import owner_reference
from devcfg.runtime.devmode.enter import Request, enter
from devcfg.runtime.devmode.errors import DevModeError, HeldError
from devcfg.runtime.devmode.hold import leave
from devcfg.runtime.devmode.lease import Session, lease_of
from devcfg.runtime.devmode.live import Wish

pytestmark = pytest.mark.cluster

CONTAINERS = [{"name": "web", "image": "busybox:musl", "command": ["sleep", "3600"]}]
TEMPLATE = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"terminationGracePeriodSeconds": 1, "containers": CONTAINERS},
}
SELECTOR = {"matchLabels": {"app": "web"}}
SPECS = {
    "Deployment": {"replicas": 2, "selector": SELECTOR, "template": TEMPLATE},
    "StatefulSet": {"replicas": 1, "serviceName": "web", "selector": SELECTOR, "template": TEMPLATE},
    "DaemonSet": {"selector": SELECTOR, "template": TEMPLATE},
    "ReplicaSet": {"replicas": 2, "selector": SELECTOR, "template": TEMPLATE},
}
COUNTED = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
CONFIG = """\
base: base.yaml
namespace: {namespace}
services:
  web:
    workload: {workload}
    image: {image}
    command: {{run: [sleep, "3600"]}}
    sync: [{{path: src, target: /src}}]
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A user of a machine of their own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def deploy(project_of):
    """Return a function that deploys one workload and writes its project."""

    def deployed(space, kind, *, by="apply", image="busybox:musl", version="apps/v1", spec=None):
        metadata = {"name": "web", "annotations": {"team": "shop"}}
        base = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec or SPECS[kind]}
        workload = f"{kind.lower()}/web" if version == "apps/v1" else f"{version}/{kind}/web"
        config = CONFIG.format(namespace=space.name, workload=workload, image=image)
        project = project_of(space, {"devcfg.yaml": config, "base.yaml": json.dumps(base), "src/a": "a\n"})
        space.kubectl(by, "-f", "base.yaml", cwd=project.path)
        return project

    return deployed


def state(space, kind):
    """Return all of a workload that shall come back; what servers and controllers count is theirs."""
    found = space.get(kind.lower(), "web")
    meta = found["metadata"]
    annotations = {key: value for key, value in meta["annotations"].items() if key not in COUNTED}
    return json.dumps({"spec": found["spec"], "annotations": annotations, "uid": meta["uid"]}, indent=1)


def session(*work, steps=None, kubeconfig=None, **more):
    """Enter, do something to what was entered, leave; return the reports."""

    async def run():
        with pytest.MonkeyPatch.context() as patch:
            if kubeconfig is not None:
                patch.setenv("KUBECONFIG", kubeconfig)
            cluster = await open_cluster()
        try:
            entered = await enter(cluster, request(**more), (steps if steps is not None else []).append)
            for one in work:
                one(entered)
            return await leave(cluster, entered, (steps if steps is not None else []).append)
        finally:
            await cluster.close()

    return asyncio.run(run())


def request(**more):
    return Request(Wish(), yes=True, **more)


def leftovers(space):
    """Return what is left of dev mode in a namespace and is not on its way out."""
    named = space.get("configmap,lease,pvc,replicaset,controllerrevision")["items"]
    kept = [one for one in named if "deletionTimestamp" not in one["metadata"]]
    return [f"{one['kind']}/{one['metadata']['name']}" for one in kept if "devcfg.dev/" in json.dumps(one)]


@pytest.mark.parametrize(
    ("kind", "by"),
    [
        ("Deployment", "apply"),
        ("Deployment", "create"),
        ("StatefulSet", "apply"),
        ("DaemonSet", "apply"),
        ("ReplicaSet", "apply"),
    ],
)
def test_a_workload_comes_back_as_it_was(space_of, deploy, monkeypatch, kind, by):
    space = space_of(f"back-{kind.lower()}-{by}")
    project = deploy(space, kind, by=by)
    monkeypatch.chdir(project.path)
    before = state(space, kind)
    seen = []

    def look(entered):
        (place,) = entered.places
        pods = space.get("pods")["items"]
        dev = [one for one in pods if place.plan == one["metadata"].get("annotations", {}).get("devcfg.dev/plan")]
        seen.extend(dev)
        assert place.container == "web"

    steps = []
    (report,) = session(look, steps=steps)

    assert [one["status"]["phase"] for one in seen] == ["Running"] * len(seen) != []
    assert report.restored
    assert (report.kept, report.left) == ([], [])
    assert state(space, kind) == before
    assert leftovers(space) == []
    if kind != "ReplicaSet":
        space.kubectl("rollout", "undo", f"{kind.lower()}/web", code=None)
        assert "devcfg.dev/" not in state(space, kind)


def test_down_on_another_machine_keeps_what_others_changed_and_lists_it(space_of, deploy, monkeypatch):
    space = space_of("down")
    project = deploy(space, "Deployment")
    monkeypatch.chdir(project.path)
    abandoned()
    space.kubectl("scale", "deployment/web", "--replicas=3")
    (row,) = json.loads(project.devcfg("status", "-o", "json", code=3).stdout)["services"]
    assert (row["name"], row["workload"], row["target"]) == ("web", "deployment/web", "cluster")
    assert row["state"] == "drift"

    elsewhere = project.devcfg("down", "--all", "--yes", "-f", "devcfg.yaml", code=3)

    assert "/spec/replicas" in elsewhere.stderr
    found = space.get("deployment", "web")
    assert found["spec"]["replicas"] == 3
    assert found["spec"]["template"]["spec"]["containers"][0]["command"] == ["sleep", "3600"]
    assert leftovers(space) == []
    assert "nothing is in dev mode here" in project.devcfg("down").stderr


def abandoned():
    """Enter, and die."""

    async def run():
        cluster = await open_cluster()
        await enter(cluster, request(), [].append)
        await cluster.close()

    asyncio.run(run())


class DeadError(BaseException):
    """The process is no more."""


class Dying:
    """The real cluster for somebody who dies after some answers."""

    def __init__(self, cluster, answers):
        self._cluster, self._left = cluster, answers

    def __getattr__(self, name):
        found = getattr(self._cluster, name)
        if name not in ("get", "list", "create", "replace", "patch", "delete", "may"):
            return found

        async def called(*words, **more):
            if self._left <= 0:
                raise DeadError
            answer = await found(*words, **more)
            self._left -= 1
            if self._left <= 0:
                raise DeadError
            return answer

        return called


def test_whoever_dies_on_the_way_leaves_what_down_restores(space_of, deploy, monkeypatch):
    space = space_of("kill")
    project = deploy(space, "Deployment")
    monkeypatch.chdir(project.path)
    scaler = ("autoscale", "deployment/web", "--min=2", "--max=4")
    space.kubectl(*scaler)
    before = state(space, "Deployment"), space.get("hpa", "web")["spec"]

    async def die(answers):
        cluster = await open_cluster()
        try:
            dying = Dying(cluster, answers)
            entered = await enter(dying, request(), [].append)
            await leave(dying, entered, [].append)
        except DeadError:
            return True
        finally:
            await cluster.close()
        return False

    for answers in (9, 13, 15, 17, 19, 22, 30, 40, 45, 50):
        asyncio.run(die(answers))
        project.devcfg("down", "--yes")
        assert (state(space, "Deployment"), space.get("hpa", "web")["spec"]) == before, f"died after {answers}"
        assert leftovers(space) == [], f"died after {answers}"


def test_a_namespace_that_enforces_restricted_refuses_a_pod_before_anything_is_changed(cluster, deploy, monkeypatch):
    space = cluster.make("psa")
    project = deploy(space, "Deployment")
    space.kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    cluster.kubectl("label", "namespace", space.name, "pod-security.kubernetes.io/enforce=restricted")
    monkeypatch.chdir(project.path)
    before = state(space, "Deployment")

    with pytest.raises(DevModeError, match=r"refuses a dev pod .* violates PodSecurity"):
        session()

    assert state(space, "Deployment") == before
    assert leftovers(space) == []


def test_of_two_users_exactly_one_has_it(space_of, deploy, monkeypatch):
    space = space_of("race")
    project = deploy(space, "Deployment")
    monkeypatch.chdir(project.path)
    owner = owner_reference(space.get("deployment", "web"))

    async def race():
        cluster = await open_cluster()
        try:
            for _ in range(10):
                both = [
                    lease_of(cluster, session, namespace=space.name, workload="deployment.web", owner=owner)
                    for session in (Session("ann@a", 1, "a", "a1"), Session("bob@b", 1, "b", "b1"))
                ]
                results = await asyncio.gather(*(one.acquire(str) for one in both), return_exceptions=True)
                assert [type(one) for one in results if one is not None] == [HeldError]
                await asyncio.gather(*(one.release() for one in both))
        finally:
            await cluster.close()

    asyncio.run(race())


USER = Path(__file__).resolve().parents[3] / "shared" / "cluster" / "user"


def test_exactly_the_role_of_rbac_suffices_and_a_verb_less_is_named(space_of, deploy, monkeypatch):
    if not USER.exists():
        pytest.skip("no users can be made for this cluster: there is no script of its own")
    space = space_of("role")
    project = deploy(space, "Deployment")
    monkeypatch.chdir(project.path)
    before = state(space, "Deployment")
    role = project.devcfg("rbac").stdout
    space.kubectl("apply", "-f", "-", stdin=role)
    full = subprocess.run(
        [USER, "dev", space.name, "devcfg"], check=True, capture_output=True, text=True
    ).stdout.strip()

    (report,) = session(kubeconfig=full)

    assert (report.restored, report.kept, report.left) == (True, [], [])
    assert state(space, "Deployment") == before
    assert leftovers(space) == []
    for rule, verb, said in ((0, "patch", "patch deployments"), (3, "create", "create pods/exec")):
        less = yaml.safe_load(role)
        less["rules"][rule]["verbs"].remove(verb)
        space.kubectl("apply", "-f", "-", stdin=json.dumps(less))
        with pytest.raises(ForbiddenError, match=said) as refused:
            session(kubeconfig=full)
        assert refused.value.exit_code == 5
        assert state(space, "Deployment") == before
        assert leftovers(space) == []


def test_an_image_that_does_not_exist_is_said_and_taken_back(space_of, deploy, monkeypatch):
    space = space_of("image")
    project = deploy(space, "Deployment", image="devcfg.test/none:1")
    monkeypatch.chdir(project.path)
    before = state(space, "Deployment")

    with pytest.raises(DevModeError, match=r"image `devcfg\.test/none:1` of container `web` cannot be pulled"):
        session()

    assert state(space, "Deployment") == before
    assert leftovers(space) == []
