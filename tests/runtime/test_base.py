"""What the base is, and how each form of it is read: nothing is waited for, and everything wrong comes at once."""

import os

import pytest

from devcfg.runtime.base import Form, find_base, read_base
from devcfg.runtime.workspace import open_workspace
from devcfg.schemas.errors import BaseError, UsageError

POD = "apiVersion: v1\nkind: Pod\nmetadata: {{name: {}}}\n"


def workspace(work, base):
    work.write("devcfg.yaml", f"base: {base!r}\nservices: {{web: {{}}}}\n")
    return open_workspace(None)


def names(work, base):
    found = workspace(work, base)
    return [one.name for one in read_base(found, find_base(found, None))]


@pytest.mark.parametrize(
    ("base", "form"),
    [
        ("k8s", Form.DIRECTORY),
        ("k8s/a.yaml", Form.FILE),
        ("built", Form.KUSTOMIZATION),
        ("-", Form.STDIN),
        ("cluster", Form.CLUSTER),
    ],
)
def test_the_form_of_a_base_is_what_is_there(work, base, form):
    work.write("k8s/a.yaml", POD.format("a"))
    work.write("built/Kustomization", "resources: []\n")

    assert find_base(workspace(work, base), None).form is form


def test_a_directory_is_read_in_order_without_what_lies_below_or_is_hidden(work):
    for name in ("b.yml", "a.yaml", "c.json", ".hidden.yaml", "notes.txt", "below/d.yaml"):
        text = (
            POD.format(name[0])
            if not name.endswith("json")
            else '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "c"}}'
        )
        work.write(f"k8s/{name}", text)

    assert names(work, "k8s") == ["a", "b", "c"]


def test_the_config_itself_is_no_manifest(work):
    work.write("a.yaml", POD.format("a"))
    work.write("devcfg.local.yaml", "services: {}\n")

    assert names(work, ".") == ["a"]


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("kind", ["a pipe", "a device", "a link to a device", "a socket"])
def test_what_is_neither_file_nor_directory_is_refused_at_once(work, kind, given):
    path = work.root / "base"
    match kind:
        case "a pipe":
            os.mkfifo(path)
        case "a device" | "a link to a device":
            path.symlink_to("/dev/zero")
        case _:
            import socket

            socket.socket(socket.AF_UNIX).bind("base")
    with pytest.raises(BaseError) as raised:
        find_base(workspace(work, "base"), "base" if given else None)

    assert "neither a directory nor a regular file" in str(raised.value)


def test_a_pipe_in_a_directory_is_passed_over(work):
    work.write("k8s/a.yaml", POD.format("a"))
    os.mkfifo(work.root / "k8s/b.yaml")

    assert names(work, "k8s") == ["a"]


@pytest.mark.parametrize("base", ["/etc", "~/k8s", "~root"])
def test_a_config_names_no_base_by_an_absolute_path(work, base):
    with pytest.raises(BaseError) as raised:
        find_base(workspace(work, base), None)

    assert [one.code for one in raised.value.diagnostics] == ["bad-path"]


def test_the_command_line_may_and_it_counts_from_here(work, tmp_path, monkeypatch):
    (tmp_path / "a.yaml").write_text(POD.format("a"))
    work.write("below/b.yaml", POD.format("b"))
    found = workspace(work, "k8s")
    monkeypatch.chdir(work.root / "below")

    assert find_base(found, str(tmp_path / "a.yaml")).form is Form.FILE
    assert find_base(found, "b.yaml").path == "b.yaml"
    with pytest.raises(UsageError):
        find_base(found, "k8s")


def test_everything_wrong_in_every_file_is_said_at_once(work):
    work.write("k8s/a.yaml", "kind: [\n")
    work.write("k8s/b.yaml", "- 1\n")
    with pytest.raises(BaseError) as raised:
        names(work, "k8s")

    assert [one.file for one in raised.value.diagnostics] == ["k8s/a.yaml", "k8s/b.yaml"]


@pytest.mark.parametrize(("base", "text"), [("k8s", None), ("k8s/a.yaml", "# nothing\n"), ("k8s/a.yaml", "")])
def test_a_base_without_an_object_is_an_error(work, base, text):
    (work.root / "k8s").mkdir()
    if text is not None:
        work.write("k8s/a.yaml", text)
    with pytest.raises(BaseError) as raised:
        names(work, base)

    assert [one.code for one in raised.value.diagnostics] == ["empty-base"]


def test_standard_input_is_a_base_of_its_own(work):
    workspace(work, "-")
    base = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: i}]}\n"

    assert work.devcfg("validate", stdin=base.encode()).code == 0
    assert work.devcfg("validate", stdin=b"").code == 2


def test_the_cluster_is_no_base_without_a_session(work):
    found = workspace(work, "cluster")
    with pytest.raises(UsageError):
        read_base(found, find_base(found, None))

    assert work.devcfg("validate").code == 0
