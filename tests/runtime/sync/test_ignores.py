"""The ignore files of a rule, read as git reads them."""

import os
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devcfg.runtime.pod.agent.ignore import Ignores
from devcfg.runtime.sync.ignores import IgnoreFileError, load_ignores
from devcfg.schemas.blocks import SyncRule


def rule(**members):
    return SyncRule.validate(
        {
            "path": ".",
            "target": "/app",
            **{name: value if isinstance(value, bool) else list(value) for name, value in members.items()},
        }
    )


def write(base, files):
    for path, content in files.items():
        full = base / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(content if isinstance(content, bytes) else content.encode())


def load(base, root=".", **members):
    return load_ignores(str(base / root), str(base), rule(**members))


def ignored(ignores, *paths):
    return {path for path in paths if ignores.ignored(path, is_dir=False)}


def test_files_count_from_the_top_level_down_and_the_inner_one_wins(tmp_path):
    write(
        tmp_path,
        {".gitignore": "*.log\n/svc/out\n", "svc/.gitignore": "!keep.log\n", "svc/in/.gitignore": "keep.log\n"},
    )
    ignores = load(tmp_path, "svc")

    assert ignored(ignores, "a.log", "keep.log", "in/keep.log", "out", "in/out") == {"a.log", "in/keep.log", "out"}


def test_a_devcfgignore_comes_after_the_gitignore_beside_it(tmp_path):
    write(tmp_path, {".gitignore": "*.env\nx\n", ".devcfgignore": "!a.env\ny\n"})

    assert ignored(load(tmp_path), "a.env", "b.env", "x", "y") == {"b.env", "x", "y"}


def test_the_defaults_lie_under_all_and_can_be_taken_back(tmp_path):
    write(tmp_path, {".gitignore": "!keep.pyc\n"})
    ignores = load(tmp_path)

    assert ignored(ignores, "a.pyc", "keep.pyc", "__pycache__/x", ".venv/x", "venv/x") == {
        "a.pyc",
        "__pycache__/x",
        ".venv/x",
    }


def test_exclude_wins_over_files_and_include_over_all(tmp_path):
    write(tmp_path, {".gitignore": "!a.key\n"})
    ignores = load(tmp_path, exclude=("*.key",), include=("b.key", "gen/out.js"))

    assert ignored(ignores, "a.key", "b.key", "c.key") == {"a.key", "c.key"}


def test_without_gitignore_the_files_do_not_count_but_exclude_and_defaults_do(tmp_path):
    write(tmp_path, {".gitignore": "a\n", ".devcfgignore": "b\n"})
    ignores = load(tmp_path, gitignore=False, exclude=("c",))

    assert ignored(ignores, "a", "b", "c", "d.pyc") == {"c", "d.pyc"}


def test_a_file_in_an_ignored_directory_is_not_read(tmp_path):
    write(tmp_path, {".gitignore": "out/\n", "out/.gitignore": "!x\n", "in/out/.gitignore": "!x\n"})
    ignores = load(tmp_path)

    assert len(ignores.layers) == 3
    assert ignored(ignores, "out/x", "in/out/x") == {"out/x", "in/out/x"}


def test_an_ignore_file_that_is_a_link_or_a_directory_does_not_count(tmp_path):
    write(tmp_path, {"elsewhere": "a\n", "d/.devcfgignore/x": ""})
    (tmp_path / ".gitignore").symlink_to("elsewhere")

    assert ignored(load(tmp_path), "a") == set()


def test_an_ignore_file_without_end_is_refused_with_a_hint(tmp_path):
    (tmp_path / ".gitignore").touch()
    os.truncate(tmp_path / ".gitignore", 5 << 20)
    with pytest.raises(IgnoreFileError, match="4 MiB") as caught:
        load(tmp_path)

    assert "gitignore: false" in caught.value.hint


def test_carriage_returns_and_a_byte_order_mark_do_not_count(tmp_path):
    write(tmp_path, {".gitignore": b"\xef\xbb\xbfa\r\nb\r\n\xff\r\n"})

    assert ignored(load(tmp_path), "a", "b", "\udcff", "c") == {"a", "b", "\udcff"}


def test_why_names_the_file(tmp_path):
    write(tmp_path, {"svc/in/.gitignore": "\nsecret\n"})

    assert load(tmp_path).why("svc/in/secret", is_dir=False) == (str(tmp_path / "svc/in/.gitignore"), 2, "secret")


def test_what_was_read_travels_as_json(tmp_path):
    write(tmp_path, {".gitignore": "*.log\n", "a/.gitignore": "!x.log\n"})
    ignores = load(tmp_path, "a", include=("y.log",))
    again = Ignores.of(ignores.json())

    assert ignored(ignores, "x.log", "y.log", "z.log") == ignored(again, "x.log", "y.log", "z.log") == {"z.log"}


lines = st.lists(
    st.sampled_from(["a", "/a", "b/", "!a", "!b", "*.c", "a/b", "/a/*", "!/a/b", "**/b", "x.c", "!x.c", "#", "a/**"]),
    max_size=4,
)
files = st.dictionaries(st.sampled_from(["", "a", "a/b", "b", "a/a"]), lines, max_size=4)
trees = st.sets(
    st.lists(st.sampled_from(["a", "b", "x.c"]), min_size=1, max_size=4).map("/".join), min_size=1, max_size=8
)


@settings(max_examples=80)
@given(files, trees, st.sampled_from([".", "a"]))
@example({"": ["/a/*", "!/a/b"], "a": ["b/"]}, {"a/b/a", "a/a"}, "a")
def test_files_found_on_disk_ignore_what_git_ignores(tmp_path_factory, found, tree, root):
    base = tmp_path_factory.mktemp("load")
    for folder in ("a/b", "b", "a/a", ".git/objects", ".git/refs"):
        (base / folder).mkdir(parents=True)
    write(
        base,
        {
            ".git/HEAD": "ref: refs/heads/main\n",
            ".git/config": "[core]\n\trepositoryformatversion = 0\n\tbare = false\n",
        },
    )
    write(base, {os.path.join(folder, ".gitignore"): "\n".join(rows) + "\n" for folder, rows in found.items()})
    for path in tree:
        full = base / path
        if not full.exists() and full.parent.is_dir():
            full.touch()
    environment = {"PATH": os.environ["PATH"], "HOME": str(base), "GIT_CONFIG_NOSYSTEM": "1"}
    asked = [
        os.path.relpath(os.path.join(at, name), base)
        for at, folders, names in os.walk(base)
        for name in folders + names
    ]
    asked = [path for path in asked if ".git" not in path and (root == "." or path.startswith(root + "/"))]
    said = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=base,
        input="\0".join(asked),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    expected = {path for path in said.stdout.split("\0") if path}
    if root != "." and git_ignores(base, root, environment):
        return  # git ignores the root itself; a rule that names it wants it
    ignores = load_ignores(str(base / root), str(base), rule())
    short = len(root) + 1 if root != "." else 0
    actual = {path for path in asked if ignores.ignored(path[short:], is_dir=(base / path).is_dir())}

    assert expected == actual


def git_ignores(base, path, environment):
    done = subprocess.run(["git", "check-ignore", "--no-index", "-q", path], cwd=base, env=environment, check=False)
    return done.returncode == 0
