"""A plain scalar is its source text where a string is wanted, and its value where one is asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.schemas.scalar import PlainScalar, clip, describe, resolve


def test_a_plain_scalar_is_its_text_and_knows_its_value():
    one = PlainScalar("1e3", 1000.0)

    assert one == "1e3"
    assert resolve({"a": [one, "1e3"]}) == {"a": [1000.0, "1e3"]}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "null"),
        (PlainScalar("~", None), "null"),
        ({}, "a mapping"),
        ([], "a list"),
        (PlainScalar("yes", "yes"), "`yes`"),
        ("yes", '`"yes"`'),
        (5, "`5`"),
    ],
)
def test_a_message_tells_a_quoted_text_from_a_bare_one(value, said):
    assert describe(value) == said


@given(st.text(), st.integers(2, 60))
def test_a_quotation_is_one_line_of_a_bounded_length(text, width):
    found = clip(text, width)

    assert len(found) <= width
    assert "\n" not in found
    assert clip(found, width) == found
