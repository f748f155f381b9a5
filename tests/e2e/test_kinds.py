"""Each kind of workload with a rich dev config: the API server takes it, it runs, and the way back restores it."""

from __future__ import annotations

import json

import pytest

from devcfg.schemas.quantity import as_stored

POD = {
    "securityContext": {"fsGroup": 1234},
    "imagePullSecrets": [{"name": "own"}],
    "containers": [
        {
            "name": "log",
            "image": "busybox:musl",
            "command": ["sleep", "3600"],
            "resources": {"requests": {"cpu": "1m"}},
        },
        {
            "name": "app",
            "image": "busybox:musl",
            "command": ["sh", "-c", "sleep 3600"],
            "args": ["unused"],
            "workingDir": "/tmp",
            "ports": [{"name": "http", "containerPort": 8080}],
            "env": [
                {"name": "LEVEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "none", "key": "token", "optional": True}}},
                {"name": "POD", "value": "base"},
            ],
            "lifecycle": {"postStart": {"exec": {"command": ["true"]}}},
            "livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 3},
            "readinessProbe": {"exec": {"command": ["true"]}},
            "securityContext": {"allowPrivilegeEscalation": False},
            "resources": {"requests": {"cpu": "1m"}, "limits": {"memory": "32Mi", "cpu": "100m"}},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        },
    ],
    "volumes": [{"name": "data", "emptyDir": {}}],
}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": POD}
SELECTOR = {"matchLabels": {"app": "web"}}
SCALED = {"replicas": 2, "selector": SELECTOR, "template": TEMPLATE}


def once(policy):
    """Return the template of a pod that is run once."""
    return {**TEMPLATE, "spec": {**POD, "restartPolicy": policy}}


KINDS = {
    "Deployment": ("apps/v1", {**SCALED, "strategy": {"rollingUpdate": {"maxSurge": 1}}}),
    "StatefulSet": ("apps/v1", {**SCALED, "serviceName": "web"}),
    "DaemonSet": ("apps/v1", {"selector": SELECTOR, "template": TEMPLATE}),
    "ReplicaSet": ("apps/v1", SCALED),
    "Job": ("batch/v1", {"backoffLimit": 3, "template": once("Never")}),
    "CronJob": ("batch/v1", {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": once("OnFailure")}}}),
    "Pod": ("v1", POD),
    "Worker": ("{group}/v1", SCALED),
}
"""The version and spec of each kind; the last one is a custom resource."""
FIXED = ("Job", "Pod")
RUN = ("StatefulSet", "DaemonSet", "Job", "CronJob")
AT = {"Pod": "", "CronJob": "/spec/jobTemplate/spec/template"}

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def group(cluster):
    """An API group of this run, with one kind that has a pod template; gone at the end."""
    name = f"e2e-{cluster.run}.devcfg.test"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"workers.{name}", "labels": cluster.label},
        "spec": {
            "group": name,
            "scope": "Namespaced",
            "names": {"plural": "workers", "singular": "worker", "kind": "Worker"},
            "versions": [version],
        },
    }
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(definition))
    cluster.kubectl("wait", "--for=condition=Established", f"crd/workers.{name}", "--timeout=60s")
    yield name
    cluster.kubectl("delete", "crd", f"workers.{name}", "--wait=false")


@pytest.fixture
def write(cluster, project_of, group):
    """Return a function that writes a project with one workload of a kind and a rich dev config."""

    def written(space, kind, *, claims=True):
        version, spec = KINDS[kind]
        version = version.format(group=group)
        metadata = {"name": "web", "labels": {"app": "web"}}
        base = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
        pod = AT.get(kind, "/spec/template") + "/spec"
        service = {
            "workload": f"{version}/{kind}/web" if kind == "Worker" else f"{kind.lower()}/web",
            "container": "app",
            "image": "busybox:musl",
            "imagePullPolicy": "IfNotPresent",
            "imagePullSecrets": ["mirror"],
            "command": {
                "build": ["sh", "-c", "echo built >/src/built"],
                "run": "cat /src/built; echo level $LEVEL, pod $POD, token [$TOKEN], user $(id -u); exec sleep 3600",
            },
            "sync": [{"path": "src", "target": "/src"}, "more:/more"],
            "env": {
                "LEVEL": "debug",
                "TOKEN": None,
                "POD": {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                "NEW": {"valueFrom": {"configMapKeyRef": {"name": "absent", "key": "host", "optional": True}}},
            },
            "resources": {"requests": {"cpu": 0.002, "memory": "32768Ki"}, "limits": {"memory": "64Mi"}},
            "probes": "relax",
            "user": "1234:1234",
            "patches": [
                {"op": "add", "path": f"{pod}/terminationGracePeriodSeconds", "value": 7},
                {"op": "add", "path": f"{pod}/hostAliases", "value": [{"ip": "127.0.0.2", "hostnames": ["shop"]}]},
                {"op": "remove", "path": f"{pod}/containers/1/ports"},
            ],
        }
        if kind == "Worker":
            service["podTemplate"] = "/spec/template"
        if claims and kind != "DaemonSet":
            service["persist"] = [{"path": "/cache", "size": "10Mi"}]
        if kind in RUN:
            # Without a sync rule there is nothing to wait for; without a claim nothing that outlives the test.
            service |= {"sync": [], "persist": [], "command": {"run": service["command"]["run"]}}
        config = {"version": 1, "base": "base.yaml", "namespace": space.name, "services": {"web": service}}
        files = {"devcfg.yaml": json.dumps(config), "base.yaml": json.dumps(base), "src/x": "", "more/x": ""}
        return project_of(space, files)

    return written


@pytest.mark.parametrize("kind", KINDS)
def test_the_api_server_takes_dev_mode_of_every_kind(space_of, write, kind):
    space = space_of(f"{kind.lower()}-new")
    project = write(space, kind)
    taken = space.kubectl(
        "apply", "--dry-run=server", "-o", "json", "-f", "-", stdin=project.devcfg("render").stdout
    ).stdout

    assert [one["kind"] for one in json.loads(taken)["items"]][-1] == kind


@pytest.mark.parametrize("kind", [one for one in KINDS if one not in FIXED])
@pytest.mark.parametrize("way", ["apply", "create"])
def test_each_kind_goes_into_dev_mode_and_back_byte_for_byte(space_of, write, kind, way):
    space = space_of(f"{kind.lower()}-{way}")
    # One kind is enough to see a claim come and go: volumes are scarce where nothing provisions them.
    project = write(space, kind, claims=kind == "Deployment")
    name = f"{kind.lower()}/web"
    base = ("-f", str(project.path / "base.yaml"))
    space.kubectl(way, *base)
    before = json.dumps(space.get(name)["spec"])
    rendered = project.devcfg("render")
    if way == "apply":
        space.kubectl("apply", "-f", "-", stdin=rendered.stdout)
    else:
        project.advice(rendered.stderr)
    assert "/devcfg/bin/supervisor.sh" in json.dumps(space.get(name)["spec"])
    if way == "apply":
        space.kubectl("apply", *base)
    else:
        back = project.devcfg("render", "--format", "inverse")
        space.kubectl("patch", name, "--type", "json", "-p", back.stdout)
        project.advice(back.stderr)

    assert json.dumps(space.get(name)["spec"]) == before


@pytest.mark.parametrize("kind", RUN)
def test_dev_mode_of_a_kind_really_runs(space_of, write, kind, until):
    space = space_of(f"{kind.lower()}-run")
    write(space, kind).apply_dev()
    if kind == "CronJob":
        space.kubectl("create", "job", "once", "--from=cronjob/web")
    dev = space.dev_container("web", container="app", selector="")
    dev.until("running run")
    text = f"level debug, pod {dev.pod}, token [], user 1234"

    until(lambda: text in dev.log, f"the line {text!r}", lambda: dev.log)


QUANTITIES = ("1.0", ".5", "1500m", "0.02", "0.0000000001", "+2", "1000k", "1e3", "12e2", "1024Mi", "1.5Gi", "0.1Ki")


def test_quantities_are_written_as_this_api_server_writes_them(space_of):
    space = space_of("quantity")
    containers = [
        {"name": f"c{at}", "image": "busybox:musl", "resources": {"limits": {"memory": one}}}
        for at, one in enumerate(QUANTITIES)
    ]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": containers}}
    taken = space.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(pod)).stdout
    written = [one["resources"]["limits"]["memory"] for one in json.loads(taken)["spec"]["containers"]]

    known = {one: stored for one in QUANTITIES if (stored := as_stored(one, digits=3)) is not None}
    assert len(known) > len(QUANTITIES) // 2
    assert known == {one: told for one, told in zip(QUANTITIES, written, strict=True) if one in known}
