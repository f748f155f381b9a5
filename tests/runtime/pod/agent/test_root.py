"""The root itself: gone, empty, and the identity of its volume."""

import os

import pytest

from devcfg.runtime.pod.agent.root import Root


def test_a_root_that_went_away_or_was_replaced_is_gone(tmp_path):
    base = tmp_path / "root"
    base.mkdir()
    root = Root(str(base))
    assert root.gone() == ""

    base.rename(tmp_path / "moved")
    assert root.gone() == "missing"

    base.mkdir()
    assert root.gone() == "replaced"

    base.rmdir()
    base.touch()
    assert root.gone() == "replaced"
    root.close()


def test_a_root_that_is_no_directory_cannot_be_opened(tmp_path):
    (tmp_path / "f").touch()
    for path in ("f", "missing"):
        with pytest.raises(OSError, match="directory"):
            Root(str(tmp_path / path))


def test_a_root_keeps_its_identity_and_is_empty_with_it(tmp_path):
    root = Root(str(tmp_path))
    assert (root.volume_id(), root.empty()) == ("", True)

    root.mark_volume("one")
    root.mark_volume("two")
    assert (root.volume_id(), root.empty(), [row.path for row in root.scan().rows]) == ("two", True, [])

    root.clean()
    assert os.listdir(tmp_path) == [".devcfg"]
    (tmp_path / "f").touch()
    assert not root.empty()
    root.close()


def test_an_identity_that_is_a_link_is_none(tmp_path):
    (tmp_path / "elsewhere").write_text("secret")
    (tmp_path / ".devcfg").mkdir()
    (tmp_path / ".devcfg" / "volume-id").symlink_to("../elsewhere")
    root = Root(str(tmp_path))

    assert root.volume_id() == ""
    root.close()


def test_a_root_says_when_names_are_not_read_as_utf_8(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.getfilesystemencoding", lambda: "ascii")
    with pytest.raises(OSError, match="PYTHONUTF8"):
        Root(str(tmp_path))


def test_a_file_is_read_whole_and_never_through_a_link(tmp_path):
    (tmp_path / "f").write_bytes(b"x" * 3_000_000)
    (tmp_path / "l").symlink_to("f")
    root = Root(str(tmp_path))

    assert b"".join(root.read("f")) == b"x" * 3_000_000
    with pytest.raises(OSError, match="symbolic"):
        list(root.read("l"))
    root.close()
