"""Reading JSON with comments: what it means, where it stands, and what is wrong with a file that is none."""

import pytest

from devcfg.runtime.ide.jsonc import DEEPEST, JsoncError, Kind, line_of, scan


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {}),
        ("[1, -2.5e3, true, false, null]", [1, -2500.0, True, False, None]),
        ('// first\n{"a": /* why */ "b", // last\n}', {"a": "b"}),
        ('["\\u00e9\\n\\"//no comment\\"", "/* nor this */",]', ['é\n"//no comment"', "/* nor this */"]),
        ("[/**/1/***/,/*/*/2]", [1, 2]),
        ("\ufeff[]", []),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ("[" + "9" * 5000 + "]", [float("inf")]),
    ],
)
def test_comments_and_trailing_commas_say_nothing(text, value):
    assert scan(text).value == value


@pytest.mark.parametrize("text", ["", "\ufeff", " \r\n", "// only this", "/* and\nthis */\n"])
def test_a_file_of_comments_holds_nothing(text):
    assert scan(text) is None


def test_a_value_knows_its_place():
    text = '{ "a": [ 1 , /* c */ {"b": 2}, ] }'
    root = scan(text)
    (member,) = root.members("a")
    first, second = member.node.items

    assert text[member.start : member.end] == '[ 1 , /* c */ {"b": 2}, ]'.join(('"a": ', ""))
    assert (text[first.start : first.end], text[first.comma]) == ("1", ",")
    assert (text[second.start : second.end], text[second.comma]) == ('{"b": 2}', ",")
    assert second.node.kind is Kind.OBJECT


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("{", 1, 2, "wanted a key in double quotes, found the end of the file"),
        ('{"a" 1}', 1, 6, "wanted `:`, found `1`"),
        ("{'a': 1}", 1, 2, "wanted a key in double quotes, found `'`"),
        ("{a: 1}", 1, 2, "wanted a key in double quotes, found `a`"),
        ('{\n  "a": 1\n  "b": 2\n}', 3, 3, 'wanted `,` or `}`, found `"`'),
        ("[1,, 2]", 1, 4, "wanted a value, found `,`"),
        ("[,]", 1, 2, "wanted a value, found `,`"),
        ("[1\r\n2]", 2, 1, "wanted `,` or `]`, found `2`"),
        ("[1}", 1, 3, "wanted `,` or `]`, found `}`"),
        ("[NaN]", 1, 2, "wanted a value, found `NaN`"),
        ("[undefined]", 1, 2, "wanted a value, found `undefined`"),
        ("[01]", 1, 3, "wanted `,` or `]`, found `1`"),
        ('["a\nb"]', 1, 2, "this string does not end on its line, or holds what JSON has no words for"),
        ('["\\x41"]', 1, 2, "this string does not end on its line, or holds what JSON has no words for"),
        ("\ufeff{} {}", 1, 4, "wanted the end of the file, found `{`"),
        ("[]\n/* no end", 2, 1, "this comment does not end"),
        ("[" * 5000, 1, DEEPEST + 2, "lists and objects stand in each other more than 64 deep"),
    ],
)
def test_what_is_no_json_is_said_with_its_place(text, line, column, message):
    with pytest.raises(JsoncError) as found:
        scan(text)

    assert (*line_of(text, found.value.offset), found.value.message) == (line, column, message)
