"""What the process gets: its words, environment, directory, signals and output."""

import json
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DUMP = "import json, os, sys\njson.dump([os.fsencode(w).hex() for w in sys.argv[2:]], open(sys.argv[1], 'w'))\n"


def encoded(word):
    """Encode one word as the compiler does, so that nobody on the way expands it."""
    return word.replace("$~", "$~~").replace("${", "$~{")


AWKWARD = (
    *("", " ", "two words", "it's", '"', "''", "\\", "\\n", "\n", "a\nb\n", "\t", "*", "?", "[a]", "~", "#", "&", ";"),
    *("-n", "--", "-", "$", "$$", "$HOME", "`id`", "$(id)", "${HOME}", "$~", "$~{", "$~~", "$$~~{", "%s", "!", "a=b"),
    *("äöü", "日本", "\udcff\udc80", "\x01\x7f"),
)


def dumped(supervisor, path):
    supervisor.eventually(lambda: path.exists() and path.read_text().endswith("]"), f"arguments in {path}")
    return [os.fsdecode(bytes.fromhex(word)) for word in json.loads(path.read_text())]


def test_awkward_words_arrive_exactly(supervisor, program):
    path = supervisor.home / "words.json"
    supervisor.start(run=[*program(DUMP), str(path), *map(encoded, AWKWARD)])
    assert dumped(supervisor, path) == list(AWKWARD)


def test_a_dollar_sign_may_always_be_encoded(supervisor, program):
    path = supervisor.home / "words.json"
    supervisor.start(run=[*program(DUMP), str(path), *(word.replace("$", "$~") for word in AWKWARD)])
    assert dumped(supervisor, path) == list(AWKWARD)


def test_any_words_arrive_exactly(supervisor, program):
    letters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    words = st.lists(st.text(st.one_of(st.sampled_from("$~{}'\"\\ \n"), letters)), max_size=20)
    dump = program(DUMP)

    @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(words)
    def check(words):
        path = supervisor.home / "words.json"
        path.unlink(missing_ok=True)
        supervisor.start(run=[*dump, str(path), *map(encoded, words)])
        assert dumped(supervisor, path) == words
        supervisor.kill()

    check()


def test_the_environment_arrives_with_names_that_no_shell_can_hold(supervisor, program):
    path = supervisor.home / "env.json"
    env = {"spring.profiles.active": "it's\nme $HOME", "a-b": "", "mode": "theirs", "dir": "theirs", "odd": "é"}
    supervisor.start(run=program(f"import json, os\njson.dump(dict(os.environ), open({str(path)!r}, 'w'))\n"), env=env)
    supervisor.until("1 exited 0")
    seen = json.loads(path.read_text())
    assert {name: seen.get(name) for name in env} == env
    assert seen["DEVCFG_RUN"] == f"{supervisor.directory}:1"
    assert not [name for name in seen if name.startswith("my_")]


def test_the_process_starts_in_its_working_directory_with_its_home(supervisor, program):
    work, home = supervisor.home / "my src", supervisor.home / "home"
    work.mkdir()
    text = (
        "import os\nprint(os.getcwd(), os.environ['PWD'], os.environ['HOME'], os.environ['XDG_CACHE_HOME'], sep='|')\n"
    )
    supervisor.start(f"--workdir={work}", f"--home={home}", run=program(text))
    supervisor.until("1 exited 0")
    assert supervisor.out == f"{work}|{work}|{home}|{home}/.cache\n"
    assert (home / ".cache").is_dir()


def test_a_missing_working_directory_is_named(supervisor):
    supervisor.start(f"--workdir={supervisor.home}/nowhere", run=supervisor.sleep)
    supervisor.until("1 exited 126")
    assert f"run: cannot enter the working directory {supervisor.home}/nowhere\n" in supervisor.log


def test_a_missing_program_is_named_with_the_path_that_was_searched(supervisor):
    supervisor.start(run=["no-such-program", "x"])
    supervisor.until("1 exited 127")
    assert f"run: no program `no-such-program` (PATH is {os.environ['PATH']})\n" in supervisor.log


def test_a_program_of_the_image_wins_over_the_applet_of_the_same_name(supervisor):
    tool = supervisor.home / "bin" / "tar"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho the tar of the image\n")
    tool.chmod(0o755)
    supervisor.start(run=["tar"], env={"PATH": f"{tool.parent}:{os.environ['PATH']}"})
    supervisor.until("1 exited 0")
    assert supervisor.out == "the tar of the image\n"


def test_interrupt_and_quit_have_their_default_meaning_and_no_descriptor_leaks(supervisor, program):
    text = (
        "import os, signal\n"
        "print(signal.getsignal(signal.SIGINT) is signal.default_int_handler,"
        " signal.getsignal(signal.SIGQUIT) is signal.SIG_DFL,"
        " sorted(int(f) for f in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{f}')),"
        " os.getpid() == os.getpgid(0))\n"
    )
    supervisor.start(run=program(text), build=program(text))
    supervisor.until("1 exited 0")
    assert supervisor.out == "True True [0, 1, 2] True\n" * 2


def test_output_of_the_process_goes_to_the_log_of_the_container_untouched(supervisor, program):
    text = "import sys\nsys.stdout.write('to stdout')\nsys.stderr.write('to stderr')\n"
    supervisor.start(run=program(text))
    supervisor.until("1 exited 0")
    assert supervisor.out == "to stdout"
    assert "to stderr[devcfg] run: exited with code 0" in supervisor.log


def test_a_signal_reaches_the_process_and_not_its_generation(supervisor, program):
    text = (
        "import signal\n"
        "signal.signal(1, lambda *_: print('hup', flush=True))\n"
        "print('up', flush=True)\n"
        "while 1: signal.pause()\n"
    )
    supervisor.start(run=program(text))
    supervisor.eventually(lambda: "up" in supervisor.out, "the handler")
    supervisor.tell("signal HUP")
    supervisor.eventually(lambda: "hup" in supervisor.out, "the signal")
    assert supervisor.state.startswith("1 running")


def test_a_signal_that_is_none_of_ours_is_ignored_and_said(supervisor):
    supervisor.start(run=supervisor.sleep)
    supervisor.until("1 running")
    supervisor.tell("signal KILL;reboot")
    supervisor.until_log("ignored: signal KILL;reboot")
    assert supervisor.state.startswith("1 running")


def test_a_signal_while_nothing_runs_changes_nothing(supervisor):
    supervisor.start()
    supervisor.until("0 stopped")
    supervisor.tell("signal HUP", "dance")
    supervisor.until_log("ignored: dance")
    assert supervisor.state == "0 stopped"
