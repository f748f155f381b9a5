"""Digests, deltas and the transfer stream: the same bytes arrive, or a problem in words."""

import contextlib
import json
import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devcfg.runtime.pod.agent import chunks as chunking
from devcfg.runtime.pod.agent import digest as digesting
from devcfg.runtime.pod.agent.chunks import LARGE, MOST, Chunker, steps_of
from devcfg.runtime.pod.agent.entries import Digested, Wanted
from devcfg.runtime.pod.agent.records import packed
from devcfg.runtime.pod.agent.root import Root

from .conftest import Sides, in_child

POD = Path(__file__).resolve().parents[4] / "runtime" / "pod"


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


pieces = st.one_of(
    st.binary(max_size=300),
    st.integers(0, 400_000).map(bytes),
    st.tuples(st.integers(0, 50), st.integers(0, 300_000)).map(
        lambda seeded: random.Random(seeded[0]).randbytes(seeded[1])
    ),
    st.tuples(st.sampled_from([b"a", b"abcd\n", b"0123456789,", b"\0\1"]), st.integers(0, 40_000)).map(
        lambda pair: pair[0] * pair[1]
    ),
)
contents = st.lists(pieces, max_size=6).map(b"".join)


@settings(max_examples=60)
@given(contents, st.lists(st.integers(1, 300_000), max_size=8))
def test_chunks_depend_on_the_content_alone_not_on_how_it_comes(content, cuts):
    chunker = Chunker()
    at = 0
    for cut in cuts:
        piece = content[at : at + cut]
        if piece.strip(b"\0"):
            chunker.feed(piece)
        else:
            chunker.zeros(len(piece))
        at += cut
    chunker.feed(content[at:])

    assert chunked(content) == (chunker.finish(), chunker.chunks)
    assert sum(length for length, _ in chunker.chunks) == len(content)
    assert all(length <= MOST for length, _ in chunker.chunks)
    assert all(length >= chunking.LEAST for length, _ in chunker.chunks[:-1])


@pytest.mark.parametrize("kind", ["random", "csv", "hex", "lines"])
def test_chunks_of_any_kind_of_content_are_neither_tiny_nor_all_cut_blindly(kind):
    source = random.Random(3)
    content = {
        "random": lambda: source.randbytes(8 << 20),
        "csv": lambda: large(1, 8 << 20, text=True),
        "hex": lambda: source.randbytes(4 << 20).hex().encode(),
        "lines": lambda: b"".join(
            b"def name_%d(self, value):\n    return value + %d\n\n" % (n, n * 7) for n in range(90_000)
        ),
    }[kind]()
    lengths = [length for length, _ in chunked(content)[1]]

    assert 20 << 10 < len(content) / len(lengths) < 90 << 10
    assert lengths.count(MOST) < len(lengths) / 4


@settings(max_examples=60)
@given(contents, contents, st.lists(st.tuples(st.integers(0, 2_000_000), pieces), max_size=4))
def test_steps_rebuild_any_content_from_any_base(base, start, edits):
    content = base if not start else start + base
    for at, piece in edits:
        content = content[:at] + piece + content[at + len(piece) // 2 :]
    built = b""
    for kind, offset, length in steps_of(chunked(content)[1], chunked(base)[1]):
        built += {"c": lambda o, n: base[o : o + n], "l": lambda o, n: content[o : o + n], "z": lambda o, n: bytes(n)}[
            kind
        ](offset, length)

    assert content == built


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


@settings(max_examples=12)
@given(
    st.integers(0, 10**6),
    st.lists(st.tuples(st.integers(0, LARGE), st.binary(max_size=2000), st.integers(0, 5000)), max_size=5),
    st.booleans(),
)
def test_a_delta_makes_the_same_bytes(tmp_path_factory, seed, edits, text):
    sides = Sides(tmp_path_factory.mktemp("delta"))
    content = large(seed, text=text) + bytes(300_000)
    _, base = replace_far(sides, "f", content)
    for at, new, gone in edits:
        content = content[:at] + new + content[at + gone :]
    replace_far(sides, "f", content, base)
    sides.local.close()
    sides.far.close()


def sent_for_edits(sides, size, edits):
    """Insert single bytes all over a file that both sides have; return the bytes on the wire."""
    source = random.Random(edits)
    content = bytearray(source.randbytes(size))
    _, base = replace_far(sides, "f", bytes(content))
    for _ in range(edits):
        at = source.randrange(len(content))
        content[at:at] = b"x"
    return replace_far(sides, "f", bytes(content), base)[0]


EDITS = [(1, 200_000), (20, 3_000_000)]


@pytest.mark.parametrize(("edits", "most"), EDITS)
def test_scattered_edits_of_a_big_file_send_little(sides, edits, most):
    assert sent_for_edits(sides, 24 << 20, edits) <= most


@pytest.mark.proof
@pytest.mark.parametrize(("edits", "most"), EDITS)
def test_scattered_edits_of_200_mib_send_little(sides, edits, most):
    assert sent_for_edits(sides, 200 << 20, edits) <= most


def test_zeros_cost_nothing_on_the_wire_and_stay_holes(sides):
    full = sides.write("f", b"start")
    os.truncate(full, 64 << 20)
    wire, staged, _ = transfer(sides, "f", full.read_bytes())
    os.truncate(full, 0)
    os.truncate(full, 64 << 20)

    assert staged.problem == ""
    assert wire < 300_000
    (stored,) = (sides.base / "far" / ".devcfg-tmp-stage").iterdir()
    assert (stored.stat().st_size, stored.stat().st_blocks < 2048) == (64 << 20, True)


def test_holes_and_written_zeros_have_one_digest(sides):
    sides.write("written", b"x" + bytes(5 << 20) + b"y" * 70_000 + bytes(3 << 20))
    with open(sides.base / "local" / "holes", "wb") as file:
        file.write(b"x")
        file.seek((5 << 20) + 1)
        file.write(b"y" * 70_000)
        file.truncate((8 << 20) + 1 + 70_000)
    found = sides.local.digest(["written", "holes"], {})

    assert found["written"].digest == found["holes"].digest
    assert found["written"].chunks == found["holes"].chunks


def test_a_small_file_never_has_the_digest_of_a_large_one():
    found, parts = chunked(large(1))

    assert chunking.digest(bytes.fromhex("".join(part for _, part in parts))) != found


def test_a_4_gb_sparse_file_is_digested_and_sent_in_little_memory(tmp_path):
    script = f"""
import os, resource, sys
sys.path.insert(0, {str(POD)!r})
from agent.root import Root
from agent.entries import Wanted
resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
os.makedirs("l"); os.makedirs("f")
with open("l/big", "wb") as file:
    file.write(b"head"); file.seek(2 << 30); file.write(os.urandom(1 << 20)); file.truncate(4 << 30)
local, far = Root("l"), Root("f")
found = local.digest(["big"], {{}})["big"]
sent = [0]
def counted():
    for piece in local.records([Wanted("big", found.digest, found.stat, None, None)]):
        sent[0] += len(piece)
        yield piece
(staged,) = far.stage(counted())
print(repr(staged.problem), found.stat.size, sent[0] < 3 << 20)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == (f"'' {4 << 30} True", "")


def test_a_file_that_grows_for_ever_is_read_no_further_than_it_was(sides, monkeypatch):
    """It grows by more than each read takes, so that only its size at the start ends the reading."""
    full = sides.write("log", large(1))
    size = full.stat().st_size
    real = os.pread
    asked = []

    def reading(fd, count, offset):
        asked.append(offset + count)
        if len(asked) > 50:
            pytest.fail("it is read for ever")
        with open(full, "ab") as file:
            file.write(bytes(count + 1))
        return real(fd, count, offset)

    monkeypatch.setattr(digesting.os, "pread", reading)

    assert sides.local.digest(["log"], {}) == {"log": "changed"}
    assert max(asked) == size


@pytest.mark.parametrize("size", [100, LARGE + 5])
@pytest.mark.parametrize("deed", ["grow", "shrink", "rewrite"])
def test_a_file_that_changes_while_it_is_read_has_no_digest(sides, monkeypatch, size, deed):
    full = sides.write("f", large(1, size))
    real = os.pread

    def reading(*arguments):
        found = real(*arguments)
        {
            "grow": lambda: os.truncate(full, size + 1),
            "shrink": lambda: os.truncate(full, 3),
            "rewrite": lambda: full.write_bytes(bytes(size)),
        }[deed]()
        return found

    monkeypatch.setattr(digesting.os, "pread", reading)

    assert sides.local.digest(["f"], {}) == {"f": "changed"}


@pytest.mark.parametrize("size", [100, LARGE * 3])
def test_a_file_that_changes_while_it_is_sent_is_taken_back(sides, size):
    content = large(1, size)
    full = sides.write("f", content)
    digested = sides.local.digest(["f"], {})["f"]
    stream = sides.local.records([Wanted("f", digested.digest, digested.stat, None, None)])
    if size < LARGE:
        full.write_bytes(b"other")
        received = list(stream)
    else:
        received = [next(stream)]
        os.truncate(full, LARGE)
        received += list(stream)
    sides.write("g", b"next")
    received += list(sides.local.records([Wanted("g", chunking.digest(b"next"), None, None, None)]))

    assert [(staged.path, staged.problem) for staged in sides.far.stage(iter(received))] == [
        ("f", "changed"),
        ("g", ""),
    ]


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
    ["../f", 1, "0" * 32, False, 0, 0, None], ["/f", 1, "0" * 32, False, 0, 0, None], ["f", 1.0, "0" * 32, False, 0, 0, None],
    ["f", -2, "0" * 32, False, 0, 0, None], ["f", True, "0" * 32, False, 0, 0, None], ["f", 1 << 70, "0" * 32, False, 0, 0, None],
    ["f", 1, "x", False, 0, 0, None], ["f", 1, "0" * 32, 1, 0, 0, None], ["f", 1, "0" * 32, False, 0, 2, None],
    ["f", 1, "0" * 32, False, 0, 1, None], ["f", 1, "0" * 32, False, 1 << 70, 0, None], ["f", 1], {}, None, 1, "f",
    ["f", 1, "0" * 32, False, 0, 0, [1, 2, 3]], ["f\0", 1, "0" * 32, False, 0, 0, None], ["f", -1, 3, False, 0, 0, None],
]  # fmt: skip


@pytest.mark.parametrize("header", HOSTILE, ids=str)
def test_a_hostile_header_ends_the_stream(sides, header):
    with pytest.raises(ValueError, match=r"."):
        sides.far.stage([packed(header) + b"x"])


@pytest.mark.parametrize(
    "steps", [[], {}, [["l", 1]], [["l", -1]], [["c", 0, LARGE]], [["z", LARGE + 1]], [["z", "1"]], [["q", LARGE]], [["z", LARGE, 1]], [[]], [1], [["z", True]]]
)  # fmt: skip
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
