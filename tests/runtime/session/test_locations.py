"""Code locations in what runtimes print: real texts of theirs, what only looks like one, and what holds for any line.

A file in `printed/` is what the commands of its first line printed, `\\e` and `\\t` for escape and tab. Lines that are
shown otherwise stand twice: `-` as printed, `+` as shown.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.runtime import console
from devcfg.runtime.session.display import LONGEST, visible_log
from devcfg.runtime.session.locations import Locations, Mapping, View, respelling
from devcfg.schemas.config import Service

HERE = "/home/ann/shop"
WEB = f"{HERE}/services/web"
PRINTED = sorted((Path(__file__).parent / "printed").glob("*.txt"))
FILES = {
    *(f"{WEB}/{name}" for name in ("app.py", "broken.py", "warn.py", "my dir/app.py", "my dir/app.js", "app.js")),
    *(f"{WEB}/{name}" for name in ("broken.js", "server.mjs", "broken.mjs", "missing.mjs", "lib/load.mjs")),
    *(f"{WEB}/{name}" for name in ("details.rb", "broken.rb", "warn.rb", "app.php", "broken.php", "undefined.php")),
    *(f"{WEB}/{name}" for name in ("main.c", "go/main.go", "gobad/main.go", "jbad/Reviews.java", "Reviews.java")),
    *(f"{WEB}/{name}" for name in ("rs/main.rs", "rs/broken.rs", "a.pl", "page[id].tsx", "12", "line")),
    f"{HERE}/lib/tool.py",
}
"""What is here of the project."""


def locations(folder="/src", exists=FILES.__contains__, mappings=(("/src", WEB, "services/web"),)):
    return Locations(tuple(Mapping(*one) for one in mappings), folder, exists)


@pytest.mark.parametrize("path", PRINTED, ids=lambda path: path.stem)
def test_what_a_runtime_prints_leads_to_the_files_here(path):
    first, *lines = path.read_text(encoding="utf-8").replace("\\e", "\x1b").replace("\\t", "\t").splitlines()
    folder = first.removeprefix("# in ").partition(":")[0]
    printed = [line[2:] for line in lines if line[:1] != "+"]
    shown = [line[2:] for line in lines if line[:1] != "-"]
    assert list(map(locations(folder).respell, printed)) == shown


def test_there_are_texts_of_every_runtime():
    assert len(PRINTED) >= 15


@pytest.mark.parametrize(
    "line",
    [
        "GET /src/app.py 200",
        "GET /src/app.py:12 200",
        '127.0.0.1 - - "GET /src/app.py:12 HTTP/1.1" 200 -',
        "listens on http://web:8080/src/app.py:12",
        "url=https://web/src/app.py:12",
        '{"caller":"/src/app.py:12","at":"12:30:01"}',
        'INFO {"stack":"Error: x\\n    at /src/app.js:3:7"}',
        '{"text": "a \\"b\\" at /src/app.py:3"}',
        '    "file": "/src/app.py:12",',
        'said "see /src/app.py:12',
        "{'stack': '/src/app.py:12'}",
        "/srcfoo/app.py:12",
        "/home/src/app.py:12",
        "x/src/app.py:12",
        "/src/../etc/passwd:1",
        "/src:12",
        "/src/:12",
        "/src/app.py",
        "/src/app.py:12th",
        "/src/app.py: 12",
        "/src/node_modules/x/index.js:3:7",
        "file://host/src/app.py:3",
        "main.go:11: begins",
        "app.py:11: begins",
        "12:30:01 app.py:3: error: of a logger, in whatever directory",
        "\tat Reviews.main(Reviews.java:7)",
        "on line 12",
        "../web/app.py:3",
        "",
        "\x00" * 9,
    ],
)
def test_what_is_no_location_in_a_sync_target_stays_to_the_byte(line):
    assert locations().respell(line) == line


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[36m/src/app.py\x1b[39m:12", "\x1b[36mservices/web/app.py\x1b[39m:12"),
        ("\x1b[1m/src\x1b[22m/app\x1b[3m.py\x1b[0m:12", "\x1b[1mservices/web/app.py\x1b[22m\x1b[3m\x1b[0m:12"),
        (
            "\x1b[1m\x1b[Kmain.c:2:12:\x1b[m\x1b[K error: x",
            "\x1b[1m\x1b[Kservices/web/main.c:2:12:\x1b[m\x1b[K error: x",
        ),
        ("caller=/src/app.py:3 msg=x", "caller=services/web/app.py:3 msg=x"),
        ("[/src/app.py:4] x", "[services/web/app.py:4] x"),
        ("from file:///src/my%20dir/app.js:3:7", "from services/web/my dir/app.js:3:7"),
        ("  at X() in /src/app.js:line 12", "  at X() in services/web/app.js:line 12"),
        ("/src/app.js(3,5): error TS2304: x", "services/web/app.js(3,5): error TS2304: x"),
        ("app.js(3,5): error TS2304: x", "services/web/app.js(3,5): error TS2304: x"),
        ("[ERROR] /src/Reviews.java:[3,8] ';' expected", "[ERROR] services/web/Reviews.java:[3,8] ';' expected"),
        ("/src/page[id].tsx:3:5 - error", "services/web/page[id].tsx:3:5 - error"),
        ("/src/./lib/../app.py:3", "services/web/app.py:3"),
        ("/src/app.py:3 /src/none.py:4 /src/app.js:5", "services/web/app.py:3 /src/none.py:4 services/web/app.js:5"),
        ("/src/no such/app.py and /src/app.py:3", "/src/no such/app.py and services/web/app.py:3"),
        ('"quoted" then /src/app.py:3.', '"quoted" then services/web/app.py:3.'),
    ],
)
def test_a_location_is_found_wherever_it_stands_and_nothing_else_changes(line, shown):
    assert locations().respell(line) == shown


def test_the_longest_target_has_the_path_also_where_it_has_no_such_file():
    nested = locations(mappings=(("/src", WEB, "web"), ("/src/lib", f"{HERE}/lib", "lib")))
    assert nested.respell("/src/lib/tool.py:3 /src/lib/load.mjs:1") == "lib/tool.py:3 /src/lib/load.mjs:1"


def test_relative_paths_stay_where_nobody_knows_from_where_they_count():
    assert locations("").respell("./app.py:3 /src/app.py:3") == "./app.py:3 services/web/app.py:3"


def test_relative_paths_count_from_the_directory_of_the_command():
    assert (
        locations("/src/lib").respell("../app.py:3 ./load.mjs:2") == "services/web/app.py:3 services/web/lib/load.mjs:2"
    )
    assert locations("/elsewhere").respell("./app.py:3") == "./app.py:3"


@pytest.mark.parametrize(
    ("here", "shown"),
    [
        (HERE, "services/web/app.py:3"),
        (WEB, "app.py:3"),
        (f"{HERE}/k8s", "../services/web/app.py:3"),
        ("/a/b/c/d/e/f/g/h/i/j/k/l/m", f"{WEB}/app.py:3"),
    ],
)
def test_a_path_is_relative_to_the_current_directory_where_that_is_shorter(here, shown):
    spec = Service.validate({"sync": ["services/web:/src"]})
    assert respelling(View(HERE, here), spec, str, FILES.__contains__)("/src/app.py:3") == shown


def test_a_site_on_this_machine_has_its_targets_elsewhere():
    spec = Service.validate({"sync": ["services/web:/src"], "workdir": "/src/lib"})
    respell = respelling(View(HERE, HERE), spec, lambda path: f"/root{path}", FILES.__contains__)
    assert (
        respell("/root/src/app.py:3 /src/app.py:3 ../app.js:1")
        == "services/web/app.py:3 /src/app.py:3 services/web/app.js:1"
    )


PIECES = (
    "/src", "/srcfoo", "/src/app.py", "/lib", "src/", "./", "../", ":12", ":3:7", "(6)", "(3,5)", " line 3",
    " on line 3", ", line 4", '"', "'", "(", ")", "[", " ", "\t", "\\", "=", "key=", "file://", "http://x", "GET ",
    "from ", "é", "\0", "\x1b[36m", "\x1b[0m", "\x1b[K", "\x1b[2J", "app.py", "Reviews.java", ": error", ":in ", "1",
    ":",
)  # fmt: skip
LINES = st.lists(st.sampled_from(PIECES) | st.characters(exclude_characters="\n"), max_size=30).map("".join)


@given(LINES)
def test_where_both_sides_have_a_file_at_one_path_nothing_changes(line):
    assert locations(mappings=(("/src", "/src", "src"),), exists=lambda _: True).respell(line) == line


@given(LINES)
def test_a_line_without_a_number_that_follows_a_path_stays(line):
    line = "".join(one for one in line if not one.isdigit()).replace("[K", "")
    assert locations(exists=lambda _: True).respell(line) == line


@given(LINES)
def test_a_line_that_names_no_target_stays(line):
    line = line.replace("/src", "/other")
    assert locations("", exists=lambda _: True).respell(line) == line


@given(LINES)
def test_only_files_that_are_here_are_named(line):
    assert locations(exists=lambda _: False).respell(line) == line


@given(LINES)
def test_colours_change_nothing_and_none_is_lost(line):
    line, respell = line.replace("\x1b[2J", "").replace("\x1b[K", ""), locations(exists=lambda _: True).respell
    shown = respell(line)
    assert console.SGR.sub("", shown) == respell(console.SGR.sub("", line))
    assert console.SGR.findall(shown) == console.SGR.findall(line)


@given(LINES)
def test_what_is_respelled_cannot_move_the_cursor_either(line):
    hostile = locations(mappings=(("/src", WEB, "a\x1b[2J\rb"),), exists=lambda _: True)
    shown = visible_log(line, hostile.respell)
    assert console.SGR.sub("", shown).isprintable()


@pytest.mark.parametrize(
    "piece",
    [
        "/src/", "(", '"', '"\\', "/src/a b", "a=", "\0", "/src/app.py:1 ", "\x1b[1m", "(/src/ ", "[a=(", "1:", "\x1b[",
        "GET ", " ", "from ", ":1", "/ ", " a", "(/a ", "/src/app.py:1\x1b[1m ", "file://", ', line 1"',
    ],
)  # fmt: skip
@pytest.mark.parametrize("rest", ["", ":1", ' "/src/app.py", line 3'])
def test_a_line_of_a_megabyte_is_only_long(piece, rest):
    line = piece * (1024 * 1024 // len(piece)) + rest
    assert locations(exists=lambda _: False).respell(line) == line


def test_what_is_cut_of_a_line_is_not_looked_at():
    looked = []
    respell = locations(exists=lambda path: bool(looked.append(path))).respell
    line = "x" * LONGEST + " /src/app.py:3"
    assert visible_log(line, respell) == visible_log(line)
    assert looked == []
