"""The config and what it names on this machine: nothing is followed out of the project, nothing is waited for."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.runtime.workspace import LIMIT, check_paths, find_config, merge_patch, open_workspace, read_bytes
from devcfg.schemas.errors import ConfigError, UsageError

JSON = st.recursive(
    st.none() | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


def test_the_nearest_config_above_is_found_and_named_from_here(web, monkeypatch):
    (web.root / "a/b").mkdir(parents=True)
    monkeypatch.chdir(web.root / "a/b")

    assert find_config(None) == "../../devcfg.yaml"
    web.write("a/devcfg.yml", "services: {web: {}}\n")
    assert find_config(None) == "../devcfg.yml"


def test_without_a_config_the_way_to_one_is_told(work, monkeypatch):
    monkeypatch.chdir("/")
    with pytest.raises(UsageError) as raised:
        find_config(None)

    assert "-f" in raised.value.hint


@pytest.mark.parametrize("kind", ["link", "pipe", "directory", "device"])
def test_a_config_is_a_regular_file_and_no_link(web, kind):
    path = web.root / "other.yaml"
    match kind:
        case "link":
            path.symlink_to("devcfg.yaml")
        case "pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
    with pytest.raises(UsageError):
        open_workspace("/dev/zero" if kind == "device" else "other.yaml")


def test_no_more_is_read_than_is_needed_to_refuse_a_file(work):
    work.write("big.yaml", b"#" * (LIMIT * 3))

    assert len(read_bytes("big.yaml")) == LIMIT + 1


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("..", "outside-root"),
        ("/etc", "outside-root"),
        ("../sibling", "outside-root"),
        ("inside", None),
        ("gone", "missing-path"),
    ],
)
def test_a_sync_path_behind_a_link_is_judged_by_where_it_leads(web, tmp_path, target, code):
    (tmp_path / "sibling").mkdir()
    (web.root / "inside").mkdir()
    (web.root / "link").symlink_to(target)
    web.write("devcfg.yaml", "services: {web: {sync: ['link:/src']}}\n")

    assert [one.code for one in check_paths(open_workspace(None), ())] == ([code] if code else [])


def test_a_link_on_the_way_counts_as_well_as_one_at_the_end(web):
    (web.root / "out").symlink_to("/usr")
    web.write("devcfg.yaml", "services: {web: {sync: ['out/bin:/src']}}\n")

    assert [one.code for one in check_paths(open_workspace(None), ())] == ["outside-root"]


def test_a_project_that_is_itself_behind_a_link_is_whole(web, tmp_path, monkeypatch):
    (tmp_path / "alias").symlink_to(web.root)
    (web.root / "src").mkdir()
    web.write("devcfg.yaml", "services: {web: {sync: ['src:/src']}}\n")
    monkeypatch.chdir(tmp_path)

    assert check_paths(open_workspace("alias/devcfg.yaml"), ()) == ()


@pytest.mark.parametrize("path", ["../x", "/etc", "~/x", "a/../../x", ".git", ".ssh/x", "C:/x", "a\\b"])
@pytest.mark.parametrize(
    "field",
    [
        "services: {{web: {{sync: [{{path: '{}', target: /a}}]}}}}",
        "output: {{component: '{}'}}\nservices: {{web: {{}}}}",
    ],
)
def test_no_path_of_a_config_is_spelled_out_of_the_project(work, field, path):
    work.write("devcfg.yaml", field.format(path))
    with pytest.raises(ConfigError) as raised:
        open_workspace(None)

    assert {one.code for one in raised.value.diagnostics} == {"bad-path"}


@given(JSON, JSON)
def test_a_merge_patch_means_what_rfc_7386_says(target, patch):
    def rfc(old, new):
        if not isinstance(new, dict):
            return new
        old = dict(old) if isinstance(old, dict) else {}
        for key, value in new.items():
            old[key] = None if value is None else rfc(old.get(key), value)
        return {key: value for key, value in old.items() if not (key in new and new[key] is None)}

    assert merge_patch(target, patch) == rfc(target, patch)


@given(JSON)
def test_an_empty_merge_patch_changes_no_mapping(target):
    if isinstance(target, dict):
        assert merge_patch(target, {}) == target


def test_the_personal_file_changes_what_is_asked_for_and_its_errors_stand_in_it(web):
    web.write("devcfg.local.yaml", "services: {web: {image: 'mine:1', command: null}}\n")
    service = open_workspace(None, with_local=True).parsed.config.services["web"]

    assert (service.image, service.command.run) == ("mine:1", None)
    assert open_workspace(None).parsed.config.services["web"].image == "dev:1"
    web.write("devcfg.local.yaml", "services: {web: {imag: 'mine:1'}}\n")
    with pytest.raises(ConfigError) as raised:
        open_workspace(None, with_local=True)
    assert [one.file for one in raised.value.diagnostics] == ["devcfg.local.yaml"]
