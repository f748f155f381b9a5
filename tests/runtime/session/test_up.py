"""`devcfg up --local` from the first sync to the end: a real process that is saved, crashes, and is left behind."""

import os
import signal
import socket
import subprocess
import sys

import pytest
import yaml
from tests.runtime.session.conftest import DEVCFG, PYTHON, SERVER, alive, eventually

MEMBERS = {
    "planned": set(),
    "applied": set(),
    "connected": set(),
    "synced": {"files", "bytes", "ms"},
    "changed": {"paths", "bytes", "ms"},
    "restarted": {"generation", "ms", "command"},
    "exited": {"code"},
    "build-failed": {"code"},
    "conflict": {"path"},
    "halted": {"reason"},
    "degraded": {"reason"},
    "disconnected": {"reason"},
    "forwarding": {"local", "remote"},
    "ended": set(),
}


def test_a_save_is_live_and_restarts_the_process(project):
    up = project.up()
    up.wait_for("restarted", generation=1)
    project.write("src/app.py", SERVER.replace("1", "2", 1))
    assert up.wait_for("changed")["paths"] == ["app.py"]
    up.wait_for("restarted", generation=2)
    project.wait_for_log("VERSION 2")
    assert project.far("app.py").read_text() == SERVER.replace("1", "2", 1)
    assert up.end() == 0
    assert project.owned() == []
    assert project.far("app.py").exists()
    assert (project.root / ".devcfg" / ".gitignore").read_text() == "*\n"


def test_each_event_has_its_documented_members_and_no_other(project):
    project.config(web={"command": {"run": [PYTHON, "app.py"]}, "ports": [":8000"]})
    up = project.up()
    up.wait_for("restarted")
    project.write("src/app.py", "raise SystemExit(3)")
    assert up.wait_for("exited")["code"] == 3
    assert up.end() == 0
    for event in up.events:
        assert event.keys() == {"time", "service", "event"} | MEMBERS[event["event"]]
    names = [one["event"] for one in up.events]
    assert names[0] == "planned" and names[-1] == "ended"
    assert names.index("connected") < names.index("synced") < names.index("restarted") < names.index("changed")


def test_a_crash_keeps_the_session_and_the_next_save_starts_it_again(project):
    up = project.up()
    up.wait_for("restarted", generation=1)
    project.write("src/app.py", "def broken(:\n")
    up.wait_for("exited", code=1)
    up.wait_for_words("SyntaxError")
    project.write("src/app.py", SERVER)
    up.wait_for("restarted", generation=3)
    assert up.end() == 0


def test_a_failed_build_keeps_the_old_process_and_shows_why(project):
    build = "import sys; sys.exit('no good') if 'BAD' in open('app.py').read() else None"
    project.config(web={"command": {"build": [PYTHON, "-c", build], "run": [PYTHON, "app.py"]}})
    up = project.up()
    up.wait_for("restarted", generation=1)
    pid = int((project.root / ".devcfg/local/web/run/pid").read_text())
    project.write("src/app.py", SERVER + "# BAD\n")
    up.wait_for("build-failed", code=1)
    up.wait_for_words("no good")
    assert alive(pid)
    project.write("src/app.py", SERVER)
    up.wait_for("restarted", generation=3)
    assert not alive(pid)
    assert up.end() == 0


def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(project):
    project.config(web={"command": {"run": [PYTHON, "app.py"]}, "reload": {"stop": {"grace": "200ms"}}})
    deaf = SERVER.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
    project.write("src/app.py", deaf)
    up = project.up()
    up.wait_for("restarted", generation=1)
    project.wait_for_log("VERSION 1")
    pid = int((project.root / ".devcfg/local/web/run/pid").read_text())
    project.write("src/app.py", deaf.replace("1", "2", 1))
    up.wait_for("restarted", generation=2)
    assert not alive(pid)
    assert "killed" in project.log()
    assert up.end() == 0


def test_a_process_is_left_running_by_a_killed_session_and_taken_over_by_the_next(project):
    first = project.up()
    first.wait_for("restarted", generation=1)
    pid = int((project.root / ".devcfg/local/web/run/pid").read_text())
    first.kill()
    assert alive(pid)
    second = project.up()
    second.wait_for_words("took over")
    second.wait_for("synced")
    project.write("src/app.py", SERVER.replace("1", "2", 1))
    second.wait_for("restarted", generation=2)
    assert not alive(pid)
    assert project.log().count("generation 1:") == 1
    assert second.end() == 0
    assert project.owned() == []


def test_a_process_of_another_user_than_sync_is_degraded_with_what_to_set(project):
    first = project.up()
    first.wait_for("restarted", generation=1)
    assert first.find("degraded", 0, {}) is None
    first.kill()
    # What a supervisor of another user would have written; it goes on for the next session.
    (project.root / ".devcfg/local/web/run/uid").write_text("4321\n")
    second = project.up()
    said = second.wait_for("degraded")["reason"]
    assert f"runs as uid 4321 and sync writes as uid {os.getuid()}" in said
    assert said.endswith("set `services.web.user: 4321`")
    assert second.end() == 0


def test_a_process_that_the_user_stopped_stays_stopped_for_the_next_session(project):
    first = project.up()
    first.wait_for("restarted", generation=1)
    assert project.devcfg("stop").returncode == 0
    first.kill()
    second = project.up()
    second.wait_for("synced")
    project.write("src/app.py", SERVER.replace("1", "2", 1))
    second.wait_for("changed")
    assert project.devcfg("sync", "flush").returncode == 0
    assert second.find("restarted", 0, {}) is None
    assert project.devcfg("run").returncode == 0
    second.wait_for("restarted", generation=2)
    assert second.end() == 0


def test_a_second_session_of_a_project_is_refused_and_the_first_goes_on(project):
    up = project.up()
    up.wait_for("restarted")
    refused = project.devcfg("up", "--local", "--yes")
    assert refused.returncode == 1
    assert "a session of this project runs already" in refused.stderr
    project.write("src/app.py", SERVER.replace("1", "2", 1))
    up.wait_for("restarted", generation=2)
    assert up.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_ways_to_end_it_are_orderly_too(project, number):
    up = project.up()
    up.wait_for("restarted")
    assert up.end(number) == 0
    assert project.owned() == []


def test_a_second_ctrl_c_ends_at_once_and_the_next_session_cleans_up(project):
    project.config(web={"command": {"run": [PYTHON, "app.py"]}, "reload": {"stop": {"grace": "30s"}}})
    project.write("src/app.py", SERVER.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN"))
    up = project.up()
    up.wait_for("restarted")
    project.wait_for_log("VERSION 1")
    pid = int((project.root / ".devcfg/local/web/run/pid").read_text())
    up.process.send_signal(signal.SIGINT)
    up.wait_for_words("once more stops at once")
    assert up.end() == 130
    up.wait_for_words("stopped at once; the next session cleans up")
    assert alive(pid)
    project.config(web={"command": {"run": [PYTHON, "app.py"]}, "reload": {"stop": {"grace": "100ms"}}})
    again = project.up()
    again.wait_for("restarted", generation=1)
    assert not alive(pid)
    assert again.end() == 0
    assert project.owned() == []


def test_two_hundred_quick_saves_leave_one_process_with_the_last_content(project):
    up = project.up()
    up.wait_for("restarted")
    for number in range(200):
        project.write("src/app.py", SERVER.replace("1", f"{number}x", 1))
    project.wait_for_log("VERSION 199x")
    assert project.devcfg("sync", "flush").returncode == 0
    assert sum(b"app.py" in words for _, words in project.owned()) == 1
    assert up.end() == 0


def test_once_syncs_and_ends_and_starts_nothing(project):
    up = project.up("--yes", "--once")
    assert up.process.wait(60) == 0, up.words
    assert project.far("app.py").read_text() == SERVER
    assert "VERSION" not in project.log()
    assert project.owned() == []


def test_only_what_reload_watch_names_restarts(project):
    project.config(web={"command": {"run": [PYTHON, "app.py"]}, "reload": {"watch": ["*.py"], "ignore": ["gen/"]}})
    up = project.up()
    up.wait_for("restarted", generation=1)
    project.write("src/page.html", "<p>")
    project.write("src/gen/made.py", "")
    eventually(lambda: project.far("page.html").exists() and project.far("gen/made.py").exists(), "the files")
    assert project.devcfg("sync", "flush").returncode == 0
    project.write("src/app.py", SERVER.replace("1", "2", 1))
    up.wait_for("restarted", generation=2)
    project.wait_for_log("VERSION 2")
    assert [one["generation"] for one in up.events if one["event"] == "restarted"] == [1, 2]
    assert up.end() == 0


def test_a_signal_reloads_in_the_same_process(project):
    hears = SERVER.replace("print(", "signal.signal(signal.SIGHUP, lambda *_: print('HUP', flush=True))\nprint(")
    project.config(web={"command": {"run": [PYTHON, "app.py"]}, "reload": "signal:HUP"})
    project.write("src/app.py", hears)
    up = project.up()
    project.wait_for_log("VERSION 1")
    project.write("src/data.txt", "new")
    project.wait_for_log("HUP")
    assert project.devcfg("status").stdout.count("running") == 1
    assert up.end() == 0


def test_a_process_that_the_signal_of_a_save_ends_is_started_again(project):
    project.config(web={"command": {"run": [PYTHON, "app.py"]}, "reload": "signal:HUP"})
    up = project.up()
    project.wait_for_log("VERSION 1")
    project.write("src/app.py", SERVER.replace("1", "2", 1))
    up.wait_for("exited", code=129)
    up.wait_for("restarted", generation=2)
    project.wait_for_log("VERSION 2")
    up.wait_for_words("SIGHUP of the reload ended it, so it is started again")
    assert up.end() == 0


def test_what_the_process_writes_comes_back_and_restarts_nothing(project):
    up = project.up()
    up.wait_for("restarted", generation=1)
    project.far("made.txt").write_text("by the process")
    eventually((project.root / "src/made.txt").exists, "the file")
    assert project.devcfg("sync", "flush").returncode == 0
    assert len([one for one in up.events if one["event"] == "restarted"]) == 1
    up.wait_for_words("brought here: made.txt")
    assert up.end() == 0


def test_hostile_escapes_of_a_process_are_visible_and_its_colours_pass(project):
    text = r'print("\x1b[31mred\x1b[0m \x1b[2J\x1b]0;owned\x07 end", flush=True)' + "\n"
    project.write("src/app.py", text + SERVER)
    up = project.up("--yes", "--raw")  # elsewhere than on a terminal colours pass only so
    up.wait_for_words("end")
    assert "\x1b[31mred\x1b[0m" in up.words
    assert "\x1b[2J" not in up.words and "\x1b]" not in up.words and "\x07" not in up.words
    assert r"\x1b[2J\x1b]0;owned\x07 end" in up.words
    assert up.end() == 0


def test_the_readiness_probe_of_the_base_says_when_it_serves(project):
    server = (
        "import http.server, os\n"
        "http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), http.server.SimpleHTTPRequestHandler)"
        ".serve_forever()\n"
    )
    project.write("src/app.py", server)
    port = free_port()
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": "web:1",
                            "env": [{"name": "PORT", "value": str(port)}],
                            "ports": [{"name": "http", "containerPort": port}],
                            "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
                        }
                    ]
                },
            },
        },
    }
    project.write("base.yaml", yaml.safe_dump(manifest))
    project.write(
        "devcfg.yaml",
        yaml.safe_dump(
            {
                "base": "base.yaml",
                "services": {"web": {"sync": ["src:/app"], "command": {"run": [PYTHON, "app.py"]}}},
            }
        ),
    )
    up = project.up()
    up.wait_for_words("serving after")
    assert up.end() == 0


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_nobody_who_can_answer_means_that_nothing_is_started(project):
    refused = project.devcfg("up", "--local")
    assert refused.returncode == 2
    assert "nobody can be asked" in refused.stderr and "app.py" in refused.stderr
    assert not (project.root / ".devcfg").exists()


def test_what_was_accepted_counts_until_a_command_is_another(project):
    project.up("--yes", "--once").process.wait(60)
    assert project.devcfg("up", "--local", "--once").returncode == 0
    project.config(web={"command": {"run": [PYTHON, "-u", "app.py"]}})
    assert project.devcfg("up", "--local", "--once").returncode == 2


def test_a_dry_run_says_what_would_happen_and_does_nothing(project):
    done = project.devcfg("up", "--local", "--dry-run")
    assert done.returncode == 0
    assert f"web: src ⇄ /app; run `{sys.executable} app.py`" in done.stderr
    assert not (project.root / ".devcfg").exists() and os.listdir(project.home) == []


def processes(project, words):
    return [pid for pid, found in project.owned() if words in found]


def test_a_lost_agent_is_noticed_and_what_was_saved_meanwhile_is_live_afterwards(project):
    up = project.up()
    up.wait_for("restarted", generation=1)
    before = len(up.events)
    for pid in processes(project, b"\0-m\0agent\0"):
        os.kill(pid, signal.SIGKILL)
    up.wait_for("disconnected", after=before)
    project.write("src/app.py", SERVER.replace("1", "2", 1))
    up.wait_for("connected", after=before)
    up.wait_for("restarted", generation=2)
    project.wait_for_log("VERSION 2")
    up.wait_for_words("connected again")
    assert up.end() == 0


def test_the_end_of_a_process_is_noticed_by_the_agent_that_comes_after_a_lost_one(project):
    up = project.up()
    up.wait_for("restarted", generation=1)
    before = len(up.events)
    for pid in processes(project, b"\0-m\0agent\0"):
        os.kill(pid, signal.SIGKILL)
    up.wait_for("connected", after=before)
    os.kill(int((project.root / ".devcfg/local/web/run/pid").read_text()), signal.SIGKILL)
    up.wait_for("exited", code=137)
    assert up.end() == 0
    assert project.owned() == []


def test_what_a_killed_supervisor_left_ends_with_the_session(project):
    up = project.up()
    up.wait_for("restarted", generation=1)
    pid = int((project.root / ".devcfg/local/web/run/pid").read_text())
    for one in processes(project, b"supervisor.sh"):
        os.kill(one, signal.SIGKILL)
    assert alive(pid)
    assert up.end() == 0
    eventually(lambda: not alive(pid), "the end of the process")
    assert project.owned() == []


def test_a_session_whose_events_nobody_reads_any_more_ends_in_order(project):
    words = [*DEVCFG, "up", "--local", "--yes", "--events"]
    with open(project.home / "words", "wb") as err:
        up = subprocess.Popen(words, cwd=project.root, env=project.env, stdout=subprocess.PIPE, stderr=err, text=True)
    assert up.stdout is not None
    try:
        assert any('"restarted"' in line for line in up.stdout)
        up.stdout.close()
        assert up.wait(60) == 0, (project.home / "words").read_text()
    finally:
        up.kill()
        up.wait()
    assert project.owned() == []
