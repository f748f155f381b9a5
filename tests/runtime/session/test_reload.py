"""What a batch of changes does, as the config's words say it."""

import pytest

from devcfg.runtime.session.reload import Action, policy_of, reloads_itself
from devcfg.schemas.config import Service


def service(**members):
    return Service.validate({"command": {"run": ["python", "app.py"]}, **members})


@pytest.mark.parametrize(
    "words",
    [
        ["flask", "--app", "x", "run", "--reload"],
        ["uvicorn", "x:app", "--reload"],
        ["python", "-m", "flask", "--debug", "run"],
        ["python", "manage.py", "runserver"],
        ["node", "--watch", "server.mjs"],
        ["nodemon", "server.js"],
        ["npx", "nodemon", "server.js"],
        ["npx", "vite", "--port", "80"],
        ["npx", "tsx", "watch", "x.ts"],
        ["dotnet", "watch", "run"],
        ["cargo", "watch", "-x", "run"],
        ["mix", "phx.server"],
        ["air"],
        ["sh", "-c", "cd app && uvicorn x:app --reload"],
        ["node", "--watch-path=src", "--watch", "x.js"],
    ],
)
def test_commands_that_watch_their_own_files_are_known(words):
    assert reloads_itself(words)
    assert policy_of(service(command={"run": words})).action is Action.NOTHING


@pytest.mark.parametrize(
    "words",
    [
        ["python", "app.py"],
        ["python", "manage.py", "runserver", "--noreload"],
        ["java", "-cp", "build", "Air"],
        ["./server", "vite"],
        ["go", "run", "."],
        ["npm", "run", "start"],
        ["sh", "-c", "exec ./run"],
        ["cat", "guard"],
    ],
)
def test_other_commands_are_restarted(words):
    assert reloads_itself(words) == ""
    assert policy_of(service(command={"run": words})).action is Action.RESTART


def test_what_the_config_says_itself_wins():
    words = {"run": ["node", "--watch", "x.js"]}
    assert policy_of(service(command=words, reload="restart")).action is Action.RESTART
    assert policy_of(service(command=words, reload={"on": "restart"})).action is Action.RESTART
    assert policy_of(service(command=words, reload={"debounce": "50ms"})).action is Action.NOTHING
    assert policy_of(service(reload="none")).action is Action.NOTHING
    signalled = policy_of(service(reload="signal:USR1"))
    assert (signalled.action, signalled.signal) == (Action.SIGNAL, "USR1")


def test_debounce_is_seconds_and_20_ms_by_default():
    assert policy_of(service()).debounce == 0.02
    assert policy_of(service(reload={"debounce": "1.5s"})).debounce == 1.5


@pytest.mark.parametrize(
    ("reload", "paths", "counts"),
    [
        ({}, ["any/thing.txt"], True),
        ({}, [], False),
        ({"watch": ["*.py"]}, ["a/b.py"], True),
        ({"watch": ["*.py"]}, ["a/b.html"], False),
        ({"watch": ["*.py"]}, ["a.html", "b.py"], True),
        ({"watch": ["src/"]}, ["src/deep/x"], True),
        ({"watch": ["*.py", "!test_*.py"]}, ["test_x.py"], False),
        ({"ignore": ["docs/"]}, ["docs/a.py"], False),
        ({"ignore": ["docs/"]}, ["docs/a.py", "x.py"], True),
        ({"watch": ["*.py"], "ignore": ["gen/"]}, ["gen/x.py"], False),
    ],
)
def test_watch_and_ignore_are_gitignore_patterns(reload, paths, counts):
    assert policy_of(service(reload=reload)).concerns(paths) is counts
