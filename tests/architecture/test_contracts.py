"""What the house promises of itself: sizes, docstrings, codes, words, and what a command pays for."""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from devcfg.schemas.codes import CODES

ROOT = Path(__file__).parents[2]
ROOMS = ("compiler", "overlays", "runtime", "schemas")
MODULES = sorted(one for room in ROOMS for one in (ROOT / room).rglob("*.py"))
TESTS = sorted(one for one in (ROOT / "tests").rglob("*.py") if "golden/cases" not in one.as_posix())
WRITTEN = [*MODULES, *TESTS, *sorted((ROOT / "benchmarks").rglob("*.py"))]
SUPERVISOR = (ROOT / "runtime/pod/supervisor.sh").read_text("utf-8")


def named(path):
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path):
    return ast.parse(path.read_text("utf-8"))


# ---- files


def test_there_is_something_to_check():
    assert len(MODULES) > 70


@pytest.mark.parametrize("path", [*WRITTEN, ROOT / "runtime/pod/supervisor.sh"], ids=named)
def test_no_file_is_longer_than_400_lines(path):
    assert len(path.read_text("utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", [one for one in WRITTEN if one.name != "conftest.py" or one.read_bytes()], ids=named)
def test_every_module_says_what_lives_in_it(path):
    text = ast.get_docstring(tree_of(path))

    assert text, "it has no docstring"
    assert text.partition("\n\n")[0].rstrip().endswith((".", ":"))


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_module_says_what_never_does(path):
    text = ast.get_docstring(tree_of(path)) or ""

    assert re.search(r"\b(never|nothing|only|no|not|does not|whole)\b", text, re.IGNORECASE), text


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_public_name_has_a_docstring(path):
    def bare(node, inside=""):
        for one in ast.iter_child_nodes(node):
            if isinstance(one, ast.ClassDef | ast.FunctionDef) and not one.name.startswith("_"):
                if not ast.get_docstring(one):
                    yield f"{inside}{one.name}"
                if isinstance(one, ast.ClassDef):
                    yield from bare(one, f"{one.name}.")

    known = {"_Written.get_params", "Gate.take", "_Open.take"}

    assert [one for one in bare(tree_of(path)) if one not in known] == []


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_no_module_is_a_drawer_for_odd_things(path):
    forbidden = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "handler", "data", "info"}

    assert not forbidden & set(re.split(r"[_.]", path.stem))


# ---- the supervisor


def test_nothing_in_the_supervisor_is_for_flux_or_kubernetes_to_substitute():
    assert "${" not in SUPERVISOR
    assert "$$" not in SUPERVISOR


def test_the_supervisor_is_text_that_every_editor_shows_alike():
    assert SUPERVISOR.isascii()
    assert "\r" not in SUPERVISOR
    assert SUPERVISOR.endswith("\n")
    assert not SUPERVISOR.endswith("\n\n")


# ---- codes


def emitted():
    """Return every code that a module can give to a finding: the constants at the places that take a code."""
    found = {}
    for path in MODULES:
        if "runtime/pod" in path.as_posix():
            continue  # the agent finds nothing in files: its codes are for the client alone
        for node in ast.walk(tree_of(path)):
            for code in _codes_in(node):
                found.setdefault(code, named(path))
    return found


TAKERS = {"Diagnostic": 0, "fail": 0, "add": 0, "refuse": 0, "_refuse": 0, "_complain": 0, "_wrong": 1}
"""The functions that take a code, with the place of the argument."""


def _codes_in(node):
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        arguments = node.args[TAKERS[name] : TAKERS[name] + 1] if name in TAKERS else []
        arguments += [one.value for one in node.keywords if one.arg == "code"]
        yield from (one.value for one in arguments if _is_code(one))
    elif isinstance(node, ast.Tuple) and node.elts and _is_code(node.elts[0]) and node.elts[0].value in CODES:
        yield node.elts[0].value  # a row of a table of findings


def _is_code(node):
    return (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[a-z]+(-[a-z]+)+", node.value)
    )


def constants():
    return {
        node.value
        for path in MODULES
        if path.name != "codes.py"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_code_that_can_be_emitted_is_explained():
    assert {code: place for code, place in emitted().items() if code not in CODES} == {}
    assert len(emitted()) > 40


def test_every_code_that_is_explained_can_be_emitted():
    assert sorted(set(CODES) - constants()) == []


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_title_and_a_text_of_some_sentences(code):
    title, text = CODES[code]

    assert len(title) < 60
    assert not title.endswith(".")
    assert text.endswith((".", "?"))
    assert 2 <= len(re.findall(r"[.:?](?=\s|$)", text)) <= 6


def test_codes_have_different_titles_and_texts():
    assert len({one.title for one in CODES.values()}) == len({one.text for one in CODES.values()}) == len(CODES)


# ---- words


def glossary():
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    rows = re.findall(r"(?m)^\| ([^|]+) \| [^|]+ \|$", text.partition("## Glossary")[2].partition("\n## ")[0])
    return {word.strip() for row in rows for word in row.split(",")} - {"word", "---"}


DOMAIN = {
    "Service": "service",
    "Manifest": "manifest",
    "Target": "target",
    "Binding": "binding",
    "Pointer": "pointer",
    "Operation": "operation",
    "Patch": "patch",
    "Witness": "witness",
    "Plan": "plan",
    "Lock": "lock",
    "Diagnostic": "diagnostic",
    "Span": "span",
    "DevConfig": "dev config",
    "Base": "base",
}


def test_every_word_of_the_glossary_is_defined_once():
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("## Glossary")[2]
    rows = re.findall(r"(?m)^\| ([^|]+) \| ([^|]+) \|$", text)[1:]

    assert len(rows) == len({word for word, _ in rows})
    assert all(meaning.strip() for _, meaning in rows)


def map_of_runtime():
    """Return the modules that the map of the rooms names, by folder."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("## The rooms")[2].partition("\n## ")[0]
    rows = re.findall(r"(?m)^\| `(runtime/[a-z/]*)` \| ([^|]+) \|", text)
    return {room: re.findall(r"`([a-z_]+)`", said) for room, said in rows}


def test_the_map_has_every_folder_of_the_runtime():
    folders = {named(one.parent) + "/" for one in MODULES if named(one).startswith("runtime/")}

    assert map_of_runtime().keys() == folders - {"runtime/pod/agent/", "runtime/debug/adapters/"}


@pytest.mark.parametrize("room", map_of_runtime())
def test_what_the_map_names_is_there(room):
    there = {one.stem for one in (ROOT / room).glob("*.py")}

    assert set(map_of_runtime()[room]) - {"root"} <= there  # the agent's front door, named with its folder


@pytest.mark.parametrize("name", DOMAIN)
def test_a_type_that_is_named_like_a_word_means_the_glossarys(name):
    classes = [
        (named(path), node.name)
        for path in MODULES
        for node in tree_of(path).body
        if isinstance(node, ast.ClassDef) and node.name == name
    ]

    assert DOMAIN[name] in glossary()
    assert len(classes) == 1, classes


def test_every_noun_that_passes_between_rooms_is_in_the_glossary():
    """The types of `schemas/plan.py`, `patch.py`, `manifest.py` and `diagnostic.py`, word by word."""
    words = {word for entry in glossary() for word in entry.split()} | {
        "op",
        "role",
        "note",
        "severity",
        "spec",
        "object",
    }
    for name in ("plan", "patch", "manifest", "diagnostic"):
        for node in tree_of(ROOT / f"schemas/{name}.py").body:
            if isinstance(node, ast.ClassDef):
                parts = [one.lower() for one in re.findall(r"[A-Z][a-z]+", node.name)]
                assert set(parts) <= words, node.name


# ---- what a command pays for


def imported(*words, cwd):
    """Return a command's exit code, the modules it has loaded when it ends, and how many processes it started."""
    program = (
        "import sys\n"
        "started, starting = [], ('subprocess.Popen', 'os.system', 'os.exec', 'os.fork', 'os.posix_spawn')\n"
        "sys.addaudithook(lambda event, words: started.append(event) if event in starting else None)\n"
        "from devcfg.runtime.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as leaving:\n"
        "    sys.__stdout__.flush()\n"
        "    sys.__stderr__.write('\\n=' + f'{leaving.code} {len(started)} ' + ' '.join(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    code, started, *modules = done.stderr.rpartition("\n=")[2].split()
    return int(code), set(modules), int(started)


@pytest.fixture
def web(tmp_path):
    (tmp_path / "devcfg.yaml").write_text("base: base.yaml\nservices: {web: {command: {run: [a]}}}\n")
    (tmp_path / "base.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
        "spec: {template: {metadata: {labels: {a: b}}, spec: {containers: [{name: web, image: i}]}}}\n"
    )
    return tmp_path


HEAVY = {"kubernetes", "aiohttp", "pydantic", "rich", "asyncio", "socket", "importlib.metadata", "email"}


@pytest.mark.parametrize(
    "words", [("validate",), ("render",), ("render", "--format", "json-patch"), ("diff",), ("ide", "vscode")]
)
def test_a_command_loads_nothing_that_it_does_not_need(web, words):
    code, modules, started = imported(*words, cwd=web)

    assert (code, started) == (0, 0)
    assert modules & HEAVY == set()


def test_validate_loads_neither_lowering_nor_overlays(web):
    _, modules, _ = imported("validate", cwd=web)

    assert [one for one in modules if one.startswith(("devcfg.overlays", "devcfg.compiler.lowering"))] == []


def test_a_process_is_only_for_a_kustomize_base_that_is_not_kept(web, kubectl, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(web / "cache"))
    (web / "k8s").mkdir()
    (web / "base.yaml").rename(web / "k8s/base.yaml")
    (web / "k8s/kustomization.yaml").write_text("resources: [base.yaml]\n")
    (web / "devcfg.yaml").write_text("base: k8s\nservices: {web: {command: {run: [a]}}}\n")

    assert imported("validate", cwd=web)[2] > 0
    assert imported("validate", cwd=web)[2] == 0


def test_no_python_that_we_start_looks_for_modules_in_a_repository():
    started = [
        [getattr(word, "value", None) for word in node.elts]
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.List) and node.elts and ast.unparse(node.elts[0]) == "sys.executable"
    ]

    assert len(started) >= 4
    assert [words for words in started if words[1] != "-P"] == []


def test_only_these_start_processes():
    starters = {
        named(path)
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Import)
        and any(one.name in ("subprocess", "multiprocessing", "pty") for one in node.names)
    }

    assert starters == {
        "runtime/kustomize.py",
        "runtime/session/local.py",
        "runtime/commands/rehearsal.py",
        "runtime/commands/detach.py",
        "runtime/cluster/kube.py",
    }


def test_help_loads_no_room_but_the_command_line(tmp_path):
    code, modules, started = imported("--help", cwd=tmp_path)
    ours = {one for one in modules if one.startswith("devcfg.")}
    errors = {"devcfg.schemas", "devcfg.schemas.errors", "devcfg.schemas.diagnostic"}

    assert (code, started) == (0, 0)
    assert modules & (HEAVY | {"yaml", "pydantic_core"}) == set()
    line = {f"devcfg.runtime.{name}" for name in ("cli", "options", "verbs")}
    assert ours <= {"devcfg.runtime", *line, *errors}


# ---- the way in


def targets():
    return set(re.findall(r"(?m)^([a-z0-9]+):", (ROOT / "Makefile").read_text("utf-8")))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "examples/bookstore/README.md"])
def test_every_make_target_that_is_named_exists(name):
    said = set(re.findall(r"(?:^|`)make ([a-z0-9]+(?: [a-z0-9]+)*)", (ROOT / name).read_text("utf-8"), re.MULTILINE))
    words = {word for one in said for word in one.split()}

    assert words <= targets()


def test_every_target_that_is_offered_is_a_phony_one_and_told_of():
    text = (ROOT / "Makefile").read_text("utf-8")
    phony = set(re.search(r"(?m)^\.PHONY: (.*)$", text)[1].split())
    told = (ROOT / "CONTRIBUTING.md").read_text("utf-8")

    assert phony == targets()
    assert [one for one in sorted(phony - {"install", "build", "clean"}) if f"make {one}" not in told] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_every_text_that_another_names_is_there(name):
    said = re.findall(r"\b((?:[a-z]+/)*[A-Z]+\.md)\b", (ROOT / name).read_text("utf-8"))

    assert [one for one in said if not (ROOT / one).is_file()] == []


def test_the_editable_links_lead_to_the_rooms():
    links = {one.name: os.readlink(one) for one in (ROOT / ".editable/devcfg").iterdir()}

    assert links == {room: f"../../{room}" for room in ROOMS}
