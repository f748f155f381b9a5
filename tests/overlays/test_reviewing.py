"""What a reviewer or a terminal sees of a generated text is what it says: nothing turns its order or is obeyed."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from devcfg.overlays.emitter import emit_document, emit_flow

TEXTS = st.text(
    st.sampled_from("a: \n#'\"\x1b\x7f\x9b\u200e\u200f\u202a\u202e\u2066\u2069\u2028\ufeff名🚀"), max_size=20
)


@given(TEXTS)
def test_nothing_invisible_stands_bare(text):
    for written in (emit_document({"key": text, text: [text]}), emit_flow({"key": text})):
        assert [one for one in written.replace("\n", "") if not one.isprintable()] == []


@given(TEXTS)
def test_the_text_is_still_the_same(text):
    assert json.loads(emit_flow(text)) == text
    assert yaml.safe_load(emit_document({"key": text})) == {"key": text}


@pytest.mark.parametrize("turn", ["\u202e", "\u2066", "\u200f"])
def test_a_text_of_several_lines_is_no_literal_block_where_it_would_turn_the_order(turn):
    assert "|" not in emit_document({"key": f"one\n{turn}two\n"})
    assert "|" in emit_document({"key": "one\ntwo\n"})
