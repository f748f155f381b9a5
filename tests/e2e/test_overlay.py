"""The committed overlay on a cluster: the same pods as the plain way, and loud failure on a changed base."""

from __future__ import annotations

import json
import shutil

import pytest

SERVICES = ("storefront", "reviews", "details", "ratings", "authors")
OVERLAY = ("apply", "-k", "k8s/overlays/dev")

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def production(shop):
    """The bookstore without dev mode, whatever ran before."""
    shop.main.apply_base()
    return shop.main.space.specs()


@pytest.fixture(scope="module")
def plain(shop, production):
    """The pod template of each service that the plain way makes of production."""
    return {service: shop.main.template(service) for service in SERVICES}


@pytest.fixture(scope="module")
def written(shop):
    """The project with its overlay written."""
    shop.main.devcfg("render", "--write")
    return shop.main


@pytest.fixture
def changed(written, tmp_path):
    """A copy of the project, to change its base after the overlay was written."""
    shutil.copytree(written.path, tmp_path / "shop")
    return type(written)(tmp_path / "shop", written.space)


def templates(space):
    """Return the pod template of each service as it is in the cluster."""
    kinds = {"details": "statefulset"}
    found = {one: space.get(kinds.get(one, "deployment"), one)["spec"]["template"] for one in SERVICES}
    return {one: json.dumps(template, indent=1) for one, template in found.items()}


def test_the_overlay_makes_the_same_pods_as_the_plain_way_and_the_base_takes_them_back(written, production, plain):
    space = written.space
    space.kubectl(*OVERLAY, cwd=written.path)
    assert templates(space) == plain
    for service in SERVICES:
        assert space.dev_container(service).until("waiting")
    written.apply_base()

    assert space.specs() == production


@pytest.mark.parametrize(
    ("file", "old", "new", "part"),
    [
        ("reviews.yaml", "- name: reviews\n", "- name: opinions\n", "deployment.reviews"),
        ("kustomization.yaml", "  - ratings.yaml\n", "", "deployment.ratings"),
        ("authors.yaml", "- name: PORT\n", "- name: LISTEN\n", "deployment.authors"),
    ],
    ids=["a container renamed", "a workload removed", "a variable renamed"],
)
def test_a_base_changed_after_the_write_fails_by_name_and_changes_nothing(changed, production, file, old, new, part):
    replace(changed.path / "k8s" / "base" / file, old, new)
    before = generations(changed.space)
    failed = changed.space.kubectl(*OVERLAY, code=1, cwd=changed.path)

    assert part in failed.stderr
    assert generations(changed.space) == before
    assert changed.space.specs() == production


def test_a_number_that_dev_mode_overwrites_may_change_in_the_base(changed):
    replace(changed.path / "k8s" / "base" / "ratings.yaml", "maxReplicas: 5", "maxReplicas: 6")
    built = changed.space.kubectl("kustomize", "k8s/overlays/dev", cwd=changed.path).stdout

    assert "maxReplicas: 1\n" in built
    assert "maxReplicas: 6" not in built


def generations(space):
    """Return which objects there are, and how often what each one wants was changed."""
    found = space.get("deployments,statefulsets,hpa,configmaps,services,persistentvolumeclaims")["items"]
    return {(one["kind"], one["metadata"]["name"]): one["metadata"].get("generation") for one in found}


def replace(file, old, new):
    """Replace every place where `old` stands in a file."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
