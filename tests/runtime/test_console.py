"""What people see: a caret under the right column, never more than a screen, and no file that moves the cursor."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.runtime import console
from devcfg.schemas.diagnostic import Diagnostic, Note, Severity, Span
from devcfg.schemas.errors import ConfigError, DevcfgError, UsageError

HOSTILE = "a\x1b[2J\x1b]0;title\x07\r\x08\x00\x7f\x9b31m\u202e\u2066\u200b\ud800b"


def said(capsys, *diagnostics, quote=console.no_quote):
    console.say_diagnostics(diagnostics, quote)
    return capsys.readouterr().err


def finding(line, start, end, **more):
    return Diagnostic("bad-value", "m", file="f", span=Span(1, start, 1, end), **more), lambda _, __: line


def width_to(text):
    """Count the columns of a text with the terminal's own table, another way than ours: by normal form and width."""
    return sum(
        0 if unicodedata.category(one) in ("Mn", "Me") else 1 + (unicodedata.east_asian_width(one) in "WF")
        for one in text
    )


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("key: value", "value"),
        ("\tkey: value", "value"),
        ("a\tb\tkey: value", "value"),
        ("名前: 値", "値"),
        ("日本語\tkey: value", "value"),
        ("e\u0301te\u0301: value", "value"),
        ("🚀🚀: value", "value"),
        ("x" * 300 + ": value", "value"),
        ("名" * 300 + ": value", "value"),
        ("k: " + "v" * 300, "v" * 300),
    ],
)
def test_the_caret_stands_under_the_value(capsys, line, word):
    start = line.index(word)
    one, quote = finding(line, start + 1, start + len(word) + 1)
    shown, carets = said(capsys, one, quote=quote).splitlines()[3:5]
    at = width_to(carets[: carets.index("^")])
    seen, column = shown, 0
    while column < at:
        column += width_to(seen[0])
        seen = seen[1:]

    assert column == at
    assert seen.startswith(word[:20])
    assert carets.count("^") <= console.WIDTH * 2


@given(st.text(max_size=80), st.integers(1, 90), st.integers(0, 90))
def test_a_caret_is_always_drawn_and_lines_keep_their_bounds(line, start, length):
    line = "".join(line.split("\n"))
    one, quote = finding(line, start, start + length)
    block = console.format_diagnostic(one, quote)

    assert "^" in block
    assert max(map(len, block.splitlines())) <= 7 * console.WIDTH + 200


@given(st.text())
def test_whatever_a_text_holds_only_printable_characters_are_shown(text):
    assert console.visible(text + HOSTILE).isprintable()
    assert console.printable(text + HOSTILE).isprintable()


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_a_printable_text_is_shown_as_it_is(text):
    assert console.printable(text) == text


def test_only_what_is_for_reading_is_cut_and_not_a_command():
    assert len(console.visible("x" * 10_000)) == console.WORDS
    assert console.printable("x" * 10_000) == "x" * 10_000


WORDS = st.text(st.sampled_from("a é名🚀\x1b\u202e"), max_size=900)
NOTES = st.lists(st.builds(Note, WORDS, WORDS, st.integers(0, 9)), max_size=8).map(tuple)
DIAGNOSTICS = st.builds(
    Diagnostic,
    st.just("bad-value"),
    WORDS,
    st.sampled_from(Severity),
    hint=WORDS,
    file=WORDS,
    span=st.none() | st.builds(Span, st.integers(1, 3), st.integers(1, 50), st.integers(1, 3), st.integers(1, 50)),
    label=WORDS,
    notes=NOTES,
)


@given(st.lists(DIAGNOSTICS, min_size=1, max_size=15), WORDS)
def test_what_is_printed_stays_under_4_kb_and_moves_no_cursor(found, line):
    printed = Sink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", printed)
        console.say_diagnostics(tuple(found), lambda _, __: line)
    text = "".join(printed.parts)

    assert len(text.encode()) <= 4096
    assert text.replace("\n", "").isprintable()
    assert text.startswith(f"{found[0].severity.value}[") or found[0].severity is not Severity.ERROR


class Sink:
    """A stderr that is no terminal."""

    def __init__(self):
        self.parts = []

    def write(self, text):
        self.parts.append(text)

    def isatty(self):
        return False


def test_errors_are_shown_before_warnings_when_not_all_fit(capsys):
    warnings = [Diagnostic("missing-path", f"w{n}", Severity.WARNING) for n in range(20)]
    text = said(capsys, *warnings, Diagnostic("bad-value", "the error"))

    assert "the error" in text
    assert text.endswith(f"… and {21 - console.SHOWN} more: `devcfg validate -o json` shows all\n")


def test_no_colour_where_nobody_looks(capsys):
    assert "\x1b" not in said(capsys, Diagnostic("bad-value", "m"))


class Terminal(Sink):
    """A stderr that is a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"CI": "true"}, False),
        ({"TERM": "dumb"}, False),
        ({"NO_COLOR": ""}, True),
    ],
)
def test_colours_come_on_a_terminal_and_go_with_the_words_unchanged(monkeypatch, environment, coloured):
    for name in ("NO_COLOR", "CI", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    one, quote = finding("key: value", 6, 11, label="did you mean `x`?", hint="h", notes=(Note("n", "g", 3),))
    plain, painted = Sink(), Terminal()
    for stream in (plain, painted):
        monkeypatch.setattr("sys.stderr", stream)
        console.say_diagnostics((one,), quote)
        console.say("done", console.GREEN)
    found = "".join(painted.parts)

    assert ("\x1b[" in found) == coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", found) == "".join(plain.parts)


def test_a_hostile_name_is_made_visible_wherever_words_go(capsys):
    console.say(f"wrote {HOSTILE}")
    console.report(UsageError(HOSTILE, hint=HOSTILE))
    console.report(ConfigError((Diagnostic("bad-value", HOSTILE, hint=HOSTILE, file=HOSTILE, label=HOSTILE),)))
    text = capsys.readouterr().err

    assert text.replace("\n", "").isprintable()
    assert text.count("\\x1b[2J") >= 5


def test_notes_are_left_to_validate_when_a_command_fails(capsys):
    note = Diagnostic("tight-limits", "only a note", Severity.NOTE)
    console.report(ConfigError((note, Diagnostic("bad-value", "what is wrong"))))
    text = capsys.readouterr().err

    assert ("what is wrong" in text, "only a note" in text) == (True, False)


def test_an_error_without_findings_is_said_in_a_line_with_its_hint(capsys):
    console.report(DevcfgError("it failed", hint="try again"))

    assert capsys.readouterr().err == "error: it failed\n  = help: try again\n"
