"""Our entries in files that somebody else wrote: what goes in comes out again, and nothing else moves."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.runtime.ide.jsonc import scan
from devcfg.runtime.ide.merge import Shelf, settle
from devcfg.runtime.ide.splice import append, remove

SHELF = Shelf("configurations", "name", "0.2.0")
COMPOUNDS = Shelf("compounds", "name", "0.2.0", optional=True)
ONE = {"name": "devcfg: attach web", "port": 1, "paths": [{"a": 'b\\"é'}, []]}
TWO = {"name": "devcfg: attach api", "port": 2, "deep": {"x": True}}

BLANKS = st.sampled_from(["", " ", "  ", "\n", "\n  ", "\r\n\t", "\t", "\n\n    "])
NOTES = st.sampled_from(["// note\n", "// , ] }\r\n", "/* note */", "/* , \n ] */", "//\n", "/**/"])
TRIVIA = st.lists(st.one_of(BLANKS, BLANKS, NOTES), max_size=3).map("".join)
STRINGS = st.sampled_from(["", "a", "// no", "/*", "é", '"', "\\", "devcfg", "]", ","]).map(json.dumps)


@st.composite
def collections(draw, kind, items):
    """Draw a list or an object as text, whatever stands between its tokens."""
    text = kind[0] + draw(TRIVIA)
    count = len(items)
    for at, item in enumerate(items):
        comma = "," if at < count - 1 or draw(st.booleans()) else ""
        text += item + draw(TRIVIA) + comma + draw(TRIVIA)
    return text + kind[1]


@st.composite
def values(draw, depth=2):
    if depth == 0 or draw(st.booleans()):
        return draw(st.one_of(STRINGS, st.sampled_from(["1", "-2.5", "true", "null", "[]", "{}"])))
    if draw(st.booleans()):
        return draw(collections("[]", draw(st.lists(values(depth - 1), max_size=3))))
    return draw(objects(draw(st.lists(values(depth - 1), max_size=3))))


@st.composite
def objects(draw, inner, keys=None):
    named = keys or [json.dumps(f"k{at}") for at in range(len(inner))]
    pairs = zip(named, inner, strict=True)
    return draw(collections("{}", [f"{key}{draw(TRIVIA)}:{draw(TRIVIA)}{one}" for key, one in pairs]))


@st.composite
def files(draw):
    """Draw a launch.json that somebody wrote, with a list of configurations somewhere."""
    shelved = draw(collections("[]", draw(st.lists(values(), max_size=3))))
    others = draw(st.lists(values(1), max_size=2))
    at = draw(st.integers(0, len(others)))
    keys = [json.dumps(f"k{one}") for one in range(len(others))]
    members, keys = [*others[:at], shelved, *others[at:]], [*keys[:at], '"configurations"', *keys[at:]]
    mark = draw(st.sampled_from(["", "\ufeff"]))
    return mark + draw(TRIVIA) + draw(objects(members, keys)) + draw(TRIVIA)


def everything(_):
    return True


@given(text=files(), entries=st.sampled_from([[ONE], [ONE, TWO]]))
def test_what_was_put_in_is_taken_out_to_the_byte(text, entries):
    assert settle(settle(text, SHELF, entries, everything), SHELF, [], everything) == text


@given(text=files(), entries=st.sampled_from([[ONE], [ONE, TWO]]))
def test_another_reader_finds_the_entries_behind_the_others_and_nothing_else_changed(read, text, entries):
    before, after = read(text), read(settle(text, SHELF, entries, everything))

    assert after["configurations"] == [*before["configurations"], *entries]
    assert {**after, "configurations": before["configurations"]} == before


@given(text=files())
def test_a_second_time_nothing_changes(text):
    once = settle(text, SHELF, [ONE, TWO], everything)

    assert settle(once, SHELF, [ONE, TWO], everything) == once


@given(text=files())
def test_an_entry_that_changes_and_changes_back_is_as_it_was(text):
    once = settle(text, SHELF, [ONE, TWO], everything)
    changed = settle(once, SHELF, [ONE | {"port": 3}, TWO], everything)

    assert changed != once
    assert settle(changed, SHELF, [ONE, TWO], everything) == once


@given(text=files())
def test_of_two_entries_each_can_go_first(text):
    once = settle(text, SHELF, [ONE, TWO], everything)
    first = settle(once, SHELF, [TWO], everything)
    second = settle(once, SHELF, [ONE], everything)

    assert settle(first, SHELF, [], everything) == settle(second, SHELF, [], everything) == text


@given(text=files())
def test_several_entries_go_at_once_as_they_go_one_by_one(text):
    last = {"name": "devcfg: attach last"}
    full = settle(text, SHELF, [ONE, TWO, last], everything)
    one_by_one = settle(settle(full, SHELF, [TWO, last], everything), SHELF, [last], everything)

    assert settle(full, SHELF, [last], everything) == one_by_one == settle(text, SHELF, [last], everything)


@given(text=files())
def test_every_character_of_the_file_is_still_there_in_its_order(text):
    rest = iter(settle(text, SHELF, [ONE], everything))

    assert all(char in rest for char in text)


@given(text=files(), key=st.sampled_from(["compounds", "x"]))
def test_a_member_that_was_put_in_is_taken_out_to_the_byte(text, key):
    root = scan(text)
    more = append(text, root, root, [(key, [])])
    members = scan(more)

    assert members.items[-1].key == key
    assert remove(more, members, [len(members.items) - 1]) == text


@given(text=files())
def test_a_list_that_we_made_goes_with_its_last_entry(text):
    assert settle(settle(text, COMPOUNDS, [ONE], everything), COMPOUNDS, [], everything) == text


def test_a_list_that_was_there_stays():
    text = '{"compounds": [{"name": "mine"}]}'

    assert settle(settle(text, COMPOUNDS, [ONE], everything), COMPOUNDS, [], everything) == text


def test_only_one_of_two_entries_with_our_name_stays():
    text = '{"configurations": [{"name": "devcfg: attach web"}, {"name": "mine"}, {"name": "devcfg: attach web"}]}'
    found = scan(settle(text, SHELF, [ONE], lambda _: False)).value["configurations"]

    assert found == [ONE, {"name": "mine"}]


def test_an_entry_that_says_the_same_keeps_its_comments_and_the_order_of_its_keys():
    text = '{"configurations": [\n  {"port": 1, // mine\n   "name": "devcfg: attach x"}\n]}\n'

    assert settle(text, SHELF, [{"name": "devcfg: attach x", "port": 1}], everything) == text


def test_true_is_not_the_same_as_one():
    text = '{"configurations": [{"name": "devcfg: attach x", "port": true}]}'

    assert settle(text, SHELF, [{"name": "devcfg: attach x", "port": 1}], everything) != text


@pytest.mark.parametrize(
    ("line", "comment"),
    [
        ('{"name": "mine"} // about mine', "// about mine"),
        ('{"name": "mine"}, // about mine', "// about mine"),
        ('{"name": "mine"} /* about */ // mine', "/* about */ // mine"),
    ],
)
def test_the_comment_behind_the_last_entry_stays_behind_it(line, comment):
    text = f'{{\n  "configurations": [\n    {line}\n  ]\n}}\n'
    lines = settle(text, SHELF, [ONE], everything).split("\n")

    assert lines[2].replace("},", "}") == f"    {line}".replace("},", "}")
    assert lines[2].endswith(comment)
    assert lines[3] == "    {"


def test_a_comment_that_stands_behind_our_entry_stays_in_a_line_of_its_own():
    text = '{"configurations": [\n  {"name": "mine"},\n  {"name": "devcfg: x"} // tried on Monday\n]}'

    assert settle(text, SHELF, [], everything) == (
        '{"configurations": [\n  {"name": "mine"}\n   // tried on Monday\n]}'
    )
