"""Findings for machines: JSON, SARIF and annotations carry the same, and every reader can read them."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.runtime.reports import as_github, as_json, as_sarif
from devcfg.schemas.codes import CODES
from devcfg.schemas.diagnostic import Diagnostic, Note, Severity, Span

ONE = Diagnostic(
    "bad-value",
    "wanted x, found y",
    hint="write x",
    file="devcfg.yaml",
    span=Span(3, 5, 3, 9),
    pointer="/services/web/image",
    label="did you mean `x`?",
    notes=(Note("it is here", "base.yaml", 7), Note("without a place", "")),
)
BARE = Diagnostic("no-base", "there is no `k8s`")
TEXTS = st.text(st.sampled_from('ab:,%\r\n\x1b\x9b\u202e\u2028名🚀"\\'), max_size=20)
DIAGNOSTICS = st.lists(
    st.builds(
        Diagnostic,
        st.sampled_from(sorted(CODES)),
        TEXTS,
        st.sampled_from(Severity),
        hint=TEXTS,
        file=TEXTS,
        span=st.none() | st.builds(Span, st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
        notes=st.lists(st.builds(Note, TEXTS, TEXTS, st.integers(0, 9)), max_size=2).map(tuple),
    ),
    max_size=5,
).map(tuple)


def test_json_carries_every_member_that_is_documented():
    (row,) = json.loads(as_json((ONE,)))["diagnostics"]

    assert row == {
        "code": "bad-value",
        "severity": "error",
        "message": "wanted x, found y",
        "hint": "did you mean `x`?; write x",
        "file": "devcfg.yaml",
        "line": 3,
        "column": 5,
        "end_line": 3,
        "end_column": 9,
        "pointer": "/services/web/image",
        "notes": [
            {"message": "it is here", "file": "base.yaml", "line": 7},
            {"message": "without a place", "file": "", "line": None},
        ],
    }


def test_nothing_to_say_is_still_a_document():
    assert json.loads(as_json(())) == {"version": 1, "diagnostics": []}
    assert json.loads(as_sarif(()))["runs"][0]["results"] == []
    assert as_github(()) == ""


@given(DIAGNOSTICS)
def test_json_is_sorted_by_line_then_column(found):
    rows = json.loads(as_json(found))["diagnostics"]
    places = [(row["line"] or 0, row["column"] or 0) for row in rows]

    assert places == sorted(places)
    assert len(rows) == len(found)


@given(DIAGNOSTICS)
def test_no_form_holds_what_a_terminal_obeys(found):
    for text in (as_json(found), as_sarif(found), as_github(found)):
        assert text.replace("\n", "").isprintable()


@given(DIAGNOSTICS)
def test_an_annotation_is_one_line_each_and_its_properties_cannot_be_left(found):
    lines = as_github(found).splitlines()

    assert len(lines) == len(found)
    for line, one in zip(lines, found, strict=True):
        head = re.fullmatch(r"::(error|warning|notice) file=([^,:\r\n]*),line=\d+,[^:\r\n]*,title=([a-z-]+)::.*", line)
        assert head is not None, line
        assert head[3] == one.code


@given(DIAGNOSTICS)
def test_sarif_names_a_rule_for_every_result(found):
    (run,) = json.loads(as_sarif(found))["runs"]
    rules = run["tool"]["driver"]["rules"]

    assert [rules[one["ruleIndex"]]["id"] for one in run["results"]] == [one["ruleId"] for one in run["results"]]
    assert [one["ruleId"] for one in run["results"]] == [one.code for one in found]
    assert all(one["fullDescription"]["text"] for one in rules)


@pytest.mark.parametrize("name", ["a b.yaml", "名.yaml", b"caf\xe9.yaml".decode("utf-8", "surrogateescape")])
def test_a_file_of_any_name_has_a_uri(name):
    one = Diagnostic("bad-value", "m", file=name, span=Span(1, 1, 1, 2), notes=(Note("n", name, 1),))
    (result,) = json.loads(as_sarif((one,)))["runs"][0]["results"]

    assert re.fullmatch(r"[\x21-\x7e]+", result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])


def test_a_finding_without_a_place_points_at_the_start():
    (result,) = json.loads(as_sarif((BARE,)))["runs"][0]["results"]

    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 1
    assert "line=1" in as_github((BARE,))
