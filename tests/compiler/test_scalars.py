"""Plain scalars against the record of what kubectl prints, against kubectl itself, and against another reader."""

from __future__ import annotations

import json
import math
import re
import subprocess
from pathlib import Path
from random import Random

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from devcfg.compiler.scalars import annotation_after_patch, read_core, read_kustomize, through_patch
from devcfg.schemas.scalar import PlainScalar

RECORD = json.loads((Path(__file__).parent / "data" / "scalars.json").read_text())
"""Rows of: source text; value in an untouched object; in a patched one; as an annotation of a patched one."""


def same_kind(found, wanted):
    return type(found) is type(wanted) and found == wanted


def test_the_record_is_long_enough_to_trust():
    assert len(RECORD) >= 60


@pytest.mark.parametrize(("text", "untouched", "patched", "annotation"), RECORD, ids=[row[0] for row in RECORD])
def test_a_plain_scalar_reads_as_kustomize_prints_it(text, untouched, patched, annotation):
    value = read_kustomize(text)
    assert same_kind(value, untouched)
    assert same_kind(through_patch(value), patched)
    assert annotation_after_patch(PlainScalar(text, None)) == annotation


@pytest.mark.parametrize("text", [".inf", ".Inf", "-.INF", "+.inf", ".nan", ".NaN", "2024-01-02T03:04:05+24:00"])
def test_what_json_cannot_hold_is_refused_as_kustomize_refuses_it(text):
    with pytest.raises(ValueError, match=r"no form in JSON|more than a day"):
        read_kustomize(text)


def printed(node: yaml.ScalarNode):
    """Read one scalar of kubectl's output, which knows only quoted strings, JSON's words and decimal numbers."""
    if node.style in ("'", '"') or node.style == "|":
        return node.value
    if node.value in ("null", "true", "false"):
        return json.loads(node.value)
    if re.fullmatch(r"-?(0|[1-9][0-9]*)", node.value) and -(2**63) <= int(node.value) < 2**64:
        return int(node.value)
    try:
        number = float(node.value) if set(node.value) <= set("0123456789.e+-") else None
    except ValueError:
        return node.value
    return number if number is not None and math.isfinite(number) else node.value


def below(node: yaml.MappingNode, *path: str) -> yaml.MappingNode:
    for name in path:
        node = next(value for key, value in node.value if key.value == name)
    return node


def through_kubectl(root: Path, texts: list[str], kubectl: str):
    """Return for each text the nodes that kubectl prints: untouched, patched, as annotations of both."""
    rows = "\n".join(f"    k{number}: {text}" for number, text in enumerate(texts))
    (root / "base.yaml").write_text(
        "".join(
            f"---\napiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: {name}\n  annotations:\n{rows}\n"
            f"spec:\n  free:\n{rows}\n"
            for name in ("untouched", "patched")
        )
    )
    (root / "kustomization.yaml").write_text(
        "resources: [base.yaml]\npatches:\n- target: {kind: Widget, name: patched}\n"
        "  patch: |-\n    - {op: add, path: /extra, value: 1}\n"
    )
    printed_text = subprocess.run([kubectl, "kustomize", root], check=True, capture_output=True, text=True).stdout
    found = {}
    for document in yaml.compose_all(printed_text, Loader=yaml.CSafeLoader):
        name = below(document, "metadata", "name").value
        for place, path in (("free", ("spec", "free")), ("annotation", ("metadata", "annotations"))):
            nodes = {key.value: value for key, value in below(document, *path).value}
            found[name, place] = [nodes[f"k{number}"] for number in range(len(texts))]
    return found


def test_the_record_is_what_kubectl_prints_today(tmp_path, kubectls):
    found = through_kubectl(tmp_path, [row[0] for row in RECORD], kubectls[0])
    for at, (text, untouched, patched, annotation) in enumerate(RECORD):
        assert same_kind(printed(found["untouched", "free"][at]), untouched), text
        assert same_kind(printed(found["patched", "free"][at]), patched), text
        assert found["untouched", "annotation"][at].value == text
        assert found["patched", "annotation"][at].value == annotation, text


def drawn_scalars(seed, count):
    """Return that many plain scalars that look like numbers, words and moments; equal seeds give equal ones."""
    random, found = Random(seed), set()
    choice = random.choice
    digits = lambda most: "".join(random.choice("0123456789_") for _ in range(random.randint(0, most)))  # noqa: E731
    sign = lambda: random.choice(["", "-", "+"])  # noqa: E731
    forms = (
        lambda: "".join(random.choice("0123456789+-._eExXoObBaAfFnN~TZ:") for _ in range(random.randint(1, 7))),
        lambda: sign() + random.choice(["0x", "0o", "0b", "0X", "0B", "0O", "0"]) + digits(6) + random.choice("01aF"),
        lambda: f"{sign()}{digits(22)}{choice(['', '.'])}{digits(5)}{choice(['', 'e', 'E+', 'e-'])}{digits(2)}",
        lambda: (
            f"{random.choice(['2024', '0000', '24'])}-{random.randint(0, 14)}-{random.randint(0, 32):02d}"
            + random.choice(["", "T03:04:05Z", "t3:4:5.5+01:00", "T24:00:00Z", "T23:59:60Z"])
        ),
    )
    while len(found) < count:
        text = random.choice(forms)()
        try:
            node = yaml.compose(f"k: {text}\n", Loader=yaml.CSafeLoader).value[0][1]
            read_kustomize(text)
        except (yaml.YAMLError, ValueError, IndexError):
            continue
        if text and node.value == text and not node.style:
            found.add(text)
    return sorted(found)


def reads_as_kubectl_prints(root, kubectls, seed, count):
    texts = drawn_scalars(seed, count)
    for kubectl in kubectls:
        found = through_kubectl(root, texts, kubectl)
        for at, text in enumerate(texts):
            value = read_kustomize(text)
            assert same_kind(value, printed(found["untouched", "free"][at])), text
            assert same_kind(through_patch(value), printed(found["patched", "free"][at])), text
            assert annotation_after_patch(PlainScalar(text, None)) == found["patched", "annotation"][at].value, text
    print(f"{count} drawn scalars, seed {seed}, {len(kubectls)} kubectls: all read alike")


def test_drawn_scalars_read_as_kubectl_prints_them(tmp_path, kubectls):
    reads_as_kubectl_prints(tmp_path, kubectls[:1], 1, 500)


@pytest.mark.proof
def test_thousands_of_drawn_scalars_read_as_every_kubectl_prints_them(tmp_path, kubectls):
    for seed in range(2, 12):
        reads_as_kubectl_prints(tmp_path, kubectls, seed, 1500)


@given(st.integers(min_value=-(2**63), max_value=2**64 - 1))
def test_an_integer_of_64_bits_stays_exact(number):
    assert same_kind(read_kustomize(str(number)), number)


@given(st.integers(min_value=-(2**53), max_value=2**53))
def test_a_patch_leaves_every_integer_that_a_float_holds(number):
    assert same_kind(through_patch(number), number)


@given(st.text(alphabet="0123456789abcdefoxXTtZ.+-_:eE ~", min_size=1, max_size=24))
def test_no_text_breaks_either_reading(text):
    assert isinstance(read_core(text), str | int | float | None)
    try:
        value = read_kustomize(text)
    except ValueError:
        return
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("Null", None), ("nUll", "nUll"), ("TRUE", True), ("False", False), ("tRUE", "tRUE"),
        ("yes", "yes"), ("on", "on"), ("y", "y"), ("No", "No"), ("012", 12), ("0o17", 15), ("0x1f", 31), ("-12", -12),
        ("+1", 1), ("-0x1f", "-0x1f"), ("0b11", "0b11"), ("1_000", "1_000"), ("1e3", 1000.0), ("1.", 1.0), (".5", 0.5),
        ("-.5", -0.5), ("1:30", "1:30"), ("12:30:45", "12:30:45"), ("2024-01-02", "2024-01-02"), ("0o8", "0o8"),
        ("0x", "0x"), (".", "."), ("-", "-"), ("+", "+"), ("1e", "1e"), ("<<", "<<"), ("=", "="), ("１", "１"),
        (".inf", math.inf), ("-.Inf", -math.inf), ("+.INF", math.inf), (".iNF", ".iNF"), ("1e400", math.inf),
    ],
)  # fmt: skip
def test_the_dev_config_is_read_as_yaml_1_2_core(text, value):
    assert same_kind(read_core(text), value)


def test_nan_is_a_number_that_equals_nothing():
    assert math.isnan(read_core(".nan"))


def test_an_endless_integer_is_no_crash():
    assert read_core("9" * 5000) == math.inf
    assert read_kustomize("9" * 5000) == "9" * 5000
    assert read_core("0x" + "f" * 5000) == "0x" + "f" * 5000


OLD_HABITS = re.compile(
    r".*[_:].*|[=<].*|[-+]0[box].*|0[bBXO].*|[0-9]{4}-.*|[-+]\.nan|[-+]?\.[0-9]+e[0-9]+", re.IGNORECASE
)
"""Where ruamel still follows YAML 1.1, or neither: underscores, dates, binary numbers, signed prefixes, `.5e1`."""


@given(
    st.one_of(
        st.from_regex(r"[-+]?(0[ox])?[0-9a-f]{0,6}(\.[0-9]{0,4})?(e[-+]?[0-9]{1,3})?", fullmatch=True),
        st.sampled_from([row[0] for row in RECORD]),
    ).filter(lambda text: text != "-" and not OLD_HABITS.fullmatch(text))
)
def test_another_reader_of_yaml_1_2_agrees(text):
    theirs = YAML(typ="safe", pure=True).load(f"- {text}\n")[0]
    ours = read_core(text)
    assert isinstance(ours, str) == isinstance(theirs, str)
    assert ours == theirs or (math.isnan(ours) and math.isnan(theirs))
