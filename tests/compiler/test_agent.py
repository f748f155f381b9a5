"""The sidecar: what it has of the dev container, what of its own, and when it ends by itself."""

import json

import pytest

from devcfg.compiler import compile_plan, read_config, read_manifests
from devcfg.schemas.patch import apply_patch


@pytest.fixture
def sidecar():
    """Return a function that gives the last container of a workload in dev mode, and the others."""

    def compiled(service, pod=None, kind="Deployment", **more):
        container = {"name": "web", "image": "web:1"}
        spec = {"containers": [container], **(pod or {})}
        body = spec if kind == "Pod" else {"template": {"spec": spec}}
        body = {"jobTemplate": {"spec": body}} if kind == "CronJob" else body
        version = {"Pod": "v1", "Job": "batch/v1", "CronJob": "batch/v1"}.get(kind, "apps/v1")
        base = json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, "spec": body})
        workload = {"workload": f"{kind.lower()}/web", "container": "web"}
        config = json.dumps({"services": {"web": {**workload, **service}}, **more}).encode()
        parsed = read_config(config, file="devcfg.yaml")
        (plan,) = compile_plan(parsed, read_manifests(base, file="base.yaml"), shipped={}).workloads
        found = apply_patch(plan.workload.manifest.object, plan.workload.patch.operations)["spec"]
        found = found.get("jobTemplate", {"spec": found})["spec"]
        return found.get("template", {"spec": found})["spec"]["containers"]

    return compiled


def mounts(container):
    return {one["mountPath"]: one["name"] for one in container["volumeMounts"]}


def test_it_has_the_sync_volumes_at_the_paths_of_the_dev_container(sidecar):
    dev, agent = sidecar({"sync": [".:/src", "lib:/opt/lib"], "persist": [{"path": "/cache"}]})
    common = {path: name for path, name in mounts(agent).items() if not path.startswith("/devcfg-source")}

    assert list(common) == ["/devcfg", "/src", "/opt/lib"]
    assert common.items() <= mounts(dev).items()


def test_what_is_persisted_inside_a_target_is_mounted_there_too(sidecar):
    persist = [{"path": "/src/node_modules"}, {"path": "/src"}, {"path": "/srcs"}]
    dev, agent = sidecar({"sync": [".:/src"], "persist": persist})

    assert mounts(agent)["/src/node_modules"] == mounts(dev)["/src/node_modules"]
    assert mounts(agent)["/src"] == mounts(dev)["/src"]
    assert "/srcs" not in mounts(agent)


def test_it_runs_as_the_dev_container_does_and_may_do_nothing_more(sidecar):
    own = {"runAsUser": 7, "runAsNonRoot": True, "privileged": True, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {"containers": [{"name": "web", "image": "web:1", "securityContext": own}]}
    dev, agent = sidecar({}, pod)
    kept = {member: own[member] for member in ("runAsUser", "runAsNonRoot", "seccompProfile")}

    assert dev["securityContext"] == own
    assert agent["securityContext"] == {
        **kept,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert sidecar({"user": "9:10"}, pod)[-1]["securityContext"].items() >= {"runAsUser": 9, "runAsGroup": 10}.items()


def test_its_image_is_the_one_of_the_config_from_the_mirror_of_the_config(sidecar):
    images = {"agent": "python:3.8-slim", "rewrite": {"docker.io/": "mirror.example/hub/"}}

    assert sidecar({})[-1]["image"] == "python:3-slim"
    assert sidecar({}, images=images)[-1]["image"] == "mirror.example/hub/library/python:3.8-slim"


@pytest.mark.parametrize(
    ("kind", "policy", "ends"),
    [
        ("Job", "Never", True),
        ("Job", "OnFailure", True),
        ("CronJob", "OnFailure", True),
        ("Pod", "Never", True),
        ("Pod", "Always", False),
        ("Pod", None, False),
        ("Deployment", "Always", False),
        ("StatefulSet", None, False),
    ],
)
def test_it_ends_by_itself_only_where_the_pod_may_complete(sidecar, kind, policy, ends):
    agent = sidecar({}, {"restartPolicy": policy} if policy else {}, kind)[-1]

    assert ("--until-quit" in agent["command"]) == ends
    assert agent["command"][-2:] == ["/devcfg", "web"]


def test_python_looks_for_nothing_among_the_developer_s_files(sidecar):
    agent = sidecar({"sync": [".:/src"]})[-1]
    environment = {one["name"]: one["value"] for one in agent["env"]}

    assert agent["workingDir"] == environment["PYTHONPATH"] == "/devcfg-source"
    assert mounts(agent)["/devcfg-source/agent"] == "devcfg-source"


def test_it_listens_on_nothing_and_is_probed_by_nobody(sidecar):
    agent = sidecar({"ports": ["8080"], "debug": {"port": 5005}}, {})[-1]

    assert not {"ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"} & agent.keys()
    assert {"requests", "limits"} == agent["resources"].keys()
    assert all({"cpu", "memory"} == amounts.keys() for amounts in agent["resources"].values())
