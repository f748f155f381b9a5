"""Images and pods that make dev mode difficult: nothing but a program, a read-only root, content to be kept."""

from __future__ import annotations

import json

import pytest
from user import Up

STRICT = {
    "runAsNonRoot": True,
    "runAsUser": 65534,
    "runAsGroup": 65534,
    "fsGroup": 65534,
    "seccompProfile": {"type": "RuntimeDefault"},
}
HARDENED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def strict(cluster):
    """A namespace that enforces Pod Security `restricted`."""
    return cluster.make("images", "pod-security.kubernetes.io/enforce=restricted")


def project(project_of, space, name, image, service):
    """Write a Deployment that is as strict as can be, and a dev config for it."""
    container = {"name": name, "image": image, "securityContext": HARDENED, "env": [{"name": "PORT", "value": "9080"}]}
    labels = {"app": name}
    base = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"securityContext": STRICT, "containers": [{**container, "imagePullPolicy": "IfNotPresent"}]},
            },
        },
    }
    config = {"base": "base.yaml", "namespace": space.name, "services": {name: service}}
    return project_of(space, {"base.yaml": json.dumps(base), "devcfg.yaml": json.dumps(config), "src/app.txt": "local"})


def test_an_image_that_holds_nothing_but_a_program_runs_it(strict, project_of, bookstore_images):
    made = project(project_of, strict, "program", "bookstore/authors:1", {"command": {"run": ["/authors"]}})
    made.apply_dev()
    dev = strict.dev_container("program")
    dev.until("running run")
    dev.until_answer("/books/1", "Ines Marlow")
    dev.tell("restart")
    dev.until_answer("/books/1", "Ines Marlow")
    dev.until("running run")

    assert dev.generation == 2
    assert dev.exec("/bin/sh", code=None) == ""  # there is no shell to be had


def test_a_session_in_a_strict_pod_of_nothing_but_a_program_syncs_reloads_and_shows_its_log(
    strict, project_of, bookstore_images, until, tmp_path
):
    service = {"command": {"run": ["/authors"]}, "sync": ["src:/src"], "ports": [":9080"]}
    made = project(project_of, strict, "bare", "bookstore/authors:1", service)
    strict.kubectl("apply", "-f", "base.yaml", cwd=made.path)
    before = strict.specs()
    up = Up(made, until, tmp_path)
    try:
        up.wait_for("restarted", generation=1)
        dev = strict.dev_container("bare")
        (made.path / "src" / "app.txt").write_text("changed")
        up.wait_for("restarted", generation=2)
        assert dev.busybox("cat", "/src/app.txt") == "changed"
        assert dev.busybox("id", "-u") == "65534\n"
        dev.busybox("sh", "-c", "echo from the pod >/src/made.txt")
        until(lambda: (made.path / "src" / "made.txt").exists(), "what the pod made", lambda: up.err.read_text())
        assert (made.path / "src" / "made.txt").read_text() == "from the pod\n"
        until(lambda: "bare | " in up.err.read_text() and up.devcfg("logs").stdout, "its log")
        assert up.end() == 0, up.err.read_text()
        assert strict.specs() == before
    finally:
        if up.process.poll() is None:
            up.process.kill()
            up.process.wait()


def test_a_seeded_target_holds_what_the_image_has_there(strict, project_of, build_image, tmp_path, until):
    (tmp_path / "app" / "node_modules" / "left").mkdir(parents=True)
    (tmp_path / "app" / "node_modules" / "left" / "pad.js").write_text("padded\n")
    (tmp_path / "app" / ".hidden").write_text("hidden\n")
    (tmp_path / "app" / "link").symlink_to("node_modules/left/pad.js")
    (tmp_path / "Dockerfile").write_text("FROM busybox:musl\nCOPY app /app\n")
    build_image(tmp_path, "devcfg.test/seeded:1")
    service = {
        "image": "devcfg.test/seeded:1",
        "command": {"run": "cat link .hidden; id -u; echo $HOME; touch made /tmp/made $HOME/made; exec sleep 3600"},
        "sync": [{"path": "src", "target": "/app", "seed": "image"}],
        "persist": [{"path": "/app", "size": "10Mi"}],
    }
    project(project_of, strict, "seeded", "devcfg.test/seeded:1", service).apply_dev()
    dev = strict.dev_container("seeded")
    dev.until("waiting")  # what the image has is not yet the developer's source
    dev.tell("start")
    until(lambda: "padded\nhidden\n65534\n/devcfg/home\n" in dev.log, "the seed in the log", lambda: dev.log)

    assert dev.busybox("ls", "-A", "/app").split() == [".hidden", "link", "made", "node_modules"]
    assert dev.busybox("readlink", "/app/link").strip() == "node_modules/left/pad.js"
    assert (
        "Read-only"
        in dev.space.kubectl("exec", dev.pod, "--", "/devcfg/bin/busybox", "touch", "/made", code=None).stderr
    )


def test_a_seed_does_not_come_back_over_what_the_claim_holds(strict):
    before = strict.dev_container("seeded")
    before.busybox("sh", "-c", "echo mine >/app/.hidden && rm /app/link")
    strict.kubectl("delete", "pod", before.pod)
    dev = strict.dev_container("seeded")

    assert dev.pod != before.pod
    dev.until("running run")  # the claim holds the source already
    assert dev.busybox("cat", "/app/.hidden") == "mine\n"
    assert "link" not in dev.busybox("ls", "-A", "/app").split()
