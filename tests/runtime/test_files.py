"""Files are replaced whole: whatever stops a write, the old file or the new one is there."""

import os
import stat

import pytest

from devcfg.runtime.files import write_atomically


def test_a_file_appears_with_the_directories_above_it(tmp_path):
    write_atomically(str(tmp_path / "a/b/file"), "text\n")

    assert (tmp_path / "a/b/file").read_text() == "text\n"


def test_line_ends_and_bytes_that_are_no_utf_8_are_written_as_they_are(tmp_path):
    write_atomically(str(tmp_path / "file"), b"a\r\n\xff".decode("utf-8", "surrogateescape"))

    assert (tmp_path / "file").read_bytes() == b"a\r\n\xff"


def test_a_link_is_replaced_and_its_target_stays(tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    write_atomically(str(tmp_path / "link"), "new")

    assert (tmp_path / "target").read_text() == "old"
    assert not (tmp_path / "link").is_symlink()


def test_a_link_where_the_temporary_file_goes_is_not_followed(tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / f".devcfg-tmp-{os.getpid()}").symlink_to("target")
    write_atomically(str(tmp_path / "file"), "new")

    assert (tmp_path / "target").read_text() == "old"
    assert (tmp_path / "file").read_text() == "new"


def test_a_private_file_is_for_its_owner_alone(tmp_path):
    write_atomically(str(tmp_path / "own/file"), "text", private=True)

    assert stat.S_IMODE((tmp_path / "own").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "own/file").stat().st_mode) == 0o600


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("old")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        write_atomically(str(tmp_path / "file"), "new")

    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {"file": "old"}


def test_a_directory_in_the_way_is_an_error_and_stays(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(str(tmp_path / "file"), "new")

    assert [one.name for one in tmp_path.iterdir()] == ["file"]
