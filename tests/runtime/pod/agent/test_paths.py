"""Which paths and links are safe, and what names survive."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.runtime.pod.agent import paths


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "/a", "a/", "a//b", ".", "..", "a/.", "a/..", "../a", "a/../b", "./a", "a\0b", "a" * 256, "é" * 128,
        "/".join(["a"] * 201), "/".join(["a" * 250] * 17), "\ud800", "a/\udc00", "\udcc3\udca9", None, 1, b"a",
    ],
)  # fmt: skip
def test_an_unsafe_path_is_refused(path):
    with pytest.raises(paths.PathError):
        paths.check(path)


@pytest.mark.parametrize(
    "path",
    ["a", "a/b", "...", "..a", "a..", "-x", "a\nb", "😀", "a b", "\udcff", "a" * 255, "/".join(["a"] * 200), "e\u0301"],
)
def test_any_name_that_a_file_can_have_is_taken(path):
    assert paths.check(path) == path


@given(st.binary(min_size=1, max_size=40))
def test_a_path_is_taken_exactly_when_the_system_would_stay_below_the_root(raw):
    names = raw.split(b"/")
    safe = b"\0" not in raw and all(name not in (b"", b".", b"..") for name in names)
    try:
        paths.check(os.fsdecode(raw))
        taken = True
    except paths.PathError:
        taken = False

    assert safe == taken


LINKS = [
    # path, target, may it be synced
    ("a", "b", True), ("a", "b/c", True), ("a", "./b", True), ("a", ".", True), ("a", "b/.", True), ("a", "b//c", True),
    ("d/a", "..", True), ("d/a", "../b", True), ("d/e/a", "../../b", True), ("d/e/a", "../f", True), ("d/a", "./../b", True),
    ("a", "a", True), ("a", "missing", True), ("a", "...", True), ("a", "..b", True), ("a", "b..", True), ("a", "-x", True),
    ("a", "b\nc", True), ("a", "é", True), ("a", "b/", True), ("d/a", "../", True), ("d/a", "../d/a", True), ("d/a", "..//b", True),
    ("a", "", False), ("a", "/", False), ("a", "/etc/passwd", False), ("a", "//b", False), ("a", "..", False),
    ("a", "../b", False), ("d/a", "../..", False), ("d/a", "../../d/b", False), ("a", "./..", False), ("a", ".//../b", False),
    ("a", "b/..", False), ("a", "b/../..", False), ("a", "b/../c", False), ("d/a", "../b/..", False), ("d/a", "../x/../../y", False),
    ("d/e/a", "../../..", False), ("a", "b/./../../c", False), ("a", "a" * 4001, False), ("a", "b\0c", False),
]  # fmt: skip


@pytest.mark.parametrize(("path", "target", "allowed"), LINKS)
def test_a_link_is_synced_only_if_it_can_never_lead_out(path, target, allowed):
    assert allowed == (paths.link_problem(path, target) == "")


parts = st.sampled_from(["a", "b", "..", ".", "c"])


@given(
    st.dictionaries(
        st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join),
        st.lists(parts, min_size=1, max_size=6).map("/".join),
        max_size=6,
    )
)
def test_links_that_are_allowed_do_not_lead_out_together_either(tmp_path_factory, links):
    base = tmp_path_factory.mktemp("links")
    root = base / "root"
    root.mkdir()
    for path, target in links.items():
        if paths.link_problem(path, target) == "" and not any(
            os.path.islink(root / above) for above in paths.ancestors(path)
        ):
            full = root / path
            full.parent.mkdir(parents=True, exist_ok=True)
            if not os.path.lexists(full):
                os.symlink(target, full)
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            assert os.path.realpath(os.path.join(folder, name)).startswith(str(root.resolve()))


@pytest.mark.parametrize(
    "path", [".git/x", "a/.git", "a/.GIT/b", ".devcfg/s", "x/.devcfg-tmp-1", ".g\u200cit", "\uff0egit/x"]
)
def test_what_is_never_synced_is_known_in_any_spelling(path):
    assert paths.is_hard(path)


def test_hidden_names_count_at_the_top_and_git_anywhere():
    assert paths.is_hidden(".VSCode/tasks.json", paths.HIDDEN)
    assert paths.is_hidden("a/.git/hooks/x", paths.HIDDEN)
    assert not paths.is_hidden("a/.vscode/tasks.json", paths.HIDDEN)
    assert not paths.is_hidden(".vscodex", paths.HIDDEN)


def test_a_directory_is_never_opened_through_a_link(tmp_path):
    (tmp_path / "real" / "in").mkdir(parents=True)
    os.symlink("real", tmp_path / "link")
    fd = os.open(tmp_path, os.O_RDONLY)
    with paths.Folders(fd) as folders:
        assert os.listdir(folders.open("real")) == ["in"]
        for path in ("link", "link/in"):
            with pytest.raises(OSError, match=r"directory|symbolic"):
                folders.open(path)
    os.close(fd)


def test_only_so_many_directories_stay_open_and_a_deep_one_opens(tmp_path):
    deep = "/".join(["d"] * 100)
    (tmp_path / deep).mkdir(parents=True)
    fd = os.open(tmp_path, os.O_RDONLY)
    before = len(os.listdir("/proc/self/fd"))
    with paths.Folders(fd) as folders:
        assert os.listdir(folders.open(deep)) == []
        assert len(os.listdir("/proc/self/fd")) - before <= paths.Folders.KEPT
        folders.forget("d")
        assert len(os.listdir("/proc/self/fd")) == before
    os.close(fd)
