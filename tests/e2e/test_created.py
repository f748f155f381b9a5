"""Objects made by `kubectl create`: the commands that devcfg prints, followed literally, there and back."""

from __future__ import annotations

import json

import pytest

WORKLOADS = {"reviews": "deployment", "ratings": "deployment", "details": "statefulset", "authors": "deployment"}

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def created(cluster, project_of, bookstore_images):
    """The bookstore, made by `kubectl create`: no object remembers what was applied."""
    project = project_of(cluster.make("created"))
    built = project.space.kubectl("kustomize", "k8s/base", cwd=project.path).stdout
    project.space.kubectl("create", "-f", "-", stdin=built)
    project.space.rollout(*(f"{kind}/{service}" for service, kind in WORKLOADS.items()))
    return project


@pytest.fixture(scope="module")
def plain(shop):
    """Production in a namespace whose objects were applied, to compare with."""
    shop.main.apply_base()
    return shop.main


def serving(space, service):
    """Return the names of the ReplicaSets of a service that want pods."""
    sets = space.get("replicasets", "-l", f"app={service}")["items"]
    return [one["metadata"]["name"] for one in sets if one["spec"]["replicas"]]


@pytest.mark.parametrize("service", WORKLOADS)
def test_the_printed_commands_make_the_same_pods_as_apply_and_the_inverse_gives_back_all(
    created, plain, until, service
):
    space, kind = created.space, WORKLOADS[service]
    before, sets = space.specs(), serving(space, service)
    created.advice(created.devcfg("render", service).stderr)
    template = json.dumps(space.get(kind, service)["spec"]["template"], indent=1)
    assert template == plain.template(service)
    assert space.dev_container(service).until("waiting")

    back = created.devcfg("render", service, "--format", "inverse")
    space.kubectl("patch", f"{kind}/{service}", "--type", "json", "-p", back.stdout)
    created.advice(back.stderr)

    assert space.specs() == before
    until(lambda: serving(space, service) == sets, f"the old ReplicaSet of {service}")
