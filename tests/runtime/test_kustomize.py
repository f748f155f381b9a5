"""Builds of a kustomize base: kept for their owner, refused when not as we wrote them, and never with a kubeconfig."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from devcfg.runtime.kustomize import KEPT, build, cache_home
from devcfg.schemas.errors import BaseError


def entry_of():
    (found,) = Path(os.environ["XDG_CACHE_HOME"]).rglob("*.json")
    return found


def signed(rows):
    text = json.dumps(rows)
    return f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}"


FORGED = [({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "forged"}}, "web.yaml", 1)]


def names():
    return [one.name for one in build("k8s/base")]


def test_the_cache_is_for_its_owner_alone(built):
    names()

    assert stat.S_IMODE(entry_of().stat().st_mode) == 0o600
    assert stat.S_IMODE(entry_of().parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 5000,
        b"{",
        b"not a digest\n[]",
        b"0" * 64 + b"\n[]",
        b"[" * 100_000,
        b"\xff\n[]",
        json.dumps(FORGED).encode(),
    ],
    ids=range(8),
)
def test_a_corrupt_entry_is_built_again_and_replaced(built, content):
    names()
    good = entry_of().read_bytes()
    entry_of().write_bytes(content)

    assert names() == ["web"]
    assert entry_of().read_bytes() == good


def test_half_an_entry_is_built_again(built):
    names()
    good = entry_of().read_bytes()
    entry_of().write_bytes(good[: len(good) // 2])

    assert names() == ["web"]


def test_an_entry_that_others_may_write_counts_for_nothing(built):
    names()
    entry_of().write_text(signed(FORGED))
    assert names() == ["forged"], "an entry of our own is used: otherwise the next line shows nothing"
    entry_of().chmod(0o666)

    assert names() == ["web"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_an_entry_of_another_user_counts_for_nothing(built):
    names()
    entry_of().write_text(signed(FORGED))
    os.chown(entry_of(), 12345, 12345)

    assert names() == ["web"]


def test_an_entry_that_is_a_link_counts_for_nothing(built, tmp_path):
    names()
    (tmp_path / "forged.json").write_text(signed(FORGED))
    entry = entry_of()
    entry.unlink()
    entry.symlink_to(tmp_path / "forged.json")

    assert names() == ["web"]
    assert (tmp_path / "forged.json").read_text() == signed(FORGED)


def test_an_entry_that_is_a_pipe_is_not_waited_for(built):
    names()
    entry = entry_of()
    entry.unlink()
    os.mkfifo(entry)

    assert names() == ["web"]


@pytest.mark.parametrize("value", ["relative/cache", ".", "", "~"])
def test_a_cache_home_that_is_not_absolute_is_ignored(built, monkeypatch, value):
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    before = built.files()
    names()

    assert cache_home() == os.path.join(os.environ["HOME"], ".cache", "devcfg")
    assert built.files() == before


@pytest.mark.parametrize("make", ["a file", "a dangling link", "a pipe"])
def test_a_cache_home_that_cannot_be_used_is_no_failure(built, monkeypatch, tmp_path, make):
    home = tmp_path / "cache-home"
    match make:
        case "a file":
            home.write_text("mine")
        case "a dangling link":
            home.symlink_to(tmp_path / "nowhere/deep")
        case _:
            os.mkfifo(home)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))

    assert names() == ["web"]


def test_no_more_than_the_last_builds_are_kept(built):
    names()
    folder = entry_of().parent
    for number in range(KEPT + 5):
        old = folder / f"old{number}.json"
        old.write_text("x")
        os.utime(old, (number, number))
    built.write("k8s/base/other.txt", "a change")
    names()

    assert len(list(folder.iterdir())) == KEPT
    assert not (folder / "old0.json").exists()


def test_places_are_seen_from_here_with_a_cold_cache_and_a_warm_one(built, monkeypatch):
    places = [[one.place for one in build("k8s/base")] for _ in range(2)]
    (built.root / "below").mkdir()
    monkeypatch.chdir(built.root / "below")

    assert places == [["k8s/base/web.yaml:1"]] * 2
    assert [one.place for one in build("../k8s/base")] == ["../k8s/base/web.yaml:1"]


def test_an_error_names_the_base_as_it_is_seen_from_here(built):
    built.write("k8s/base/kustomization.yaml", "resources: [web.yaml]\nresource: [x]\n")
    with pytest.raises(BaseError) as raised:
        build("k8s/base")
    (finding,) = raised.value.diagnostics

    assert (finding.code, finding.file) == ("base-build", "k8s/base/kustomization.yaml")
    assert str(built.root) not in finding.message


def test_without_a_program_that_builds_the_finding_says_so(built, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BaseError) as raised:
        build("k8s/base")

    assert [one.code for one in raised.value.diagnostics] == ["base-tool"]


@pytest.mark.parametrize("place", ["", "."])
def test_a_program_in_the_working_directory_is_never_started(built, monkeypatch, place):
    built.write("kubectl", "#!/bin/sh\ntouch started\n").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    names()

    assert not (built.root / "started").exists()


COMMANDS = [
    ["validate"],
    ["validate", "-o", "json"],
    ["render"],
    ["render", "--all"],
    ["render", "--format", "component"],
    ["render", "--format", "json-patch"],
    ["render", "--format", "inverse"],
    ["render", "--write"],
    ["render", "--check"],
    ["diff"],
    ["explain", "services.web.image"],
    ["explain", "devcfg.yaml:4"],
    ["schema"],
]


def test_no_command_opens_a_kubeconfig(built, tmp_path):
    """Both places are pipes: whoever opens one waits for ever, kubectl too. In our process every open is listed."""
    home = tmp_path / "home"
    (home / ".kube").mkdir(parents=True)
    os.mkfifo(home / ".kube/config")
    os.mkfifo(tmp_path / "kubeconfig")
    environment = {**os.environ, "HOME": str(home), "KUBECONFIG": str(tmp_path / "kubeconfig")}
    program = (
        "import sys\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, words: opened.append(str(words[0])) if event == 'open' else None)\n"
        "from devcfg.runtime.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    assert opened, 'the hook sees nothing'\n"
        "    assert not [one for one in opened if 'kube' in one and 'config' in one], opened\n"
    )
    for words in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-c", program, *words], env=environment, capture_output=True, text=True, timeout=60
        )

        assert (words, done.returncode, "Traceback" in done.stderr) == (words, 0, False), done.stderr


def test_validate_opens_nothing_outside_the_project_but_its_own_code(built, tmp_path):
    program = (
        "import os, sys\n"
        "from devcfg.runtime.cli import main\n"
        "opened = []\n"
        "def hook(event, words):\n"
        "    if event == 'open' and isinstance(words[0], str): opened.append(os.path.realpath(words[0]))\n"
        "sys.addaudithook(hook)\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    sys.stdout.write('\\n'.join(opened))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, "validate"], capture_output=True, text=True, timeout=60)
    code = [os.path.realpath(one) for one in (sys.prefix, sys.base_prefix, *map(os.path.dirname, _rooms()))]
    fine = (str(built.root), os.environ["XDG_CACHE_HOME"], *code, "/dev/null", "/proc/")

    assert str(built.root / "devcfg.yaml") in done.stdout.split("\n")
    assert [one for one in done.stdout.split("\n") if one and not one.startswith(fine)] == []


def _rooms():
    import devcfg.runtime

    return [os.path.realpath(os.path.dirname(devcfg.runtime.__file__))]
