"""The command line as a whole: exit codes, what goes where, and that nothing in a file can do harm."""

import itertools
import os
import re
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

VERBS = (
    "validate",
    "render",
    "diff",
    "explain",
    "schema",
    "ide",
    "demo",
    "up",
    "down",
    "rbac",
    "doctor",
    "status",
    "run",
    "debug",
    "stop",
    "restart",
    "logs",
    "test",
    "shell",
    "exec",
    "sync",
)
EVERY_WAY = (
    ("validate",),
    ("validate", "-o", "json"),
    ("validate", "-o", "sarif"),
    ("validate", "-o", "github"),
    ("render",),
    ("render", "--all"),
    ("render", "--format", "component"),
    ("render", "--format", "json-patch"),
    ("render", "--format", "inverse"),
    ("render", "--check"),
    ("render", "--write"),
    ("diff",),
    ("explain", "devcfg.yaml:4"),
    ("explain", "services.web.env"),
)


def started(*words, **more):
    """Run devcfg in a process of its own."""
    return subprocess.run([sys.executable, "-m", "devcfg.runtime", *words], capture_output=True, timeout=60, **more)


def test_help_is_given_for_every_verb(work):
    assert work.devcfg("--help").code == 0
    for verb in VERBS:
        done = work.devcfg(verb, "-h")
        assert (done.code, done.err, "Usage: devcfg" in done.out) == (0, "", True)


def test_every_verb_stands_in_the_help(work):
    assert set(re.findall(r"(?m)^  ([a-z]+) {2,}", work.devcfg("--help").out)) == set(VERBS)


def test_the_version_is_one_line_of_data(work):
    done = work.devcfg("--version")

    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"devcfg \d+\.\d+\.\d+\S*\n", done.out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nonsense",), "no such command"),
        (("validate", "--nonsense"), "no such option"),
        (("validate", "-o", "jsno"), "did you mean `json`?"),
        (("render", "--format", "plane"), "did you mean `plain`?"),
        (("render", "--write", "--check"), "cannot be meant together"),
        (("render", "--force"), "for `--write` alone"),
        (("render", "--kube-version", "1.20"), "too old"),
        (("render", "--kube-version", "new"), "wants a version"),
        (("render", "--all", "--format", "inverse"), "standard output alone"),
        (("validate", "wbe"), "did you mean `web`?"),
        (("explain", "servces"), "did you mean `services`?"),
        (("diff", "--live"), "not supported yet"),
        (("validate", "-f", "missing.yaml"), "no such file"),
        (("validate", "--base", "missing"), "there is no `missing`"),
    ],
)
def test_what_the_command_line_cannot_mean_is_exit_2_with_words_on_stderr(web, words, said):
    done = web.devcfg(*words)

    assert (done.code, done.out) == (2, "")
    assert said in done.err.lower()
    assert "traceback" not in done.err.lower()


@pytest.mark.parametrize("words", EVERY_WAY, ids=" ".join)
def test_a_fine_project_gives_data_on_stdout_and_words_on_stderr(web, words):
    web.write("kustomization.yaml", "resources: [base.yaml]\n")
    web.devcfg("render", "--write")
    done = web.devcfg(*words)

    assert done.code == 0
    assert not re.search(r"(?m)^(error|warning|note)\b", done.out)


HOSTILE = st.text(
    st.sampled_from("ab\x1b[2J]\x07\x9b\x7f\u202e\u2066\u200b\x08\r\n\t;$(`'\"&|<>../%\\🚀名"), min_size=1, max_size=12
)


def yaml_of(value):
    """Write JSON, which is YAML, with everything escaped that no file may hold bare."""
    import json

    return json.dumps(value).replace("\x7f", "\\u007f")


# Failing cases are not made smaller: each try runs every command.
@settings(
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=60,
)
@given(st.data())
def test_nothing_that_a_file_says_moves_the_cursor(web, data):
    """One or two texts of config and base come from a hostile alphabet, the others are fine; every command is run."""
    places, count = data.draw(st.sets(st.integers(0, 21), min_size=1, max_size=2)), itertools.count()

    def text(plain):
        return data.draw(HOSTILE) if next(count) in places else plain

    name, container = text("web"), text("web")
    pod = {
        "containers": [{"name": container, "image": text("web:1"), "env": [{"name": text("A"), "value": text("b")}]}],
        "volumes": [{"name": text("v"), text("emptyDir"): {}}],
    }
    labels = {"app": text("web"), text("k"): "v"}
    base = {
        "apiVersion": text("apps/v1"),
        "kind": text("Deployment"),
        "metadata": {"name": name, "namespace": text("shop"), "annotations": {text("a"): text("b")}},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": text("scaler"), "namespace": base["metadata"]["namespace"]},
        "spec": {"scaleTargetRef": {"kind": base["kind"], "name": name}, "maxReplicas": 3},
    }
    service = {
        "workload": f"deployment/{name}",
        "container": text(container),
        "podTemplate": "/spec/template",
        "command": {"run": [text("run")]},
        "env": {text("B"): text("c")},
        "patches": [{"op": "add", "path": "/metadata/labels", "value": {text("l"): text("m")}}],
        text("shell"): text("zsh"),
    }
    web.write("base.yaml", f"{yaml_of(base)}\n---\n{yaml_of(scaler)}\n")
    web.write("devcfg.yaml", yaml_of({"base": "base.yaml", "services": {"web": service}}))
    web.write("kustomization.yaml", "resources: [base.yaml]\n")
    before = sorted(os.listdir(web.root.parent))
    for words in EVERY_WAY:
        done = web.devcfg(*words)
        shown = done.err if words[0] in ("render", "validate") else done.said

        assert done.code in (0, 1, 2)
        assert "this is a fault of devcfg" not in done.err
        assert shown.replace("\n", "").isprintable(), (words, shown)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", done.out), (words, done.out)
    assert sorted(os.listdir(web.root.parent)) == before


@pytest.mark.parametrize("field", ["kind", "apiVersion", "name", "namespace"])
@pytest.mark.parametrize("value", ["../../../../out/x", "a/../../../../../out", "/tmp/out", "..", "a\x1b[2Jb", "a\nb"])
def test_no_name_of_a_base_leads_out_of_the_project(web, field, value):
    base = {
        "apiVersion": "x.y/v1",
        "kind": "Thing",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {"metadata": {}, "spec": {"containers": [{"name": "web", "image": "i"}]}}},
    }
    (base if field in base else base["metadata"])[field] = value
    web.write("base.yaml", yaml_of(base))
    web.write("kustomization.yaml", "resources: [base.yaml]\n")
    web.write("devcfg.yaml", "base: base.yaml\nservices: {web: {workload: thing/web, podTemplate: /spec/template}}\n")
    before = web.files("..")
    done = web.devcfg("render", "--write")

    assert (done.code, "error[bad-name]" in done.err) == (2, True)
    assert web.files("..") == before


def test_a_reader_that_leaves_early_is_no_error(web):
    program = f"{sys.executable} -m devcfg.runtime schema | head -c 10"
    done = subprocess.run(["sh", "-c", program], capture_output=True, text=True, timeout=60)

    assert (len(done.stdout), done.stderr) == (10, "")


def test_a_disk_that_is_full_is_said_in_words(web):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "devcfg.runtime", "render"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )

    assert (done.returncode, "no space left on device" in done.stderr) == (1, True)
    assert "Traceback" not in done.stderr


def test_closed_streams_are_no_traceback(web):
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m devcfg.runtime validate >&- <&-"], capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_a_machine_that_speaks_no_utf_8_gets_the_same_bytes(web):
    web.write("devcfg.yaml", (web.root / "devcfg.yaml").read_text() + "    env: {A: 名前}\n")
    found = {
        started("render", env={"PATH": os.environ["PATH"], "HOME": "/", **more}).stdout
        for more in ({"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"}, {"PYTHONIOENCODING": "latin-1"}, {"PYTHONUTF8": "0"})
    }

    assert len(found) == 1
    assert "名前".encode() in found.pop()


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_the_order_of_hashes_changes_no_byte(web, seed):
    one = started("render", "--format", "component", env={**os.environ, "PYTHONHASHSEED": seed})

    assert one.stdout.decode() == web.devcfg("render", "--format", "component").out
