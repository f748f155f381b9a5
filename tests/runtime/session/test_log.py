"""The log of a session on this machine: of an earlier session, too, no line twice, with the paths that are here."""

import subprocess

from tests.runtime.session.conftest import DEVCFG, PYTHON, SECONDS, SERVER, eventually


def test_what_an_adopted_process_printed_last_is_told_once_and_then_followed(project):
    project.write("src/app.py", SERVER.replace("while", "for n in range(30): print('BEFORE', n, flush=True)\nwhile", 1))
    first = project.up()
    project.wait_for_log("BEFORE 29")
    first.wait_for("restarted", generation=1)
    first.kill()
    second = project.up()
    second.wait_for_words("BEFORE 29")
    assert "BEFORE 29" in project.devcfg("logs").stdout
    told = [line.split()[-1] for line in second.words.splitlines() if "BEFORE" in line]
    assert told == [str(number) for number in range(30 - len(told), 30)]
    assert len(told) <= 20
    project.config(web={"command": {"run": [PYTHON, "app.py"], "test": ["true"]}})
    second.wait_for_words("the config was saved")
    second.wait_for("synced", after=len(second.events))
    project.write("src/app.py", (project.root / "src/app.py").read_text() + "\n")
    second.wait_for("restarted")
    eventually(lambda: second.words.count("BEFORE 29") == 2, "what it prints once more", lambda: second.words)
    assert second.words.count("BEFORE 25\n") == 2
    assert second.end() == 0


BROKEN = "\n".join(
    [
        "import sys",
        "print('\\x1b[35mPAINTED', flush=True)",
        "def load():",
        "    raise RuntimeError('no config')",
        "load()",
    ]
)


def test_a_traceback_leads_to_the_files_here_and_with_raw_to_where_they_run(project):
    project.write("src/app.py", BROKEN)
    up = project.up()
    up.wait_for("exited", code=1)
    up.wait_for_words("RuntimeError: no config")
    here, there = 'File "src/app.py", line 4, in load', f'File "{project.far("app.py").resolve()}", line 4, in load'
    assert here in up.words and there not in up.words
    shown, raw = project.devcfg("logs").stdout, project.devcfg("logs", "--raw").stdout
    assert here in shown and there not in shown
    assert there in raw and here not in raw
    assert there in project.log()
    below = subprocess.run(
        [*DEVCFG, "logs"], cwd=project.root / "src", env=project.env, capture_output=True, text=True, timeout=SECONDS
    )
    assert 'File "app.py", line 4, in load' in below.stdout
    assert up.end() == 0
    assert "src/app.py" not in up.out.read_text()  # no log line is an event

    up = project.up("--yes", "--raw")
    up.wait_for_words("RuntimeError: no config")
    assert there in up.words and here not in up.words
    assert up.end() == 0


def test_colours_of_a_process_go_to_no_pipe_unless_it_is_wanted_as_it_was_printed(project):
    project.write("src/app.py", BROKEN)
    up = project.up()
    up.wait_for("exited", code=1)
    up.wait_for_words("PAINTED")
    assert "\x1b" not in up.words
    assert "PAINTED" in project.devcfg("logs").stdout.splitlines()
    assert "\x1b[35mPAINTED\x1b[0m" in project.devcfg("logs", "--raw").stdout.splitlines()
    assert up.end() == 0
