"""What stops sync on real directories, that it deletes nothing, and how it goes on."""

import os

import pytest
from tests.runtime.sync.sites import halts, texts

from devcfg.runtime.sync.engine import Choice
from devcfg.runtime.sync.events import Connected, Halted
from devcfg.runtime.sync.halts import Cause


def emptied(site, root):
    for name in ("a", "b", "c"):
        (site.near / name).write_text(name)
    site.sync(whole=True)
    for name in ("a", "b", "c"):
        (root / name).unlink()
    site.sync(whole=True)


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
