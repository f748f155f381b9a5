"""What a hostile repository cannot do to a laptop: start a program, open a kubeconfig, leak a base's secrets.

Threats T1, T12 and T13 of the threat model.
"""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

GUARD = """
import sys
STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.spawn"}
NETWORK = {"socket.connect", "socket.bind", "socket.getaddrinfo"}
def watch(event, arguments):
    if event in STARTS or event in NETWORK:
        print("started", event, arguments[:2], file=sys.stderr)
        sys.stderr.flush()
        import os
        os._exit(99)
    if event == "open" and "kubeconfig" in str(arguments[0]):
        print("opened", arguments[0], file=sys.stderr)
        import os
        os._exit(98)
sys.addaudithook(watch)
"""
RUN = """
import contextlib, io, json, os
from devcfg.runtime.cli import main
for words in json.loads(sys.stdin.read()):
    sys.argv = ["devcfg", *words]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            main()
        except SystemExit:
            pass
print("done")
"""
BASE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
"""
COMMANDS = (["validate"], ["validate", "-o", "sarif"], ["render"], ["render", "--all"], ["diff"], ["explain", "codes"],
            ["render", "--write"], ["render", "--check"], ["schema"], ["ide", "vscode", "--write"],
            ["ide", "jetbrains", "--write"])  # fmt: skip
WORDS = st.sampled_from(
    ["touch /tmp/devcfg-was-here", "$(touch x)", "`touch x`", "; touch x", "| sh", "-rf", "--help", "a\nb", "~/.ssh",
     "/etc/passwd", "../..", "!", "&& id", "'", '"', "$HOME", "file:///etc/passwd", "https://example.test/x"]
)  # fmt: skip
FIELDS = ("image", "workdir", "shell", "command", "env", "sync", "patches", "debug", "ports", "workload", "persist")
VALUES = st.one_of(
    WORDS,
    st.lists(WORDS, max_size=3),
    st.dictionaries(st.sampled_from(["run", "build", "debug", "path", "target", "A", "port", "op"]), WORDS, max_size=3),
)
SERVICES = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5)
CONFIGS = st.fixed_dictionaries(
    {"services": st.fixed_dictionaries({"web": SERVICES})},
    optional={"base": st.one_of(st.just("base.yaml"), WORDS), "output": VALUES, "images": VALUES, "namespace": WORDS},
)


def run(directory, commands):
    env = {"PATH": os.environ["PATH"], "HOME": str(directory), "KUBECONFIG": str(directory / "kubeconfig")}
    words = [sys.executable, "-c", GUARD + RUN]
    given = json.dumps(list(commands))
    return subprocess.run(words, input=given, cwd=directory, env=env, capture_output=True, text=True, check=False)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(configs=st.lists(CONFIGS, min_size=10, max_size=10))
def test_no_config_makes_a_command_start_a_program_or_open_a_kubeconfig(tmp_path_factory, configs):
    check_harmless(tmp_path_factory.mktemp("hostile"), configs)


@pytest.mark.proof
@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(configs=st.lists(CONFIGS, min_size=50, max_size=50))
def test_no_config_of_ten_thousand_makes_a_command_start_a_program(tmp_path_factory, configs):
    check_harmless(tmp_path_factory.mktemp("hostile"), configs)


def check_harmless(directory, configs):
    (directory / "base.yaml").write_text(BASE)
    (directory / "kubeconfig").write_text("{}")
    commands = []
    for at, config in enumerate(configs):
        name = f"config-{at}.yaml"
        (directory / name).write_text(json.dumps({"base": "base.yaml", **config}))
        commands += [[*words, "-f", name] for words in COMMANDS if words[0] not in ("explain", "schema")]
    done = run(directory, [*commands, ["explain", "codes"], ["schema"]])
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_the_guard_of_these_tests_notices_a_program_and_a_kubeconfig(tmp_path):
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s" / "kustomization.yaml").write_text("resources: []\n")
    (tmp_path / "devcfg.yaml").write_text("base: k8s\nservices: {web: {}}\n")
    (tmp_path / "kubectl").write_text("#!/bin/sh\n")
    (tmp_path / "kubectl").chmod(0o755)
    env = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    words = [sys.executable, "-c", GUARD + RUN]
    done = subprocess.run(words, input='[["validate"]]', cwd=tmp_path, env=env, text=True, check=False)
    assert done.returncode == 99


SECRETS = [f"hunter{number:02d}-{'s3cret' * 2}" for number in range(20)]


def test_no_output_shows_what_the_base_keeps_in_its_environment_or_its_secrets(tmp_path):
    env = [{"name": f"TOKEN_{at}", "value": value} for at, value in enumerate(SECRETS[:15])]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}}
    secret |= {"stringData": {f"key{at}": value for at, value in enumerate(SECRETS[15:])}}
    base = json.loads(json.dumps(BASE_OBJECT))
    base["spec"]["template"]["spec"]["containers"][0]["env"] = env
    (tmp_path / "base.yaml").write_text(f"{json.dumps(base)}\n---\n{json.dumps(secret)}\n")
    (tmp_path / "kustomization.yaml").write_text("resources: [base.yaml]\n")
    service = {"image": "dev:1", "env": {"TOKEN_3": "mine", "TOKEN_4": None, "NEW": "x"}, "workload": "deployment/web"}
    service |= {"sync": [{"path": "src", "target": "/src"}], "patches": {"metadata": {"labels": {"a": "b"}}}}
    (tmp_path / "src").mkdir()
    (tmp_path / "devcfg.yaml").write_text(json.dumps({"base": "base.yaml", "services": {"web": service}}))
    said = ""
    for words in (["validate"], ["validate", "-o", "json"], ["diff"], ["render", "--format", "component"],
                  ["render", "--format", "json-patch"], ["render", "--write"], ["explain", "devcfg.yaml:1"],
                  ["render", "--check"]):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "devcfg.runtime", *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (words, done.stderr)
        said += done.stdout + done.stderr
    for path in (tmp_path / "k8s").rglob("*"):
        said += path.read_text() if path.is_file() else ""
    assert "TOKEN_4" in said
    assert [one for one in SECRETS if one in said] == []


BASE_OBJECT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]},
        },
    },
}
