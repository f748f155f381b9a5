"""The watch of the local root: by the kernel, or by a library where there is no inotify. Each change is hinted."""

import asyncio
import os
import shutil

import pytest

from devcfg.runtime.pod.agent.root import Root
from devcfg.runtime.sync.notices import FLOOD, Notices
from devcfg.runtime.sync.watcher import Watcher, open_watch

PATIENCE = 20.0


@pytest.fixture(params=[open_watch, Notices])
def heard(request, tmp_path):
    """Return a function that does something to a watched directory and returns the rows of what was hinted."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "f").write_text("old")
    root = Root(str(tmp_path))

    async def hear(act, wanted):
        watcher = Watcher(asyncio.Event(), (), request.param)
        await watcher.begin(root)
        try:
            await asyncio.sleep(0.1)  # what happened before the watch may still be told
            await watcher.gather()
            act()
            found, until = {}, asyncio.get_running_loop().time() + PATIENCE
            while not wanted(found) and asyncio.get_running_loop().time() < until:
                await watcher.wait(asyncio.get_running_loop().time() + 1)
                hints = await watcher.gather()
                scan = root.scan(None if hints.rescan else hints.paths)
                found |= {row.path: row.kind for row in scan.rows}
                found |= dict.fromkeys(scan.missing)
                found["rescan"] = hints.rescan or found.get("rescan", False)
            return found
        finally:
            watcher.close()

    yield lambda act, wanted: asyncio.run(hear(act, wanted))
    root.close()


def test_a_save_and_a_new_file_are_hinted(heard, tmp_path):
    def act():
        (tmp_path / "there" / "f").write_text("new")
        (tmp_path / "g").write_text("new")

    found = heard(act, {"there/f", "g"}.issubset)
    assert (found["there/f"], found["g"]) == ("f", "f")


def test_all_that_is_below_a_new_directory_is_hinted(heard, tmp_path):
    def act():
        for number in range(40):
            folder = tmp_path / f"new{number}" / "a" / "b"
            folder.mkdir(parents=True)
            (folder / "f").write_text("x")

    wanted = {f"new{number}/a/b/f" for number in range(40)}
    assert wanted <= set(heard(act, wanted.issubset))


def test_what_was_removed_or_moved_away_is_hinted(heard, tmp_path):
    def act():
        os.rename(tmp_path / "there", tmp_path / "elsewhere")

    found = heard(act, {"there", "elsewhere/f"}.issubset)
    assert found["there"] is None
    shutil.rmtree(tmp_path / "elsewhere")


def test_our_own_files_wake_nobody(heard, tmp_path):
    def act():
        (tmp_path / ".git").mkdir()
        (tmp_path / ".git" / "index").write_text("x")
        (tmp_path / "last").write_text("x")

    assert not [path for path in heard(act, {"last"}.issubset) if path.startswith(".git")]


def test_a_flood_asks_for_a_whole_scan(tmp_path):
    root = Root(str(tmp_path))
    notices = Notices(root)
    try:
        hints = notices._hints_of(str(tmp_path / str(number)) for number in range(FLOOD + 1))
        assert (hints.paths, hints.rescan) == ([], True)
        assert notices._hints_of([str(tmp_path)]).rescan
    finally:
        notices.close()
        root.close()


def test_where_notices_end_the_watch_says_so_and_asks_for_whole_scans(tmp_path):
    root = Root(str(tmp_path))
    os.rmdir(tmp_path)
    notices = Notices(root)
    try:
        assert notices.fileno() == -1
        assert notices.interval > 0
        hints = notices.drain()
        assert (hints.rescan, "have ended" in hints.reason) == (True, True)
    finally:
        notices.close()
        root.close()
