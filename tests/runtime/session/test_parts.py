"""Parts of a session by themselves: its socket, what it shows, where its rules are, what it takes of a base."""

import asyncio
import io
import os
import socket
import subprocess

import pytest

from devcfg.runtime.session.container import environment_of, readiness_of
from devcfg.runtime.session.control import Control, NoSessionError, ask, socket_path
from devcfg.runtime.session.display import LONGEST, Display, visible_log
from devcfg.runtime.session.process import repeats_an_event
from devcfg.runtime.session.syncing import repository, rules_of
from devcfg.schemas.config import Service
from devcfg.schemas.errors import DevcfgError, UsageError
from devcfg.schemas.manifest import Manifest
from devcfg.schemas.patch import Pointer
from devcfg.schemas.plan import Binding


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m\x1b[0m"),
        ("\x1b[38:2:1:2:3mx", "\x1b[38:2:1:2:3mx\x1b[0m"),
        ("\x1b[2J\x1b[H", r"\x1b[2J\x1b[H"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\x9bmb", r"a\x9bmb"),
        ("50%\r100%", "100%"),
        ("windows\r", "windows"),
        ("tab\there", "tab    here"),
        ("\u202eevil", r"\u202eevil"),
    ],
)
def test_a_log_line_cannot_move_the_cursor(printed, shown):
    assert visible_log(printed) == shown


def test_an_endless_log_line_is_cut_and_said_so():
    assert visible_log("x" * (LONGEST + 7)).endswith("… (7 more characters)")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def shown(monkeypatch):
    """Return what shows log lines on a terminal, of services `web` and `api`, and returns its text."""

    def show(*lines, stderr=Terminal, **variables):
        for name in ("NO_COLOR", "CI", "TERM"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        said = stderr()
        monkeypatch.setattr("sys.stderr", said)
        display = Display(("web", "api"), events=False, status=lambda: "")
        for service, text in lines:
            display.log(service, text)
        return said.getvalue()

    return show


def test_a_colour_that_a_line_leaves_open_is_not_the_next_lines(shown):
    first, second = shown(("web", "\x1b[31mred"), ("api", "plain")).splitlines()
    assert first.endswith(" \x1b[31mred\x1b[0m")
    assert second.endswith(" plain") and "31" not in second


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"CI": "true"}, {"TERM": "dumb"}, {"stderr": io.StringIO}])
def test_a_process_has_colours_only_where_devcfg_has(shown, variables):
    assert "\x1b" not in shown(("web", "\x1b[31mred\x1b[0m"), **variables)


def test_what_a_session_says_itself_is_not_shown_from_the_supervisors_log_once_more():
    assert repeats_an_event("[devcfg] run: exited with code 7; the container stays")
    assert repeats_an_event("[devcfg] waiting for the source in /src: it comes with the sync; to start without it: …")
    assert not repeats_an_event("[devcfg] run: ignores SIGTERM: killed after 3 s")
    assert not repeats_an_event("run: exited with code 7")


def test_a_socket_fits_wherever_the_runtime_directory_is(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert socket_path(str(tmp_path)).startswith("/run/user/7/devcfg/")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/" + "deep/" * 40)
    assert len(socket_path(str(tmp_path))) < 100
    monkeypatch.setenv("XDG_RUNTIME_DIR", "relative")
    assert os.path.isabs(socket_path(str(tmp_path)))


@pytest.fixture
def runtime(monkeypatch, tmp_path):
    folder = tmp_path / "r"
    folder.mkdir(mode=0o700)
    short = f"/proc/self/fd/{os.open(folder, os.O_RDONLY)}"  # pytest's directories may be too long for a socket
    monkeypatch.setenv("XDG_RUNTIME_DIR", short)
    return folder


async def answers(request):
    if request["verb"] == "refuse":
        raise UsageError("no such thing", hint="try another")
    yield {"words": request["verb"]}
    yield {"end": 4}


def test_a_request_is_answered_line_by_line(runtime, tmp_path):
    async def check():
        control = Control(str(tmp_path), answers)
        await control.open()
        found = await asyncio.to_thread(lambda: list(ask(str(tmp_path), "dance")))
        with pytest.raises(UsageError) as caught:
            await asyncio.to_thread(lambda: list(ask(str(tmp_path), "refuse")))
        with pytest.raises(DevcfgError, match="runs already"):
            await Control(str(tmp_path), answers).open()
        await control.close()
        return found, caught.value.hint

    assert asyncio.run(check()) == ([{"words": "dance"}, {"end": 4}], "try another")
    with pytest.raises(NoSessionError):
        list(ask(str(tmp_path), "dance"))
    assert not list((runtime / "devcfg").iterdir())


def test_a_socket_that_a_killed_session_left_is_replaced(runtime, tmp_path):
    path = socket_path(str(tmp_path))
    os.mkdir(os.path.dirname(path), 0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)

    async def check():
        control = Control(str(tmp_path), answers)
        await control.open()
        found = await asyncio.to_thread(lambda: list(ask(str(tmp_path), "dance")))
        await control.close()
        return found

    assert len(asyncio.run(check())) == 2


def test_a_directory_that_others_may_enter_holds_no_socket(runtime, tmp_path):
    os.mkdir(os.path.dirname(socket_path(str(tmp_path))), 0o755)
    with pytest.raises(DevcfgError, match="not a directory of yours alone"):
        asyncio.run(Control(str(tmp_path), answers).open())


def test_rules_are_remembered_by_what_they_keep_equal_not_by_their_order(tmp_path):
    one = Service.validate({"sync": ["a:/a", "b:/b"]})
    other = Service.validate({"sync": ["b:/b", "a:/a"]})
    indexes = [
        {rule.far: rule.index for rule in rules_of(str(tmp_path), "web", spec, lambda path: f"/far{path}")}
        for spec in (one, other)
    ]
    assert indexes[0] == indexes[1]
    assert set(indexes[0]) == {"/far/a", "/far/b"}
    assert len(set(indexes[0].values())) == 2


def test_ignore_files_count_from_the_top_of_the_repository_and_its_marks_are_gits_own(tmp_path):
    def git(*words, at=tmp_path):
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@y", *words], cwd=at, check=True)

    assert repository(str(tmp_path)) == (str(tmp_path.resolve()), ())
    git("init", "-q")
    (tmp_path / "deep").mkdir()
    top = str(tmp_path.resolve())
    assert repository(str(tmp_path / "deep")) == (top, (f"{top}/.git/HEAD", f"{top}/.git/index"))
    git("commit", "-q", "--allow-empty", "-m", "x")
    git("worktree", "add", "-q", "other")
    found, marks = repository(str(tmp_path / "other"))
    assert found == f"{top}/other"
    assert [os.path.basename(mark) for mark in marks] == ["HEAD", "index"]
    assert all(os.path.exists(mark) or mark.endswith("index") for mark in marks)


def binding(container):
    pod = {"spec": {"containers": [{"name": "web", **container}]}}
    found = {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": pod}}
    return Binding("web", Manifest(found, "base.yaml", 1), Pointer.parse("/spec/template"), 0, "web")


def test_the_environment_is_the_bases_words_under_the_configs():
    base = binding(
        {
            "env": [
                {"name": "KEPT", "value": "base"},
                {"name": "OTHER", "value": "base"},
                {"name": "GONE", "value": "base"},
                {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                {"name": "GIVEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                {"name": "COMPOSED", "value": "$(KEPT)/x"},
            ]
        }
    )
    service = Service.validate({"env": {"OTHER": "config", "GONE": None, "GIVEN": "config"}})
    found = environment_of(service, base)
    assert found.values == {"KEPT": "base", "OTHER": "config", "GIVEN": "config"}
    assert found.removed == {"GONE"}
    assert found.missing == ("SECRET", "COMPOSED")


@pytest.mark.parametrize(
    ("probe", "members"),
    [
        (
            {"httpGet": {"port": 80}},
            {"http": {"port": 80, "path": "/", "scheme": "HTTP", "headers": []}, "timeout": 1.0},
        ),
        ({"tcpSocket": {"port": "named"}, "timeoutSeconds": 3}, {"tcp": {"port": 8080}, "timeout": 3.0}),
        ({"tcpSocket": {"port": "unknown"}}, None),
        ({"exec": {"command": ["true"]}}, None),
    ],
)
def test_probes_that_this_machine_can_answer_are_taken(probe, members):
    ports = [{"name": "named", "containerPort": 8080}]
    found = readiness_of(binding({"readinessProbe": probe, "ports": ports}))
    assert (found.members() if found else None) == members
