"""Restarting, stopping, crashing, building: the FIFO, and every pitfall found before the supervisor was written."""

import os
import signal
import subprocess

import pytest

# ---- restarting and stopping


def test_a_restart_ends_the_old_process_and_counts(supervisor):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    old = supervisor.pid
    supervisor.tell("restart")
    supervisor.until("2 running run")
    assert supervisor.pid != old
    assert not supervisor.alive(old)


def test_start_leaves_a_running_process_alone(supervisor):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    old = supervisor.pid
    supervisor.tell("start", "start run")
    supervisor.until_log("run: already running", times=2)
    assert supervisor.state == f"1 running run {old}"


def test_modes_switch_in_place_and_restart_keeps_the_mode(supervisor):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running run")
    (supervisor.directory / "cmd.debug").write_text(f"set -- {' '.join(supervisor.sleep)}\n")
    supervisor.tell("start debug")
    supervisor.until("2 running debug")
    supervisor.tell("restart")
    supervisor.until("3 running debug")
    supervisor.tell("restart run")
    supervisor.until("4 running run")


def test_unknown_words_and_modes_are_logged_and_ignored(supervisor):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    before = supervisor.state
    supervisor.tell("dance now", "restart fast", "restart debug", "", "* ` ' \\")
    for text in (
        "ignored: dance (",
        "ignored: restart fast (",
        "ignored: restart: there is no command.debug",
        "ignored: * (",
    ):
        supervisor.until_log(text)
    assert supervisor.state == before


def test_stop_ends_the_process_and_start_brings_it_back(supervisor):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    old = supervisor.pid
    supervisor.tell("stop")
    assert supervisor.until("1 stopped") == "1 stopped"
    assert not supervisor.alive(old)
    assert not (supervisor.directory / "pid").exists()
    supervisor.eventually(lambda: (supervisor.directory / "desired").read_text() == "stop\n", "desired stop")
    supervisor.tell("start")
    supervisor.until("2 running run")
    assert (supervisor.directory / "desired").read_text() == "run\n"


def test_two_hundred_quick_restarts_leave_one_process(supervisor):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    for number in range(200):
        supervisor.tell("restart")
        if number % 20 == 0:  # some are read while idle, most in the middle of another
            supervisor.until(*(f"{n} running" for n in range(1, 500)))
    supervisor.tell("stop")
    supervisor.until(*(f"{n} stopped" for n in range(1, 500)))
    supervisor.tell("start")
    supervisor.until(*(f"{n} running" for n in range(1, 500)))
    pid = supervisor.pid
    supervisor.eventually(lambda: supervisor.words_of(pid) == list(supervisor.sleep), "the last process")

    def others():
        words = map(supervisor.words_of, supervisor.processes())
        return [one for one in words if one and str(supervisor.script) not in one]

    # The `mv` that put the state in place may still be on its way out.
    supervisor.eventually(lambda: others() == [list(supervisor.sleep)], "one process", lambda: str(others()))


def test_restarts_that_come_together_are_answered_by_one_process_started_after_them(supervisor, program):
    slow = program(supervisor.slow)
    supervisor.start(run=slow)
    supervisor.eventually(lambda: "up" in supervisor.out, "the handler")
    supervisor.tell(*["restart"] * 10)
    supervisor.until("2 running")
    supervisor.tell("dance")
    supervisor.until_log("ignored: dance")
    assert supervisor.state.startswith("2 running")


def test_the_last_word_wins_when_several_come_while_the_old_process_ends(supervisor, program):
    slow = program(supervisor.slow)
    supervisor.start(run=slow)
    supervisor.eventually(lambda: "up" in supervisor.out, "the handler")
    supervisor.tell("restart", "restart", "stop")
    supervisor.until("2 stopped")


def test_a_child_of_the_process_ends_with_it_and_frees_its_port(supervisor, program):
    text = (
        "import os, signal, socket, sys\n"
        "s = socket.socket()\ns.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
        "s.bind(('127.0.0.1', int(open(sys.argv[1]).read() if os.path.exists(sys.argv[1]) else 0)))\n"
        "s.listen()\nopen(sys.argv[1], 'w').write(str(s.getsockname()[1]))\n"
        "os.fork()\nprint('up', os.getpid(), flush=True)\nsignal.pause()\n"
    )
    supervisor.start(run=[*program(text), str(supervisor.home / "port")])
    supervisor.eventually(lambda: supervisor.out.count("up") == 2, "both processes")
    supervisor.tell("restart")
    supervisor.eventually(lambda: supervisor.out.count("up") == 4, "both processes again", lambda: supervisor.log)
    assert sum(supervisor.alive(int(line.split()[1])) for line in supervisor.out.splitlines()) == 2


def test_a_process_that_ignores_the_signal_is_killed_after_the_grace_period(supervisor, program):
    text = (
        "import os, signal\n"
        "signal.signal(15, signal.SIG_IGN)\n"
        "os.fork()\n"
        "print('up', os.getpid(), flush=True)\n"
        "while 1: signal.pause()\n"
    )
    supervisor.start("--grace=0.3", run=program(text))
    supervisor.eventually(lambda: supervisor.out.count("up") == 2, "both processes")
    supervisor.tell("stop")
    supervisor.until("1 stopped")
    assert "[devcfg] still there after TERM and the grace period: killed\n" in supervisor.log
    assert not any(supervisor.alive(int(line.split()[1])) for line in supervisor.out.splitlines())


def test_the_stop_signal_is_the_one_that_was_asked_for(supervisor, program):
    text = (
        "import signal, sys\n"
        "signal.signal(signal.SIGUSR1, lambda *_: (print('asked', flush=True), sys.exit()))\n"
        "print('up', flush=True)\n"
        "while 1: signal.pause()\n"
    )
    supervisor.start("--stop-signal=USR1", run=program(text))
    supervisor.eventually(lambda: "up" in supervisor.out, "the handler")
    supervisor.tell("stop")
    supervisor.until("1 stopped")
    assert supervisor.out == "up\nasked\n"


@pytest.mark.parametrize("how", ["hearing", "deaf"])
def test_a_child_that_left_the_group_and_the_session_is_found_and_ended(supervisor, program, how):
    supervisor.start("--grace=0.2", run=[*program(supervisor.escape), how])
    supervisor.eventually(lambda: supervisor.out.count("up") == 2, "both processes")
    supervisor.tell("restart")
    supervisor.until("2 running")
    first = [int(line.split()[1]) for line in supervisor.out.splitlines()[:2]]
    assert not any(supervisor.alive(pid) for pid in first)


def test_a_zombie_in_the_group_that_its_parent_does_not_reap_costs_no_grace_period(supervisor, program):
    text = (
        "import os, signal\n"
        "if os.fork() == 0:\n"
        "    if os.fork(): os.setpgid(0, 0)\n"
        "print('up', flush=True)\n"
        "while 1: signal.pause()\n"
    )
    supervisor.start("--grace=1000", run=program(text))
    supervisor.eventually(lambda: supervisor.out.count("up") == 3, "three processes")
    supervisor.tell("restart")
    supervisor.until("2 running")


def test_what_a_crashed_process_left_behind_ends_before_the_next_start(supervisor, program):
    text = supervisor.escape.replace(
        "while 1: signal.pause()", "if os.getsid(0) == os.getpid(): sys.exit(3)\nwhile 1: signal.pause()"
    )
    supervisor.start(run=program(text))
    supervisor.until("1 exited 3")
    supervisor.eventually(lambda: supervisor.out.count("up") == 2, "both processes")
    supervisor.tell("stop")
    supervisor.until("1 stopped")
    assert not any(supervisor.alive(int(line.split()[1])) for line in supervisor.out.splitlines())


def test_the_processes_of_another_supervisor_are_left_alone(supervisor):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    other = subprocess.Popen(
        supervisor.sleep,
        env={"DEVCFG_RUN": f"{supervisor.directory}-two:1", "MARK": supervisor.mark},
        start_new_session=True,
    )
    try:
        supervisor.tell("stop")
        supervisor.until("1 stopped")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_no_line_of_the_shell_itself_gets_into_the_log(supervisor):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    for generation in range(2, 6):
        supervisor.tell("restart")
        supervisor.until(f"{generation} running")
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.until("5 exited 137")
    supervisor.tell("quit")
    assert supervisor.ended() == 0
    assert [line for line in supervisor.log.splitlines() if not line.startswith("[devcfg] ")] == []
    assert supervisor.out == ""


# ---- crash and build


def test_a_crash_keeps_the_container_and_shows_the_code(supervisor, program):
    supervisor.start(run=program("raise SystemExit(7)"))
    assert supervisor.until("1 exited") == "1 exited 7"
    assert "[devcfg] run: exited with code 7; the container stays" in supervisor.log
    assert not (supervisor.directory / "pid").exists()
    supervisor.tell("start")
    supervisor.until("2 exited 7")
    supervisor.tell("restart")
    supervisor.until("3 exited 7")


def test_a_process_ended_by_a_signal_is_told_as_such(supervisor):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    os.kill(supervisor.pid, signal.SIGKILL)
    assert supervisor.until("1 exited") == "1 exited 137"
    supervisor.until_log("exited with code 137 (signal 9)")


def builds(supervisor):
    path = supervisor.home / "builds"
    return len(path.read_text()) if path.exists() else 0


def test_a_build_comes_before_each_start(supervisor, build):
    (supervisor.home / "hold").touch()
    supervisor.start(build=build, run=supervisor.sleep)
    assert supervisor.until("1 building") == "1 building"
    (supervisor.home / "hold").unlink()
    supervisor.until("1 running run")
    supervisor.tell("restart")
    supervisor.until("2 running run")
    assert builds(supervisor) == 2
    supervisor.until_log("[devcfg] run: generation 1:")
    assert supervisor.log.index("[devcfg] build: generation 1:") < supervisor.log.index("[devcfg] run: generation 1:")


def test_the_old_process_serves_during_a_build_and_after_a_failed_one(supervisor, build):
    supervisor.start(build=build, run=supervisor.sleep)
    supervisor.until("1 running")
    old = supervisor.pid
    (supervisor.home / "hold").touch()
    (supervisor.home / "code").write_text("2")
    supervisor.tell("restart")
    supervisor.until("2 building")
    assert supervisor.alive(old)
    (supervisor.home / "hold").unlink()
    assert supervisor.until("2 build-failed") == "2 build-failed 2"
    assert supervisor.alive(old)
    assert (supervisor.directory / "pid").read_text() == f"{old}\n"
    assert "[devcfg] build: failed with code 2; run: generation 1 goes on" in supervisor.log
    (supervisor.home / "code").unlink()
    supervisor.tell("restart")
    supervisor.until("3 running")
    assert not supervisor.alive(old)


def test_a_failed_first_build_leaves_nothing_running_and_the_next_restart_tries_again(supervisor, build):
    (supervisor.home / "code").write_text("1")
    supervisor.start(build=build, run=supervisor.sleep)
    assert supervisor.until("1 build-failed") == "1 build-failed 1"
    assert "[devcfg] build: failed with code 1; nothing runs" in supervisor.log
    (supervisor.home / "code").unlink()
    supervisor.tell("restart")
    supervisor.until("2 running")


def test_restarts_during_a_build_get_one_more_build(supervisor, build):
    (supervisor.home / "hold").touch()
    supervisor.start(build=build, run=supervisor.sleep)
    supervisor.eventually(lambda: builds(supervisor) == 1, "the first build")
    supervisor.tell("restart", "restart", "dance")
    supervisor.until_log("ignored: dance")
    (supervisor.home / "hold").unlink()
    supervisor.until("2 running run")
    assert builds(supervisor) == 2


def test_start_during_a_build_asks_for_nothing_more(supervisor, build):
    (supervisor.home / "hold").touch()
    supervisor.start(build=build, run=supervisor.sleep)
    supervisor.until("1 building")
    supervisor.tell("start", "dance")
    supervisor.until_log("ignored: dance")
    (supervisor.home / "hold").unlink()
    supervisor.until("1 running run")
    assert builds(supervisor) == 1


def test_stop_ends_a_build(supervisor, build):
    (supervisor.home / "hold").touch()
    supervisor.start(build=build, run=supervisor.sleep)
    supervisor.eventually(lambda: builds(supervisor) == 1, "the build")
    supervisor.tell("stop")
    supervisor.until("1 stopped")
    (supervisor.home / "hold").unlink()
    supervisor.tell("start")
    supervisor.until("2 running run")


def test_a_daemon_that_a_build_leaves_behind_stays_for_the_next_build(supervisor, program):
    text = supervisor.escape.replace(
        "while 1: signal.pause()", "if os.getsid(0) == os.getpid(): sys.exit()\nwhile 1: signal.pause()"
    )
    supervisor.start(build=program(text), run=supervisor.sleep)
    supervisor.until("1 running")
    supervisor.eventually(lambda: supervisor.out.count("up") == 2, "the build and its daemon")
    supervisor.tell("stop")
    supervisor.until("1 stopped")
    assert sum(supervisor.alive(int(line.split()[1])) for line in supervisor.out.splitlines()) == 1


def test_a_process_that_ends_during_a_build_is_reported_and_replaced(supervisor, build):
    supervisor.start(build=build, run=supervisor.sleep)
    supervisor.until("1 running")
    old = supervisor.pid
    (supervisor.home / "hold").touch()
    supervisor.tell("restart")
    supervisor.until("2 building")
    os.kill(old, signal.SIGKILL)
    supervisor.until_log("run: exited with code 137")
    assert supervisor.state == "2 building"
    (supervisor.home / "hold").unlink()
    supervisor.until("2 running")
