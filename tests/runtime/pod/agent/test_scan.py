"""What a walk reports, whole and in part."""

import os
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devcfg.runtime.pod.agent import paths
from devcfg.runtime.pod.agent.ignore import Ignores, Layer
from devcfg.runtime.pod.agent.root import Root

AWKWARD = [
    "-x", "--help", "a\nb", "a\tb", " lead", "trail ", "😀", "e\u0301", "\u00e9", "\udcff\udcfe", "n" * 255, "Case", "case",
    "'", '"', "$(x)", "`x`", ";x", "*", "?", "[a]", "a\\b", "~", "#x", "!x", "..x", "x..", "...", "\u202e", "\x01\x1b[31m",
    "%s", "{}", "C:", "nul", "a|b", "<x>", "&", "é" * 127, "\u200b", "\xa0",
]  # fmt: skip


def kinds(rows):
    return {row.path: row.kind for row in rows}


@pytest.fixture
def root(tmp_path):
    made = Root(str(tmp_path))
    yield made
    made.close()


def test_awkward_names_come_through_byte_for_byte(sides):
    for number, name in enumerate(AWKWARD):
        sides.write(f"d/{name}", b"%d" % number)
    rows = sides.local.scan().rows
    files = [row.path for row in rows if row.kind == "f"]
    entries = {path: sides.send(path) for path in files}
    outcomes = sides.apply(
        sides.change("d", sides.there("d", "local")[0]), *(sides.change(path, entry) for path, entry in entries.items())
    )

    assert set(outcomes) == {"done"}
    assert sorted(os.listdir(os.fsencode(sides.base / "local/d"))) == sorted(
        os.listdir(os.fsencode(sides.base / "far/d"))
    )
    assert len(files) == len(AWKWARD)


def test_what_cannot_be_synced_is_a_row_with_the_reason(tmp_path, root):
    os.mkfifo(tmp_path / "fifo")
    bound = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(tmp_path)
    bound.bind("sock")
    os.chdir(here)
    os.symlink("/etc/passwd", tmp_path / "abs")
    os.symlink("../x", tmp_path / "out")
    os.symlink("loop", tmp_path / "loop")
    rows = {row.path: (row.kind, row.content) for row in root.scan().rows}
    bound.close()

    assert rows == {
        "fifo": ("x", "a FIFO"),
        "sock": ("x", "a socket"),
        "abs": ("x", "an absolute link"),
        "out": ("x", "a link that leads out of the root"),
        "loop": ("l", "loop"),
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices and mounts")
def test_a_device_is_a_row_with_the_reason(tmp_path, root):
    try:
        os.mknod(tmp_path / "null", 0o20666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this root may not make devices")

    assert [(row.kind, row.content) for row in root.scan().rows] == [("x", "a device")]


def test_an_unreadable_directory_is_a_problem_and_never_empty(tmp_path, as_nobody):
    (tmp_path / "shut" / "in").mkdir(parents=True)
    (tmp_path / "open").mkdir()
    os.chmod(tmp_path / "shut", 0)

    def look():
        return [(row.path, row.kind, row.content) for row in Root(str(tmp_path)).scan().rows]

    assert as_nobody(look) == [["open", "d", ""], ["shut", "x", "permission denied"]]
    os.chmod(tmp_path / "shut", 0o755)


def test_a_directory_with_ignored_content_only_is_hollow(tmp_path, root):
    for path in ("cache/x.pyc", "deep/er/x.pyc", "mixed/x.pyc", "mixed/y.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "empty").mkdir()
    root.set_ignores(Ignores([Layer("", "", "f", ["*.pyc"])]))

    assert kinds(root.scan().rows) == {
        "cache": "h", "deep": "h", "deep/er": "h", "empty": "d", "mixed": "d", "mixed/y.py": "f",
    }  # fmt: skip


def test_what_include_names_is_found_in_an_ignored_directory_and_nothing_else(tmp_path, root):
    for path in ("dist/a/keep", "dist/a/other", "dist/b/x", "src/y"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    root.set_ignores(Ignores([Layer("", "", "f", ["dist/"])], ["dist/a/keep"]))

    assert kinds(root.scan().rows) == {"dist": "d", "dist/a": "d", "dist/a/keep": "f", "src": "d", "src/y": "f"}


def test_hidden_names_have_no_row(tmp_path):
    for path in (".vscode/x", "a/.vscode/y", ".ENVRC", ".github/z"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    found = kinds(Root(str(tmp_path), hidden=paths.HIDDEN).scan().rows)

    assert found == {"a": "d", "a/.vscode": "d", "a/.vscode/y": "f"}


names = st.sampled_from(["a", "b", "c.pyc"])
trees = st.sets(st.lists(names, min_size=1, max_size=4).map("/".join), max_size=8)


def build(base, tree):
    for path in sorted(tree):
        full = base / path
        if not any((base / above).is_file() for above in paths.ancestors(path)) and not full.exists():
            full.parent.mkdir(parents=True, exist_ok=True)
            full.touch() if len(path) % 2 else full.mkdir()


@settings(max_examples=150)
@given(trees, trees, trees)
def test_a_scan_of_the_hints_says_what_a_whole_scan_says(tmp_path_factory, before, after, hinted):
    """Every path that a change touches is hinted; rows and missing paths together must turn the old view into the new."""
    base = tmp_path_factory.mktemp("scan")
    root = Root(str(base))
    root.set_ignores(Ignores([Layer("", "", "f", ["*.pyc"])]))
    build(base, before)
    view = {row.path: row for row in root.scan().rows}
    old = {
        os.path.relpath(os.path.join(at, name), base)
        for at, folders, files in os.walk(base)
        for name in folders + files
    }
    for path in sorted(before - after, reverse=True):
        full = base / path
        if full.is_dir() and not any(full.iterdir()):
            full.rmdir()
        elif full.is_file():
            full.unlink()
    build(base, after)
    new = {
        os.path.relpath(os.path.join(at, name), base)
        for at, folders, files in os.walk(base)
        for name in folders + files
    }
    part = root.scan([(path, False) for path in old ^ new | hinted])
    for path in part.missing:
        for known in [known for known in view if known == path or known.startswith(path + "/")]:
            del view[known]
    view.update((row.path, row) for row in part.rows)
    whole = {row.path: row for row in root.scan().rows}
    root.close()

    assert kinds(whole.values()) == kinds(view.values())


def test_a_deep_hint_covers_all_below_and_a_missing_one_is_told(tmp_path, root):
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "a/b/c/f").touch()
    found = root.scan([("a/b", True), ("a/x/y", False), ("a/b/c/f/g", False)])

    assert kinds(found.rows) == {"a": "d", "a/b": "d", "a/b/c": "d", "a/b/c/f": "f"}
    assert found.missing == ["a/x", "a/x/y"]


def test_a_hint_below_what_became_a_file_is_missing(tmp_path, root):
    (tmp_path / "a").touch()
    found = root.scan([("a/b", False)])

    assert (kinds(found.rows), found.missing) == ({"a": "f"}, ["a/b"])


def test_a_tree_deeper_than_any_path_is_a_problem_row_and_the_walk_ends(tmp_path, root):
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(paths.DEPTH + 3):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    rows = root.scan().rows

    assert rows[-1].kind == "x"
    assert len(rows) == paths.DEPTH
    for row in rows:
        paths.check(row.path)
