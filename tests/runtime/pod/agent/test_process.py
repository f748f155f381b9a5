"""The agent's side of a real supervisor: what is asked is confirmed by its state, and nothing waits for nobody."""

import os
import threading

import pytest

from devcfg.runtime.pod.agent.process import NOTHING, ProcessError, Processes, State, read_state, tell, write_command


class Asking:
    """Supervisors as the agent has them, and the answers as they came."""

    def __init__(self):
        self.events = []
        self.processes = Processes(self.events.append)
        self._thread = threading.Thread(target=self.processes.run)
        self._thread.start()

    def ask(self, directory, action, **members):
        """Return the answer, or code and message of the refusal."""
        answers, came = [], threading.Event()

        def answer(one):
            answers.append(one)
            came.set()

        request = {"name": str(directory), "action": action, **members}
        self.processes.ask(request, answer, lambda code, message: answer((code, message)))
        assert came.wait(60), f"no answer to {action}"
        return answers[0]

    def close(self):
        self.processes.close()
        self._thread.join()


@pytest.fixture
def asking():
    made = Asking()
    yield made
    made.close()


def summary(answer):
    return answer["generation"], answer["state"], answer["mode"]


def test_a_restart_is_confirmed_by_the_next_generation_and_its_time(supervisor, asking):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    answer = asking.ask(supervisor.directory, "restart")
    assert summary(answer) == (2, "running", "run")
    assert answer["ms"] > 0
    assert supervisor.alive(answer["pid"])
    assert asking.ask(supervisor.directory, "state")["generation"] == 2


def test_it_tells_as_whom_the_process_and_the_agent_run(supervisor, asking):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    assert asking.ask(supervisor.directory, "users") == {"process": os.getuid(), "agent": os.getuid()}
    (supervisor.directory / "uid").write_text("1234\n")
    assert asking.ask(supervisor.directory, "users") == {"process": 1234, "agent": os.getuid()}
    (supervisor.directory / "uid").unlink()
    assert asking.ask(supervisor.directory, "users") == {"process": None, "agent": os.getuid()}


def test_a_signal_reaches_the_process_of_the_same_generation(supervisor, asking, program):
    hears = program(
        "import signal\n"
        "signal.signal(1, lambda *_: print('hup', flush=True))\n"
        "print('up', flush=True)\n"
        "while 1: signal.pause()\n"
    )
    supervisor.start(run=hears)
    supervisor.eventually(lambda: "up" in supervisor.out, "the handler")
    assert asking.ask(supervisor.directory, "signal", signal="HUP") == {}
    supervisor.eventually(lambda: "hup" in supervisor.out, "the signal")
    assert asking.ask(supervisor.directory, "state")["generation"] == 1


def test_modes_switch_and_stop_and_each_is_confirmed(supervisor, asking):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    asking.ask(supervisor.directory, "commands", commands={"debug": [*supervisor.sleep]})
    assert summary(asking.ask(supervisor.directory, "start", mode="debug")) == (2, "running", "debug")
    assert summary(asking.ask(supervisor.directory, "restart")) == (3, "running", "debug")
    assert summary(asking.ask(supervisor.directory, "stop")) == (3, "stopped", "")
    assert summary(asking.ask(supervisor.directory, "stop")) == (3, "stopped", "")
    assert summary(asking.ask(supervisor.directory, "start", mode="run")) == (4, "running", "run")


def test_starting_what_runs_is_answered_at_once(supervisor, asking):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    assert summary(asking.ask(supervisor.directory, "start", mode="run")) == (1, "running", "run")


def test_a_failed_build_answers_the_restart_with_its_code(supervisor, asking, build):
    supervisor.start(run=supervisor.sleep, build=build)
    supervisor.until("1 running")
    (supervisor.home / "code").write_text("3")
    answer = asking.ask(supervisor.directory, "restart")
    assert (answer["state"], answer["exit_code"], answer["generation"]) == ("build-failed", 3, 2)


def test_a_process_that_ends_at_once_answers_with_its_code(supervisor, asking, program):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    asking.ask(supervisor.directory, "commands", commands={"run": [*program("raise SystemExit(7)")]})
    answer = asking.ask(supervisor.directory, "restart")
    assert answer["generation"] == 2
    assert answer["state"] in ("running", "exited")
    supervisor.until("2 exited 7")
    supervisor.eventually(lambda: asking.events[-1]["state"] == "exited", "the event")
    assert asking.events[-1]["exit_code"] == 7


def test_every_change_of_a_state_is_an_event(supervisor, asking):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    asking.ask(supervisor.directory, "state")
    asking.ask(supervisor.directory, "restart")
    asking.ask(supervisor.directory, "stop")
    seen = [
        (event["name"], event["generation"], event["state"]) for event in asking.events if event["state"] != "building"
    ]
    assert seen == [(str(supervisor.directory), 2, "running"), (str(supervisor.directory), 2, "stopped")]


def test_words_reach_the_process_as_they_were(supervisor, asking, program):
    words = ["", "a b", "it's", '$HOME `id` $(id) \\ "', "two\nlines", "-n", "*", "caf\udce9", "$~", "'", "''"]
    text = "import os, sys, time\nprint([os.fsencode(w) for w in sys.argv[1:]], flush=True)\ntime.sleep(1000)\n"
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    asking.ask(supervisor.directory, "commands", commands={"run": [*program(text), *words]})
    asking.ask(supervisor.directory, "restart")
    supervisor.eventually(lambda: "]" in supervisor.out, "the words", lambda: supervisor.log)
    assert supervisor.out.strip() == str([os.fsencode(word) for word in words])


def test_a_command_that_is_taken_away_is_gone(supervisor, asking):
    supervisor.start(run=supervisor.sleep, build=("true",))
    supervisor.until("1 running")
    asking.ask(supervisor.directory, "commands", commands={"build": None})
    assert not (supervisor.directory / "cmd.build").exists()
    asking.ask(supervisor.directory, "commands", commands={"build": None})


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"action": "restart", "mode": "debug"}, "no-command"),
        ({"action": "restart", "mode": "fast"}, "bad-request"),
        ({"action": "dance"}, "bad-request"),
        ({"action": "signal", "signal": "KILL"}, "bad-request"),
        ({"action": "signal"}, "bad-request"),
        ({"action": "commands", "commands": {"run": []}}, "bad-command"),
        ({"action": "commands", "commands": {"run": "ls"}}, "bad-command"),
        ({"action": "commands", "commands": {"run": ["a\0b"]}}, "bad-command"),
        ({"action": "commands", "commands": {"../x": ["a"]}}, "bad-request"),
        ({"action": "state", "name": "relative"}, "bad-request"),
        ({"action": "state", "name": None}, "bad-request"),
    ],
)
def test_what_cannot_be_is_refused_with_a_code(tmp_path, asking, members, code):
    with pytest.raises(ProcessError) as caught:
        asking.processes.ask({"name": str(tmp_path), **members}, asking.events.append, print)
    assert caught.value.code == code


def test_nobody_listening_is_noticed_before_anything_waits(tmp_path):
    with pytest.raises(ProcessError, match="no supervisor listens"):
        tell(str(tmp_path), "restart")
    os.mkfifo(tmp_path / "ctl")
    with pytest.raises(ProcessError, match="no supervisor listens"):
        tell(str(tmp_path), "restart")


def test_a_file_in_place_of_the_fifo_is_not_written_to(tmp_path):
    (tmp_path / "ctl").write_text("mine\n")
    with pytest.raises(ProcessError, match="is no FIFO"):
        tell(str(tmp_path), "restart")
    assert (tmp_path / "ctl").read_text() == "mine\n"


def test_a_supervisor_that_does_not_read_is_busy(tmp_path):
    os.mkfifo(tmp_path / "ctl")
    reader = os.open(tmp_path / "ctl", os.O_RDWR | os.O_NONBLOCK)
    try:
        with pytest.raises(ProcessError, match="does not read"):
            for _ in range(100_000):
                tell(str(tmp_path), "restart run")
    finally:
        os.close(reader)


def test_a_supervisor_that_dies_answers_what_was_asked_of_it(supervisor, asking, program):
    supervisor.start(
        run=program("import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint(1, flush=True)\ntime.sleep(1000)")
    )
    supervisor.eventually(lambda: supervisor.out, "the handler")
    answers = []
    request = {"name": str(supervisor.directory), "action": "restart"}
    asking.processes.ask(request, answers.append, lambda code, _: answers.append(code))
    supervisor.kill()
    supervisor.eventually(lambda: answers, "the answer")
    assert answers == ["no-supervisor"]


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("3 running run 42\n", State(3, "running", "run", 42, None)),
        ("3 running debug \n", State(3, "running", "debug", None, None)),
        ("3 exited 143\n", State(3, "exited", "", None, 143)),
        ("3 build-failed 2\n", State(3, "build-failed", "", None, 2)),
        ("0 waiting\n", State(0, "waiting", "", None, None)),
    ],
)
def test_each_state_is_read(tmp_path, text, state):
    (tmp_path / "state").write_text(text)
    assert read_state(str(tmp_path)) == state


def test_no_state_is_no_state(tmp_path):
    assert read_state(str(tmp_path)) == NOTHING


@pytest.mark.parametrize("text", ["", "x", "1", "one running", "1 dancing", "\udcff" * 9, "1 " * 4000])
def test_a_state_file_that_holds_none_says_so(tmp_path, text):
    (tmp_path / "state").write_bytes(os.fsencode(text))
    with pytest.raises(ProcessError, match="holds no state"):
        read_state(str(tmp_path))


def test_a_command_is_not_written_through_a_link(tmp_path):
    (tmp_path / "other").write_text("mine")
    (tmp_path / "cmd.run.new").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic links"):
        write_command(str(tmp_path), "run", ["ls"])
    assert (tmp_path / "other").read_text() == "mine"
