"""The lines of a file that a finding quotes: one at a time, and no more read than that."""

import tracemalloc

import pytest

from devcfg.runtime.workspace import quote_line


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_is_quoted_without_its_break(tmp_path, end):
    (tmp_path / "a.yaml").write_text(f"\ufeffa: 1{end}{end}ü: 2{end}", "utf-8", newline="")

    assert [quote_line(str(tmp_path / "a.yaml"), line) for line in range(1, 6)] == ["a: 1", "", "ü: 2", "", None]


def test_a_character_that_is_no_yaml_break_breaks_no_quoted_line(tmp_path):
    (tmp_path / "a.yaml").write_bytes("a: \x85\x0b\x0c\u2028 b\nc".encode() + b"\xff")

    assert quote_line(str(tmp_path / "a.yaml"), 1) == "a: \x85\x0b\x0c\u2028 b"
    assert quote_line(str(tmp_path / "a.yaml"), 2) == "c\ufffd"


def test_what_cannot_be_read_has_no_line_to_quote(tmp_path):
    (tmp_path / "link.yaml").symlink_to(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_text("a: 1\n")

    assert quote_line(str(tmp_path / "link.yaml"), 1) is None
    assert quote_line(str(tmp_path / "missing.yaml"), 1) is None
    assert quote_line(str(tmp_path), 1) is None


def test_a_quoted_line_costs_no_more_memory_when_much_follows_it(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"a: b\n" * 2_000_000)
    tracemalloc.start()
    try:
        assert quote_line(str(tmp_path / "a.yaml"), 1) == "a: b"
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
