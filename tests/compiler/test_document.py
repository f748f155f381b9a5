"""The dev config's text: values by YAML 1.2 core, spans to the character, and every mistake with its place."""

import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from devcfg.compiler.document import read_document, to_json
from devcfg.schemas.errors import ConfigError
from devcfg.schemas.patch import Pointer
from devcfg.schemas.scalar import PlainScalar


def read(text):
    return read_document(text.encode() if isinstance(text, str) else text, file="devcfg.yaml")


def refused(text):
    with pytest.raises(ConfigError) as caught:
        read(text)
    return caught.value.diagnostics


def marked(document, span):
    """The characters that the caret would stand under."""
    if span is None:
        return None
    assert span.line == span.end_line
    return document.lines[span.line - 1][span.column - 1 : span.end_column - 1]


def place(finding):
    return finding.code, finding.span.line, finding.span.column


def test_a_plain_scalar_keeps_its_text_and_knows_its_value():
    values = read("a: 1e3\nb: 0o17\nc: yes\nd: '1'\ne:\nf: ~\ng: |\n  1\n").value
    assert values == {"a": "1e3", "b": "0o17", "c": "yes", "d": "1", "e": "", "f": "~", "g": "1\n"}
    assert [values[key].value for key in "abcef"] == [1000.0, 15, "yes", None, None]
    assert type(values["d"]) is str
    assert type(values["g"]) is str


def test_keys_are_ordinary_strings():
    assert {type(key) for key in read("a: {b: 1, 'c': 2}").value["a"]} == {str}


def test_json_values_are_what_yaml_1_2_makes_of_the_text():
    assert to_json(read("a: [1, 1.5, true, null, x, '1', 0x10, on]").value) == {
        "a": [1, 1.5, True, None, "x", "1", 16, "on"]
    }


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan", "1e999"])
def test_json_has_no_infinity(text):
    with pytest.raises(ValueError, match=r"no number that JSON can hold"):
        to_json(read(f"a: [{text}]").value)


SPANS = """\
version: 1
services:
  web:
    env: {A: [1], "B": 'q q', C: }
    list: [a, [b, c], {d: e}]
    block:
      - x
      - y: 1
        z: 2
    text: |
      long
    folded: "first
      second"
    empty:
    # a comment
    é😀: ünï
"""


@pytest.mark.parametrize(
    ("pointer", "key", "value"),
    [
        ("/version", "version", "1"),
        ("/services", "services", "web:"),
        ("/services/web/env", "env", "{A: [1], \"B\": 'q q', C: }"),
        ("/services/web/env/A", "A", "[1]"),
        ("/services/web/env/A/0", "1", "1"),
        ("/services/web/env/B", '"B"', "'q q'"),
        ("/services/web/env/C", "C", "C"),
        ("/services/web/list/1", "[b, c]", "[b, c]"),
        ("/services/web/list/1/1", "c", "c"),
        ("/services/web/list/2/d", "d", "e"),
        ("/services/web/block", "block", "- x"),
        ("/services/web/block/0", "x", "x"),
        ("/services/web/block/1", "y: 1", "y: 1"),
        ("/services/web/block/1/z", "z", "2"),
        ("/services/web/text", "text", "|"),
        ("/services/web/folded", "folded", '"first'),
        ("/services/web/empty", "empty", "empty"),
        ("/services/web/é😀", "é😀", "ünï"),
    ],
)
def test_a_caret_stands_under_exactly_the_key_or_the_value(pointer, key, value):
    document = read(SPANS)
    at = Pointer.parse(pointer)
    assert marked(document, document.key_span(at)) == key
    assert marked(document, document.value_span(at)) == value
    assert document.anchor_span(at) is None


def test_columns_count_characters():
    document = read("é😀: 'x'\n")
    span = document.value_span(("é😀",))
    assert (span.line, span.column, span.end_column) == (1, 5, 8)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_and_a_byte_order_mark_move_nothing(line_end):
    document = read(b"\xef\xbb\xbf" + SPANS.replace("\n", line_end).encode())
    plain = read(SPANS)
    assert document.value == plain.value
    assert document.lines == plain.lines
    for pointer in (("version",), ("services", "web", "env", "B"), ("services", "web", "block", 1, "z")):
        assert document.key_span(pointer) == plain.key_span(pointer)
        assert document.value_span(pointer) == plain.value_span(pointer)


def test_a_missing_place_falls_back_to_its_nearest_ancestor():
    document = read(SPANS)
    missing = ("services", "web", "nope", "deeper")
    assert document.key_span(missing) is None
    assert document.value_span(missing) is None
    assert document.anchor_span(missing) is None
    assert marked(document, document.span(missing)) == "web"
    assert marked(document, document.span(())) == "version: 1"


ALIASES = """\
x-base: &base
  image: one
  env: &env {A: 1, B: [x]}
services:
  a:
    <<: *base
    env: {C: 1}
  b:
    <<: [*base, {extra: here}]
    list: [*env]
  c: &c
    # between
    image: two
  d: *c
"""


@pytest.mark.parametrize(
    ("pointer", "key", "value", "anchor"),
    [
        ("/x-base/image", "image", "one", None),
        ("/x-base/env", "env", "{A: 1, B: [x]}", None),
        ("/services/a/image", "*base", "*base", "one"),
        ("/services/a/env", "env", "{C: 1}", None),
        ("/services/b/env", "*base", "*base", "{A: 1, B: [x]}"),
        ("/services/b/env/B/0", "*base", "*base", "x"),
        ("/services/b/extra", "extra", "here", None),
        ("/services/b/list/0", "*env", "*env", "{A: 1, B: [x]}"),
        ("/services/b/list/0/A", "*env", "*env", "1"),
        ("/services/c", "c", "image: two", None),
        ("/services/d", "d", "*c", "image: two"),
        ("/services/d/image", "*c", "*c", "two"),
    ],
)
def test_a_value_through_an_alias_has_two_places(pointer, key, value, anchor):
    document = read(ALIASES)
    at = Pointer.parse(pointer)
    assert marked(document, document.key_span(at)) == key
    assert marked(document, document.value_span(at)) == value
    assert marked(document, document.anchor_span(at)) == anchor


def test_own_keys_win_over_merged_ones_wherever_they_stand():
    values = read("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {x: own, <<: [*a, *b]}\nd: {<<: *b, y: own}\n").value
    assert values["c"] == {"x": "own", "y": "2", "z": "4"}
    assert values["d"] == {"y": "own", "z": "4"}


def test_a_merge_of_a_merge_brings_everything():
    assert read("a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, z: 3}").value["c"] == {"x": "1", "y": "2", "z": "3"}


def test_a_quoted_merge_sign_is_an_ordinary_key():
    assert read("a: {'<<': x}").value == {"a": {"<<": "x"}}


def test_every_duplicate_key_is_reported_with_its_first_place():
    first, second, third = refused("a: 1\nb: {c: 1, d: 2, c: 3}\na: 2\n'a': 3\n")
    assert place(first) == ("duplicate-key", 2, 17)
    assert place(second) == ("duplicate-key", 3, 1)
    assert place(third) == ("duplicate-key", 4, 1)
    assert (first.notes[0].line, first.notes[0].column) == (2, 5)
    assert {(one.notes[0].line, one.notes[0].column) for one in (second, third)} == {(1, 1)}
    assert third.message == "the key `a` stands twice in one mapping"


def test_mistakes_of_several_kinds_come_together_in_the_order_of_the_file():
    found = refused("1: a\nb: !!str x\nc: 1\nc: 2\nd: {<<: 3}\n")
    assert [place(one) for one in found] == [
        ("key-not-string", 1, 1),
        ("explicit-tag", 2, 4),
        ("duplicate-key", 4, 1),
        ("bad-merge", 5, 9),
    ]


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "message", "hint"),
    [
        ("a:\n\tb: 1", "tab-indentation", 2, 1, "YAML does not allow tabs for indentation", "use spaces"),
        ("a: 1\n \tb: 1", "tab-indentation", 2, 2, "YAML does not allow tabs for indentation", "use spaces"),
        ("8080: a", "key-not-string", 1, 1, "a key must be a text, `8080` is a number", 'around it: `"8080"`'),
        ("a: {true: b}", "key-not-string", 1, 5, "a key must be a text, `true` is a truth value", '`"true"`'),
        ("a: {~: b}", "key-not-string", 1, 5, "a key must be a text, `~` is null", '`"~"`'),
        ("a: b: c", "yaml-syntax", 1, 5, "a `:` stands where no value can start", "quotes"),
        ("a: @b", "yaml-syntax", 1, 4, "`@` cannot start a value", "quotes"),
        ("a: `b`", "yaml-syntax", 1, 4, "a backtick cannot start a value", "quotes"),
        ("a: [1, 2\nb: 3\n", "yaml-syntax", 1, 4, "a list in brackets is not closed", "]"),
        ("a: {b: 1\nc: 3\n", "yaml-syntax", 1, 4, "a mapping in braces is not closed", "}"),
        ("a: [", "yaml-syntax", 1, 5, "a list or mapping in brackets is not closed", "closing bracket"),
        ("a: 'it's'", "yaml-syntax", 1, 8, "something is left over after the value", "written twice"),
        ("a: 'x\nb: 1\n", "yaml-syntax", 1, 4, "a quoted text is not closed", "closing quote"),
        ('a: "\\d"', "yaml-syntax", 1, 5, "a backslash starts no known escape here", "single quotes"),
        ("a:\n  b: 1\n c: 2\n", "yaml-syntax", 3, 2, "this does not fit the mapping it stands in", "indent"),
        ("a: *", "yaml-syntax", 1, 5, "an anchor or alias needs a name", "quotes"),
        ("a: *b", "unknown-alias", 1, 4, "there is no anchor `&b` above this alias", "quotes"),
        ("a: &b [*b]", "recursive-alias", 1, 8, "the anchor `&b` contains itself", ""),
        ("a: 1\n---\nb: 1\n", "several-documents", 2, 1, "a dev config is one document", "`---`"),
        ("- a\n", "not-a-mapping", 1, 1, "a dev config is a mapping, found a list", "key: value"),
        ("x\n", "not-a-mapping", 1, 1, "a dev config is a mapping, found a single value", "key: value"),
        ("# nothing\n", "empty-file", 1, 1, "the file holds nothing", "services"),
        ("%YAML 1.1\n---\na: 1", "directive", 1, 1, "only `%YAML 1.2` is supported", "%"),
        ("a: !!python/name:os.system x", "explicit-tag", 1, 4, "`!!python/name:os.system` are not supported", "quotes"),
        ("a: \x07", "control-character", 1, 4, "control character U+0007 is not allowed", "\\u0007"),
        ("a: x\u2028y", "control-character", 1, 5, "invisible character U+2028 is not allowed", "\\u2028"),
        (b"a: 1\nb: caf\xe9\n", "encoding", 2, 7, "the file is not UTF-8: byte 0xe9 fits nothing here", "UTF-8"),
        (b"\xff\xfea\x00", "encoding", 1, 1, "the file is not UTF-8: it starts like UTF-16", "UTF-8"),
        ("a: " + "[" * 65, "too-deep", 1, 67, "nested more than 64 levels deep", ""),
        ("a: [" + "1," * 20_000, "too-many-nodes", 1, 39999, "the file has more than 20,000 values", ""),
        ("a: &a x\nb: [" + "*a," * 101, "too-many-aliases", 2, 305, "the file has more than 100 aliases", ""),
        ("#" * 262_145, "too-large", 1, 1, "the file has 262,145 bytes, more than 262,144", "right file"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_our_words(text, code, line, column, message, hint):
    found = refused(text)[0]
    assert place(found) == (code, line, column)
    assert message in found.message
    assert hint in found.hint


def test_what_the_limits_allow_is_read():
    assert len(read("a: [" + "1," * 19_990 + "]").value["a"]) == 19_990
    assert read("a: " + "[" * 63 + "]" * 63).value
    assert len(read("a: &a x\nb: [" + "*a," * 100 + "]").value["b"]) == 100
    assert read("%YAML 1.2\n---\na: 1").value == {"a": "1"}
    assert read("a: 1\n...\n").value == {"a": "1"}
    assert read("---\na: 1 # x\n").value == {"a": "1"}
    assert read("a: 100%\n'b': \"%\"\n").value["a"] == "100%"


def test_twenty_services_may_share_a_hundred_values():
    shared = ", ".join(f"K{number}: v" for number in range(50))
    services = "\n".join(f"  s{number}: {{image: x, command: y, env: {{<<: *env, OWN: z}}}}" for number in range(20))
    values = read(f"x-env: &env {{{shared}}}\nservices:\n{services}\n").value
    assert len(values["services"]["s19"]["env"]) == 51


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))),
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text("abcxyz-", min_size=1), below, max_size=4),
    max_leaves=20,
)


@given(st.text(alphabet="ab:-?[]{},&*!|>'\"%#@ \t\n\r0123\\<~.é", max_size=60))
def test_no_text_escapes_as_another_error(text):
    try:
        document = read(text)
    except ConfigError as error:
        assert error.diagnostics[0].span is not None
    else:
        assert isinstance(document.value, dict)


def plain_values(value):
    match value:
        case PlainScalar():
            return "nan" if isinstance(value.value, float) and math.isnan(value.value) else value.value
        case dict():
            return {key: plain_values(below) for key, below in value.items()}
        case list():
            return [plain_values(below) for below in value]
        case _:
            return value


@given(st.dictionaries(st.text("abcxyz-", min_size=1), VALUES, max_size=5).filter(bool))
def test_what_another_writer_of_yaml_1_2_wrote_reads_back(value):
    out = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.dump(value, out)
    text = out.getvalue()
    try:
        theirs = YAML(typ="safe", pure=True).load(text)
    except Exception:  # their own text is too much for them: not our matter
        return
    if theirs == value and not any(mark in text for mark in ("!!", "\ufeff", "\u2028", "\u2029", "<<")):
        assert plain_values(read(text).value) == value


def walk(value, pointer=()):
    yield pointer, value
    for key, below in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from walk(below, (*pointer, key))


@given(st.dictionaries(st.text("abcxyz-", min_size=1), VALUES, min_size=1, max_size=5))
def test_every_value_has_a_span_inside_the_file(value):
    for text in (json.dumps(value, ensure_ascii=False), json.dumps(value, ensure_ascii=False, indent=1)):
        try:
            document = read(text)
        except ConfigError as error:
            assert error.diagnostics[0].code in ("control-character", "too-deep")
            continue
        for pointer, found in walk(document.value):
            span = document.value_span(pointer)
            assert 1 <= span.line <= len(document.lines)
            line = document.lines[span.line - 1]
            assert 1 <= span.column <= span.end_column - 1 <= len(line)
            if isinstance(found, PlainScalar):
                assert marked(document, span) == found
            if pointer and isinstance(pointer[-1], str):
                assert marked(document, document.key_span(pointer)) == json.dumps(pointer[-1], ensure_ascii=False)
