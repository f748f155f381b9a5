"""A custom resource with a pod template and a controller of its own, and images pulled ahead, on a real cluster."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import threading

import pytest

from devcfg.runtime.cluster.kube import open_cluster
from devcfg.runtime.devmode.enter import Request, enter
from devcfg.runtime.devmode.errors import DevModeError
from devcfg.runtime.devmode.hold import leave
from devcfg.runtime.devmode.live import Wish

pytestmark = pytest.mark.cluster

CONTAINERS = [{"name": "web", "image": "busybox:musl", "command": ["sleep", "3600"]}]
TEMPLATE = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"terminationGracePeriodSeconds": 1, "containers": CONTAINERS},
}
SELECTOR = {"matchLabels": {"app": "web"}}
CONFIG = """\
base: base.yaml
namespace: NAMESPACE
services:
  web:
    workload: WORKLOAD
    image: IMAGE
    command: {run: [sleep, "3600"]}
    sync: [{path: src, target: /src}]
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A user of a machine of their own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


class Controller(threading.Thread):
    """Keeps one pod of each worker's template, named by its content: a change replaces it."""

    def __init__(self, space, plural):
        super().__init__(daemon=True)
        self.space, self.plural, self.ended = space, plural, threading.Event()

    def run(self):
        while not self.ended.wait(0.3):
            for one in self.read(self.plural):
                self.reconcile(one)

    def reconcile(self, one):
        digest = hashlib.sha256(json.dumps(one["spec"]["template"], sort_keys=True).encode()).hexdigest()[:8]
        meta = one["metadata"]
        wanted = f"{meta['name']}-{digest}"
        pods = [each["metadata"]["name"] for each in self.read("pods", "-l", "app=web")]
        for name in pods:
            if name != wanted:
                self.kubectl("delete", "pod", name, "--wait=false", "--ignore-not-found")
        if wanted not in pods:
            template = one["spec"]["template"]
            owner = {"kind": one["kind"], "name": meta["name"], "uid": meta["uid"], "controller": True}
            owner["apiVersion"] = one["apiVersion"]
            body = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    **template["metadata"],
                    "name": wanted,
                    "ownerReferences": [owner],
                },
                "spec": template["spec"],
            }
            self.kubectl("create", "-f", "-", stdin=json.dumps(body))

    def read(self, *words):
        found = self.kubectl("get", *words, "-o", "json")
        return json.loads(found)["items"] if found else []

    def kubectl(self, *words, stdin=""):
        """Return what kubectl says; what fails is tried again in the next round."""
        done = subprocess.run(["kubectl", "-n", self.space.name, *words], input=stdin, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""


@pytest.fixture
def worker(cluster, space_of):
    """A namespace with a kind of its own, whose controller runs here; return the namespace and the API group."""
    group = f"e2e-custom-{cluster.run}.devcfg.test"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"workers.{group}", "labels": cluster.label},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "workers", "singular": "worker", "kind": "Worker"},
            "versions": [version],
        },
    }
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(definition))
    cluster.kubectl("wait", "--for=condition=Established", f"crd/workers.{group}", "--timeout=60s")
    space = space_of("custom")
    controller = Controller(space, f"workers.{group}")
    controller.start()
    yield space, group
    controller.ended.set()
    controller.join()
    cluster.kubectl("delete", "crd", f"workers.{group}", "--wait=false")


def deploy(project_of, space, base, workload, image="busybox:musl"):
    """Write a project, deploy its workload, and return the project's directory."""
    config = CONFIG.replace("NAMESPACE", space.name).replace("WORKLOAD", workload).replace("IMAGE", image)
    project = project_of(space, {"devcfg.yaml": config, "base.yaml": json.dumps(base), "src/a": "a\n"})
    space.kubectl("apply", "-f", "base.yaml", cwd=project.path)
    return project.path


def session(work=lambda entered: None):
    """Enter, look, leave; return the reports."""

    async def run():
        cluster = await open_cluster()
        try:
            entered = await enter(cluster, Request(Wish(), yes=True), [].append)
            work(entered)
            return await leave(cluster, entered, [].append)
        finally:
            await cluster.close()

    return asyncio.run(run())


def test_a_custom_resource_with_a_pod_template_goes_into_dev_mode_in_place(worker, project_of, monkeypatch, until):
    space, group = worker
    base = {
        "apiVersion": f"{group}/v1",
        "kind": "Worker",
        "metadata": {"name": "web", "annotations": {"team": "shop"}},
        "spec": {"selector": SELECTOR, "template": TEMPLATE},
    }
    monkeypatch.chdir(deploy(project_of, space, base, f"{group}/v1/Worker/web\n    podTemplate: /spec/template"))
    plural = f"workers.{group}"
    before = space.get(plural, "web")
    seen = []

    def look(entered):
        (place,) = entered.places
        pods = space.get("pods")["items"]
        seen.extend(one for one in pods if place.plan in json.dumps(one["metadata"].get("annotations") or {}))

    (report,) = session(look)

    after = space.get(plural, "web")
    assert [one["status"]["phase"] for one in seen] == ["Running"]
    assert (report.restored, report.kept, report.left) == (True, [], [])
    for key in ("uid", "annotations"):
        assert after["metadata"][key] == before["metadata"][key]
    assert json.dumps(after["spec"]) == json.dumps(before["spec"])
    until(lambda: "devcfg.dev/plan" not in space.kubectl("get", "pods", "-o", "yaml").stdout, "a pod without dev mode")
    assert space.kubectl("get", "configmap,lease", "-l", "devcfg.dev/workload", "-o", "name").stdout == ""


def test_an_image_that_is_not_there_is_found_before_the_pod_of_a_stateful_set_stops(space_of, project_of, monkeypatch):
    space = space_of("pull")
    base = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web"},
        "spec": {"replicas": 1, "serviceName": "web", "selector": SELECTOR, "template": TEMPLATE},
    }
    monkeypatch.chdir(deploy(project_of, space, base, "statefulset/web", "devcfg.test/none:1"))
    space.rollout("statefulset/web")
    before = space.get("pod", "web-0")["metadata"]["uid"], space.specs()

    with pytest.raises(DevModeError, match=r"image `devcfg\.test/none:1` .* cannot be pulled") as refused:
        session()

    assert "still serves" in refused.value.hint
    assert (space.get("pod", "web-0")["metadata"]["uid"], space.specs()) == before
    assert space.kubectl("get", "configmap,lease", "-l", "devcfg.dev/workload", "-o", "name").stdout == ""
