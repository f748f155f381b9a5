"""Manifests as they come from the wild: every object with its place, values as kustomize has them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from devcfg.compiler import syntax
from devcfg.compiler.manifests import as_patched, read_manifests
from devcfg.schemas.errors import BaseError
from devcfg.schemas.patch import same

DATA = Path(__file__).parent / "data"
OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def read(text, file="base.yaml"):
    return read_manifests(text, file=file)


def only(text):
    (found,) = read(text)
    return found.object


def refused(text, file="base.yaml"):
    with pytest.raises(BaseError) as caught:
        read(text, file)
    return caught.value.diagnostics


def place(finding):
    return finding.code, finding.span.line, finding.span.column


def test_every_document_becomes_an_object_with_its_line():
    text = f"# Source: a.yaml\n{OBJECT}---\n# Source: b.yaml\n\n{OBJECT}---\n# nothing\n---\n---\n{OBJECT}...\n"
    assert [(one.place, one.kind, one.name) for one in read(text)] == [
        ("base.yaml:2", "ConfigMap", "a"),
        ("base.yaml:8", "ConfigMap", "a"),
        ("base.yaml:15", "ConfigMap", "a"),
    ]


@pytest.mark.parametrize("text", ["", "\n", "# words\n", "---\n", "---\n---\n# x\n", "null\n", "{}\n"])
def test_a_file_without_objects_has_none(text):
    assert read(text) == ()


def test_lists_are_taken_apart_and_items_keep_their_lines():
    found = read((DATA / "base.yaml").read_text())
    assert [(one.line, one.kind, one.name) for one in found] == [
        (4, "Deployment", "web"),
        (49, "ConfigMap", "settings"),
        (58, "Service", "web"),
        (63, "ConfigMap", "other"),
        (67, "CustomResourceDefinition", "widgets.example.com"),
    ]


def test_lists_in_lists_are_taken_apart():
    inner = '{"kind": "ConfigMapList", "items": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}]}'
    assert [one.name for one in read(f'{{"kind": "List", "apiVersion": "v1", "items": [null, {inner}]}}')] == ["x"]


def test_a_kind_that_only_sounds_like_a_list_is_an_object():
    text = "apiVersion: e.com/v1\nkind: AccessList\nmetadata: {name: x}\nspec: {}\n"
    assert [(one.kind, one.group, one.version) for one in read(text)] == [("AccessList", "e.com", "v1")]


@pytest.mark.parametrize("items", ["items: []", "items:", ""])
def test_an_empty_list_has_no_objects(items):
    assert read(f"apiVersion: v1\nkind: List\n{items}\n") == ()


def test_files_of_kustomize_itself_are_left_out():
    kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n"
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
    assert [one.name for one in read(f"{kustomization}---\n{component}---\n{OBJECT}")] == ["a"]
    assert read("resources: [a.yaml]\n", file="k8s/kustomization.yaml") == ()
    assert refused("resources: [a.yaml]\n")[0].code == "no-kind"


def test_a_flux_kustomization_is_an_object():
    text = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: x}\n"
    assert [one.group for one in read(text)] == ["kustomize.toolkit.fluxcd.io"]


def test_anchors_and_merge_keys_are_resolved():
    found = only(
        f"{OBJECT}a: &a {{x: 1, y: 2}}\nb: &b {{y: 3, z: 4}}\nc: {{x: own, <<: [*a, *b]}}\nd: [*a, &s t, *s]\n"
    )
    assert found["c"] == {"x": "own", "y": 2, "z": 4}
    assert found["d"] == [{"x": 1, "y": 2}, "t", "t"]


def test_an_anchor_ends_with_its_document():
    finding = refused(f"{OBJECT}a: &a 1\n---\n{OBJECT}b: *a\n")[0]
    assert place(finding) == ("unknown-alias", 9, 4)


def test_line_ends_and_a_byte_order_mark_change_nothing():
    text = (DATA / "base.yaml").read_text()
    plain = [(one.line, one.object) for one in read(text)]
    assert [(one.line, one.object) for one in read("\ufeff" + text.replace("\n", "\r\n"))] == plain
    assert [(one.line, one.object) for one in read(text.encode())] == plain


def test_json_is_read_with_tabs_and_surrogates():
    value = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}, "text": "😀 \\ud83d\\ude00 </é", "n": 1.5}
    assert only(json.dumps(value, indent="\t")) == value


def test_tags_of_strings_are_kept_as_meant():
    assert only(f"{OBJECT}a: !!str 1.0\nb: !!str yes\nc: !!map {{}}\nd: !!seq []\n")["a"] == "1.0"


def test_an_annotation_without_quotes_keeps_its_text():
    annotations = read((DATA / "base.yaml").read_text())[0].metadata["annotations"]
    assert annotations == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9090",
        "released": "2024-01-02",
        "build": "20240102",
        "ratio": "0.50",
        "note": "folded text",
        "nothing": "",
    }
    assert json.loads(json.dumps(annotations)) == annotations


def test_an_annotation_of_a_patched_object_is_what_its_value_prints_as():
    patched = as_patched(read((DATA / "base.yaml").read_text())[0].object)
    assert patched["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9090",
        "released": "2024-01-02T00:00:00Z",
        "build": "2.0240102e+07",
        "ratio": "0.5",
        "note": "folded text",
        "nothing": "null",
    }
    assert {type(value) for value in patched["metadata"]["annotations"].values()} == {str}


def test_a_patched_object_shares_what_does_not_change():
    found = only(f"{OBJECT}a: {{b: 1}}\nbig: 9007199254740993\n")
    patched = as_patched(found)
    assert patched["big"] == 9007199254740992
    assert patched["a"] is found["a"]
    assert found["big"] == 9007199254740993
    assert as_patched(patched) is patched


def test_empty_annotations_are_dropped_as_kustomize_drops_them():
    for empty in ("{}", "", "~", "[]"):
        assert only(f"apiVersion: v1\nkind: X\nmetadata:\n  name: a\n  annotations: {empty}\n")["metadata"] == {
            "name": "a"
        }


def test_both_places_of_a_duplicate_key_are_named():
    (finding,) = refused(f"{OBJECT}---\n{OBJECT}data:\n  a: 1\n  b: {{c: 1}}\n  a: 2\n")
    assert place(finding) == ("duplicate-key", 11, 3)
    assert finding.message == "the key `a` stands twice in one mapping"
    assert (finding.notes[0].file, finding.notes[0].line, finding.notes[0].column) == ("base.yaml", 9, 3)


@pytest.mark.parametrize("text", ["data: [{a: 1, b: [x], a: 2}]", "data: {x: {a: {}, a: []}}", "'data': 1\ndata: 2"])
def test_duplicate_keys_are_found_in_every_shape(text):
    assert refused(OBJECT + text)[0].code == "duplicate-key"


def test_the_same_key_in_two_mappings_is_no_duplicate():
    assert only(f"{OBJECT}a: {{x: 1, y: {{x: 2}}}}\nb: [{{x: 1}}, {{x: 2}}]\nc: {{<<: {{x: 1}}, x: 2}}\n")["c"] == {
        "x": 2
    }


@pytest.mark.parametrize(
    ("text", "code", "line", "message", "hint"),
    [
        ("kind: X\nmetadata: {name: a}\n", "no-kind", 1, "`apiVersion` is missing", "`apiVersion`, `kind` and"),
        ("apiVersion: v1\nmetadata: {name: a}\n", "no-kind", 1, "`kind` is missing", "every object"),
        ("\n\napiVersion: v1\nkind: X\n", "no-name", 3, "`metadata.name` is missing", "every object"),
        ("apiVersion: v1\nkind: X\nmetadata: {name: ''}\n", "no-name", 1, "`metadata.name` must be a text", ""),
        ("apiVersion: v1\nkind: X\nmetadata: {name: 12}\n", "no-name", 1, "found `12`", 'write `"12"`'),
        ("apiVersion: v1\nkind: X\nmetadata: {generateName: a-}\n", "no-name", 1, "is missing", "`generateName`"),
        ("apiVersion: v1\nkind: X\nmetadata: [a]\n", "no-name", 1, "`metadata.name` is missing", "every object"),
        ("- a\n- b\n", "not-an-object", 1, "wanted a Kubernetes object, found a list", ""),
        ("hello\n", "not-an-object", 1, "found the text `hello`", ""),
        (f"{OBJECT}8080: x\n", "key-not-string", 4, "a key must be a text, `8080` is none", '`"8080"`'),
        (f"{OBJECT}? [a]\n: x\n", "key-not-string", 4, "found a list or mapping", ""),
        (f"{OBJECT}a: .inf\n", "not-json", 4, "`.inf` has no form in JSON", "quotes"),
        (f"{OBJECT}a: !!binary aGk=\n", "explicit-tag", 4, "is not supported", ""),
        (f"{OBJECT}a: !x {{b: c}}\n", "explicit-tag", 4, "`!x` is not supported", ""),
        (f"{OBJECT}a: &a [*a]\n", "recursive-alias", 4, "`&a` contains itself", ""),
        (f"{OBJECT}<<: 3\n", "bad-merge", 4, "`<<` merges a mapping or a list of mappings", "*anchor"),
        (f"{OBJECT}<<: {{a: 1}}\n<<: {{b: 1}}\n", "duplicate-key", 5, "the key `<<` stands twice", ""),
        (f"{OBJECT}\ta: 1\n", "tab-indentation", 4, "YAML does not allow tabs", "spaces"),
        (f"{OBJECT}a: [1\nb: 2\n", "yaml-syntax", 4, "a list in brackets is not closed", "]"),
        (f"{OBJECT}a: {'[' * 201}", "too-deep", 4, "nested more than 200 levels deep", ""),
        (f"{OBJECT}a: \x00\n", "control-character", 4, "U+0000", ""),
        (f"{OBJECT}a: \ud800\n", "control-character", 4, "half a character U+D800", "remove it"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_base_is_said_with_its_line(text, code, line, message, hint):
    (finding,) = refused(text)
    assert (finding.code, finding.span.line, finding.file) == (code, line, "base.yaml")
    assert message in finding.message
    assert hint in finding.hint


def test_every_bad_object_of_a_file_is_reported():
    found = refused(f"kind: X\n---\n{OBJECT}---\n- a\n---\napiVersion: v1\nkind: Y\n")
    assert [place(one) for one in found] == [("no-kind", 1, 1), ("not-an-object", 7, 1), ("no-name", 9, 1)]


def test_standard_input_is_named_by_document():
    assert [one.place for one in read(f"{OBJECT}---\n# nothing\n---\n{OBJECT}", file="-")] == [
        "<stdin>:doc 1",
        "<stdin>:doc 3",
    ]
    assert refused(f"{OBJECT}---\nkind: X\n", file="-")[0].file == "<stdin>:doc 2"
    assert refused(f"{OBJECT}---\na: {{\n", file="-")[0].file == "<stdin>:doc 2"
    assert refused(b"\xff", file="-")[0].file == "<stdin>"


def test_a_bomb_in_a_base_is_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 9)]
    assert refused(OBJECT + "\n".join(lines))[0].code == "alias-expansion"
    chain = ["a0: &a0 []", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 300))]
    assert refused(OBJECT + "\n".join(chain))[0].code == "too-deep"


def test_a_thousand_uses_of_one_anchor_are_fine():
    shared = OBJECT + "a: &a {k: v, l: w}\nb: [" + ", ".join(["*a"] * 1000) + "]\n"
    assert len(only(shared)["b"]) == 1000


# PyYAML writes `1e3` and `0o17` without quotes, because for YAML 1.1 they are texts: for kustomize they are numbers.
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc",), exclude_characters="\u2028\u2029\ufeff")
).filter(lambda text: not re.match(r"[-+.]?[0-9]", text))
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda number: not number.is_integer()
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(TEXT.filter(lambda key: len(key) < 30), below, max_size=4)
    ),
    max_leaves=25,
)


@given(VALUES)
def test_what_was_dumped_reads_back(value):
    whole = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}, "value": value}
    for text in (
        json.dumps(whole),
        json.dumps(whole, ensure_ascii=False, indent=2),
        yaml.safe_dump(whole, allow_unicode=True, width=1000),
        yaml.safe_dump(whole, default_flow_style=True, width=1000),
    ):
        found = only(text)
        assert same(found, whole)
        assert json.dumps(found, sort_keys=True) == json.dumps(whole, sort_keys=True)


def by_name(manifests):
    return {(one.kind, one.name): one.object for one in manifests}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
@pytest.mark.parametrize("patched", [False, True])
def test_a_whole_base_reads_as_kubectl_builds_it(tmp_path, patched):
    shutil.copy(DATA / "base.yaml", tmp_path / "base.yaml")
    patch = "patches:\n- target: {kind: .*}\n  patch: |-\n    - {op: add, path: /extra, value: 1}\n"
    (tmp_path / "kustomization.yaml").write_text("resources: [base.yaml]\n" + patch * patched)
    built = subprocess.run(["kubectl", "kustomize", str(tmp_path)], check=True, capture_output=True, text=True).stdout
    theirs, ours = by_name(read(built)), by_name(read((DATA / "base.yaml").read_text()))
    if patched:
        ours = {key: {**as_patched(value), "extra": 1} for key, value in ours.items()}
    assert ours == theirs
    assert json.dumps(ours[("Deployment", "web")], sort_keys=True) == json.dumps(
        theirs[("Deployment", "web")], sort_keys=True
    )


def test_without_the_c_parser_the_same_is_read_and_refused(monkeypatch):
    text = (DATA / "base.yaml").read_text()
    fast = [(one.line, one.object) for one in read(text)]
    broken = [f"{OBJECT}a: [1\nb: 2\n", f"{OBJECT}\ta: 1\n", f"{OBJECT}a: 1\na: 2\n", f"{OBJECT}a: @x\n"]
    places = [place(refused(one)[0]) for one in broken]
    monkeypatch.setattr(syntax, "cyaml", None)
    assert [(one.line, one.object) for one in read(text)] == fast
    assert [place(refused(one)[0]) for one in broken] == places


@pytest.mark.parametrize("name", ["web", "web.v1", "system:auth-reader", "Web_1", "a b", "名", "x" * 253])
def test_names_that_some_kind_of_object_may_have_are_taken(name):
    assert (
        only(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {json.dumps(name)}}}\n")["metadata"]["name"] == name
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "../K"),
        ("kind", "K/x"),
        ("kind", "1K"),
        ("apiVersion", "../x/v1"),
        ("apiVersion", "a/b/v1"),
        ("apiVersion", "x/.."),
        ("metadata.name", ".."),
        ("metadata.name", "."),
        ("metadata.name", "a/b"),
        ("metadata.name", "a%2fb"),
        ("metadata.name", "a\x1bb"),
        ("metadata.name", "a\u202eb"),
        ("metadata.name", "x" * 254),
        ("metadata.namespace", "../.."),
        ("metadata.namespace", "a\nb"),
    ],
)
def test_a_name_that_no_object_can_have_is_refused(field, value):
    base = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b"}}
    (base if field in base else base["metadata"])[field.rpartition(".")[2]] = value
    (finding,) = refused(json.dumps(base))

    assert (finding.code, f"`{field}`" in finding.message) == ("bad-name", True)
