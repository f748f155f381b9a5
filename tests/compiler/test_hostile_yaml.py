"""No hostile file becomes an object: every one is refused with our error, at a place in the file."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from devcfg.compiler.document import read_document
from devcfg.compiler.manifests import read_manifests
from devcfg.runtime.workspace import open_workspace
from devcfg.schemas.errors import BaseError, ConfigError

CORPUS = runpy.run_path(str(Path(__file__).parent / "data" / "hostile.py"))["corpus"]()

EXPECTED = {
    "bomb": {"alias-expansion", "too-many-aliases"},
    "text-bomb": {"alias-expansion"},
    "key-value-bomb": {"alias-expansion"},
    "depth-3000": {"too-deep", "too-large"},
    "depth-through-aliases": {"too-deep"},
    "flow-list": {"too-many-nodes"},
    "block-list": {"too-many-nodes", "too-large"},
    "too-large": {"too-large"},
    "duplicate": {"duplicate-key", "too-large"},
    "merge-fold": {"alias-expansion", "too-many-aliases"},
    "recursive": {"recursive-alias", "unknown-alias"},
    "encoding": {"encoding"},
    "latin-1": {"encoding"},
    "character": {"control-character"},
    "tab": {"tab-indentation"},
    "tag": {"explicit-tag", "yaml-syntax", "too-large"},
    "directive-many": {"directive"},
    "documents": {"several-documents"},
}


def wanted(name: str) -> set[str]:
    """The codes for the longest family name that the case belongs to; empty when any will do."""
    families = [family for family in EXPECTED if name.startswith(family + "-")]
    return EXPECTED[max(families, key=len)] if families else set()


def test_the_corpus_has_two_hundred_different_files():
    assert len(set(CORPUS.values())) >= 200


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_dev_config_is_refused_at_a_place(name):
    with pytest.raises(ConfigError) as caught:
        read_document(CORPUS[name], file="devcfg.yaml")
    found = caught.value.diagnostics
    assert 1 <= len(found) <= 101
    for one in found:
        assert one.file == "devcfg.yaml"
        assert one.message
        assert len(one.message) < 200
        assert one.span is not None
        assert one.span.line >= 1
        assert one.span.column >= 1
        assert (one.span.end_line, one.span.end_column) > (one.span.line, one.span.column)
    assert not wanted(name) or found[-1].code in wanted(name) or found[0].code in wanted(name)


@pytest.mark.parametrize("name", [name for name, data in CORPUS.items() if len(data) < 1_000_000])
def test_a_hostile_base_is_read_or_refused_but_breaks_nothing(name):
    try:
        found = read_manifests(CORPUS[name], file="base.yaml")
    except BaseError as error:
        assert all(one.span is not None and one.file == "base.yaml" for one in error.diagnostics)
    else:
        assert found == ()


BASE = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"


@pytest.mark.parametrize("name", [name for name in CORPUS if name.startswith(("bomb", "text-bomb", "key-value"))])
def test_a_bomb_inside_an_object_never_grows_beyond_its_base(name):
    body = CORPUS[name].decode().replace("version: 1\n", "")
    try:
        (found,) = read_manifests(f"{BASE}{body}", file="base.yaml")
    except BaseError as error:
        assert {one.code for one in error.diagnostics} <= {"alias-expansion", "too-deep"}
    else:
        assert weigh(found.object) <= 1_000_000 + 10 * len(body)


def weigh(value):
    match value:
        case dict():
            return sum(len(key) + weigh(below) for key, below in value.items())
        case list():
            return sum(map(weigh, value))
        case _:
            return len(str(value))


def test_a_config_whose_lines_end_in_carriage_returns_is_a_config_like_any_other():
    text = "version: 1\nservices:\n  web:\n    image: x\n"
    found = [read_document(text.replace("\n", end).encode(), file="devcfg.yaml").value for end in ("\n", "\r", "\r\n")]
    assert found[0] == found[1] == found[2] != {}


@pytest.mark.parametrize("name", [name for name, data in CORPUS.items() if len(data) < 1_000_000])
def test_a_hostile_personal_file_is_refused_like_a_config(name, tmp_path):
    (tmp_path / "devcfg.yaml").write_text("version: 1\nservices: {web: {image: x}}\n")
    (tmp_path / "devcfg.local.yaml").write_bytes(CORPUS[name])
    with pytest.raises(ConfigError) as caught:
        open_workspace(str(tmp_path / "devcfg.yaml"), with_local=True)
    assert {one.file for one in caught.value.diagnostics} == {str(tmp_path / "devcfg.local.yaml")}


READER = """
import resource, sys
from devcfg.compiler.parser import read_config
from devcfg.compiler.manifests import read_manifests
from devcfg.schemas.errors import ConfigError
resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        data = file.read(1_000_000)
    for read in (read_config, read_manifests) if not path.endswith("-config") else (read_config,):
        try:
            read(data, file="devcfg.yaml")
        except ConfigError:
            pass
# Not getrusage: a new program inherits the peak of the one that started it.
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""
MOST_MEGABYTES = 150


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory differently")
def test_no_hostile_file_costs_more_than_150_megabytes(tmp_path):
    paths = []
    for name, data in CORPUS.items():
        # What is longer than any base's limit is refused by its length, and needs no reader of bases.
        path = tmp_path / (name if len(data) < 1_000_000 else f"{name}-config")
        path.write_bytes(data)
        paths.append(str(path))
    code = READER.replace("MOST_BYTES", str(1024 * MOST_MEGABYTES * 1024 * 4))
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    peak = int(done.stdout) / 1024
    print(f"{len(paths)} hostile files, read as config and base in one process: {peak:.0f} MB at most")
    assert peak < MOST_MEGABYTES


LOCKS = [
    "",
    "{",
    "[" * 5_000_000,
    '{"version": 1, "files": {"../../../etc/passwd": "x", "/etc/passwd": "x"}}',
    "\x00" * 99,
]


@pytest.mark.parametrize("number", range(len(LOCKS)))
def test_a_hostile_lock_is_no_crash_and_leads_nowhere_else(tmp_path, number):
    (tmp_path / "devcfg.yaml").write_text(json.dumps({"base": "base.yaml", "services": {"web": {"image": "x:1"}}}))
    (tmp_path / "base.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
        "spec: {template: {spec: {containers: [{name: web, image: w}]}}}\n"
    )
    (tmp_path / "kustomization.yaml").write_text("resources: [base.yaml]\n")
    for arguments in (["--write"], ["--check"], ["--write"], ["--write", "--force"], ["--check"]):
        command = [sys.executable, "-m", "devcfg.runtime", "render", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ})
        assert "Traceback" not in done.stderr
        assert "passwd" not in done.stdout + done.stderr
        if arguments == ["--write"]:
            (tmp_path / "k8s/components/devcfg/devcfg.lock").write_text(LOCKS[number])
    assert done.returncode == 0
