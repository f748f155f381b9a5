"""A block is frozen, knows its keys, and gives back what was put in, with every default."""

import pytest
from pydantic_core import ValidationError

from devcfg.schemas.block import Block, block, field, many, mapping, required
from devcfg.schemas.fields import TEXT, whole


class Inner(Block):
    """What stands inside."""

    word: str = field(TEXT, "A word.", "x")


class Outer(Block):
    """What stands around it."""

    name: str = required(TEXT, "The name.")
    inner: Inner = field(block(Inner), "One.", {})
    maybe: Inner | None = field(block(Inner), "One or none.")
    several: tuple[Inner, ...] = field(many(block(Inner)), "Several.", ())
    by_name: dict[str, int] = field(mapping(TEXT, whole(0, 9)), "By name.", {})


def test_defaults_are_filled_in_at_every_depth():
    found = Outer.validate({"name": "a"})

    assert found.dump() == {"name": "a", "inner": {"word": "x"}, "maybe": None, "several": [], "by_name": {}}


def test_what_was_dumped_can_be_validated_again():
    found = Outer.validate({"name": "a", "maybe": {}, "several": [{"word": "b"}], "by_name": {"k": 1}})

    assert Outer.validate(found.dump()) == found
    assert hash(Outer.validate(found.dump())) == hash(found)


def test_a_block_is_frozen_and_lists_are_tuples():
    found = Outer.validate({"name": "a", "several": [{}]})

    assert isinstance(found.several, tuple)
    with pytest.raises(AttributeError, match="frozen"):
        found.name = "b"


def test_blocks_differ_by_their_values_and_their_kind():
    assert Outer.validate({"name": "a"}) != Outer.validate({"name": "b"})
    assert Inner.validate({}) != Outer.validate({"name": "a"})


def test_every_error_comes_at_once_each_with_its_way():
    with pytest.raises(ValidationError) as raised:
        Outer.validate({"inner": {"wrod": "a"}, "several": [{}, 5], "by_name": {"k": 99}})

    assert {one["loc"] for one in raised.value.errors()} == {
        ("name",),
        ("inner", "wrod"),
        ("several", 1),
        ("by_name", "k"),
    }
