"""A project and the cluster that it is deployed in, in memory: what goes in must come out as it was."""

import asyncio
import copy
import json

import pytest
from cluster import World

from devcfg.runtime.cluster.cluster import Resource
from devcfg.runtime.devmode.enter import Request, enter
from devcfg.runtime.devmode.hold import leave
from devcfg.runtime.devmode.live import Wish
from devcfg.runtime.devmode.scalers import SCALER as SCALERS

SPACE = "shop"
CONFIG = """\
base: base.yaml
namespace: shop
services:
  web:
    workload: {workload}
    image: dev:1
    command: {{run: [sleep, "3600"]}}
    sync: [{{path: src, target: /src}}]
"""
TEMPLATE = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "web:1", "command": ["serve"]}]},
}
SPEC = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}
PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
SCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web", "namespace": SPACE},
    "spec": {
        "minReplicas": 2,
        "maxReplicas": 5,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
    },
}
COUNTED = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")


class Shop:
    """A namespace with one workload, and the project that it comes from."""

    def __init__(self, root, kind):
        self.root = root
        self.kind = kind
        self.world = World(SPACE)
        self.cluster = self.world.client(namespace=SPACE)
        self.resource = Resource("apps", "v1", PLURALS.get(kind, f"{kind.lower()}s"), kind)
        self.steps = []
        self.configure(CONFIG.format(workload=f"{kind.lower()}/web"))

    def configure(self, text):
        """Write the dev config."""
        (self.root / "devcfg.yaml").write_text(text)

    async def deploy(self, **meta):
        """Bring the workload into the cluster, as whoever deploys it does."""
        spec = copy.deepcopy(SPEC)
        if self.kind == "DaemonSet":
            del spec["replicas"]
        if self.kind == "StatefulSet":
            spec["serviceName"] = "web"
        metadata = {"name": "web", "namespace": SPACE, "annotations": {"team": "shop"}, **meta}
        body = {"apiVersion": "apps/v1", "kind": self.kind, "metadata": metadata, "spec": spec}
        (self.root / "base.yaml").write_text(json.dumps(body))
        self.world.create(self.resource, SPACE, body, manager="kubectl-client-side-apply")
        await self.world.settle()
        return self.state()

    def get(self):
        """Return the workload."""
        return self.world.get(self.resource, SPACE, "web")

    def state(self):
        """Return all that shall come back."""
        return whole(self.get())

    def change(self, edit, manager="kubectl-edit"):
        """Have somebody else change the workload."""
        found = self.get()
        edit(found)
        self.world.update(self.resource, SPACE, "web", found, manager=manager)

    def autoscale(self):
        """Put an autoscaler beside it and return it as text."""
        self.world.create(SCALERS, SPACE, copy.deepcopy(SCALER), manager="kubectl")
        return self.scaler()

    def scaler(self):
        """Return the autoscaler as text."""
        return whole(self.world.get(SCALERS, SPACE, "web"))

    def left(self):
        """Return what is left of dev mode."""
        return [
            f"{one['kind']}/{one['metadata']['name']}"
            for kind in ("ConfigMap", "Lease", "PersistentVolumeClaim", "ReplicaSet", "ControllerRevision", "Pod")
            for one in self.world.all(kind, SPACE)
            if "devcfg.dev" in json.dumps({**one, "metadata": {**one["metadata"], "managedFields": []}})
            and "deletionTimestamp" not in one["metadata"]
        ]

    async def enter(self, cluster=None, **more):
        """Go into dev mode."""
        return await enter(cluster or self.cluster, Request(Wish(), yes=True, **more), self.steps.append)

    async def leave(self, entered, cluster=None):
        """Take it back."""
        return await leave(cluster or self.cluster, entered, self.steps.append)


def whole(found):
    """Return spec, annotations and uid as text; what servers and controllers count is theirs."""
    meta = found["metadata"]
    annotations = {key: value for key, value in (meta.get("annotations") or {}).items() if key not in COUNTED}
    return json.dumps({"spec": found["spec"], "annotations": annotations, "uid": meta["uid"]}, indent=1)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Return a function that makes a shop for a kind of workload."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = tmp_path / "work"
    (root / "src").mkdir(parents=True)
    monkeypatch.chdir(root)
    for pause in (
        "enter.PAUSE",
        "scalers.PAUSE",
        "lease.LOOK",
        "leave.LOOK",
        "handover.LOOK",
        "rollout.LOOK",
        "hold.AGAIN",
    ):
        monkeypatch.setattr(f"devcfg.runtime.devmode.{pause}", 0.005)
    return lambda kind="Deployment": Shop(root, kind)


@pytest.fixture
def play():
    """Return a function that runs a coroutine; one that hangs is a failure, not a silence."""

    def run(work):
        return asyncio.run(asyncio.wait_for(work, 120))

    return run
