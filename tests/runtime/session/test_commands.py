"""The commands that speak to a session, and what they say where none runs."""

import itertools
import json
import re
import signal
import socket
import subprocess
from pathlib import Path

import jsonschema
import pytest
from tests.runtime.session.conftest import DEVCFG, PYTHON, SERVER, eventually

TEXT, NUMBER, COUNT = {"type": "string"}, {"type": ["number", "null"]}, {"type": "integer", "minimum": 0}
MAYBE = {"type": ["string", "null"]}


def shape(**members):
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


def rows(shape_of_one):
    return {"type": "array", "items": shape_of_one}


STATUS = shape(
    version={"const": 1},
    services=rows(
        shape(
            name=TEXT,
            workload=MAYBE,
            mode={"const": "replace"},
            target={"const": "local"},
            state={"enum": ["starting", "live", "disconnected", "halted"]},
            holder=TEXT,
            since={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
            pod=MAYBE,
            process=shape(
                state={"enum": ["waiting", "building", "running", "exited", "build-failed", "stopped"]},
                command={"enum": ["run", "debug", None]},
                generation=COUNT,
                exit_code={"type": ["integer", "null"]},
                restarts=COUNT,
            ),
            sync=rows(
                shape(
                    path=TEXT,
                    target=TEXT,
                    mode=TEXT,
                    root=TEXT,
                    files=COUNT,
                    pending=COUNT,
                    conflicts=COUNT,
                    halted=MAYBE,
                    last_ms=NUMBER,
                    p50_ms=NUMBER,
                    p95_ms=NUMBER,
                    degraded=MAYBE,
                )
            ),
            forwards=rows(shape(local=COUNT, remote=COUNT, state=TEXT)),
            owner=MAYBE,
        )
    ),
)


@pytest.fixture
def up(project):
    project.config(
        web={
            "command": {
                "run": [PYTHON, "app.py"],
                "test": [PYTHON, "-c", "import os, sys; print(os.getcwd(), os.environ['COLOUR']); sys.exit(7)"],
            },
            "env": {"COLOUR": "green"},
            "ports": [":8000"],
            "debug": {"port": free_port()},
        }
    )
    made = project.up()
    made.wait_for("restarted", generation=1)
    yield made
    assert made.end() == 0, made.words


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def conflict(project, up):
    """Make one conflict: both sides change while the session looks away."""
    project.write("src/both.txt", "first")
    far = project.far("both.txt")
    eventually(lambda: far.exists() and far.read_text() == "first", "the first save")
    assert project.devcfg("sync", "flush").returncode == 0
    up.process.send_signal(signal.SIGSTOP)
    project.write("src/both.txt", "here")
    project.far("both.txt").write_text("remote")
    up.process.send_signal(signal.SIGCONT)
    up.wait_for("conflict", path="both.txt")


def test_status_has_the_documented_form(project, up):
    done = project.devcfg("status", "-o", "json")
    found = json.loads(done.stdout)
    jsonschema.validate(found, STATUS)
    (row,) = found["services"]
    assert (done.returncode, row["name"], row["state"]) == (0, "web", "live")
    assert row["process"] | {"restarts": 0} == {
        "state": "running",
        "command": "run",
        "generation": 1,
        "exit_code": None,
        "restarts": 0,
    }
    assert (project.root / "src/app.py").read_bytes() == Path(row["sync"][0]["root"], "app.py").read_bytes()


def test_a_status_that_is_watched_is_printed_again_when_it_has_changed(project, up):
    path = project.home / "watched"
    with open(path, "wb") as out:
        watching = subprocess.Popen(
            [*DEVCFG, "status", "--watch"], cwd=project.root, env=project.env, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        eventually(lambda: "running" in path.read_text(), "the first status", path.read_text)
        assert project.devcfg("stop").returncode == 0
        eventually(lambda: "stopped" in path.read_text(), "the next one", path.read_text)
    finally:
        watching.send_signal(signal.SIGINT)
    assert watching.wait(60) == 130
    said = path.read_text()
    tables = said.split("SERVICE ")[1:]
    assert "Traceback" not in said
    assert all(one != other for one, other in itertools.pairwise(tables))


def test_status_without_a_session_is_no_failure(project):
    done = project.devcfg("status", "-o", "json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"version": 1, "services": []})
    assert project.devcfg("status").stdout == "nothing is in dev mode here\n"
    assert project.devcfg("status", "--prompt").stdout == ""


@pytest.mark.parametrize("words", [("restart",), ("sync", "status"), ("logs",), ("test",), ("exec", "true")])
def test_what_needs_a_session_says_how_to_start_one(project, words):
    done = project.devcfg(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no session of this project runs" in done.stderr and "`devcfg up --local`" in done.stderr


def test_the_process_is_steered_through_its_modes(project, up):
    assert project.devcfg("restart").returncode == 0
    up.wait_for("restarted", generation=2, command="run")
    done = project.devcfg("debug")
    assert done.returncode == 0
    assert "debugger ready" in done.stdout
    up.wait_for("restarted", generation=3, command="debug")
    assert project.devcfg("stop").returncode == 0
    assert json.loads(project.devcfg("status", "-o", "json").stdout)["services"][0]["process"]["state"] == "stopped"
    done = project.devcfg("run", "web")
    assert (done.returncode, done.stderr) == (0, "web: run is running, generation 4\n")
    up.wait_for("restarted", generation=4, command="run")


def test_a_save_keeps_the_mode_that_runs(project, up):
    project.devcfg("debug")
    up.wait_for("restarted", command="debug")
    project.write("src/app.py", SERVER.replace("1", "2", 1))
    up.wait_for("restarted", generation=3, command="debug")


def test_a_command_that_fails_to_start_is_exit_1(project, up):
    project.write("src/app.py", "raise SystemExit(4)\n")
    up.wait_for("exited", code=4)
    assert project.devcfg("restart").returncode in (0, 1)  # it ran, if only for a moment
    eventually(
        lambda: json.loads(project.devcfg("status", "-o", "json").stdout)["services"][0]["process"]["exit_code"] == 4,
        "the code",
    )


def test_test_runs_beside_the_process_and_its_exit_code_is_ours(project, up):
    done = project.devcfg("test")
    assert (done.returncode, done.stdout) == (7, f"{project.far('').resolve()} green\n")


def test_exec_runs_beside_the_process(project, up):
    done = project.devcfg("exec", "web", "--", "sh", "-c", "echo $COLOUR; exit 9")
    assert (done.returncode, done.stdout) == (9, "green\n")
    assert project.devcfg("exec", "--", "no-such-program").returncode == 127


def test_logs_are_what_the_process_printed(project, up):
    up.wait_for_words("VERSION 1")
    done = project.devcfg("logs")
    assert done.returncode == 0
    assert "VERSION 1" in done.stdout.splitlines()


def test_a_conflict_is_listed_and_ended(project, up):
    conflict(project, up)
    listed = project.devcfg("sync", "conflicts", "-o", "json")
    assert listed.returncode == 3
    assert json.loads(listed.stdout) == {
        "version": 1,
        "conflicts": [{"service": "web", "target": "/app", "path": "both.txt", "local": "a file", "remote": "a file"}],
    }
    assert project.devcfg("status").returncode == 3
    assert project.devcfg("sync", "flush").returncode == 3
    assert project.devcfg("status", "--prompt").stdout == "web:conflict\n"
    assert "a conflict" in project.devcfg("sync", "why", "both.txt").stdout
    assert (project.root / "src/both.txt").read_text() == "here"
    assert project.far("both.txt").read_text() == "remote"

    assert project.devcfg("sync", "resolve", "both.txt").returncode == 2
    assert project.devcfg("sync", "resolve", "other.txt", "--local").returncode == 2
    assert project.devcfg("sync", "resolve", "web", "both.txt", "--remote").returncode == 0
    assert (project.root / "src/both.txt").read_text() == "remote"
    assert project.devcfg("sync", "conflicts").returncode == 0
    assert project.devcfg("status").returncode == 0


def test_flush_returns_when_what_was_saved_before_has_arrived(project, up):
    for number in range(20):
        project.write(f"src/many/{number}.txt", str(number))
    assert project.devcfg("sync", "flush").returncode == 0
    assert all(project.far(f"many/{number}.txt").read_text() == str(number) for number in range(20))


def test_each_rule_has_a_row_of_its_own(project, up):
    done = project.devcfg("sync", "status")
    assert (done.returncode, done.stdout) == (
        0,
        "web  src → /app  two-way-safe  1 files, 0 pending, 0 conflicts\n",
    )
    (row,) = json.loads(project.devcfg("sync", "status", "-o", "json").stdout)["rules"]
    assert (row["service"], row["path"], row["files"], row["halted"]) == ("web", "src", 1, None)


def test_a_halt_is_shown_and_ended_by_saying_which_side_is_right(project, up):
    for name in ("a", "b", "c"):
        project.write(f"src/{name}.txt", name)
    assert project.devcfg("sync", "flush").returncode == 0
    for path in (project.root / "src").iterdir():
        path.unlink()
    assert "everything is gone from the local side" in up.wait_for("halted")["reason"]
    assert project.far("a.txt").exists()
    done = project.devcfg("status", "-o", "json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["services"][0]["sync"][0]["halted"]
    assert project.devcfg("sync", "flush").returncode == 3
    assert project.devcfg("sync", "resolve", ".", "--remote").returncode == 0
    assert project.devcfg("sync", "flush").returncode == 0
    assert (project.root / "src/a.txt").read_text() == "a"


def test_why_names_the_pattern_that_ignores_a_path(project, up):
    project.write("src/.gitignore", "*.tmp\n")
    project.write("src/x.tmp", "")
    assert project.devcfg("sync", "flush").returncode == 0
    found = json.loads(project.devcfg("sync", "why", "x.tmp", "-o", "json").stdout)
    assert (found["service"], found["path"], found["rules"][0]["target"]) == ("web", "x.tmp", "/app")
    assert "*.tmp" in found["rules"][0]["why"]


def test_a_broken_config_keeps_nobody_from_a_session_that_runs(project, up):
    whole = (project.root / "devcfg.yaml").read_text()
    project.write("devcfg.yaml", "services: [\n")
    up.wait_for_words("the config that was saved is not used")
    assert project.devcfg("status").returncode == 0
    assert project.devcfg("restart").returncode == 0
    up.wait_for("restarted", generation=2)
    project.write("devcfg.yaml", whole)


def test_a_saved_command_takes_effect_in_place(project, up):
    project.config(web={"command": {"run": [PYTHON, "other.py"]}, "ports": [":8000"], "env": {"COLOUR": "green"}})
    project.write("src/other.py", SERVER.replace("VERSION", "OTHER"))
    project.wait_for_log("OTHER 1")
    up.wait_for_words("the config was saved: web changed")
    assert (
        sum(b".py" in words for _, words in project.owned() if not re.search(rb"[.]devcfg|devcfg[.]runtime", words))
        == 1
    )


def test_what_did_not_change_for_the_process_leaves_it_alone(project, up):
    before = (project.root / ".devcfg/local/web/run/pid").read_text()
    text = (project.root / "devcfg.yaml").read_text()
    project.write("devcfg.yaml", text.replace(":8000", ":8001"))
    up.wait_for("forwarding", remote=8001)
    eventually(lambda: "live" in project.devcfg("status").stdout, "the session")
    assert (project.root / ".devcfg/local/web/run/pid").read_text() == before


def test_a_saved_config_that_cannot_work_leaves_what_ran(project, up):
    text = (project.root / "devcfg.yaml").read_text()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        project.write("devcfg.yaml", text.replace(":8000", f"{port}:8000"))
        up.wait_for_words("goes on as before")
    eventually(lambda: "live" in project.devcfg("status").stdout, "the session")


def test_the_personal_file_counts_for_up(project):
    project.write("devcfg.local.yaml", "services: {web: {env: {COLOUR: blue}}}\n")
    project.write("src/app.py", "import os\nprint('COLOUR', os.environ['COLOUR'], flush=True)\n" + SERVER)
    up = project.up()
    project.wait_for_log("COLOUR blue")
    assert up.end() == 0


def test_followed_logs_end_with_the_session(project, up):
    following = subprocess.Popen(
        [*DEVCFG, "logs", "--follow"], cwd=project.root, env=project.env, stdout=subprocess.PIPE, text=True
    )
    assert following.stdout is not None
    project.devcfg("restart")
    lines = iter(following.stdout.readline, "")
    assert [next(lines), next(lines)] == ["VERSION 1\n"] * 2
    following.send_signal(signal.SIGINT)
    following.wait(60)
    following.stdout.close()
