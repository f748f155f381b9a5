"""`devcfg up` of the bookstore: five languages, each save live by the service's own answer, and all as it was."""

from __future__ import annotations

import json
import re

import pytest
from user import Up

SERVICES = ("storefront", "reviews", "details", "ratings", "authors")
EDITED = {
    "storefront": ("storefront.py", r'f"(?:Edition \d+ )?Python ', 'f"', "Python ", "/api?book=1"),
    "reviews": ("Reviews.java", r'quoted\("(?:Edition \d+ )?Java ', 'quoted("', "Java ", "/books/1"),
    "details": ("details.rb", r'runtime: "(?:Edition \d+ )?Ruby ', 'runtime: "', "Ruby ", "/books/1"),
    "ratings": ("server.mjs", r"runtime: `(?:Edition \d+ )?Node ", "runtime: `", "Node ", "/books/1"),
    "authors": ("main.go", r'origin\{"authors", "(?:Edition \d+ )?Go ', 'origin{"authors", "', "Go ", "/books/1"),
}
"""The file to edit, the place in it, what stands before and after the edition there, and where it is answered."""
SAVES = 10
COUNTED = "deployment.kubernetes.io/revision"

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def store(cluster, project_of, bookstore_images):
    """The bookstore in production, rolled out, in a namespace of its own."""
    project = project_of(cluster.make("store"))
    config = project.path / "devcfg.yaml"
    assert 'ports: ["9080"]' in config.read_text()
    config.write_text(config.read_text().replace('ports: ["9080"]', 'ports: [":9080"]'))  # whatever else runs here
    project.apply_base()
    project.space.rollout("statefulset/details", *(f"deployment/{one}" for one in SERVICES if one != "details"))
    return project


@pytest.fixture
def begin(store, until, tmp_path):
    """Begin a session, which ends with the test."""
    begun = []

    def start(*words):
        begun.append(Up(store, until, tmp_path, *words))
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
            store.devcfg("down", "--yes")


def state(space):
    """Return of every workload and autoscaler what shall come back, in one canonical form; its revision is counted."""
    found = {}
    for one in space.get("deployments,statefulsets,horizontalpodautoscalers")["items"]:
        meta = one["metadata"]
        annotations = {key: value for key, value in meta["annotations"].items() if key != COUNTED}
        kept = {"spec": one["spec"], "uid": meta["uid"], "labels": meta.get("labels"), "annotations": annotations}
        found[f"{one['kind'].lower()}/{meta['name']}"] = json.dumps(kept, sort_keys=True, indent=1)
        assert "kubectl.kubernetes.io/last-applied-configuration" in annotations
    return found


def leftovers(space):
    """Return everything in the namespace that still speaks of dev mode and is not on its way out."""
    listed = space.get("configmap,lease,pvc,replicaset,controllerrevision,secret,service,endpoints")["items"]
    kept = [one for one in listed if "deletionTimestamp" not in one["metadata"]]
    return [f"{one['kind']}/{one['metadata']['name']}" for one in kept if "devcfg.dev" in json.dumps(one)]


def save(store, service, number):
    """Save the source in which a service calls its language `Edition NUMBER`."""
    file, place, before, word, _ = EDITED[service]
    path = store.path / "services" / service / file
    text, count = re.subn(place, lambda _: f"{before}Edition {number} {word}", path.read_text())
    assert count == 1
    path.write_text(text)


@pytest.mark.parametrize("service", SERVICES)
def test_ten_saves_of_a_service_are_live_and_it_comes_back_byte_for_byte(store, begin, service):
    before = state(store.space)
    workload = f"{'statefulset' if service == 'details' else 'deployment'}/{service}"
    up = begin(service)
    up.wait_for("synced", service=service)
    for number in range(1, SAVES + 1):
        save(store, service, number)
        up.until_answer(f"Edition {number} ", service, EDITED[service][4])
    assert {name for name, one in state(store.space).items() if one != before[name]} >= {workload}

    assert up.end() == 0, up.words

    assert [one["event"] for one in up.events[-2:]] == ["restored", "ended"]
    assert state(store.space) == before
    assert leftovers(store.space) == []
    store.space.kubectl("rollout", "undo", workload, code=None)
    assert state(store.space)[workload] == before[workload]


def test_all_five_are_developed_in_one_session(store, begin):
    before = state(store.space)
    up = begin()
    for service in SERVICES:
        up.wait_for("synced", service=service)
    for number in (101, 102):
        for service in SERVICES:
            save(store, service, number)
        for service in SERVICES:
            up.until_answer(f"Edition {number} ", service, EDITED[service][4])
    assert len([name for name, one in state(store.space).items() if one != before[name]]) == 6  # and the autoscaler

    assert up.end() == 0, up.words

    assert state(store.space) == before
    assert leftovers(store.space) == []
