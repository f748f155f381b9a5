"""Manifests that nobody here wrote: every workload of every set goes into dev mode, and kubectl builds what we print.

A set is a kustomization that builds, a directory of YAML without one, or a single file. They are found by walking.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

from devcfg.compiler import compile_plan, read_config, read_manifests
from devcfg.compiler.kinds import known_kind
from devcfg.overlays import objects_of, render_component, render_overlay
from devcfg.schemas.errors import BaseError

ROOT = Path(__file__).parents[2]
CORPORA = Path(os.environ.get("DEVCFG_CORPORA") or ROOT.parent / "shared" / "corpora")
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
SAMPLE = 8
"""How many sets go through kubectl in `make test`."""


def walk():
    """Yield each set's place: a kustomization's directory, a directory of files, a file."""
    for folder, below, names in os.walk(CORPORA):
        below[:] = sorted(one for one in below if one not in (".git", "node_modules", "templates"))
        files = sorted(
            name for name in names if name.endswith((".yaml", ".yml", ".json")) and name not in KUSTOMIZATIONS
        )
        if any(name in KUSTOMIZATIONS for name in names) or len(files) > 1:
            yield Path(folder)
        yield from (Path(folder) / name for name in files)


SETS = {str(place.relative_to(CORPORA)): place for place in walk()} if CORPORA.is_dir() else {}


def builds(kubectl, folder):
    """Run kubectl; a reference to another host would wait for a network that tests do not use."""
    env = {**os.environ, "KUBECONFIG": os.devnull, "GIT_ALLOW_PROTOCOL": "none"}
    return subprocess.run(
        [kubectl, "kustomize", folder], capture_output=True, text=True, timeout=120, env=env, check=False
    )


@cache
def text_of(place):
    """Return a set's manifests as one text; None where it is no set of manifests, such as a template or a component."""
    if place.is_file():
        return place.read_text(encoding="utf-8", errors="replace")
    kustomization = next((place / name for name in KUSTOMIZATIONS if (place / name).is_file()), None)
    if kustomization is not None:
        said = yaml.safe_load(kustomization.read_text(encoding="utf-8", errors="replace")) or {}
        references = [one for member in ("resources", "bases", "components") for one in said.get(member) or ()]
        kubectl = shutil.which("kubectl")
        if said.get("kind") == "Component" or any(re.search(r"://|^github\.com|\?ref=", one) for one in references):
            return None
        if kubectl is None:
            return None
        done = builds(kubectl, place)
        return done.stdout if done.returncode == 0 else None
    files = sorted(one for one in place.iterdir() if one.suffix in (".yaml", ".yml", ".json"))
    return "\n---\n".join(one.read_text(encoding="utf-8", errors="replace") for one in files)


@cache
def manifests_of(place):
    """Return a set's objects; none where they cannot be a base."""
    text = text_of(place)
    if text is None:
        return ()
    try:
        found = read_manifests(text, file="base.yaml")
    except BaseError:
        return ()
    identities = [one.target for one in found]
    return found if len(set(identities)) == len(identities) else ()


def config_of(manifests):
    """Write a dev config that binds every container of every workload, and touches all that a service can."""
    services, named = {}, [(one.kind, one.group, one.name) for one in manifests]
    for one in manifests:
        kind = known_kind(one.group, one.kind)
        if kind is None or named.count((one.kind, one.group, one.name)) > 1:
            continue
        template = one.object
        for token in kind.template:
            template = (template.get(token) if isinstance(template, dict) else None) or {}
        for container in (template.get("spec") or {}).get("containers") or ():
            name = f"s{len(services)}"
            services[name] = {
                "workload": f"{one.group}/{one.version}/{one.kind}/{one.name}"
                if one.group
                else f"v1/{one.kind}/{one.name}",
                "container": container["name"],
                "image": "dev:1",
                "command": {"build": ["make"], "run": ["sleep", "1"]},
                "sync": [{"path": ".", "target": f"/devcfg-corpora/{name}", "seed": "image"}],
                "env": {variable["name"]: None for variable in (container.get("env") or ())[:1]} | {"DEVCFG": "on"},
                "probes": "relax",
                "user": "1000:1000",
                "resources": {"limits": {"memory": "1Gi"}},
            }
            if one.kind != "DaemonSet":
                services[name]["persist"] = [{"path": f"/devcfg-corpora/cache-{name}"}]
    return {"version": 1, "services": services}


def compiled(manifests):
    config = config_of(manifests)
    if not config["services"]:
        return None
    return compile_plan(
        read_config(json.dumps(config).encode(), file="devcfg.yaml"),
        manifests,
        shipped={"supervisor.sh": "#!/bin/sh\n"},
    )


@pytest.mark.skipif(not SETS, reason=f"there are no corpora in {CORPORA}")
def test_every_workload_of_every_set_compiles_with_a_config_that_touches_everything():
    sets = workloads = containers = 0
    for place in SETS.values():
        plan = compiled(manifests_of(place))
        if plan is not None:
            sets += 1
            workloads += len(plan.workloads)
            containers += sum(len(one.bindings) for one in plan.workloads)
    print(f"{len(SETS)} places, {sets} sets with workloads: {workloads} workloads, {containers} containers compiled")
    assert workloads >= sets > 0


def kubectl_builds_what_plain_says(root, place, kubectls, canonical):
    """Build a set's overlay with each kubectl. Return how many workloads it has; none where its base does not build."""
    plan = compiled(manifests_of(place))
    if plan is None:
        return 0
    files = {"base/kustomization.yaml": "resources: [base.yaml]\n", "base/base.yaml": text_of(place)}
    files |= {
        f"component/{path}": text
        for path, text in render_component(plan, version="0", config_file="devcfg.yaml").items()
    }
    files["overlay/kustomization.yaml"] = render_overlay(base="../base", component="../component", namespace="")
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    if builds(kubectls[0], root / "base").returncode:
        return 0
    plain = canonical(objects_of(plan, everything=True))
    for kubectl in kubectls:
        done = builds(kubectl, root / "overlay")
        assert done.returncode == 0, done.stderr
        assert canonical(one.object for one in read_manifests(done.stdout, file="built")) == plain, kubectl
    return len(plan.workloads)


def with_workloads():
    return [place for place in SETS.values() if compiled(manifests_of(place)) is not None]


def agrees(root, places, kubectls, canonical):
    counted = [
        kubectl_builds_what_plain_says(root / str(at), one, kubectls, canonical) for at, one in enumerate(places)
    ]
    built = [number for number in counted if number]
    print(f"{len(built)} sets, {sum(built)} workloads, {len(kubectls)} kubectls: built as `render --all` prints them")
    assert built


@pytest.mark.skipif(not SETS, reason=f"there are no corpora in {CORPORA}")
def test_kubectl_builds_a_sample_of_the_sets_as_plain_says(tmp_path, kubectls, canonical):
    places = with_workloads()
    agrees(tmp_path, places[:: max(1, len(places) // SAMPLE)], kubectls[:1], canonical)


@pytest.mark.proof
@pytest.mark.skipif(not SETS, reason=f"there are no corpora in {CORPORA}")
def test_every_kubectl_builds_every_set_as_plain_says(tmp_path, kubectls, canonical):
    agrees(tmp_path, with_workloads(), kubectls, canonical)


@pytest.mark.skipif(not SETS, reason=f"there are no corpora in {CORPORA}")
def test_the_command_line_writes_an_overlay_that_builds_as_it_prints(tmp_path, kubectls, canonical):
    kustomized = [
        one for one in with_workloads() if one.is_dir() and any((one / name).is_file() for name in KUSTOMIZATIONS)
    ]
    if not kustomized:
        pytest.skip("no set is a kustomization with workloads")
    place = kustomized[0]
    shutil.copytree(place, tmp_path / "base", symlinks=True)
    config = {**config_of(manifests_of(place)), "base": "base"}
    (tmp_path / "devcfg.yaml").write_text(json.dumps(config))
    (tmp_path / "devcfg-corpora").mkdir()
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    said = []
    for arguments in (["--all"], ["--write"]):
        command = [sys.executable, "-m", "devcfg.runtime", "render", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    plain = canonical(one.object for one in read_manifests(said[0], file="plain"))
    for kubectl in kubectls:
        done = builds(kubectl, tmp_path / "k8s/overlays/dev")
        assert canonical(one.object for one in read_manifests(done.stdout, file="built")) == plain, done.stderr
