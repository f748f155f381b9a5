"""How commands are put under a debugger, word by word, and what is said where they cannot be."""

import shlex

import pytest

from devcfg.runtime.debug.adapters.adapter import Advice, Asking, Wish
from devcfg.runtime.debug.adapters.words import plain, program_of, take_apart, without
from devcfg.runtime.debug.choice import ADAPTERS
from devcfg.schemas.errors import UsageError

BY_NAME = {one.name: one for one in ADAPTERS}
DEBUGPY = "-Xfrozen_modules=off -m debugpy --listen 127.0.0.1:5678"
DLV = "--headless --accept-multiclient --continue --api-version=2 --only-same-user=false --listen=127.0.0.1:2345"
JDWP = "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,quiet=y,address=127.0.0.1:5005"
RDBG = "rdbg --open --nonstop --host 127.0.0.1 --port 12345 -c --"
INSPECT = "--inspect=127.0.0.1:9229"
XDEBUG = (
    "-dxdebug.mode=debug -dxdebug.start_with_request=yes -dxdebug.client_host=127.0.0.1 -dxdebug.client_port=9003 "
    "-dxdebug.log_level=0"
)


def php(asked="php"):
    """Return the words before PHP's own, which ask it for Xdebug first."""
    version = "echo version_compare((string) phpversion('xdebug'), '3', '>=') ? phpversion('xdebug') : '';"
    text = (
        f'unset XDEBUG_MODE XDEBUG_CONFIG; v=$({asked} -r {shlex.quote(version)}) && [ "$v" ] || '
        "{ echo 'there is no Xdebug 3 in this PHP' >&2; exit 78; }; "
        'echo "Xdebug $v dials 127.0.0.1:9003"; exec "$@"'
    )
    return shlex.join(("sh", "-c", text, "sh"))


CONSOLE = "php8.2 -d memory_limit=1G -c x.ini"
CONSOLE = f"env A=b {php(CONSOLE)} {CONSOLE} {XDEBUG} bin/console work"

WRITTEN = [
    ("python", "python app.py --port 80", f"python {DEBUGPY} app.py --port 80"),
    ("python", "python3.12 -u -X dev -m web", f"python3.12 -u -X dev {DEBUGPY} -m web"),
    ("python", "/venv/bin/python -c 'print(1)'", f"/venv/bin/python {DEBUGPY} -c 'print(1)'"),
    ("python", "uvicorn app:app --reload --workers 4", f"python3 {DEBUGPY} -m uvicorn app:app"),
    ("python", "/venv/bin/uvicorn app:app", f"/venv/bin/python3 {DEBUGPY} -m uvicorn app:app"),
    ("python", "python -m uvicorn app:app --workers=2", f"python {DEBUGPY} -m uvicorn app:app"),
    ("python", "flask --app web run --debug", f"python3 {DEBUGPY} -m flask --app web run --debug --no-reload"),
    ("python", "python manage.py runserver 0:80", f"python {DEBUGPY} manage.py runserver 0:80 --noreload"),
    ("python", "python manage.py migrate", f"python {DEBUGPY} manage.py migrate"),
    ("python", "fastapi dev main.py", f"python3 {DEBUGPY} -m fastapi dev main.py --no-reload"),
    ("python", "poetry run python app.py", f"poetry run python {DEBUGPY} app.py"),
    ("python", "env A=b python app.py", f"env A=b python {DEBUGPY} app.py"),
    ("go", "go run ./cmd/api", f"dlv debug ./cmd/api --output=.devcfg-tmp-dlv {DLV}"),
    ("go", "go run . -v", f"dlv debug . --output=.devcfg-tmp-dlv {DLV} -- -v"),
    (
        "go",
        "go run -race -tags=a,b -trimpath .",
        f"dlv debug . --output=.devcfg-tmp-dlv '--build-flags=-race -tags=a,b' {DLV}",
    ),
    ("go", "./server --port 80", f"dlv exec ./server {DLV} -- --port 80"),
    ("node", "node server.js", f"node {INSPECT} server.js"),
    ("node", "node --watch --env-file .env server.js -x", f"node {INSPECT} --env-file .env server.js -x"),
    ("node", "node --inspect=0.0.0.0:9000 server.js", f"node {INSPECT} server.js"),
    ("node", "node --watch-path=src server.js", f"node {INSPECT} server.js"),
    ("java", "java -Xmx1g -jar app.jar a", f"java {JDWP} -Xmx1g -jar app.jar a"),
    ("java", "./mvnw -q spring-boot:run", f"./mvnw -q spring-boot:run -Dspring-boot.run.jvmArguments={JDWP}"),
    ("ruby", "ruby app.rb", f"{RDBG} ruby app.rb"),
    ("ruby", "bundle exec rackup -p 80", f"{RDBG} bundle exec rackup -p 80"),
    ("ruby", "env A=b bundle exec rails s", f"env A=b {RDBG} bundle exec rails s"),
    ("php", "php -S 0:80 -t public", f"{php()} php {XDEBUG} -S 0:80 -t public"),
    ("php", "env A=b php8.2 -d memory_limit=1G -c x.ini bin/console work", CONSOLE),
    ("php", "php -dx=1 -n -f job.php 1", f"{php('php -dx=1 -n')} php -dx=1 -n {XDEBUG} -f job.php 1"),
    ("lldb", "./app -x", "lldb-server gdbserver 127.0.0.1:1234 -- ./app -x"),
    ("lldb", "env A=b target/debug/app", "env A=b lldb-server gdbserver 127.0.0.1:1234 -- target/debug/app"),
    ("gdb", "./app -x", "gdbserver 127.0.0.1:1234 ./app -x"),
    ("gdb", "target/debug/app", "gdbserver 127.0.0.1:1234 target/debug/app"),
]

ADVISED = [
    ("python", "gunicorn app:app", "other processes"),
    ("python", "python -m gunicorn app:app", "other processes"),
    ("python", "python", "from a terminal"),
    ("python", "python -m", "nothing follows"),
    ("python", "./serve.sh", "no Python"),
    ("python", "uv run --frozen python app.py", "not to be seen"),
    ("go", "go test ./...", "no program of yours"),
    ("go", "go run -tags a .", "may have a value"),
    ("go", "go run a.go b.go", "names no package"),
    ("go", "server", "not seen"),
    ("go", "go run '-ldflags=-s -w' .", "a space"),
    ("node", "npm run start", "process of its own"),
    ("node", "nodemon server.js", "process of its own"),
    ("node", "node", "no script"),
    ("java", "./gradlew -q run", "JVM of its own"),
    ("java", "mvn exec:java", "JVM of its own"),
    ("java", "mvn spring-boot:run -Dspring-boot.run.jvmArguments=-Xmx1g", "arguments itself"),
    ("ruby", "puma -w 2", "workers"),
    ("ruby", "unicorn", "other processes"),
    ("php", "php artisan serve", "process of its own"),
    ("php", "php", "neither a script nor an address"),
    ("php", "php -a", "neither a script nor an address"),
    ("php", "composer start", "process of its own"),
    ("php", "php-fpm8.2 -F", "other processes"),
    ("php", "apache2-foreground", "other processes"),
    ("php", "./serve.sh", "not seen to be PHP"),
    ("php", "uv run --frozen php x.php", "not to be seen"),
    ("lldb", "cargo run", "process of its own"),
    ("lldb", "app", "not seen"),
    ("lldb", "uv run --frozen ./app", "not to be seen"),
    ("gdb", "cargo run", "process of its own"),
    ("gdb", "app", "not seen"),
]


def rewrite(name, text, **wish):
    adapter = BY_NAME[name]
    return adapter.rewrite(tuple(shlex.split(text)), Wish(**{"port": adapter.port, "wait": False} | wish))


@pytest.mark.parametrize(("name", "run", "debug"), WRITTEN, ids=lambda one: one)
def test_a_command_is_written_anew_under_the_debugger(name, run, debug):
    assert rewrite(name, run).command == tuple(shlex.split(debug))


@pytest.mark.parametrize(("name", "run", "reason"), ADVISED, ids=lambda one: one)
def test_what_cannot_be_written_anew_is_said_with_what_to_write(name, run, reason):
    found = rewrite(name, run)

    assert isinstance(found, Advice), found
    assert reason in found.reason
    assert BY_NAME[name].port_of(tuple(shlex.split(found.write.strip("[]").replace(",", "")))) in (
        BY_NAME[name].port,
        None,
    )


@pytest.mark.parametrize(("name", "run", "debug"), WRITTEN, ids=lambda one: one)
def test_what_is_written_names_its_port_and_is_known_again(name, run, debug):
    command = rewrite(name, run, port=4321).command

    assert BY_NAME[name].port_of(command) == 4321
    assert "4321" in " ".join(command)
    assert not any(word.startswith(("NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "PYTHONPATH")) for word in command)


@pytest.mark.parametrize(
    ("name", "run", "waits", "goes"),
    [
        ("python", "python app.py", "--wait-for-client", ""),
        ("go", "./server", "", "--continue"),
        ("node", "node app.js", "--inspect-brk=127.0.0.1:9229", INSPECT),
        ("java", "java Main", "suspend=y", "suspend=n"),
        ("ruby", "ruby app.rb", "", "--nonstop"),
    ],
)
def test_a_program_waits_for_its_debugger_only_where_the_config_says_so(name, run, waits, goes):
    going, waiting = (" ".join(rewrite(name, run, wait=wait).command) for wait in (False, True))

    assert goes in going and (not waits or waits not in going)
    assert waits in waiting and (not goes or goes not in waiting)


@pytest.mark.parametrize(
    ("name", "command", "port"),
    [
        ("python", "python -m debugpy --listen 5679 app.py", 5679),
        ("python", "python -m debugpy --listen 0.0.0.0:5680 --wait-for-client app.py", 5680),
        ("go", "dlv exec --listen=:40000 ./app", 40000),
        ("go", "dlv debug -l 127.0.0.1:4000", 4000),
        ("node", "node --inspect app.js", None),
        ("node", "node --inspect-brk=9230 app.js", 9230),
        ("node", "sh -c 'node --inspect=0.0.0.0:9231 app.js'", 9231),
        ("java", "java -agentlib:jdwp=transport=dt_socket,server=y,address=*:8000,suspend=n Main", 8000),
        ("java", "java -agentlib:jdwp=transport=dt_socket,server=y,address=8001 Main", 8001),
        ("java", "./gradlew run --debug-jvm", None),
        ("ruby", "rdbg -O --port 3333 -c -- ruby app.rb", 3333),
        ("gdb", "gdbserver --once :2000 ./app", 2000),
        ("gdb", "gdbserver localhost:2001 ./app 10.0.0.1:80", 2001),
    ],
)
def test_the_port_is_read_from_a_command(name, command, port):
    assert BY_NAME[name].port_of(tuple(shlex.split(command))) == port


@pytest.mark.parametrize(
    ("name", "command", "asking"),
    [
        ("python", "python -m debugpy --listen 5678 app.py", Asking.DAP),
        ("go", "dlv exec --headless --accept-multiclient ./app", Asking.DELVE),
        ("node", "node --inspect-brk app.js", Asking.INSPECTOR),
        ("java", f"java {JDWP} Main", Asking.JDWP),
        ("java", f"java {JDWP.replace('=n', '=y')} Main", Asking.NOTHING),
        ("java", "./gradlew run --debug-jvm", Asking.NOTHING),
        ("ruby", "rdbg -O -c -- ruby app.rb", Asking.NOTHING),
        ("gdb", "gdbserver :1 ./app", Asking.NOTHING),
        ("lldb", "lldb-server gdbserver :1 -- ./app", Asking.PROCESS),
    ],
)
def test_who_would_be_harmed_by_a_question_is_not_asked(name, command, asking):
    assert BY_NAME[name].asking(tuple(shlex.split(command))) is asking


@pytest.mark.parametrize("command", ["dlv dap --listen=:2345", "dlv exec --headless ./app", "sh -c 'dlv dap'"])
def test_a_dlv_that_ends_with_its_first_client_is_refused(command):
    with pytest.raises(UsageError):
        BY_NAME["go"].asking(tuple(shlex.split(command)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("python app.py", "python app.py"),
        ("exec python 'my app.py'", "python 'my app.py'"),
        ("A=b C=d python app.py", "env A=b C=d python app.py"),
        ("cd x && python app.py", None),
        ("python $APP", None),
        ("python app.py > log", None),
        ("python 'app.py", None),
        ("python *.py", None),
        ("exec", None),
    ],
)
def test_a_shells_text_is_plain_where_it_is_only_words(text, words):
    assert plain(("sh", "-c", text)) == (None if words is None else tuple(shlex.split(words)))


def test_a_list_of_words_is_plain_as_it_is():
    assert plain(("python", "-c", "a && b")) == ("python", "-c", "a && b")


def test_the_program_of_a_shells_text_is_the_first_that_it_starts():
    assert program_of(("sh", "-c", "npm ci && node app.js")) == "npm"
    assert program_of(("sh", "-c", "exec node app.js | cat")) == "node"
    assert program_of(("env", "A=b")) == program_of(()) == ""


def test_what_stands_before_a_program_is_kept_apart():
    found = take_apart(("env", "A=b", "/usr/bin/env", "poetry", "run", "python", "-u"))

    assert found is not None
    assert (found.before[-2:], found.program, found.words) == (("poetry", "run"), "python", ("-u",))


def test_flags_are_taken_out_with_their_values():
    words = ("--a", "1", "--b", "--c=2", "--c", "3", "end")

    assert without(words, flags=("--b",), valued=("--c",)) == ("--a", "1", "end")
