"""Frames: bytes to messages and back, whatever the pieces, and a clear end for whatever is none."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.runtime.pod.agent import frames
from devcfg.runtime.pod.agent.frames import Credit, Decoder, Frame, ProtocolError

ALL = frames.FROM_AGENT | frames.FROM_CLIENT
LENGTHS = {
    frames.HELLO: (2, 4096),
    frames.REQUEST: (2, 64 * 1024),
    frames.REPLY: (2, 64 * 1024),
    frames.DATA: (1, 128 * 1024),
    frames.END: (0, 4096),
    frames.CREDIT: (4, 4),
    frames.PING: (8, 8),
    frames.PONG: (8, 8),
    frames.EVENT: (2, 64 * 1024),
    frames.GOODBYE: (2, 4096),
}
ON_STREAMS = (frames.REQUEST, frames.REPLY, frames.DATA, frames.END)
FLAGS = {frames.REQUEST: (0, 1, 2), frames.REPLY: (0, 1, 2), frames.END: (0, 1)}


@st.composite
def good_frames(draw):
    kind = draw(st.sampled_from(sorted(LENGTHS)))
    least, most = LENGTHS[kind]
    payload = draw(st.binary(min_size=least, max_size=min(most, 200)))
    stream = draw(st.integers(1, 65535)) if kind in ON_STREAMS else 0
    return Frame(kind, draw(st.sampled_from(FLAGS.get(kind, (0,)))), stream, payload)


def decode(pieces):
    """Return the frames, and what the end was."""
    decoder, found = Decoder(ALL), []
    try:
        for piece in pieces:
            found.extend(decoder.feed(piece))
            assert decoder.waiting <= 8 + 128 * 1024
    except ProtocolError as exc:
        return found, str(exc)
    return found, ""


def cut(data, points):
    edges = sorted({0, len(data), *(point % (len(data) + 1) for point in points)})
    return [data[a:b] for a, b in pairwise(edges)]


@given(st.lists(good_frames(), max_size=8), st.lists(st.integers(0, 4000), max_size=12))
def test_what_was_encoded_comes_out_whatever_the_pieces(sent, points):
    data = b"".join(frame.encode() for frame in sent)

    assert decode(cut(data, points)) == (sent, "")


@given(st.binary(max_size=400), st.lists(good_frames(), max_size=3), st.lists(st.integers(0, 4000), max_size=12))
def test_any_bytes_decode_to_the_same_frames_and_the_same_end_whatever_the_pieces(noise, before, points):
    data = b"".join(frame.encode() for frame in before) + noise

    assert decode(cut(data, points)) == decode([data])


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ((0, 0, 0, 0), "found type 0"),
        ((11, 0, 0, 0), "found type 11"),
        ((255, 0, 0, 0), "found type 255"),
        ((frames.DATA, 1, 1, 1), "DATA has no flags 1"),
        ((frames.REQUEST, 3, 1, 2), "REQUEST has no flags 3"),
        ((frames.END, 128, 1, 0), "END has no flags 128"),
        ((frames.DATA, 0, 0, 1), "DATA cannot be on stream 0"),
        ((frames.PING, 0, 7, 8), "PING cannot be on stream 7"),
        ((frames.DATA, 0, 1, 0), "DATA holds 1 to 131072 bytes, found 0"),
        ((frames.DATA, 0, 1, 128 * 1024 + 1), "DATA holds 1 to 131072 bytes, found 131073"),
        ((frames.DATA, 0, 1, 2**32 - 1), "DATA holds 1 to 131072 bytes, found 4294967295"),
        ((frames.REQUEST, 0, 1, 64 * 1024 + 1), "REQUEST holds 2 to 65536 bytes"),
        ((frames.CREDIT, 0, 0, 5), "CREDIT holds 4 to 4 bytes, found 5"),
        ((frames.PONG, 0, 0, 0), "PONG holds 8 to 8 bytes, found 0"),
    ],
)
def test_a_malformed_header_is_refused_before_its_payload_comes(header, says):
    decoder = Decoder(ALL)
    with pytest.raises(ProtocolError, match=says):
        list(decoder.feed(struct.pack(">BBHI", *header)))
    with pytest.raises(ProtocolError, match=says):
        list(decoder.feed(Frame(frames.PING, 0, 0, b"12345678").encode()))


def test_each_end_refuses_the_frames_that_only_the_other_may_send():
    for kind, accepts in ((frames.REQUEST, frames.FROM_AGENT), (frames.REPLY, frames.FROM_CLIENT)):
        with pytest.raises(ProtocolError, match="wanted a frame of this side"):
            list(Decoder(accepts).feed(Frame(kind, 0, 1, b"{}").encode()))
    with pytest.raises(ProtocolError, match="wanted a frame of this side"):
        list(Decoder(frames.FROM_CLIENT).feed(Frame(frames.EVENT, 0, 0, b"{}").encode()))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"nothing",
        b"{} {}",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b"[" * 60000,
        b'{"a":' * 12000,
        b'{"a": ' + b"9" * 60000 + b"}",
        b"null",
        b'"text"',
    ],
)
def test_what_is_no_json_object_is_a_breach(payload):
    with pytest.raises(ProtocolError, match=r"wanted JSON|wanted a JSON object"):
        frames.parse(payload)


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans() | st.none()))
def test_members_come_back_as_they_were(members):
    assert frames.parse(frames.compose(members)) == members


def test_a_name_of_any_bytes_survives_as_json():
    name = b"\xff\x80 caf\xc3\xa9 \n".decode("utf-8", "surrogateescape")

    assert frames.parse(frames.compose({"name": name})) == {"name": name}


@given(st.lists(st.integers(1, 128 * 1024), max_size=200))
def test_credit_never_runs_out_for_good_when_everything_is_consumed(sizes):
    sender, receiver = Credit(), Credit()
    for size in sizes:
        assert sender.sendable >= size
        sender.spend(size)
        receiver.receive(size)
        given_back = receiver.consume(size)
        if given_back:
            sender.grant(struct.pack(">I", given_back))


def test_more_data_than_the_window_is_a_breach():
    credit = Credit()
    credit.receive(frames.WINDOW)
    with pytest.raises(ProtocolError, match="more DATA than the window"):
        credit.receive(1)


@pytest.mark.parametrize("count", [0, 101, 2**32 - 1])
def test_credit_that_is_not_owed_is_a_breach(count):
    credit = Credit()
    credit.spend(100)
    with pytest.raises(ProtocolError, match="credit for"):
        credit.grant(struct.pack(">I", count))


@pytest.mark.parametrize(
    ("hello", "chosen"),
    [
        ({"protocol": 1, "oldest": 1}, 1),
        ({"protocol": 9, "oldest": 1}, 1),
        ({"protocol": 9, "oldest": 2}, 0),
    ],
)
def test_the_newest_protocol_in_common_is_chosen(hello, chosen):
    assert frames.choose(hello) == chosen


@pytest.mark.parametrize(
    "hello", [{}, {"protocol": 1}, {"protocol": True, "oldest": True}, {"protocol": 1, "oldest": 2}]
)
def test_a_hello_without_sane_numbers_is_a_breach(hello):
    with pytest.raises(ProtocolError, match="without protocol numbers"):
        frames.choose(hello)
