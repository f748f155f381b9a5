"""What a file may hold: the last byte that is fine, the first that is not, and the place of what is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.compiler.limits import BASE, CONFIG, UnreadableError, decode, span_at, split_lines


def refusal(data, limits=CONFIG):
    with pytest.raises(UnreadableError) as raised:
        decode(data, limits, file="f")
    return raised.value.diagnostic


def test_the_last_byte_is_fine_and_the_next_is_not():
    assert len(decode(b"a" * CONFIG.size, CONFIG, file="f")) == CONFIG.size
    assert refusal(b"a" * (CONFIG.size + 1)).code == "too-large"


def test_a_byte_order_mark_is_taken_off_once():
    assert decode("\ufeffa: 1".encode(), CONFIG, file="f") == "a: 1"
    assert refusal("\ufeff\ufeffa".encode()).code == "control-character"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_another_encoding_is_named_as_such(encoding):
    assert refusal("a: é\n".encode(encoding)).code == "encoding"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.integers(0, 30))
def test_a_byte_that_is_no_utf_8_is_found_at_its_place(text, at):
    text = text.replace("\ufeff", "")
    if CONFIG.forbidden.search(text) or "%" in text:
        return
    at = min(at, len(text))
    found = refusal(text[:at].encode() + b"\xff" + text[at:].encode())

    assert found.code == "encoding"
    assert found.span == span_at(text, at)


@pytest.mark.parametrize("char", ["\0", "\x1b", "\x7f", "\x9b", "\u2028", "\ufffe"])
def test_a_character_that_no_file_may_hold_is_named_with_its_number(char):
    found = refusal(f"ab\ncd: {char}".encode())

    assert found.code == "control-character"
    assert f"U+{ord(char):04X}" in found.message
    assert (found.span.line, found.span.column) == (2, 5)


def test_a_base_may_hold_what_only_editors_count_otherwise():
    assert decode("a: '\u2028'", BASE, file="f") == "a: '\u2028'"


@given(st.text(st.sampled_from("a\r\n")))
def test_lines_are_split_where_yaml_splits_them(text):
    lines = split_lines(text)

    assert "".join(lines) == text.replace("\r", "").replace("\n", "")
    assert len(lines) == 1 + text.replace("\r\n", "\n").replace("\r", "\n").count("\n")


@given(st.text(st.sampled_from("ab\n"), min_size=1), st.data())
def test_a_place_leads_back_to_its_character(text, data):
    index = data.draw(st.integers(0, len(text) - 1))
    span = span_at(text, index)
    line = split_lines(text)[span.line - 1]

    assert (line + "\n")[span.column - 1] == text[index]


def test_many_directives_are_refused_before_they_cost_anything():
    assert refusal(b"%A\n" * 1000 + b"--- a\n").code == "directive"
