"""The rest of the transfer: large files, deltas, and streams that are none. Never over a link."""

import contextlib
import json
import os
import random
import resource

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devcfg.runtime.pod.agent import chunks as chunking
from devcfg.runtime.pod.agent.chunks import LARGE, Chunker, steps_of
from devcfg.runtime.pod.agent.entries import Digested, Entry, Wanted
from devcfg.runtime.pod.agent.records import HEADER_LIMIT, TOGETHER, packed
from devcfg.runtime.pod.agent.root import Root
from devcfg.runtime.pod.agent.stage import WRONG

from .conftest import Sides, in_child


def chunked(content):
    chunker = Chunker()
    chunker.feed(content)
    found = chunker.finish()
    return found, chunker.chunks


def large(seed, size=LARGE + 12345, *, text=False):
    source = random.Random(seed)
    if text:
        return b"".join(
            b"%d,%s,%.3f\n" % (n, source.choice([b"ann", b"bob"]), source.random()) for n in range(size // 18)
        )
    return source.randbytes(size)


def transfer(sides, path, content, base=None):
    """Write, send and stage; return the bytes on the wire and the result."""
    sides.write(path, content)
    digested = sides.local.digest([path], {})[path]
    wanted = Wanted(path, digested.digest, digested.stat, *(base or (None, None)))
    stream = list(sides.local.records([wanted]))
    (staged,) = sides.far.stage(iter(stream))
    return sum(map(len, stream)), staged, digested


def replace_far(sides, path, content, base=None):
    wire, staged, digested = transfer(sides, path, content, base)
    assert staged.problem == ""
    from devcfg.runtime.pod.agent.entries import Entry

    (outcome,) = sides.far.apply([sides.change(path, Entry("f", digested.digest, False))])
    assert outcome.result == "done"
    assert (sides.base / "far" / path).read_bytes() == content
    return wire, (outcome.stat, digested.chunks)


@pytest.mark.parametrize(
    "stand_in", [lambda p: os.mkfifo(p), lambda p: p.mkdir(), lambda p: p.symlink_to("/etc/passwd"), lambda p: None]
)
def test_what_took_a_files_place_is_not_read(sides, stand_in):
    stand_in(sides.base / "local" / "f")

    assert sides.local.digest(["f"], {}) == {"f": "changed"}
    stream = sides.local.records([Wanted("f", "0" * 32, None, None, None)])
    (staged,) = sides.far.stage(stream)
    assert staged.problem


def test_a_known_digest_is_taken_over_only_for_the_same_stat(sides):
    full = sides.write("f", b"one")
    found = sides.local.digest(["f"], {})["f"]
    planted = Digested("a" * 32, found.stat, None)
    assert sides.local.digest(["f"], {"f": planted})["f"] == planted

    full.write_bytes(b"two")
    os.utime(full, ns=(1, 1))
    assert sides.local.digest(["f"], {"f": planted})["f"].digest == chunking.digest(b"two")


def test_content_that_is_not_what_its_digest_says_is_not_kept(sides):
    stream = packed(["f", 3, "0" * 32, False, 0, 0, None]) + b"abc"
    wrong = large(2)
    stream += packed(["g", len(wrong), "0" * 32, False, 0, 0, None]) + wrong
    stream += packed(["h", 3, chunking.digest(b"abc"), False, 0, 0, None]) + b"abc"

    assert [staged.problem for staged in sides.far.stage([stream])] == ["not what its digest says"] * 2 + [""]
    assert len(list((sides.base / "far" / ".devcfg-tmp-stage").iterdir())) == 1


def test_a_delta_on_a_base_that_changed_is_a_problem_and_the_next_record_is_read(sides):
    _, base = replace_far(sides, "f", large(1))
    sides.write("f", b"changed" * 200_000, "far")
    _, staged, _ = transfer(sides, "f", large(1) + b"x", base)
    assert staged.problem == "changed"
    assert transfer(sides, "g", b"next")[1].problem == ""


HOSTILE = [
    ["../f", 1, "0" * 32, False, 0, 0, None],
    ["/f", 1, "0" * 32, False, 0, 0, None],
    ["f", 1.0, "0" * 32, False, 0, 0, None],
    ["f", -2, "0" * 32, False, 0, 0, None],
    ["f", True, "0" * 32, False, 0, 0, None],
    ["f", 1 << 70, "0" * 32, False, 0, 0, None],
    ["f", 1, "x", False, 0, 0, None],
    ["f", 1, "0" * 32, 1, 0, 0, None],
    ["f", 1, "0" * 32, False, 0, 2, None],
    ["f", 1, "0" * 32, False, 0, 1, None],
    ["f", 1, "0" * 32, False, 1 << 70, 0, None],
    ["f", 1],
    {},
    None,
    1,
    "f",
    ["f", 1, "0" * 32, False, 0, 0, [1, 2, 3]],
    ["f\0", 1, "0" * 32, False, 0, 0, None],
    ["f", -1, 3, False, 0, 0, None],
    [["f", 1, "0" * 32, False, 0, 0, None], []],
    [["f", 1, "0" * 32, False, 0, 0, None], ["../f", 1, "0" * 32, False, 0, 0, None]],
    [[["f", 1, "0" * 32, False, 0, 0, None]]],
]


def test_of_records_under_one_header_each_stands_for_itself(sides):
    good, wrong = (chunking.digest(b"good"), "0" * 32)
    headers = [
        ["a", 4, good, False, 5, 0, None],
        ["b", 5, wrong, False, 5, 0, None],
        ["c", 4, good, True, 5, 0, None],
        ["c", -1, "changed", False, 0, 0, None],
        ["d", 0, chunking.digest(b""), False, 5, 0, None],
    ]
    staged = sides.far.stage([packed(headers) + b"good" + b"wrong" + b"good" + packed(headers[0]) + b"good"])

    assert [(one.path, one.problem) for one in staged] == [
        ("a", ""),
        ("b", WRONG),
        ("c", "changed"),
        ("d", ""),
        ("a", ""),
    ]
    assert sides.apply(sides.change("a", Entry("f", good, False)), sides.change("c", Entry("f", good, True))) == [
        "done",
        "failed",
    ]


def test_the_longest_names_fit_under_one_header(sides):
    names = [f"{number:03}" + "\U0001f600" * 63 for number in range(TOGETHER)]
    for name in names:
        sides.write(name, b"x")
    longest = "/".join(["\udcff" * 255] * 15)
    assert TOGETHER * len(packed([longest, 1 << 20, "0" * 32, False, 1 << 62, 0, None])) < HEADER_LIMIT
    found = {}
    staged = sides.far.stage(sides.local.first_records(names, found))
    assert [one.problem for one in staged] == [""] * TOGETHER


@pytest.mark.parametrize("header", HOSTILE, ids=str)
def test_a_hostile_header_ends_the_stream(sides, header):
    with pytest.raises(ValueError, match=r"."):
        sides.far.stage([packed(header) + b"x"])


@pytest.mark.parametrize(
    "steps",
    [
        [],
        {},
        [["l", 1]],
        [["l", -1]],
        [["c", 0, LARGE]],
        [["z", LARGE + 1]],
        [["z", "1"]],
        [["q", LARGE]],
        [["z", LARGE, 1]],
        [[]],
        [1],
        [["z", True]],
    ],
)
def test_hostile_steps_end_the_stream(sides, steps):
    with pytest.raises(ValueError, match=r"step"):
        sides.far.stage([packed(["f", LARGE, "0" * 32, False, 0, 1, None]) + packed(steps)])


@pytest.mark.parametrize("stream", [b"\0", b"\xff\xff\xff\xff", b"\0\0\0\2[]", b"\0\0\0\1[", b"\0\0\1\0" + b"[" * 256])
def test_a_torn_or_senseless_stream_ends(sides, stream):
    with pytest.raises(ValueError, match=r"."):
        sides.far.stage([stream])


@settings(max_examples=300)
@given(st.binary(max_size=200), st.integers(0, 200))
def test_damage_anywhere_never_puts_wrong_content_into_the_stage(tmp_path_factory, noise, at):
    sides = Sides(tmp_path_factory.mktemp("damage"))
    stream = packed(["f", 3, chunking.digest(b"abc"), False, 0, 0, None]) + b"abc"
    try:
        results = sides.far.stage([stream[:at] + noise + stream[at + len(noise) :]])
    except ValueError:
        results = []
    kept = [path.read_bytes() for path in sides.base.glob("far/.devcfg-tmp-stage/*")]
    sides.local.close()
    sides.far.close()

    assert set(kept) <= {b"abc"}
    assert len(kept) >= sum(staged.problem == "" for staged in results)


def test_a_stream_may_come_byte_by_byte(sides):
    sides.write("f", b"x" * 300)
    digested = sides.local.digest(["f"], {})["f"]
    stream = b"".join(sides.local.records([Wanted("f", digested.digest, None, None, None)]))

    assert sides.far.stage(stream[at : at + 1] for at in range(len(stream))) == [("f", digested.digest, "")]


def test_many_small_records_are_joined_but_never_held_all_at_once(sides):
    wanted = []
    for number in range(300):
        sides.write(f"f{number}", b"x" * 4096)
        wanted.append(Wanted(f"f{number}", chunking.digest(b"x" * 4096), None, None, None))
    stream = list(sides.local.records(wanted))

    assert len(stream) < 20
    assert max(map(len, stream)) < 300_000


def test_a_full_disk_is_said_and_what_fits_still_arrives(sides, tmp_path):
    small, big = b"s" * 1000, large(1, LARGE * 3)
    sides.write("small", small)
    sides.write("big", big)
    sides.write("middle", b"m" * 900_000)
    digests = sides.local.digest(["big", "middle", "small"], {})
    far = sides.base / "far"

    def fill():
        root = Root(str(far))
        wanted = [Wanted(path, found.digest, None, None, None) for path, found in digests.items()]
        staged = root.stage(sides.local.records(wanted))
        with open(far / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
            for _ in range(512):
                filler.write(bytes(4096))
        again = root.stage(sides.local.records([Wanted("middle", digests["middle"].digest, None, None, None)]))
        names = os.listdir(far / ".devcfg-tmp-stage")
        root.clean()
        left = os.listdir(far)
        root.close()
        return [[each.problem for each in staged], [each.problem for each in again], len(names), left]

    def work():
        if os.geteuid() == 0 and os.system(f"mount -t tmpfs -o size=1m none {far} 2>/dev/null") == 0:
            try:
                return ["tmpfs", *fill()]
            finally:
                os.system(f"umount -l {far}")
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
        return ["size", *fill()]

    limit, staged, again, names, left = in_child(work)
    if limit == "tmpfs":
        assert staged == ["disk full", "", ""]
        assert again == ["disk full"]
    else:
        assert staged[2] == ""
        assert all(staged[:2])
    assert names == staged.count("")
    assert left == ["filler"]


def test_the_steps_of_a_delta_are_short(sides):
    """A header must not grow with the file: neighbours are one step."""
    content = large(5, 8 << 20)
    steps = list(steps_of(chunked(content[:100] + b"x" + content[100:])[1], chunked(content)[1]))

    assert len(json.dumps(steps)) < 500
