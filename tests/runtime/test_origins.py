"""Where a built object stands in the files of its base: the quick look finds what a parser finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.compiler.manifests import read_manifests
from devcfg.runtime.origins import locate, places_in
from devcfg.schemas.manifest import Manifest

NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
FORMS = st.sampled_from(
    [
        "apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {name}\n",
        "kind: {kind}\nmetadata: {{labels: {{a: b}}, name: {name}}}\napiVersion: v1\n",
        (
            "# a comment\n\nmetadata:\n    labels:\n        name: other\n"
            "    name: '{name}' # said\nkind: \"{kind}\"\napiVersion: v1\n"
        ),
        (
            "apiVersion: v1\nspec:\n  kind: Other\n  metadata:\n    name: inner\n"
            "kind: {kind}\nmetadata:\n  annotations:\n    name: no\n  name: {name}\n"
        ),
    ]
)
DOCUMENTS = st.lists(st.tuples(FORMS, st.sampled_from(["Deployment", "Service"]), NAMES), max_size=6)


@given(DOCUMENTS, st.sampled_from(["\n", "\r\n"]))
def test_a_quick_look_finds_what_a_parser_finds(tmp_path_factory, documents, end):
    text = "---\n".join(form.format(kind=kind, name=name) for form, kind, name in documents).replace("\n", end)
    file = tmp_path_factory.mktemp("origins") / "base.yaml"
    file.write_bytes(text.encode())
    wanted = {}
    for one in read_manifests(text, file=str(file)):
        wanted.setdefault((one.kind, one.name), (str(file), one.line))

    assert places_in([str(file)]) == wanted


def built(kind, name):
    return Manifest({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}, "k8s")


@pytest.mark.parametrize(
    ("name", "line"), [("web", 1), ("dev-web", 1), ("web-v2", 1), ("dev-web-admin-v2", 5), ("other", 0)]
)
def test_a_prefix_or_suffix_is_looked_through_and_the_longest_name_counts(tmp_path, name, line):
    text = "kind: Pod\nmetadata:\n  name: web\n---\nkind: Pod\nmetadata:\n  name: web-admin\n"
    (tmp_path / "a.yaml").write_text(text)
    (found,) = locate((built("Pod", name),), [str(tmp_path / "a.yaml")])

    assert found.line == line


def test_a_file_that_cannot_be_read_has_no_places(tmp_path):
    assert places_in([str(tmp_path / "gone.yaml"), str(tmp_path)]) == {}
