"""The log of a session on this machine: what an earlier session's process printed, and no line twice."""

from tests.runtime.session.conftest import PYTHON, SERVER, eventually


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
