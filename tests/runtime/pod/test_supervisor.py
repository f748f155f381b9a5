"""When the supervisor starts its command, and what a restarted container goes back to."""

import os

import pytest

# ---- the text


def test_the_text_holds_nothing_that_flux_or_kubernetes_would_expand(supervisor):
    text = supervisor.script.read_text()
    assert "${" not in text
    assert "$$" not in text
    assert text.isascii()


def test_the_text_is_short_enough_to_be_read_by_a_reviewer(supervisor):
    assert len(supervisor.script.read_text().splitlines()) < 340


# ---- starting


def test_without_a_sync_target_the_command_starts_at_once(supervisor):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running run")
    assert supervisor.alive(supervisor.pid)
    assert (supervisor.directory / "pid").read_text() == f"{supervisor.pid}\n"
    supervisor.until_log(f"[devcfg] run: generation 1: {' '.join(supervisor.sleep)}\n")


def test_it_waits_for_the_source_and_says_how_to_go_on(supervisor):
    source = supervisor.home / "src"
    source.mkdir()
    supervisor.start(f"--wait={source}", run=supervisor.sleep)
    assert supervisor.until("0 waiting") == "0 waiting"
    fifo = supervisor.directory / "ctl"
    supervisor.until_log(
        f"[devcfg] waiting for the source in {source}: it comes with the sync; "
        f"to start without it: echo start 1<>{fifo}\n"
    )
    (source / "app.py").touch()
    supervisor.tell("start")
    supervisor.until("1 running run")


@pytest.mark.parametrize("word", ["restart", "start run"])
def test_a_waiting_supervisor_starts_at_the_first_word(supervisor, word):
    supervisor.start(f"--wait={supervisor.home / 'nowhere'}", run=supervisor.sleep)
    supervisor.until("0 waiting")
    supervisor.tell(word)
    supervisor.until("1 running run")


@pytest.mark.parametrize("entry", ["app.py", ".env", "..odd", "with space", "*"])
def test_a_volume_that_holds_the_source_starts_at_once(supervisor, entry):
    source = supervisor.home / "src"
    source.mkdir()
    (source / entry).touch()
    supervisor.start(f"--wait={source}", run=supervisor.sleep)
    supervisor.until("1 running run")


def test_a_dangling_link_counts_as_source(supervisor):
    source = supervisor.home / "src"
    source.mkdir()
    (source / "link").symlink_to("nowhere")
    supervisor.start(f"--wait={source}", run=supervisor.sleep)
    supervisor.until("1 running run")


def test_lost_and_found_and_staging_names_are_no_source(supervisor):
    source = supervisor.home / "src"
    (source / "lost+found").mkdir(parents=True)
    (source / ".devcfg-tmp-7f").touch()
    supervisor.start(f"--wait={source}", run=supervisor.sleep)
    supervisor.until("0 waiting")


def test_every_target_must_hold_something_and_the_empty_ones_are_named(supervisor):
    full, empty = supervisor.home / "full", supervisor.home / "empty"
    full.mkdir()
    empty.mkdir()
    (full / "file").touch()
    supervisor.start(f"--wait={full}", f"--wait={empty}", run=supervisor.sleep)
    supervisor.until("0 waiting")
    supervisor.until_log(f"waiting for the source in {empty}:")


def test_a_volume_just_seeded_from_the_image_waits_too(supervisor):
    source, seeded = supervisor.home / "src", supervisor.home / ".seeded-src"
    source.mkdir()
    (source / "from-the-image").touch()
    seeded.touch()
    supervisor.start(f"--wait={source}", f"--seeded={seeded}", run=supervisor.sleep)
    supervisor.until("0 waiting")
    supervisor.until_log(f"waiting for the source in {source}:")


def test_without_a_seeded_mark_a_filled_volume_starts_at_once(supervisor):
    source = supervisor.home / "src"
    source.mkdir()
    (source / "file").touch()
    supervisor.start(f"--wait={source}", f"--seeded={supervisor.home / 'absent'}", run=supervisor.sleep)
    supervisor.until("1 running run")


def test_without_a_command_the_container_idles_and_says_so(supervisor):
    supervisor.start()
    assert supervisor.until("0 stopped") == "0 stopped"
    supervisor.until_log("[devcfg] there is no command.run: the container idles\n")
    supervisor.tell("start")
    supervisor.until_log("ignored: start: there is no command.run")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--colour=red"], "[devcfg] unknown argument --colour\n"),
        (["--run=2", "one"], "[devcfg] --run=2, but only 1 words follow\n"),
        (["--run=x", "one"], "[devcfg] --run=NUMBER of words, not `x`\n"),
        (["--grace=soon"], "[devcfg] --grace=SECONDS, not `soon`\n"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(supervisor, arguments, message):
    supervisor.start(*arguments)
    assert supervisor.ended() == 64
    assert supervisor.log == message


def test_the_state_directory_takes_files_of_the_sidecar_and_the_fifo_of_anyone(supervisor):
    supervisor.start()
    supervisor.until("0 stopped")
    assert supervisor.directory.stat().st_mode & 0o777 == 0o777
    assert (supervisor.directory / "ctl").stat().st_mode & 0o777 == 0o666
    assert (supervisor.directory / "ctl").is_fifo()


# ---- a restart of the container


@pytest.mark.parametrize("wait", [True, False])
def test_a_restarted_container_resumes_without_a_client_and_goes_on_counting(supervisor, wait):
    options = [f"--wait={supervisor.home / 'nowhere'}"] if wait else []
    supervisor.start(*options, run=supervisor.sleep)
    supervisor.until("0 waiting" if wait else "1 running")
    supervisor.tell("start")
    supervisor.until("1 running")
    supervisor.kill()
    supervisor.start(*options, run=supervisor.sleep)
    supervisor.until("2 running run")


def test_a_stopped_container_stays_stopped_after_a_restart(supervisor):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    supervisor.tell("stop")
    supervisor.until_log("stopped; to start it")
    supervisor.kill()
    supervisor.start(run=supervisor.sleep)
    supervisor.until_log("stopped, as it was before the container restarted; to start it: echo start 1<>")
    assert supervisor.state == "1 stopped"
    supervisor.tell("start")
    supervisor.until("2 running run")


def test_a_restarted_container_goes_back_to_debug(supervisor):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    (supervisor.directory / "cmd.debug").write_text(f"set -- {' '.join(supervisor.sleep)}\n")
    supervisor.tell("restart debug")
    supervisor.until("2 running debug")
    supervisor.kill()
    supervisor.start(run=supervisor.sleep)
    supervisor.until("3 running debug")


def test_quit_leaves_the_desired_state(supervisor):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    supervisor.tell("quit")
    assert supervisor.ended() == 0
    assert supervisor.state == "1 stopped quit"
    assert (supervisor.directory / "desired").read_text() == "run\n"
    supervisor.eventually(lambda: not supervisor.processes(), "all shells ended")


def test_it_says_as_whom_it_runs(supervisor):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    assert (supervisor.directory / "uid").read_text() == f"{os.getuid()}\n"


@pytest.mark.parametrize("when", ["running", "waiting", "building", "stopped"])
def test_a_term_to_the_supervisor_ends_it_cleanly_in_every_state(supervisor, build, when):
    (supervisor.home / "hold").touch()
    options = [f"--wait={supervisor.home / 'nowhere'}"] if when == "waiting" else []
    supervisor.start(
        *options, run=None if when == "stopped" else supervisor.sleep, build=build if when == "building" else None
    )
    supervisor.until(f"0 {when}", f"1 {when}")
    supervisor.process.terminate()
    assert supervisor.ended() == 0
    supervisor.eventually(lambda: not supervisor.processes(), "nobody left", lambda: supervisor.log)


def test_a_runner_that_starts_after_the_end_does_not_stay(supervisor, tmp_path):
    slow = tmp_path / "busybox"
    slow.write_text(
        f'#!/bin/sh\ncase "$1 $*" in sh*"--runner build"*) sleep 1 ;; esac\nexec {supervisor.sleep[0]} "$@"\n'
    )
    slow.chmod(0o755)
    supervisor.start(run=supervisor.sleep, env={"BB": str(slow)})
    supervisor.until("1 running")
    supervisor.process.terminate()
    assert supervisor.ended() == 0
    supervisor.eventually(lambda: not supervisor.processes(), "nobody left", lambda: supervisor.log)
