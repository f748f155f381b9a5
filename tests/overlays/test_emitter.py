"""The emitter: whatever JSON can say reads back as itself."""

import json
import string
import subprocess

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from devcfg.overlays.emitter import emit_document, emit_flow, is_bare

TRAPS = (
    *("", " ", "\t", "~", "=", "<<", "-", "?", ":", "#", "!", "&a", "*a", "|", ">", "%", "@", "`", "{", "[", "'", '"'),
    *("y", "Y", "n", "N", "yes", "No", "on", "OFF", "true", "True", "false", "null", "Null", "NULL", "nan", ".nan"),
    *(".inf", "-.inf", "inf", "1", "-1", "+1", "1_000", "0", "00", "0o17", "017", "0x1f", "0b11", "1e3", "1e+3", "1."),
    *(".5", "1.5", "12:30:45", "1:2", "2024-01-02", "2024-01-02T03:04:05Z", "2001-12-14 21:59:43.10 -5", "0.1.2"),
    *(" leading", "trailing ", "a: b", "a:", "a #b", "a#b", "- a", "-a", "a,b", "a, b", "{a}", "[a]", "a\\b", 'a"b'),
    *(
        "---",
        "...",
        "--- a",
        "a\n---\nb",
        "a\nb",
        "a\nb\n",
        "a\n\nb\n\n",
        "\na",
        "\n",
        "\n\n",
        "a\n b",
        " a\nb",
        "a \nb",
    ),
    *(
        "a\n \nb",
        "a\n\t\nb",
        "\ta\nb",
        "a\r\nb",
        "a\rb",
        "a\x85b",
        "a\u2028b",
        "a\u2029b",
        "\ufeffa",
        "a\x00b",
        "a\x1bb",
    ),
    *(
        "a\x7fb",
        "a\x9fb",
        "é",
        "日本",
        "😀",
        "a\nb\x85c",
        "a\n#b",
        "a\n- b",
        "# a\nb",
        "a\n%b",
        "\ud7ff",
        "\ue000",
        "\ufffe",
    ),
    *("\U0001fffe", "\U0010ffff", "$(A)", "${A}", "a'b", "a\\nb", "//", "/a", "_", "__", "a=b", "a@b", "a+b", "a :b"),
)

LOST_BY_KUSTOMIZE = {
    *("a\x7fb", "a\x9fb", "\ufffe", "\ta\nb"),  # kustomize reads them, and fails to write them
    *("a\x85b", "a\nb\x85c", "=", "<<", "2001-12-14 21:59:43.10 -5"),  # it writes them so that others misread them
}

texts = st.one_of(
    st.sampled_from(TRAPS),
    st.text(max_size=40),
    st.text(alphabet=string.printable + "\x85\u2028\u2029\ufeff\xa0", max_size=60),
    st.lists(st.sampled_from(TRAPS), max_size=4).map("\n".join),
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=25
)


def read(text):
    return yaml.load(text, Loader=yaml.CSafeLoader)


def kind_of(value):
    """Equal values of unequal types are told apart."""
    return json.dumps(value, sort_keys=True)


@given(values)
@settings(max_examples=500, deadline=None)
def test_a_document_reads_back_as_itself(value):
    assert kind_of(read(emit_document(value))) == kind_of(value)


@given(values)
@settings(max_examples=300, deadline=None)
def test_a_flow_value_is_one_line_of_json(value):
    text = emit_flow(value)
    assert kind_of(json.loads(text)) == kind_of(value)
    assert len(text.splitlines()) == 1


@given(st.recursive(texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)))
@settings(deadline=None)
def test_a_flow_value_is_yaml_too(value):
    assert read(emit_flow(value)) == value


@given(values)
@settings(deadline=None)
def test_the_same_value_gives_the_same_bytes(value):
    assert emit_document(value) == emit_document(json.loads(json.dumps(value)))


@pytest.mark.parametrize("text", TRAPS)
def test_a_trap_reads_back_as_text(text):
    assert read(emit_document({"value": text})) == {"value": text}
    assert read(emit_document({text: "value"})) == {text: "value"}
    assert read(emit_document([[text], {"a": [text]}])) == [[text], {"a": [text]}]


@pytest.mark.parametrize("text", ["y", "1e3", "0o17", "12:30:45", "2024-01-02", "~", "=", "a: b", "a #b", "", "no"])
def test_text_that_could_be_something_else_is_quoted(text):
    assert not is_bare(text)
    assert emit_document({"a": text}) == f'a: "{text}"\n'


@pytest.mark.parametrize("text", ["web", "busybox:musl", "a b", "/src", "kubectl.kubernetes.io/default", "apps/v1"])
def test_ordinary_text_stands_without_quotes(text):
    assert emit_document({"a": text}) == f"a: {text}\n"


def test_the_head_of_an_object_comes_first_and_the_rest_keeps_its_order():
    value = {"z": 1, "metadata": {"name": "a", "kind": "b"}, "b": 2, "kind": "K", "a": 3, "apiVersion": "v1"}
    assert emit_document(value) == ("apiVersion: v1\nkind: K\nmetadata:\n  name: a\n  kind: b\nz: 1\nb: 2\na: 3\n")


def test_a_script_is_a_literal_block():
    text = emit_document({"data": {"run.sh": "#!/bin/sh\nif true; then\n\techo hi\nfi\n"}})
    assert text == "data:\n  run.sh: |\n    #!/bin/sh\n    if true; then\n    \techo hi\n    fi\n"


def test_a_very_long_key_reads_back():
    value = {"a": [{"k" * 2000: {"b" * 1023: 1}}]}
    assert read(emit_document(value)) == value


def test_numbers_keep_their_kind():
    value = [1e22, 1e-7, 1.5, 1.0, 10**30, -0.0, True, None]
    assert list(map(repr, read(emit_document(value)))) == list(map(repr, value))


def test_kustomize_reads_every_trap_as_we_wrote_it(kubectls, tmp_path):
    annotations = {f"trap-{at}": text for at, text in enumerate(TRAPS) if text not in LOST_BY_KUSTOMIZE}
    meta = {"name": "traps", "annotations": annotations}
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": annotations}
    (tmp_path / "traps.yaml").write_text(emit_document(document), encoding="utf-8")
    (tmp_path / "kustomization.yaml").write_text("resources: [traps.yaml]\n")
    for kubectl in kubectls:
        built = subprocess.run([kubectl, "kustomize", tmp_path], capture_output=True, text=True, check=True, timeout=60)
        assert read(built.stdout) == document, kubectl
