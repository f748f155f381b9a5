"""What keeps dev mode from starting on the real cluster: said in a sentence, with an exit code, and nothing is left."""

from __future__ import annotations

import copy
import json

import pytest
from user import Up

pytestmark = pytest.mark.cluster

BASE = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "web", "image": "busybox:musl", "command": ["sleep", "100000"]}],
            },
        },
    },
}
SERVICE = {"command": {"run": ["sh", "app.sh"]}, "sync": ["src:/src"]}
QUOTA = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": "1"}}}
HELPER = {"name": "helper", "image": "busybox:musl", "command": ["sh", "-c", "echo no database; exit 3"]}
NODE = [{"op": "add", "path": "/spec/template/spec/nodeSelector", "value": {"disk": "none"}}]


def with_helper(base):
    base["spec"]["template"]["spec"]["containers"].append(HELPER)


def with_recreate(base):
    base["spec"]["strategy"] = {"type": "Recreate"}


CASES = {
    "image": (
        None,
        {"image": "devcfg.test/none:1"},
        "",
        "image `devcfg.test/none:1` of container `web` cannot be pulled",
    ),
    "quota": (None, {}, "pods", "exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1"),
    "security": (None, {}, "restricted", 'violates PodSecurity "restricted:latest"'),
    "node": (None, {"patches": NODE}, "", "no node takes the pod: 0/1 nodes are available: 1 node(s) didn't match"),
    "helper": (with_helper, {}, "", "container `helper` ends again and again (exit code 3): no database"),
    "size": (
        with_recreate,
        {"resources": {"requests": {"memory": "900Gi"}}},
        "",
        "no node takes the pod: 0/1 nodes are available: 1 Insufficient memory",
    ),
}


@pytest.fixture(scope="module")
def started(cluster, project_of, until, tmp_path_factory):
    """All of them, begun at once: most of their time is waiting."""
    begun = {}
    for name, (change, more, place, _) in CASES.items():
        space = cluster.make(f"start-{name}")
        base = copy.deepcopy(BASE)
        if change is not None:
            change(base)
        config = {"version": 1, "base": "base.yaml", "namespace": space.name, "services": {"web": {**SERVICE, **more}}}
        files = {"base.yaml": json.dumps(base), "devcfg.yaml": json.dumps(config), "src/app.sh": "exec sleep 1000\n"}
        project = project_of(space, files)
        if place == "pods":
            space.kubectl("apply", "-f", "-", stdin=json.dumps(QUOTA))
        space.kubectl("apply", "-f", "base.yaml", cwd=project.path)
        space.kubectl("wait", "--for=create", "pod", "-l", "app=web", "--timeout=60s")
        if place == "restricted":
            cluster.kubectl("label", "namespace", space.name, "pod-security.kubernetes.io/enforce=restricted")
        before = space.specs()
        begun[name] = (Up(project, until, tmp_path_factory.mktemp(name)), before)
    yield begun
    for up, _ in begun.values():
        if up.process.poll() is None:
            up.process.kill()
            up.process.wait()


@pytest.mark.parametrize("name", CASES)
def test_what_keeps_it_from_starting_is_said_and_taken_back(started, name):
    up, before = started[name]
    code = up.process.wait(120)
    said = up.err.read_text()
    assert code == 1, said
    assert CASES[name][3] in said.splitlines()[-1] or CASES[name][3] in said.splitlines()[-2], said
    assert up.project.space.specs() == before
    assert up.project.space.kubectl("get", "configmap,lease", "-l", "devcfg.dev/workload", "-o", "name").stdout == ""
    assert "nothing is in dev mode here" in up.devcfg("down", "--yes").stderr
