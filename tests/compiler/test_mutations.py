"""Bases that change after they were compiled: the committed component does what a new compile would, or fails loudly.

Judged without our patch code: committed files run through kubectl, or through the twin made of other people's parts.
"""

import json
import os
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path

import kustomize_twin
import pytest
import yaml
from mutations import BASES, CHANGES, NotApplicableError, Site

from devcfg.compiler import compile_plan, read_config, read_manifests
from devcfg.overlays import objects_of, render_component, render_overlay
from devcfg.schemas.errors import DevcfgError
from devcfg.schemas.plan import Plan

ROOT = Path(__file__).parents[2]
CORPORA = Path(os.environ.get("DEVCFG_CORPORA") or ROOT.parent / "shared" / "corpora")
FOUND = ("bookstore", "online-boutique")
"""Bases that were not written for this experiment."""
SAMPLE = 61
"""Of so many cases, one goes through kubectl in `make test`."""
CARRIED = frozenset(
    [
        "sidecar-behind",
        "sidecar-named-nearly-alike",
        "other-container-changed",
        "all-in-a-list",
        "all-in-another-order",
        "labels-gained",
        "another-workload-gained",
        "annotations-gained",
        "template-annotations-gained",
        "container-image-set-1",
        "container-args-set-1",
        "container-args-lost",
        "container-command-set-1",
        "container-command-lost",
        "container-ports-set-1",
        "container-stdin-set-1",
        "container-resources-set-1",
        "container-resources-lost",
        "container-lifecycle-set-1",
        "container-lifecycle-lost",
        "container-workingDir-set-1",
        "pod-serviceAccountName-set-1",
        "pod-tolerations-set-1",
        "workload-replicas-set-2",
        "workload-replicas-lost",
        "container-envFrom-set-1",
        "env-first-value-changed",
        "mount-turned-read-only",
        "autoscaler-bounds-changed",
        "disruption-budget-gained",
        "services-removed",
        "another-s-autoscaler-changed",
        "another-s-autoscaler-removed",
        "claim-added-that-nobody-mounts",
    ]
)
"""Changes that touch nothing dev mode rests on: for these, failing loudly would be a fault, too."""
RESTS_ON = {
    # The config's own patches rest on what they change and read.
    "patched": {"container-ports-set-1", "other-container-changed", "pod-serviceAccountName-set-1"},
    "merged": {"pod-serviceAccountName-set-1", "pod-tolerations-set-1"},
    "seeded-from-the-base-s-image": {"container-image-set-1"},
    # There, the other autoscaler is one of the plan, too.
    "scaled-rich": {"another-s-autoscaler-removed"},
}
NAMES = [*BASES, *FOUND]


@dataclass(frozen=True)
class Case:
    """One change of a base after it was compiled. `files` is what was committed before, `objects` the changed base."""

    label: str
    change: str
    config: str
    plan: Plan
    files: dict
    objects: list

    @property
    def flat(self):
        return [one for part in self.objects for one in (part["items"] if part["kind"] == "List" else [part])]


def rich(workload, container):
    """Write a service that touches everything, for a base that nobody wrote for this."""
    names = [one["name"] for one in container.get("env") or ()]
    return {
        "workload": f"{workload['kind'].lower()}/{workload['metadata']['name']}",
        "container": container["name"],
        "image": "dev:1",
        "imagePullSecrets": ["devcfg-pull"],
        "command": {"run": ["sleep", "1"]},
        "sync": [".:/devcfg-test"],
        "env": dict.fromkeys(names[:1], "own") | dict.fromkeys(names[2:3]) | {"DEVCFG_NEW": "x", "DEVCFG_GONE": None},
        "probes": "relax",
        "user": "1000:1000",
        "resources": {"limits": {"memory": "1Gi"}},
    }


@cache
def base_of(name):
    """Return the objects of a base and its dev config (none for a found one); nothing where the corpora are absent."""
    if name in BASES:
        config, text = BASES[name]
        return [one for one in yaml.safe_load_all(text) if one], f"{{version: 1, {config}}}"
    folder = ROOT / "examples/bookstore/k8s/base" if name == "bookstore" else CORPORA / name / "kustomize/base"
    if not folder.is_dir():
        return None
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    return [one for file in listed for one in yaml.safe_load_all((folder / file).read_text()) if one], None


def sites(name):
    """Yield each dev container of a base: its workload's key, its name, and the dev config that binds it."""
    objects, config = base_of(name)
    if config is not None:
        for workload in compiled(config, objects).workloads:
            target = workload.target
            for binding in workload.bindings:
                yield (target.kind, target.namespace or None, target.name), binding.name, config
        return
    for one in objects:
        key = one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]
        for container in (one.get("spec", {}).get("template") or {}).get("spec", {}).get("containers", ()):
            services = {f"s-{container['name']}": rich(one, container)}
            yield key, container["name"], json.dumps({"version": 1, "services": services})


parsed = cache(partial(read_config, file="devcfg.yaml"))


def text_of(objects):
    return "".join(f"---\n{json.dumps(one)}\n" for one in objects)


def compiled(config, objects):
    return compile_plan(
        parsed(config.encode()),
        read_manifests(text_of(objects), file="base.yaml"),
        shipped={"supervisor.sh": "#!/bin/sh\n"},
    )


def cases(name):
    """Yield every change that applies to a base."""
    if base_of(name) is None:
        return
    objects = base_of(name)[0]
    text = json.dumps(objects)
    for workload, container, config in sites(name):
        plan = compiled(config, objects)
        files = render_component(plan, version="0", config_file="devcfg.yaml")
        for change, edit in CHANGES.items():
            site = Site(text, workload, container)
            try:
                edit(site)
            except NotApplicableError:
                continue
            yield Case(f"{name}/{workload[2]}/{container}: {change}", change, config, plan, files, site.objects)


def fresh(case):
    """Return what a new compile makes of the changed base; None where it refuses.

    A name that two namespaces now have is one that only the committed files can tell apart: they carry the namespace.
    """
    far = []
    target = case.plan.workloads[0].target
    if target.namespace:
        far = [one for one in case.flat if (one["kind"], one["metadata"]["name"]) == (target.kind, target.name)]
        far = [one for one in far if one["metadata"].get("namespace") not in (None, target.namespace)]
    try:
        near = [one for one in case.flat if one not in far] if len(far) == 1 and far != case.flat else case.objects
        plan = compiled(case.config, near)
    except DevcfgError:
        return None
    return (*objects_of(plan, everything=True), *(far if near is not case.objects else ()))


def judge(case, error, built, new):
    """Return `loud`, `equal`, or what went wrong."""
    if error:
        names = [name for one in case.plan.workloads for name in (one.id, one.target.name)]
        return "loud" if any(name in error for name in names) else f"{case.label}: no workload is named by `{error}`"
    if new is None:
        return f"{case.label}: it builds, though a new compile refuses"
    return "equal" if built == new else f"{case.label}: it builds something else than a new compile"


def settle(outcomes, name):
    """Print the counts and fail for what is neither equal nor loud."""
    counts = Counter(outcome if outcome in ("loud", "equal") else "mis-applied" for outcome in outcomes)
    print(f"{name}: {sum(counts.values())} changes tried, {counts['equal']} equal, {counts['loud']} loud,", end=" ")
    print(f"{counts['mis-applied']} mis-applied")
    wrong = [outcome for outcome in outcomes if outcome not in ("loud", "equal")]
    assert not wrong, "\n".join(wrong)


def in_memory(name, canonical, *, step):
    """Judge one in `step` of the changes of a base with the twin."""
    if base_of(name) is None:
        pytest.skip(f"{name} is not there")
    outcomes, fussy = [], []
    for case in islice(cases(name), 0, None, step):
        error = built = ""
        try:
            built = canonical(kustomize_twin.build(case.flat, case.files))
        except kustomize_twin.RefusedError as refused:
            error = str(refused)
        new = fresh(case)
        outcomes.append(judge(case, error, built, None if new is None else canonical(new)))
        if error and case.change in CARRIED - RESTS_ON.get(name, set()):
            fussy.append(f"{case.label}: {error}")
    settle(outcomes, name)
    assert not fussy, "\n".join(fussy)


@pytest.mark.parametrize("name", NAMES)
def test_no_change_of_a_base_is_mis_applied_silently(name, canonical):
    in_memory(name, canonical, step=1 if name in BASES else 4)


@pytest.mark.proof
@pytest.mark.parametrize("name", FOUND)
def test_no_change_of_a_found_base_is_mis_applied_silently(name, canonical):
    in_memory(name, canonical, step=1)


def test_the_experiment_is_as_large_as_it_claims():
    labels = [case.label for name in BASES for case in cases(name)]
    assert len(set(labels)) == len(labels) >= 2000
    assert len(CHANGES) >= 200
    assert set(CHANGES) >= CARRIED.union(*RESTS_ON.values())


class Folder:
    """A base, a component and an overlay on disk, for kubectl."""

    def __init__(self, root):
        self.root = root
        for part in ("base", "component", "overlay"):
            (root / part).mkdir(parents=True)
        (root / "base/kustomization.yaml").write_text("resources: [base.yaml]\n")
        overlay = render_overlay(base="../base", component="../component", namespace="")
        (root / "overlay/kustomization.yaml").write_text(overlay)

    def commit(self, files):
        for path, text in files.items():
            file = self.root / "component" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def build(self, kubectl):
        command = [kubectl, "kustomize", self.root / "overlay"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        return done.stderr if done.returncode else "", done.stdout


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def through_kubectl(case, root, kubectls, canonical):
    """Return the outcome with each kubectl."""
    folder = Folder(root)
    folder.commit(case.files)
    (root / "base/base.yaml").write_text(text_of(case.objects))
    new = fresh(case)
    new = None if new is None else canonical(new)
    built = {kubectl: folder.build(kubectl) for kubectl in kubectls}
    texts = {text: canonical(yaml.load_all(text, Loader=LOADER)) for _, text in built.values()}
    return [judge(case, error.replace(str(root), ""), texts[text], new) for error, text in built.values()]


def test_kubectl_judges_as_the_twin_does(kubectls, tmp_path, canonical):
    everything = (case for name in NAMES for case in cases(name))
    outcomes = []
    for number, case in enumerate(islice(everything, 7, None, SAMPLE)):
        outcomes += through_kubectl(case, tmp_path / str(number), kubectls[:1], canonical)
    settle(outcomes, "a sample through kubectl")
    assert {"loud", "equal"} <= set(outcomes)


@pytest.mark.proof
@pytest.mark.parametrize("name", NAMES)
def test_no_change_of_a_base_is_mis_applied_silently_by_any_kubectl(name, kubectls, tmp_path, canonical):
    if base_of(name) is None:
        pytest.skip(f"{name} is not there")
    chosen = list(cases(name)) if name in BASES else list(islice(cases(name), 3, None, 7))
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(
            lambda at: through_kubectl(chosen[at], tmp_path / str(at), kubectls, canonical), range(len(chosen))
        )
        outcomes = [outcome for several in found for outcome in several]
    settle(outcomes, f"{name} through {len(kubectls)} kubectls")


def _patch(path, value):
    steps = json.dumps([{"op": "add", "path": path, "value": value}])
    return json.dumps({"patches": [{"target": {"kind": "Deployment", "name": "web"}, "patch": steps}]})[1:-1]


KUSTOMIZATIONS = {
    "prefix": ("namePrefix: x-", False),
    "suffix": ("nameSuffix: -x", False),
    "namespace": ("namespace: elsewhere", False),
    "prefix-and-namespace": ("namePrefix: x-\nnamespace: elsewhere", False),
    "labels": ("labels: [{pairs: {a: b}, includeSelectors: true, includeTemplates: true}]", True),
    "annotations": ("commonAnnotations: {a: b}", True),
    "image": ("images: [{name: web, newTag: '9'}]", True),
    "replicas": ("replicas: [{name: web, count: 7}]", True),
    "patch-of-an-annotation": (_patch("/metadata/annotations", {"a": "b"}), True),
    "patch-that-renames-the-container": (_patch("/spec/template/spec/containers/0/name", "other"), False),
}


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
@pytest.mark.parametrize("base", ["plain", "namespaced", "scaled"])
def test_a_base_whose_kustomization_changed_builds_as_a_new_compile_or_fails(base, name, kubectls, tmp_path, canonical):
    objects, config = base_of(base)
    line, carried = KUSTOMIZATIONS[name]
    plan = compiled(config, objects)
    folder = Folder(tmp_path)
    folder.commit(render_component(plan, version="0", config_file="devcfg.yaml"))
    (tmp_path / "base/base.yaml").write_text(text_of(objects))
    (tmp_path / "base/kustomization.yaml").write_text(f"resources: [base.yaml]\n{line}\n")
    bare = subprocess.run([kubectls[0], "kustomize", tmp_path / "base"], capture_output=True, text=True, check=True)
    case = Case(f"{base}: {name}", name, config, plan, {}, list(yaml.load_all(bare.stdout, Loader=LOADER)))
    new = fresh(case)
    for kubectl in kubectls:
        error, text = folder.build(kubectl)
        built = canonical(yaml.load_all(text, Loader=LOADER))
        outcome = judge(case, error.replace(str(tmp_path), ""), built, None if new is None else canonical(new))
        assert outcome in ("loud", "equal")
        assert outcome == "equal" or not carried or base == "namespaced"
