"""Listings: items to lines and back, whatever the pieces, within bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.runtime.pod.agent import listing
from devcfg.runtime.pod.agent.frames import ProtocolError

items = st.lists(st.lists(st.text(max_size=5) | st.integers(), max_size=3) | st.text(max_size=5), max_size=700)


@given(items, st.integers(1, 5000))
def test_items_come_back_whatever_the_pieces(sent, size):
    data = b"".join(listing.lines(sent))

    assert list(listing.read(data[at : at + size] for at in range(0, len(data), size))) == sent


@given(st.lists(st.binary(max_size=50), max_size=20), st.lists(st.just(b"x" * 300_000), max_size=2))
def test_gathered_pieces_are_the_same_bytes_in_full_frames(small, large):
    pieces = small + large
    gathered = list(listing.gather(pieces))

    assert b"".join(gathered) == b"".join(pieces)
    assert all(len(piece) == 128 * 1024 for piece in gathered[:-1])
    assert all(0 < len(piece) <= 128 * 1024 for piece in gathered)


def test_an_item_longer_than_a_line_may_be_is_refused_where_it_is_written():
    with pytest.raises(ValueError, match="one item of a listing"):
        list(listing.lines(["x" * listing.LINE_LIMIT]))


def test_long_items_share_no_line_that_would_be_too_long():
    sent = ["x" * (listing.LINE_LIMIT // 3)] * 5

    assert list(listing.read(listing.lines(sent))) == sent


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([b'["a"]'], "ends within a line"),
        ([b"{}\n"], "no list"),
        ([b"nothing\n"], "wanted JSON"),
        ([b'["a","b","c"]\n'] * 4, "more than 10 items"),
        ([b"x" * 131072] * 40, "more than 4194304 bytes"),
        ([b"\n" + b" " * 1_000_000 + b"[]\n"] * 200, "wanted JSON"),
    ],
)
def test_what_is_no_listing_is_a_breach(data, says):
    with pytest.raises(ProtocolError, match=says):
        list(listing.read(data, 10))


def test_a_listing_has_an_end():
    with pytest.raises(ProtocolError, match="a listing of more than"):
        list(listing.read([b"[]" + b" " * 1_000_000 + b"\n"] * 200))
