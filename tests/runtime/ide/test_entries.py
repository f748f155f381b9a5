"""What stands in an entry: keys that its extension knows, names that lead to each other, ports that stay the same."""

import re
import xml.etree.ElementTree as ET

import pytest

from devcfg.compiler.parser import read_config
from devcfg.runtime.cli import main
from devcfg.runtime.debug.adapters.adapter import Traces
from devcfg.runtime.debug.choice import choose
from devcfg.runtime.ide import jetbrains, nvim, vscode
from devcfg.runtime.ide.entries import Adapter, Attach, Untold, attach_to
from devcfg.runtime.ide.jsonc import scan
from devcfg.runtime.ide.ports import local_port

COMMANDS = {
    "python": ["python", "-m", "debugpy", "--listen", "127.0.0.1:5678", "app.py"],
    "go": ["dlv", "exec", "./app", "--headless", "--accept-multiclient", "--continue", "--listen=127.0.0.1:2345"],
    "node": ["node", "--inspect", "app.js"],
    "java": ["java", "App"],
    "ruby": ["rdbg", "app.rb"],
    "php": ["php", "-S", "127.0.0.1:80"],
    "gdb": ["gdbserver", "127.0.0.1:1234", "./app"],
    "lldb": ["lldb-server-14", "gdbserver", "127.0.0.1:1234", "--", "./app"],
}
ANY = {"name", "type", "request", "preLaunchTask", "postDebugTask"}
KEYS = {
    "debugpy": {"connect", "justMyCode", "subProcess", "pathMappings"},
    "go": {"mode", "debugAdapter", "host", "port", "substitutePath"},
    "node": {"address", "port", "localRoot", "remoteRoot", "restart", "sourceMaps", "skipFiles"},
    "java": {"hostName", "port", "timeout", "sourcePaths"},
    "rdbg": {"debugPort", "localfsMap"},
    "php": {"hostname", "port", "pathMappings"},
    "lldb": {"targetCreateCommands", "processCreateCommands", "sourceMap"},
    "cppdbg": {"MIMode", "program", "miDebuggerServerAddress", "sourceFileMap", "cwd"},
}
"""What each extension declares for its debugger in `contributes.debuggers` of its package.json."""
TASK = {"label", "type", "command", "args", "isBackground", "presentation", "problemMatcher"}


def config_of(text):
    return read_config(text.encode(), file="devcfg.yaml").config


def attach(name, service):
    traces = Traces(service.command.run, service.command.debug)
    return attach_to(name, service, choose(name, service, traces), local_port("shop", name))


@pytest.fixture(scope="module")
def config():
    services = "".join(
        f"  my-{name}: {{command: {{debug: {command}}}, debug: {{adapter: {name}}}, sync: ['{name}:/src']}}\n"
        for name, command in COMMANDS.items()
    )
    return config_of(f"services:\n{services}")


@pytest.fixture(scope="module")
def attaches(config):
    return [attach(name, service) for name, service in config.services.items()]


def test_every_key_of_an_entry_is_one_that_its_extension_declares(attaches):
    entries = [vscode.attach_entry(one) for one in attaches]

    assert {one["type"] for one in entries} == set(KEYS)
    for one in entries:
        assert set(one) <= ANY | KEYS[one["type"]]
        assert set(one) >= ANY
        assert "127.0.0.1" in str(one)
        assert one["request"] == ("launch" if one["type"] in ("cppdbg", "php") else "attach")


def test_what_needs_an_extension_names_it():
    assert set(vscode.EXTENSIONS) == set(Adapter) - {Adapter.NODE}


def test_every_path_of_an_entry_leads_from_the_workspace_to_the_sync_target(attaches):
    for one in attaches:
        text = str(vscode.connection(one))

        assert f"${{workspaceFolder}}/{one.adapter.value}" in text
        assert "'/src'" in text or "/src:" in text or one.adapter is Adapter.JAVA


def test_every_task_and_entry_that_is_named_is_there(config, attaches):
    launch = scan(vscode.launch_text("", attaches, ())).value
    tasks = scan(vscode.tasks_text("", config, attaches, (), "")).value["tasks"]
    labels = {one["label"] for one in tasks}
    names = {one["name"] for one in launch["configurations"]}

    assert {one[key] for one in launch["configurations"] for key in ("preLaunchTask", "postDebugTask")} <= labels
    assert [set(one["configurations"]) for one in launch["compounds"]] == [names]
    assert all(set(one) <= TASK for one in tasks)
    assert all(one.startswith("devcfg: ") for one in labels | names)


def test_a_background_task_that_is_waited_for_says_how(config, attaches):
    tasks = scan(vscode.tasks_text("", config, attaches, (), "")).value["tasks"]
    waited = [one for one in tasks if one["label"].startswith("devcfg: debug ")]

    assert len(waited) == len(COMMANDS)
    for one in waited:
        matcher = one["problemMatcher"]
        assert one["isBackground"]
        assert one["args"][-1] == "--stay"
        # Without a pattern, VS Code takes the whole matcher for broken and waits for ever.
        assert matcher["pattern"]
        assert re.search(matcher["background"]["endsPattern"], "[devcfg] debugger ready 127.0.0.1:20001")
        assert re.search(matcher["background"]["endsPattern"], "[devcfg] failed")
        assert re.search(matcher["background"]["beginsPattern"], "[devcfg] restarting")


def test_the_problem_matcher_reads_what_a_broken_config_prints(tmp_path, monkeypatch, capsys):
    (tmp_path / "devcfg.yaml").write_text("services:\n  web:\n    comand: {}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["devcfg", "ide", "vscode"])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().err
    first, second = vscode.MATCHER["pattern"]
    lines = said.splitlines()
    words, place = re.search(first["regexp"], lines[0]), re.search(second["regexp"], lines[1])

    assert words[first["severity"]] == "error"
    assert words[first["message"]].startswith("unknown key `comand`")
    assert [place[second[key]] for key in ("file", "line", "column")] == ["devcfg.yaml", "3", "5"]


def test_a_run_configuration_is_xml_with_the_port_and_a_name_of_ours(attaches):
    texts = {one.adapter: jetbrains.configuration(one) for one in attaches}

    unknown = {Adapter.RUBY, Adapter.PHP, Adapter.LLDB}
    assert all(isinstance(texts.pop(one), Untold) for one in unknown)
    assert set(texts) == set(Adapter) - unknown
    for one in attaches:
        if one.adapter in texts:
            text = texts[one.adapter]
            (configuration,) = ET.fromstring(text)
            assert configuration.get("name") == f"devcfg: attach {one.service}"
            assert configuration.get("type")
            assert str(one.port) in text
            assert jetbrains.is_ours(text)


def test_what_stands_in_a_run_configuration_is_escaped():
    config = config_of("services: {web: {command: {run: python app.py}, sync: [{path: '<a> & \"b\"', target: /src}]}}")
    text = jetbrains.configuration(attach("web", config.services["web"]))
    (mapping,) = ET.fromstring(text).iter("mapping")

    assert mapping.get("local-root") == '$PROJECT_DIR$/<a> & "b"'


def test_a_quotation_mark_does_not_leave_a_string_of_lua():
    config = config_of(
        """services: {web: {command: {run: python app.py}, sync: [{path: 'a" .. os.exit() .. "', target: /src}]}}"""
    )
    text = nvim.table([attach("web", config.services["web"])])

    assert r'localRoot = "${workspaceFolder}/a\" .. os.exit() .. \"",' in text


@pytest.mark.parametrize(
    ("words", "workdir", "program"),
    [
        ("[gdbserver, --once, ':1', ./app, -v]", "", "native/app"),
        ("[gdbserver, ':1', ../app]", "workdir: /src/build,", "native/app"),
        ("[gdbserver, ':1', /src/build/app]", "workdir: /tmp,", "native/build/app"),
        ("[lldb-server-14, gdbserver, ':1', --, ./app, -v]", "", "native/app"),
    ],
)
def test_the_program_that_gdb_reads_is_the_local_one(words, workdir, program):
    text = f"services: {{web: {{command: {{debug: {words}}}, {workdir} sync: ['native:/src']}}}}"
    found = attach("web", config_of(text).services["web"])

    assert isinstance(found, Attach)
    assert found.program == program


def test_a_port_is_the_same_for_ever():
    assert (local_port("shop", "web"), local_port("shop", "api")) == (28916, 22994)


def test_ports_lie_below_those_that_systems_give_away():
    found = [local_port("shop", f"service-{number}") for number in range(2000)]

    assert min(found) >= 20000
    assert max(found) < 30000
    assert len(set(found)) > 1700
