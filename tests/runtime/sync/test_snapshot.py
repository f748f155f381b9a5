"""What a side is known to have follows its scans, and a digest never outlives its file."""

from tests.runtime.sync.trees import file

from devcfg.runtime.pod.agent.entries import Digested, Row, Scan, Stat
from devcfg.runtime.sync.index import Known
from devcfg.runtime.sync.snapshot import RACY_NS, UNREAD, Snapshot
from devcfg.runtime.sync.tree import DIRECTORY

STAT = Stat(1, 5 * RACY_NS, 5 * RACY_NS, 7)
LATER = 9 * RACY_NS


def row(path, kind="f", stat=STAT, content=""):
    return Row(path, kind, False, stat, content)


def scanned(*rows, started=LATER, known=None, refused=lambda _: ""):
    found = Snapshot(dict(known or {}), refused)
    found.take_all(Scan(list(rows), [], started))
    found.read({path: Digested("digest", STAT, None) for path in found.unread()})
    return found


def test_a_file_is_read_once_and_again_only_when_its_stat_is_another():
    found = scanned(row("a"))

    found.take_all(Scan([row("a")], [], LATER))
    assert found.unread() == []
    found.take_all(Scan([row("a", stat=STAT._replace(ctime_ns=6 * RACY_NS))], [], LATER))
    assert found.unread() == ["a"]


def test_a_file_that_was_young_when_it_was_read_is_read_again():
    found = scanned(row("a"), started=STAT.mtime_ns + RACY_NS - 1)

    found.take_same(STAT.mtime_ns + RACY_NS)
    assert found.unread() == ["a"]
    found.read({"a": Digested("other", STAT, None)})
    assert found.tree.get("a") == file("other")
    found.take_same(LATER)
    assert found.unread() == []


def test_a_young_file_that_became_a_directory_is_not_read_as_a_file():
    found = scanned(row("a"), started=STAT.mtime_ns)
    found.take_all(Scan([row("a", "d")], [], LATER))

    found.take_same(LATER)
    assert found.unread() == []
    assert found.tree.get("a") == DIRECTORY


def test_a_digest_is_forgotten_with_its_file():
    known = {"gone": Known(Digested("digest", STAT, None), safe=False)}
    found = scanned(row("a"), known=known)

    assert found.unsaved["gone"] is None
    assert set(found.digests) == {"a"}


def test_what_does_not_hold_still_is_reported_until_it_does():
    found = Snapshot({})
    found.take_all(Scan([row("a")], [], LATER))

    assert found.read({"a": "changed"}) == {"a"}
    assert found.tree.get("a") == UNREAD
    found.take_some(Scan([row("a")], [], LATER), [("a", False)])
    assert found.read({"a": Digested("digest", STAT, None)}) == {"a"}
    assert found.tree.get("a") == file("digest")


def test_a_part_of_a_scan_says_nothing_of_the_rest():
    found = scanned(row("d", "d"), row("d/a"), row("d/sub", "d"), row("d/sub/b"), row("e"))

    assert found.take_some(Scan([row("d", "d")], ["d/a"], LATER), [("d/a", False)]) == {"d/a"}
    assert set(found.tree) == {"d", "d/sub", "d/sub/b", "e"}
    assert found.take_some(Scan([row("d", "d")], [], LATER), [("d", True)]) == {"d/sub", "d/sub/b"}
    assert found.take_some(Scan([], ["d"], LATER), [("d", False)]) == {"d"}
    assert set(found.tree) == {"e"}


def test_what_is_below_a_refused_path_is_not_known_at_all():
    found = scanned(row("x", "d"), row("x/a"), refused=lambda path: "kept away" if path[0] == "x" else "")

    assert {path: entry.content for path, entry in found.tree.entries.items()} == {"x": "kept away"}
    assert found.unread() == []
