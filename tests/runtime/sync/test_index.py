"""What the index keeps, it gives back; what it cannot read, it sets aside."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.sync.sites import scratch
from tests.runtime.sync.trees import HOLLOW, file

from devcfg.runtime.pod.agent.entries import Digested, Entry, Stat
from devcfg.runtime.sync.index import IndexFailedError, Known, open_index
from devcfg.runtime.sync.intents import Intent, learn
from devcfg.runtime.sync.modes import Side
from devcfg.runtime.sync.tree import DIRECTORY, Tree

names = st.binary(min_size=1, max_size=8).map(lambda name: name.decode("utf-8", "surrogateescape"))
digests = st.text("0123456789abcdef", min_size=32, max_size=32)
entries = st.one_of(
    st.builds(Entry, st.just("f"), digests, st.booleans()),
    st.builds(Entry, st.just("l"), names, st.just(False)),
    st.just(DIRECTORY),
)
numbers = st.integers(0, 2**62)
stats = st.builds(Stat, numbers, st.integers(-(2**62), 2**62), numbers, st.integers(0, 2**64 - 1))
chunks = st.none() | st.lists(st.tuples(st.integers(1, 2**20), digests), min_size=1)
known = st.builds(Known, st.builds(Digested, digests, stats, chunks), st.booleans())


@given(st.dictionaries(names, entries), st.dictionaries(names, known), st.dictionaries(names, known), st.data())
def test_what_was_saved_is_there_when_it_is_opened_again(ancestor, local, far, data):
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        save_and_open(f"{folder}/rule", ancestor, local, far, data)


def save_and_open(place, ancestor, local, far, data):
    gone = data.draw(st.sets(st.sampled_from(sorted(ancestor)))) if ancestor else set()
    intents = tuple(Intent(Side.FAR, path, entry, None) for path, entry in sorted(ancestor.items()))
    with open_index(place) as index:
        index.renew("volume")
        index.save(ancestor, {Side.LOCAL: local, Side.FAR: far}, settled=True)
        index.save(dict.fromkeys(gone), {Side.LOCAL: dict.fromkeys(local)}, settled=True)
        index.intend(intents)
    with open_index(place) as index:
        assert index.ancestor().entries == {path: entry for path, entry in ancestor.items() if path not in gone}
        assert (index.digests(Side.LOCAL), index.digests(Side.FAR)) == ({}, far)
        assert set(index.intents()) == set(intents)
        assert (index.volume_id, index.set_aside) == ("volume", "")


def test_a_new_volume_has_no_ancestor_and_keeps_what_is_known_of_the_laptop(tmp_path):
    digests = {"a": Known(Digested("0" * 32, Stat(1, 2, 3, 4), None), safe=True)}
    with open_index(str(tmp_path / "rule")) as index:
        index.save({"a": file("1")}, {Side.LOCAL: digests, Side.FAR: digests}, settled=True)
        index.intend([Intent(Side.FAR, "a", file("1"), None)])
        index.renew("second")

        assert not index.ancestor().entries
        assert not index.intents()
        assert (index.digests(Side.LOCAL), index.digests(Side.FAR)) == (digests, {})


def test_an_index_that_is_no_database_is_set_aside_and_kept(tmp_path):
    place = tmp_path / "rule"
    place.write_bytes(b"no database\n" * 1000)
    with open_index(str(place)) as index:
        assert index.set_aside == f"{place}.unreadable-1"
        assert not index.ancestor().entries
        index.save({"a": DIRECTORY}, {}, settled=True)

    assert (tmp_path / "rule.unreadable-1").read_bytes().startswith(b"no database")
    with open_index(str(place)) as index:
        assert index.set_aside == ""
        assert "a" in index.ancestor()


def test_a_damaged_page_and_an_older_version_are_set_aside(tmp_path):
    place = tmp_path / "rule"
    with open_index(str(place)) as index:
        index.save({f"file{number}": file("1") for number in range(2000)}, {}, settled=True)
    whole = place.read_bytes()
    place.write_bytes(whole[:8192] + b"\xff" * 8192 + whole[16384:])
    with open_index(str(place)) as index:
        assert index.set_aside
    with contextlib.closing(sqlite3.connect(place)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.commit()
    with open_index(str(place)) as index:
        assert index.set_aside.endswith("-2")


def test_a_client_that_is_killed_while_it_writes_leaves_a_whole_index(tmp_path):
    place = str(tmp_path / "rule")
    script = (
        "import sys\n"
        "from devcfg.runtime.pod.agent.entries import Entry\n"
        "from devcfg.runtime.sync.index import open_index\n"
        "index = open_index(sys.argv[1])\n"
        "for number in range(10**6):\n"
        "    entry = Entry('f', str(number), False)\n"
        "    index.save({'a': entry, 'b': entry, str(number % 50): None}, {}, settled=True)\n"
        "    print(number, flush=True)\n"
    )
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", script, place], stdout=subprocess.PIPE)
        for _ in range(20):
            child.stdout.readline()
        child.kill()
        written = child.communicate()[0].split()
        with open_index(place) as index:
            found = index.ancestor()
            assert index.set_aside == ""
            assert found.get("a") == found.get("b")
            assert int(found.get("a").content) >= int((written or [b"19"])[-1])
    assert not [name for name in os.listdir(tmp_path) if "unreadable" in name]


def test_an_intent_that_came_true_is_what_the_ancestor_learns():
    old, new = file("old"), file("new")
    far = Tree({"changed": new, "as-it-was": old, "hollow": HOLLOW, "edited": file("edit")})
    intents = [
        Intent(Side.FAR, "changed", old, new),
        Intent(Side.FAR, "as-it-was", old, new),
        Intent(Side.FAR, "deleted", old, None),
        Intent(Side.FAR, "hollow", DIRECTORY, None),
        Intent(Side.FAR, "edited", old, new),
        Intent(Side.LOCAL, "made", None, new),
    ]

    assert learn(intents, Tree({"made": new}), far) == {"changed": new, "deleted": None, "hollow": None, "made": new}


def test_an_index_that_cannot_be_written_says_so_and_is_not_set_aside(tmp_path):
    place = str(tmp_path / "rule")
    with open_index(place) as index, contextlib.closing(sqlite3.connect(place)) as other:
        index._connection.execute("PRAGMA busy_timeout = 1")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(IndexFailedError, match="locked"):
            index.save({"a": DIRECTORY}, {}, settled=True)
        other.rollback()
        index.save({"a": DIRECTORY}, {}, settled=True)

    assert os.path.exists(place)
