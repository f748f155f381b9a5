"""Into dev mode and back on a real cluster: spec, annotations and uid as they were, whatever kind it is."""

from __future__ import annotations

import asyncio
import json

import pytest

from devcfg.runtime.cluster.kube import open_cluster
from devcfg.runtime.devmode.enter import Request, enter
from devcfg.runtime.devmode.hold import leave
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


def session(*work, steps=None, **more):
    """Enter, do something to what was entered, leave; return the reports."""

    async def run():
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
    """Return what is left of dev mode in a namespace."""
    named = space.kubectl("get", "configmap,lease,pvc,replicaset", "-o", "json").stdout
    return [
        f"{one['kind']}/{one['metadata']['name']}"
        for one in json.loads(named)["items"]
        if "devcfg.dev/workload" in (one["metadata"].get("labels") or {})
        or "devcfg.dev/plan"
        in ((one.get("spec") or {}).get("template", {}).get("metadata", {}).get("annotations") or {})
    ]


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
    if kind == "Deployment":
        space.kubectl("rollout", "undo", "deployment/web", code=None)
        assert "devcfg.dev" not in state(space, kind)
