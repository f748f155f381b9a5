"""Digests, deltas and the transfer stream: the same bytes arrive, or a problem in words."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devcfg.runtime.pod.agent import chunks as chunking
from devcfg.runtime.pod.agent import digest as digesting
from devcfg.runtime.pod.agent.chunks import LARGE, MOST, Chunker, steps_of
from devcfg.runtime.pod.agent.entries import Entry, Wanted

from .conftest import Sides

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


def test_files_that_nobody_has_read_are_sent_and_digested_by_one_reading(sides):
    contents = {"a": b"", "d/b": b"text", "zeros": bytes(LARGE), "big": large(3, LARGE * 2)}
    for path, content in contents.items():
        sides.write(path, content)
    os.chmod(sides.base / "local" / "a", 0o755)
    (sides.base / "local" / "link").symlink_to("a")
    found = {}
    staged = sides.far.stage(sides.local.first_records([*contents, "link", "none"], found))

    assert found == sides.local.digest([*contents, "link", "none"], {})
    assert [(one.path, one.digest, one.problem) for one in staged] == [
        (path, found[path].digest, "") for path in contents
    ]
    assert (
        sides.apply(
            sides.change("d", Entry("d", "", False)),
            *(sides.change(path, Entry("f", found[path].digest, path == "a")) for path in contents),
        )
        == ["done"] * 5
    )
    assert {path: (sides.base / "far" / path).read_bytes() for path in contents} == contents


@pytest.mark.parametrize("size", [100, LARGE * 3])
def test_a_file_that_changes_while_it_is_first_read_is_not_staged(sides, size, monkeypatch):
    full = sides.write("f", large(1, size))
    sides.write("g", b"next")
    pread = os.pread

    def reading(fd, count, at):
        found = pread(fd, count, at)
        if os.fstat(fd).st_size == size and found:
            os.truncate(full, 50)
        return found

    monkeypatch.setattr(digesting.os, "pread", reading)
    found = {}
    staged = sides.far.stage(sides.local.first_records(["f", "g"], found))

    assert found["f"] == "changed"
    assert [(one.path, one.problem) for one in staged] == [("g", "")]
