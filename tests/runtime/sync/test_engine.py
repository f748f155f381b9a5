"""The engine on real directories with the real agent: what users see of conflicts, halts, hints and reasons."""

import os

import pytest
from tests.runtime.sync.sites import listing

from devcfg.runtime.sync.engine import Choice
from devcfg.runtime.sync.events import Conflicted, Connected, Halted
from devcfg.runtime.sync.halts import Cause
from devcfg.runtime.sync.modes import Mode
from devcfg.schemas.errors import UsageError


def texts(site):
    """Return what both sides have, ours left out."""
    return [
        {path: text for path, text in listing(root).items() if not path.startswith(".devcfg")}
        for root in (site.near, site.far)
    ]


def conflict(site):
    """Let both users write `a` after it was in sync."""
    (site.near / "a").write_text("old")
    (site.near / "anchor").write_text("anchor")
    site.sync(whole=True)
    (site.near / "a").write_text("mine")
    (site.far / "a").write_text("yours")
    return site.sync(whole=True)


def test_a_conflict_is_told_once_and_listed_with_what_each_side_has(site):
    (left,) = conflict(site)
    site.sync(whole=True)

    assert left.path == "a"
    assert [one.conflict.path for one in site.told if isinstance(one, Conflicted)] == ["a"]
    assert [tuple(one) for one in site.engine.conflicts()] == [("a", "a file", "a file")]
    assert site.engine.why("a").startswith("a conflict: a file here, a file on the remote side")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice.LOCAL, {"a": "mine"}),
        (Choice.REMOTE, {"a": "yours"}),
        (Choice.BOTH, {"a": "mine", "a.devcfg-conflict-remote": "yours"}),
    ],
)
def test_a_conflict_ends_as_it_is_resolved(site, choice, expected):
    conflict(site)
    site.run(site.engine.resolve("a", choice))

    assert site.sync(whole=True) == ()
    assert texts(site) == [expected | {"anchor": "anchor"}] * 2


def test_both_keeps_a_whole_directory_next_to_the_winner(site):
    os.makedirs(site.near / "sub")
    (site.near / "sub" / "d").write_text("file here")
    os.makedirs(site.far / "sub" / "d" / "deep")
    (site.far / "sub" / "d" / "deep" / "large").write_bytes(bytes(range(256)) * 8192)
    os.symlink("deep/large", site.far / "sub" / "d" / "link")
    site.sync(whole=True)
    site.run(site.engine.resolve("sub/d", Choice.BOTH))

    near, far = texts(site)
    assert near == far
    assert near["sub/d"] == "file here"
    assert near["sub/d.devcfg-conflict-remote/link"] == "-> deep/large"
    kept = site.near / "sub" / "d.devcfg-conflict-remote" / "deep" / "large"
    assert kept.read_bytes() == bytes(range(256)) * 8192


def test_resolving_what_is_no_conflict_names_those_that_are(site):
    conflict(site)
    with pytest.raises(UsageError) as caught:
        site.run(site.engine.resolve("b", Choice.LOCAL))

    assert caught.value.hint == "conflicts: `a`"


def test_in_resolved_mode_the_loser_is_kept_with_its_path_before_it_is_replaced(make_site):
    site = make_site(Mode.TWO_WAY_RESOLVED)
    os.makedirs(site.near / "d")
    (site.near / "d" / "a").write_text("old")
    site.sync(whole=True)
    (site.near / "d" / "a").write_text("mine")
    (site.far / "d" / "a").write_text("yours")
    site.sync(whole=True)

    assert texts(site) == [{"d": "/", "d/a": "mine"}] * 2
    (kept,) = site.kept.iterdir()
    assert listing(kept) == {"d": "/", "d/a": "yours"}


def test_in_resolved_mode_what_cannot_be_kept_is_not_replaced(make_site):
    site = make_site(Mode.TWO_WAY_RESOLVED)
    site.kept.write_text("a file where the directory should be")
    (site.near / "a").write_text("mine")
    (site.far / "a").write_text("yours")
    site.sync(whole=True)

    assert [found["a"] for found in texts(site)] == ["mine", "yours"]


def emptied(site, root):
    for name in ("a", "b", "c"):
        (site.near / name).write_text(name)
    site.sync(whole=True)
    for name in ("a", "b", "c"):
        (root / name).unlink()
    site.sync(whole=True)


def halts(site):
    return [one.cause for one in site.engine.status().halts]


@pytest.mark.parametrize("side", ["near", "far"])
@pytest.mark.parametrize("choice", [Choice.LOCAL, Choice.REMOTE])
def test_an_emptied_side_stops_sync_until_someone_says_which_side_is_right(site, side, choice):
    emptied(site, getattr(site, side))

    assert halts(site) == [Cause.EMPTIED]
    assert [one.halt.cause for one in site.told if isinstance(one, Halted)] == [Cause.EMPTIED]
    assert sum(map(len, texts(site))) == 3
    site.run(site.engine.resolve(".", choice))
    site.sync(whole=True)
    right = {"near": Choice.LOCAL, "far": Choice.REMOTE}[side]
    assert halts(site) == []
    assert texts(site) == [{} if choice is right else {"a": "a", "b": "b", "c": "c"}] * 2


def test_an_emptied_side_that_is_filled_again_ends_the_halt(site):
    emptied(site, site.far)
    for name in ("a", "b", "c"):
        (site.far / name).write_text(name)
    site.sync(whole=True)

    assert halts(site) == []
    assert texts(site) == [{"a": "a", "b": "b", "c": "c"}] * 2


def test_many_deletions_of_the_far_side_do_not_reach_the_laptop_unasked(site):
    for number in range(150):
        (site.near / f"f{number}").write_text("x")
    site.sync(whole=True)
    for number in range(120):
        (site.far / f"f{number}").unlink()
    site.sync(whole=True)

    assert halts(site) == [Cause.DELETIONS]
    assert len(texts(site)[0]) == 150
    site.run(site.engine.resolve(".", Choice.LOCAL))
    site.sync(whole=True)
    assert [len(found) for found in texts(site)] == [150, 150]


@pytest.mark.parametrize("side", ["near", "far"])
@pytest.mark.parametrize("instead", ["nothing", "a file"])
def test_a_root_that_is_gone_stops_sync_and_deletes_nothing(site, side, instead):
    (site.near / "a").write_text("a")
    site.sync(whole=True)
    root, other = getattr(site, side), {"near": site.far, "far": site.near}[side]
    aside = root.with_name("aside")
    root.rename(aside)
    if instead == "a file":
        root.write_text("no directory")
    site.sync(whole=True)

    assert halts(site) == [Cause.ROOT_GONE]
    assert (other / "a").read_text() == "a"
    if instead == "a file":
        root.unlink()
    aside.rename(root)
    (root / "b").write_text("b")
    site.sync(whole=True)
    assert halts(site) == []
    assert (other / "b").read_text() == "b"


def test_a_new_volume_is_filled_again_and_deletes_nothing(site):
    (site.near / "a").write_text("a")
    (site.near / "b").write_text("b")
    site.sync(whole=True)
    site.new_volume()
    site.sync(whole=True)

    assert [one.volume_is_new for one in site.told if isinstance(one, Connected)] == [True, True]
    assert texts(site) == [{"a": "a", "b": "b"}] * 2


def test_of_a_seeded_volume_only_ignored_content_stays_and_nothing_comes_to_the_laptop(make_site):
    site = make_site(seeded=True)
    (site.near / "a").write_text("mine")
    (site.far / "a").write_text("the image's")
    (site.far / "old").write_text("the image's")
    os.makedirs(site.far / "build")
    (site.far / "build" / "out").write_text("the image's")
    site.sync(whole=True)
    (site.far / "made there").write_text("later")
    site.sync(whole=True)

    assert texts(site) == [
        {"a": "mine", "made there": "later"},
        {"a": "mine", "made there": "later", "build": "/", "build/out": "the image's"},
    ]


def test_a_client_that_dies_before_a_seeded_volume_is_done_takes_it_for_new_again(make_site):
    for after in range(100, 1600, 150):
        site = make_site(seeded=True)
        (site.near / "a").write_text("mine")
        (site.far / "a").write_text("the image's")
        (site.far / "old").write_text("the image's")
        site.sync(whole=True, after=after)
        site.kill_client()
        site.sync(whole=True)

        assert texts(site) == [{"a": "mine"}] * 2, after


def test_what_tools_on_the_laptop_would_run_is_reported_and_never_comes(site):
    (site.near / "a").write_text("a")
    for path in (".vscode/tasks.json", ".envrc", ".github/workflows/x.yml"):
        (site.far / path).parent.mkdir(parents=True, exist_ok=True)
        (site.far / path).write_text("hostile")
    site.sync(whole=True)

    assert set(texts(site)[0]) == {"a"}
    assert {one.path for one in site.engine.status().problems} == {".vscode", ".envrc", ".github"}
    assert site.engine.why(".vscode/tasks.json").startswith("never synced: tools on the laptop run")


def test_what_the_laptop_has_there_stays_as_it_is(site):
    os.makedirs(site.near / ".vscode")
    (site.near / ".vscode" / "tasks.json").write_text("mine")
    (site.near / "a").write_text("a")
    site.sync(whole=True)
    os.makedirs(site.far / ".vscode")
    (site.far / ".vscode" / "tasks.json").write_text("hostile")
    site.sync(whole=True)

    assert (site.near / ".vscode" / "tasks.json").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_reported_and_the_rest_goes_on(site):
    (site.near / "d").mkdir()
    site.sync(whole=True)
    (site.far / "d").chmod(0o555)
    (site.near / "d" / "a").write_text("a")
    (site.near / "b").write_text("b")
    site.sync(whole=True)
    found = site.engine.status().problems
    (site.far / "d").chmod(0o755)

    assert [(one.path, "denied" in one.reason) for one in found] == [("d/a", True)]
    assert texts(site)[1]["b"] == "b"
