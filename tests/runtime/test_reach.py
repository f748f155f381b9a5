"""The digest of a base changes with everything that its build reads, and only then may a kept build be used."""

import os
import shutil
from pathlib import Path

import pytest

from devcfg.runtime.kustomize import build
from devcfg.runtime.reach import digest_of, reach_of

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: NAME, image: "NAME:1"}]}
"""
ROOT = """\
resources: [web.yaml, ../shared]
components: [../component]
configurations: [names.yaml]
crds: [crd.yaml]
patches:
- {path: json-patch.yaml, target: {kind: Deployment, name: web}}
- patch: '[{"op": "add", "path": "/metadata/labels", "value": {"path": "inline"}}]'
  target: {kind: Deployment, name: web}
replacements: [{path: replacement.yaml}]
transformers: [suffix.yaml]
configMapGenerator:
- {name: settings, files: [settings.txt, renamed=other.txt], envs: [vars.env]}
secretGenerator:
- {name: hidden, envs: [secret.env]}
"""
FILES = {
    "base/kustomization.yaml": ROOT,
    "base/web.yaml": DEPLOYMENT.replace("NAME", "web"),
    "base/json-patch.yaml": '[{"op": "add", "path": "/metadata/annotations", "value": {"a": "1"}}]\n',
    "base/replacement.yaml": (
        "source: {kind: Deployment, name: web, fieldPath: metadata.name}\n"
        "targets: [{select: {kind: Deployment, name: shared}, fieldPaths: [metadata.labels.of],"
        " options: {create: true}}]\n"
    ),
    "base/suffix.yaml": (
        "apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: {name: x}\n"
        "annotations: {by: transformer}\nfieldSpecs: [{path: metadata/annotations, create: true}]\n"
    ),
    "base/names.yaml": "nameReference: [{kind: ConfigMap, fieldSpecs: [{kind: Thing, path: spec/name}]}]\n",
    "base/crd.yaml": "{}\n",
    "base/settings.txt": "one\n",
    "base/other.txt": "two\n",
    "base/vars.env": "A=1\n# a comment\n\n",
    "base/secret.env": "B=2\n",
    "shared/kustomization.yaml": "resources: [shared.yaml]\nbuildMetadata: []\n",
    "shared/shared.yaml": DEPLOYMENT.replace("NAME", "shared"),
    "component/kustomization.yaml": (
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        "patchesStrategicMerge: [merge.yaml]\nresources: [extra.yaml]\n"
    ),
    "component/merge.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2}\n",
    "component/extra.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: extra}\nspec: {ports: [{port: 80}]}\n",
}
CHANGES = {
    "base/kustomization.yaml": ("name: settings", "name: changed"),
    "base/web.yaml": ("web:1", "web:2"),
    "base/json-patch.yaml": ('"1"', '"2"'),
    "base/replacement.yaml": ("labels.of", "labels.at"),
    "base/suffix.yaml": ("transformer", "another"),
    "base/settings.txt": ("one", "three"),
    "base/other.txt": ("two", "four"),
    "base/vars.env": ("A=1", "A=9"),
    "base/secret.env": ("B=2", "B=9"),
    "shared/kustomization.yaml": ("buildMetadata", "namePrefix: p-\nbuildMetadata"),
    "shared/shared.yaml": ("shared:1", "shared:2"),
    "component/kustomization.yaml": ("resources", "commonLabels: {x: z}\nresources"),
    "component/merge.yaml": ("replicas: 2", "replicas: 3"),
    "component/extra.yaml": ("port: 80", "port: 81"),
}


@pytest.fixture
def base(work):
    """Return a project whose base reads files in every way that kustomize has."""
    for path, text in FILES.items():
        work.write(path, text)
    return work


@pytest.fixture
def kubectl():
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl on the path")


def key(folder="base"):
    return digest_of(reach_of(folder), folder)


def objects(folder="base"):
    return [one.object for one in build(folder)]


@pytest.mark.parametrize("path", FILES)
def test_every_file_in_reach_changes_the_key(base, path):
    before = key()
    base.write(path, FILES[path] + "\n")

    assert before is not None
    assert key() not in (None, before)


@pytest.mark.parametrize("path", CHANGES)
def test_a_kept_build_is_never_stale(base, kubectl, monkeypatch, path):
    before = objects()
    base.write(path, FILES[path].replace(*CHANGES[path]))
    after = objects()
    monkeypatch.setenv("XDG_CACHE_HOME", str(base.root / "another-cache"))
    fresh = objects()

    assert after == fresh
    assert after != before


def test_a_build_is_kept_and_used_again(base, kubectl, monkeypatch):
    first = build("base")
    monkeypatch.setenv("PATH", os.environ["PATH"])
    cache = Path(os.environ["XDG_CACHE_HOME"])
    (entry,) = cache.rglob("*.json")
    written = entry.stat().st_mtime_ns
    second = build("base")

    assert [(one.object, one.place) for one in first] == [(one.object, one.place) for one in second]
    assert entry.stat().st_mtime_ns == written


def test_the_key_does_not_depend_on_where_the_project_lies(base, tmp_path, monkeypatch):
    before = key()
    shutil.copytree(base.root, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert key() == before
    assert key(str(tmp_path / "elsewhere/base")) == before


@pytest.mark.parametrize(
    "entry",
    [
        "https://example.com/manifests.yaml",
        "github.com/example/repo//deploy?ref=v1",
        "git@github.com:example/repo",
        "missing.yaml",
    ],
)
def test_what_only_kustomize_can_fetch_opens_the_reach(work, entry):
    work.write("base/kustomization.yaml", f"resources: [{entry!r}]\n")

    assert key() is None


@pytest.mark.parametrize(
    "text",
    [
        "Resources: [../other]\n",
        "reſources: [../other]\n",
        "RESOURCES: [../other]\n",
        "patches: [{Path: ../other/p.yaml}]\n",
        "configMapGenerator: [{name: x, Envs: [../other/x.env]}]\n",
        "ConfigMapGenerator: [{name: x, envs: [../other/x.env]}]\n",
        "openAPI: {path: ../other/schema.json}\n",
        "helmCharts: [{name: x}]\n",
        "generators: [generator.yaml]\n",
        "a: b\n---\nresources: []\n",
        "not: [closed\n",
    ],
)
def test_what_we_would_read_otherwise_than_kustomize_opens_the_reach(work, text):
    work.write("base/kustomization.yaml", text)

    assert key() is None


def test_a_key_in_other_letters_never_gives_a_stale_build(work, kubectl):
    work.write("other/kustomization.yaml", "resources: [web.yaml]\n")
    work.write("other/web.yaml", FILES["base/web.yaml"])
    work.write("base/kustomization.yaml", "Resources: [../other]\n")
    assert objects()[0]["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"
    work.write("other/web.yaml", FILES["base/web.yaml"].replace("web:1", "web:2"))

    assert objects()[0]["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"


def test_a_variable_without_a_value_in_an_env_file_opens_the_reach(base):
    base.write("base/vars.env", "A=1\nHOME\n")

    assert key() is None


def test_a_kustomization_that_names_itself_ends(work):
    work.write("base/kustomization.yaml", "resources: [., ../base, ../other]\n")
    work.write("other/kustomization.yaml", "resources: [../base]\n")

    assert key() is not None


def test_a_directory_behind_a_link_counts(work):
    work.write("real/kustomization.yaml", "resources: [a.yaml]\n")
    work.write("real/a.yaml", "a: 1\n")
    work.write("base/kustomization.yaml", "resources: [link]\n")
    (work.root / "base/link").symlink_to("../real")
    before = key()
    work.write("real/a.yaml", "a: 2\n")

    assert key() != before


def test_a_link_out_of_the_base_is_not_read(base, tmp_path):
    (tmp_path / "private").write_text("one")
    (base.root / "base/link.txt").symlink_to(tmp_path / "private")
    before = key()
    (tmp_path / "private").write_text("two")

    assert key() == before is not None


def test_kustomize_does_not_follow_such_a_link_either(base, kubectl, tmp_path):
    (tmp_path / "private").write_text("one")
    (base.root / "base/settings.txt").unlink()
    (base.root / "base/settings.txt").symlink_to(tmp_path / "private")
    base.write("devcfg.yaml", "services: {web: {}}\nbase: base\n")
    done = base.devcfg("validate")

    assert (done.code, "error[base-build]" in done.err, "not in or below" in done.err) == (2, True, True)


def test_an_error_of_kustomize_names_every_directory_as_it_is_seen_from_here(base, kubectl):
    base.write("component/merge.yaml", "kind: [\n")
    base.write("devcfg.yaml", "services: {web: {}}\nbase: base\n")
    done = base.devcfg("validate")

    assert (done.code, "component" in done.err, str(base.root) in done.err) == (2, True, False)


@pytest.mark.parametrize(
    "text",
    [
        "resources: [pipe]\n",
        "patches: [{path: pipe}]\n",
        "configMapGenerator: [{name: x, files: [pipe]}]\n",
        "configMapGenerator: [{name: x, envs: [pipe]}]\n",
        "resources: [/dev/zero]\n",
    ],
)
def test_a_pipe_or_device_is_refused_at_once(work, kubectl, text):
    work.write("base/kustomization.yaml", text)
    work.write("devcfg.yaml", "services: {web: {}}\nbase: base\n")
    os.mkfifo(work.root / "base/pipe")
    done = work.devcfg("validate")

    assert done.code == 2
    assert "is neither a file nor a directory" in done.err


def test_a_pipe_that_nothing_names_is_not_opened(base):
    os.mkfifo(base.root / "base/pipe")

    assert key() is not None
