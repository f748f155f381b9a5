"""Which debugger a service gets, and what is said where none is to be had."""

import pytest

from devcfg.compiler.parser import read_config
from devcfg.runtime.debug.adapters.adapter import Asking, Traces
from devcfg.runtime.debug.choice import ADAPTERS, UNSUPPORTED, UndebuggableError, Whose, choose
from devcfg.schemas import blocks


def service(text):
    data = f"version: 1\nservices: {{web: {{{text}}}}}\n".encode()
    return read_config(data, file="devcfg.yaml").config.services["web"]


def chosen(text, files=(), image=""):
    spec = service(text)
    commands = spec.command
    return choose("web", spec, Traces(commands.run, commands.debug, commands.build, image, files))


GUESSES = [
    ("command: {run: [python, app.py]}", {}, "python", "`command.run` starts `python`"),
    ("command: {run: uvicorn app:app}", {}, "python", "`command.run` starts `uvicorn`"),
    ("command: {run: [./app], debug: [dlv, exec, --accept-multiclient]}", {}, "go", "`dlv` in `command.debug`"),
    (
        "command: {debug: [python, -m, debugpy, app.py]}",
        {"files": ("package.json",)},
        "python",
        "`debugpy` in `command.debug`",
    ),
    ("command: {debug: 'cd x; npm start', run: [node, a.js]}", {}, "node", "`command.run` starts `node`"),
    ("command: {build: [go, build, -o, app, .], run: [./app]}", {}, "go", "`command.build` starts `go`"),
    ("command: {build: [cargo, build], run: [target/debug/app]}", {}, "gdb", "`command.build` starts `cargo`"),
    ("command: {run: [./app]}", {"image": "docker.io/library/golang:1.22"}, "go", "the image is `golang`"),
    ("command: {run: [./app]}", {"image": "host:5000/rust@sha256:ab"}, "gdb", "the image is `rust`"),
    ("command: {run: [./app]}", {"files": ("go.mod", "README.md")}, "go", "there is `go.mod`"),
    ("command: {run: [./app]}", {"files": ("Cargo.toml",), "image": "gcc"}, "gdb", "the image is `gcc`"),
    ("command: {run: [java, Main]}", {"files": ("app.py",)}, "java", "`command.run` starts `java`"),
    ("command: {run: [bundle, exec, rackup]}", {}, "ruby", "`command.run` starts `rackup`"),
    ("command: {run: [./app]}, debug: {adapter: gdb}", {"files": ("go.mod",)}, "gdb", "`debug.adapter` says so"),
]


@pytest.mark.parametrize(("text", "seen", "adapter", "reason"), GUESSES)
def test_an_adapter_is_guessed_by_its_strongest_sign(text, seen, adapter, reason):
    found = chosen(text, **seen)

    assert (found.adapter.name, found.reason) == (adapter, reason)


def test_no_sign_at_all_asks_for_the_adapter():
    with pytest.raises(UndebuggableError, match="not to be seen") as caught:
        chosen("command: {run: [./app]}")

    assert all(f"`{one.name}`" in caught.value.hint for one in ADAPTERS)


def test_signs_that_are_as_strong_ask_which_it_is():
    with pytest.raises(UndebuggableError, match=r"`app.py` \(python\) and there is `package.json` \(node\)"):
        chosen("command: {run: [./app]}", files=("app.py", "package.json"))


def test_every_adapter_of_the_config_is_there_or_refused_with_a_way_on():
    assert sorted(blocks.ADAPTERS) == sorted((*(one.name for one in ADAPTERS), *UNSUPPORTED))


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_an_adapter_that_cannot_be_run_is_one_clear_error(name):
    with pytest.raises(UndebuggableError, match=f"no adapter `{name}` yet") as caught:
        chosen(f"command: {{run: [a], debug: [b]}}, debug: {{adapter: {name}}}")

    assert caught.value.hint


def test_a_command_of_the_config_is_taken_as_it_is():
    found = chosen("command: {debug: [python, -m, debugpy, --listen, '5999', app.py]}, debug: {wait: true}")

    assert (found.whose, found.port, found.command[-1]) == (Whose.CONFIG, 5999, "app.py")
    assert "`debug.wait` changes no `command.debug`" in found.notes[0]


def test_a_command_is_made_of_the_one_that_runs():
    found = chosen("command: {run: python -u app.py}, debug: {port: 6000, wait: true}")

    assert (found.whose, found.port) == (Whose.DEVCFG, 6000)
    assert found.command[-3:] == ("127.0.0.1:6000", "--wait-for-client", "app.py")


def test_two_ports_that_differ_are_refused():
    with pytest.raises(UndebuggableError, match=r"is 6000, and `command.debug` has debugpy on 5678"):
        chosen("command: {debug: [python, -m, debugpy, --listen, '5678', app.py]}, debug: {port: 6000}")


def test_a_shell_that_does_more_is_refused_with_what_to_write():
    with pytest.raises(UndebuggableError, match="its shell does more than start a program") as caught:
        chosen("command: {run: 'cd x && python app.py'}, debug: {adapter: python}")

    assert "`command.debug: [python, -Xfrozen_modules=off, -m, debugpy" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("command: {debug: [lldb-server-14, gdbserver, '127.0.0.1:7', --, ./app]}", "lldb"),
        ("command: {debug: [gdbserver, '127.0.0.1:7', ./app]}", "gdb"),
        ("command: {run: [./app], build: [cargo, build]}", "gdb"),
        ("command: {run: [./app]}, debug: {adapter: lldb}", "lldb"),
        ("command: {run: [php, -S, '0:80']}", "php"),
    ],
)
def test_lldb_is_taken_where_it_is_named_and_php_where_it_shows(text, name):
    assert chosen(text).adapter.name == name


def test_an_image_of_php_tells_what_a_script_does_not():
    with pytest.raises(UndebuggableError, match="not seen to be PHP"):
        chosen("command: {run: [./serve]}", image="php:8.2-cli")


def test_a_php_of_ours_says_what_it_found_and_another_is_only_seen_to_run():
    ours = chosen("command: {run: [php, -S, '0:80']}, debug: {wait: true}")
    assert (ours.asking, ours.port, ours.adapter.dials) == (Asking.NOTHING, 9003, True)
    assert "whatever runs stops by itself" in ours.notes[0]
    yours = chosen("command: {debug: [php, -dxdebug.mode=debug, -dxdebug.client_port=7, x.php]}")
    assert (yours.asking, yours.port) == (Asking.PROCESS, 7)


def test_nothing_to_start_is_refused():
    with pytest.raises(UndebuggableError, match=r"neither `command.debug` nor `command.run`"):
        chosen("debug: {adapter: go}")
