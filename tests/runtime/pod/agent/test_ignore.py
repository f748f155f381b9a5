"""What is ignored, compared with git itself, path by path."""

import os
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devcfg.runtime.pod.agent.ignore import Ignores, Layer

NAMES = ["a", "b", "ab", "A", "foo", "foo.py", "a b", "a ", "é", "[x]", "a\\b", "x-y", "1", ".e", "#h", "!n", "b.c.d"]
PIECES = [
    "a", "b", "A", "foo", "*", "**", "?", "/", "/", "!", "#", "\\", " ", ".", "[ab]", "[!a]", "[^b]", "[a-f]", "[]a]",
    "[[:alpha:]]", "[[:upper:]x]", "[[:bad:]]", "[a", "[\\]]", "[a-]", "[--0]",
    "é", "*.py", "**/", "/**", "\\ ", "  ", "\t",
    "\\*", "[x]", "b.c", "-", "]", "[[:digit:]-z]", "[\\a-c]",
]  # fmt: skip
patterns = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
files = st.lists(patterns, max_size=5)
names = st.sampled_from(NAMES)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


def git(root, *arguments, stdin=b""):
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    return subprocess.run(["git", *arguments], cwd=root, input=stdin, capture_output=True, env=environment, check=False)


def grow(root, tree):
    """Make each path: a directory where another needs one, else a file; return what came of it."""
    made = {}
    for path in sorted(set(tree)):
        above = path.split("/")[:-1]
        if any("/".join(above[: n + 1]) in made and not made["/".join(above[: n + 1])] for n in range(len(above))):
            continue
        is_dir = any(other.startswith(path + "/") for other in tree)
        for n in range(len(above)):
            made["/".join(above[: n + 1])] = True
        made[path] = is_dir or made.get(path, False)
    for path, is_dir in sorted(made.items()):
        full = os.path.join(root, path)
        if is_dir:
            os.makedirs(full, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            open(full, "w").close()
    return made


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A place where each example has a directory of its own."""
    numbers = iter(range(10**9))
    base = tmp_path_factory.mktemp("git")

    def fresh(*, ignorecase):
        root = base / str(next(numbers))
        root.mkdir()
        os.makedirs(root / ".git" / "objects")
        os.makedirs(root / ".git" / "refs")
        (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        case = "true" if ignorecase else "false"
        (root / ".git" / "config").write_text(
            "[core]\n\trepositoryformatversion = 0\n\tbare = false\n"
            f"\tignorecase = {case}\n\texcludesfile = /dev/null\n"
        )
        return root

    return fresh


def compare(root, made, layers, *, fold=False):
    for folder, lines in layers:
        (root / folder / ".gitignore").write_bytes("\n".join(lines).encode() + b"\n")
    asked = [path for path in made if ".gitignore" not in path]
    said = git(root, "check-ignore", "--no-index", "-z", "--stdin", stdin="\0".join(asked).encode() + b"\0")
    assert said.returncode in (0, 1), said.stderr
    expected = {path for path in said.stdout.decode().split("\0") if path}
    ignores = Ignores([Layer(folder, "", f"{folder}/.gitignore", lines) for folder, lines in layers], fold=fold)
    actual = {path for path in asked if ignores.ignored(path, is_dir=made[path])}

    assert expected == actual, (layers, made)


COUNT = 150


def check_single(repository, lines, tree, fold):
    root = repository(ignorecase=fold)
    compare(root, grow(root, tree), [("", lines)], fold=fold)


@settings(max_examples=COUNT)
@given(files, st.lists(paths, min_size=1, max_size=8), st.booleans())
@example(["/foo**/bar", "foo**"], ["foo/a/bar", "foox/bar", "foobar", "foo/bar"], False)
@example(["a/**/b", "**/c", "d/**"], ["a/b", "a/x/b", "a/x/y/b", "c", "x/c", "d/e/f"], False)
@example(["foo/*", "!foo/a"], ["foo/a", "foo/b"], False)
@example(["a ", "b\\ ", "a\\b  "], ["a", "b", "b ", "a "], False)
@example(["[A-C]", "\\A", "Foo"], ["a", "b", "A", "foo", "FOO"], True)
@example(["a\\"], ["a", "a\\"], False)
@example(["\\!n", "\\#h", "!x"], ["!n", "#h"], False)
@example(["é?", "[é]", "a?"], ["éa", "é", "aé"], False)
@example(["*", "!*/", "!*.py"], ["a/foo.py", "a/b", "foo.py"], False)
@example(["**/**//**a"], ["a/a"], False)
@example(["a//", "/", "!", "//a"], ["a/b", "a"], False)
def test_one_file_ignores_what_git_ignores(repository, lines, tree, fold):
    check_single(repository, lines, tree, fold)


@settings(max_examples=COUNT)
@given(files, files, files, st.lists(paths, min_size=1, max_size=10))
def test_nested_files_ignore_what_git_ignores(repository, top, outer, inner, tree):
    root = repository(ignorecase=False)
    made = grow(root, [*tree, "a/x", "a/b/x"])
    folders = [("", top), ("a", outer), ("a/b", inner)]
    compare(root, made, [(folder, lines) for folder, lines in folders if made.get(folder, True)])


@pytest.mark.proof
@settings(max_examples=20_000)
@given(files, st.lists(paths, min_size=1, max_size=8), st.booleans())
def test_one_file_ignores_what_git_ignores_in_full(repository, lines, tree, fold):
    check_single(repository, lines, tree, fold)


def test_what_starts_with_our_temporary_name_is_ignored_whatever_the_files_say():
    ignores = Ignores([Layer("", "", "f", ["!*", "!.git"])])

    for path in (".git", "a/.git/x", ".devcfg/state", "a/.devcfg-tmp-stage/1", ".GIT/x", ".g\u200cit/config"):
        assert ignores.ignored(path, is_dir=False)


def test_include_reaches_below_an_ignored_directory_and_only_what_it_names():
    ignores = Ignores([Layer("", "", "f", ["dist/", "*.log"])], ["dist/app/keep.js", "build.log"])

    assert not ignores.ignored("dist/app/keep.js", is_dir=False)
    assert not ignores.ignored("build.log", is_dir=False)
    assert ignores.ignored("dist/app/other.js", is_dir=False)
    assert ignores.ignored("dist/build.log", is_dir=False)
    assert ignores.level("dist").searching
    assert ignores.level("dist/app").searching
    assert not ignores.level("dist/other").searching
    assert not ignores.level("dist/app/deeper").searching


def test_an_excluded_path_stays_excluded_although_a_nested_file_takes_it_back():
    ignores = Ignores([Layer("a", "", "a/.gitignore", ["!secret"]), Layer("", "", "exclude", ["secret"])])

    assert ignores.ignored("a/secret", is_dir=False)


def test_a_file_above_the_root_counts_from_its_own_directory():
    layers = [
        Layer("", "services/api", ".gitignore", ["/services/api/out", "/tmp", "*.bak"]),
        Layer("", "api", "services/.gitignore", ["api/gen", "/x"]),
        Layer("", "", "services/api/.gitignore", ["/own", "!keep.bak"]),
    ]
    ignores = Ignores(layers)

    ignored = {
        path
        for path in ("out", "tmp", "a.bak", "keep.bak", "gen", "x", "own", "z/own")
        if ignores.ignored(path, is_dir=False)
    }
    assert ignored == {"out", "a.bak", "gen", "own"}


def test_why_names_the_file_and_line():
    ignores = Ignores([Layer("", "", ".gitignore", ["# c", "", "build/"]), Layer("", "", "exclude", ["*.key"])])

    assert ignores.why("build/x/y", is_dir=False) == (".gitignore", 3, "build/")
    assert ignores.why("a/b.key", is_dir=False) == ("exclude", 1, "*.key")
    assert ignores.why("a/.git", is_dir=True) == ("devcfg", 0, ".git")
    assert ignores.why("a/b", is_dir=False) is None


@settings(max_examples=300)
@given(files, st.lists(paths, min_size=1, max_size=8))
@example(["**/*.egg-info/**", "*a*b*"], ["x/y.egg-info/z", "xaxbx"])
def test_the_form_that_travels_means_the_same(lines, tree):
    ignores = Ignores([Layer("a", "", "s", lines), Layer("", "x", "t", lines)], ["q/r"], fold=True)
    again = Ignores.of(ignores.json())

    assert [ignores.ignored(path, is_dir=False) for path in tree] == [
        again.ignored(path, is_dir=False) for path in tree
    ]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [[], [], 0],
        [[["/a", "", "s", []]], [], False],
        [[["a", "", "s", [1]]], [], False],
        [[], [1], False],
        [[[]], [], False],
    ],
)
def test_what_is_no_ignores_is_refused(value):
    with pytest.raises(ValueError, match=r"layer|ignores|path"):
        Ignores.of(value)


def test_a_pattern_made_to_keep_a_matcher_busy_ends():
    star = "*a" * 30 + "*b"
    ignores = Ignores([Layer("", "", "f", [star, "x/" + star, "**/a" * 20 + "/**/b"])])

    assert not ignores.ignored("a" * 250, is_dir=False)
    assert ignores.ignored("a" * 200 + "b", is_dir=False)
    assert not ignores.ignored("x/" + "a" * 250, is_dir=False)
    assert not ignores.ignored("/".join(["a"] * 100), is_dir=False)
    assert ignores.ignored("/".join(["a"] * 100) + "/b", is_dir=False)
