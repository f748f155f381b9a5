"""`devcfg doctor` without a cluster: what is here is looked at, trouble has a way on, a bundle tells nothing."""

import json
import zipfile

import pytest

from devcfg.runtime.checkup.bundle import private_words, redacted, shown_only, write_bundle
from devcfg.runtime.checkup.finding import Finding, Verdict
from devcfg.runtime.checkup.machine import check_watcher
from devcfg.runtime.cluster.cluster import Identity
from devcfg.runtime.workspace import open_workspace

SYNCED = """\
base: base.yaml
services:
  web:
    command: {run: [serve, --token, hunter2]}
    env: {PASSWORD: hunter3, image: hunter4}
    sync: ["src:/src"]
"""


def test_a_fine_project_without_a_cluster_is_healthy_as_far_as_can_be_seen(web):
    done = web.devcfg("doctor")

    assert done.code == 0
    assert "ok    config: `devcfg.yaml` is valid" in done.out
    assert "skip  cluster: there is no kubeconfig" in done.out


def test_programs_get_every_finding_with_verdict_and_fix(web):
    web.write("devcfg.yaml", "base: base.yaml\nservices:\n  web: {imagee: x}\n")

    done = web.devcfg("doctor", "-o", "json")

    assert done.code == 1
    found = json.loads(done.out)
    assert found["version"] == 1
    assert {tuple(one) for one in found["checks"]} == {("check", "verdict", "words", "fix")}
    (config,) = (one for one in found["checks"] if one["check"] == "config")
    assert (config["verdict"], config["fix"]) == ("failure", "`devcfg validate` shows each with its place")
    assert "unknown key `imagee`" in config["words"]


def test_without_a_config_it_says_so_and_goes_on(work):
    done = work.devcfg("doctor")

    assert done.code == 1
    assert "FAIL  config: there is no devcfg.yaml here or above" in done.out
    assert "cluster" in done.out


def test_a_base_that_nothing_here_can_build_is_named(web, monkeypatch, tmp_path):
    web.write("k8s/kustomization.yaml", "resources: []\n")
    web.write("devcfg.yaml", "base: k8s\nservices: {web: {}}\n")
    monkeypatch.setenv("PATH", str(tmp_path))

    done = web.devcfg("doctor")

    assert done.code == 1
    assert "FAIL  kustomize: `k8s` is a kustomization, and neither kubectl nor kustomize is on the PATH" in done.out


@pytest.mark.parametrize(
    ("watches", "instances", "verdicts"),
    [
        (100_000, 10_000_000, [Verdict.OK]),
        (15, 10_000_000, [Verdict.WARNING]),
        (4, 10_000_000, [Verdict.FAILURE]),
        (100_000, 0, [Verdict.OK, Verdict.FAILURE]),
        (None, None, [Verdict.SKIPPED]),
    ],
)
def test_limits_of_the_watcher_are_held_against_the_directories_of_the_source(web, watches, instances, verdicts):
    web.write("devcfg.yaml", SYNCED)
    for name in "abcdefgh":
        web.write(f"src/{name}/file", "")
    web.write("src/.git/objects/x", "")
    limits = web.root / "limits"
    limits.mkdir()
    for name, value in (("max_user_watches", watches), ("max_user_instances", instances)):
        if value is not None:
            (limits / name).write_text(f"{value}\n")

    found = list(check_watcher(open_workspace(None), (), str(limits)))

    assert [one.verdict for one in found] == verdicts
    assert all(one.fix.startswith("`sudo sysctl") for one in found if one.verdict in (Verdict.FAILURE, Verdict.WARNING))
    assert watches is None or found[0].words.startswith("9 directories to watch")


def test_a_bundle_has_findings_and_config_and_no_secret(web):
    web.write("devcfg.yaml", SYNCED)
    web.write("src/a", "")

    done = web.devcfg("doctor", "--bundle", "out.zip")

    assert "wrote out.zip" in done.err
    with zipfile.ZipFile(web.root / "out.zip") as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert set(texts) == {"doctor.json", "devcfg.json"}
    assert "hunter" not in "".join(texts.values())
    config = json.loads(texts["devcfg.json"])["services"]["web"]
    assert config["env"] == {"PASSWORD": "…", "image": "…"}
    assert (web.root / "out.zip").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ("{env: {TOKEN: [hunter]}}", "wrong-type at devcfg.yaml:3:22"),
        ("{env: {TOKEN: {valueFrom: hunter}}}", "wrong-type at devcfg.yaml:3:34"),
        ("{env: {TOKEN: {hunter: x}}}", "wrong-type at devcfg.yaml:3:22"),
        ("{env: {TOKEN: !hunter x}}", "explicit-tag at devcfg.yaml:3:22"),
        ("{env: {TOKEN: *hunter}}", "unknown-alias at devcfg.yaml:3:22"),
        ("{env: {TOKEN: a: hunter}}", "yaml-syntax at devcfg.yaml:3:23"),
        ("{command: {run: [serve, {hunter: 1}]}}", "wrong-type at devcfg.yaml:3:32"),
        ("{command: {run: {hunter: 1}}}", "wrong-type at devcfg.yaml:3:24"),
    ],
)
def test_a_bundle_names_codes_and_places_of_a_broken_config_and_quotes_nothing(web, spec, code):
    web.write("devcfg.yaml", f"base: base.yaml\nservices:\n  web: {spec}\n")

    done = web.devcfg("doctor", "-o", "json", "--bundle", "out.zip")

    assert done.code == 1
    with zipfile.ZipFile(web.root / "out.zip") as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert "hunter" not in "".join(texts.values())
    checks = json.loads(texts["doctor.json"])["checks"]
    assert {tuple(one) for one in checks} == {("check", "verdict", "words", "fix")}
    assert code in next(one["words"] for one in checks if one["check"] == "config")


def test_a_bundle_hides_what_a_cluster_quotes_of_the_config(web):
    web.write(
        "devcfg.yaml",
        "base: base.yaml\nservices:\n  web:\n    image: dev:1\n"
        '    env: {TOKEN: "hun\\"ter1\\nhunter2", PIN: 0x1234}\n'
        '    command: {run: "TOKEN=hunter3 serve --key hunter4"}\n',
    )
    said = 'pod `web` of image dev:1: "hun\\"ter1\\nhunter2", 0x1234, `hunter3`: no --key \'hunter4\' here'

    write_bundle("out.zip", [Finding("rehearsal", Verdict.FAILURE, said, "say hunter3")], open_workspace(None), None)

    with zipfile.ZipFile(web.root / "out.zip") as archive:
        (check,) = json.loads(archive.read("doctor.json"))["checks"]
        config = json.loads(archive.read("devcfg.json"))["services"]["web"]
    assert check["words"] == "pod `web` of image dev:1: \"…\", …, `…`: no … '…' here"
    assert check["fix"] == "say …"
    assert config == {"image": "dev:1", "env": {"TOKEN": "…", "PIN": "…"}, "command": {"run": "…"}}


def test_a_field_of_the_users_own_is_hidden_whatever_its_name_is():
    env = {"X": {"valueFrom": {"fieldRef": {"path": "secret"}}}}
    patches = [{"op": "add", "path": "/spec", "value": {"user": "secret", "env": [{"value": "secret"}]}}]

    assert shown_only({"services": {"web": {"env": env, "patches": patches}}}) == {
        "services": {
            "web": {
                "env": {"X": {"valueFrom": {"fieldRef": {"path": "…"}}}},
                "patches": [{"op": "add", "path": "/spec", "value": {"user": "…", "env": [{"value": "…"}]}}],
            }
        }
    }


def test_what_is_shown_of_a_config_are_named_fields_alone():
    given = {"image": "a:1", "patches": [{"value": "secret", "path": "/spec"}], "env": {"image": "x"}, "ports": ["1"]}

    assert shown_only(given) == {
        "image": "a:1",
        "patches": [{"value": "…", "path": "/spec"}],
        "env": {"image": "…"},
        "ports": ["1"],
    }


def test_names_of_cluster_and_user_become_words_and_parts_of_words_stay():
    words = private_words(Identity("ann@east", "https://k8s.corp.example:6443", "team-a", "ann"))
    said = redacted(
        "context `ann@east`: https://k8s.corp.example:6443 as `ann`, not joanna, in team-a, not team-abc", words
    )

    assert said == "context `CONTEXT`: https://SERVER:6443 as `USER`, not joanna, in NAMESPACE, not team-abc"
