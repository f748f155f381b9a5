"""The leaf types: each takes what it promises, by its source text where a string is wanted, and nothing else."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from devcfg.schemas import fields
from devcfg.schemas.codes import CODES
from devcfg.schemas.scalar import PlainScalar

PLAIN = {"1000": 1000, "1e3": 1000.0, "true": True, "null": None, "0o17": 15, "1.50": 1.5}


def plain(text):
    return PlainScalar(text, PLAIN.get(text, text))


TAKEN = [
    (fields.text, ["", "a", plain("true"), plain("1e3"), plain("0o17")]),
    (fields.filled, ["a", plain("1.50")]),
    (fields.duration, ["300ms", "2s", "1.5s", "1m"]),
    (fields.image, ["a", "python:3-slim", "reg:5000/a/b:t", "a@sha256:" + "0" * 64]),
    (fields.user, ["0", "1000:1000", plain("1000")]),
    (fields.quantity, ["1", "500m", "1Gi", ".5", "1e3", plain("1e3")]),
    (fields.port_pair, ["80", ":80", "8080:80", plain("1000")]),
    (fields.port_reverse, ["1:65535"]),
]
REFUSED = [
    (fields.text, [None, plain("null"), [], {}, 5]),
    (fields.filled, ["", " "]),
    (fields.duration, ["1", "1h", "-1s", "s", "٣s", "1.2345s"]),
    (fields.image, ["", "a b", "-a", "a@sha256:12", "a" * 513, "ü"]),
    (fields.user, ["root", "-1", "1:", "٣", str(2**31)]),
    (fields.quantity, ["big", "1gi", "-1", "٣", "1 Gi"]),
    (fields.port_pair, ["0", "65536", "a", "80:", "1:2:3", "٣", "080808"]),
    (fields.port_reverse, ["80", ":80", "80:"]),
    (fields.boolean, ["true", plain("1000"), None]),
    (fields.argv, [[], "", [""], [None], [plain("null")], [[]], {}, ["a\0"]]),
]


@pytest.mark.parametrize(("check", "values"), TAKEN, ids=lambda one: getattr(one, "__name__", ""))
def test_what_is_promised_is_taken_by_its_source_text(check, values):
    assert [check(one) for one in values] == [str.__str__(one) for one in values]


@pytest.mark.parametrize(("check", "values"), REFUSED, ids=lambda one: getattr(one, "__name__", ""))
def test_what_is_not_is_refused_with_a_known_code(check, values):
    for one in values:
        with pytest.raises(PydanticCustomError) as raised:
            check(one)
        assert raised.value.type in CODES, one


@pytest.mark.parametrize("shape", ["QUANTITY_TEXT", "IMAGE_REFERENCE", "DURATION", "FORWARD", "REVERSE", "USER"])
@given(st.text(st.sampled_from("019amsGi:./@-+ e٣"), max_size=8))
def test_a_pattern_of_the_schema_refuses_nothing_that_the_check_takes(shape, text):
    one = getattr(fields, shape)
    try:
        one.core["function"]["function"](text)
    except PydanticCustomError:
        return

    assert re.search(one.json["pattern"], text)


@given(st.lists(st.sampled_from(["a", ".", "..", "", "b c", "~", ".git", "名"]), min_size=1, max_size=5).map("/".join))
def test_a_local_path_stays_below_and_is_normal(path):
    try:
        found = fields.local_path(path)
    except PydanticCustomError:
        return

    assert not found.startswith(("/", "~"))
    assert not {"..", ""} & set(found.split("/"))
    assert fields.local_path(found) == found
    assert re.search(fields.LOCAL_PATH.json["pattern"], path)


@given(
    st.lists(st.sampled_from(["a", ".", "..", "", "proc", "b:c"]), max_size=5).map(lambda parts: "/" + "/".join(parts))
)
def test_a_pod_path_is_normal_and_never_ours_nor_the_systems(path):
    try:
        found = fields.pod_path(path)
    except PydanticCustomError:
        return

    assert found.startswith("/")
    assert not any(found == one or found.startswith(one + "/") for one in fields.OWNED)
    assert fields.pod_path(found) == found


def test_a_string_is_a_shell_command_and_a_list_its_words():
    assert fields.argv("a && b") == ("sh", "-c", "a && b")
    assert fields.argv(["a", plain("1e3"), ""]) == ("a", "1e3", "")


@pytest.mark.parametrize(("value", "fine"), [(1, True), (3, True), (0, False), (4, False)])
def test_a_whole_number_lies_between_its_bounds_both_included(value, fine):
    check = fields.integer(1, 3)
    if fine:
        assert check(PlainScalar(str(value), value)) == value
    else:
        with pytest.raises(PydanticCustomError):
            check(PlainScalar(str(value), value))


@pytest.mark.parametrize("value", [PlainScalar("true", True), PlainScalar("1.0", 1.0), "1"])
def test_a_whole_number_is_neither_a_truth_value_nor_a_text(value):
    with pytest.raises(PydanticCustomError):
        fields.integer(0, 3)(value)


def test_the_nearest_word_is_offered_and_a_far_one_is_not():
    assert fields.closest("restrat", ("restart", "none")) == "did you mean `restart`?"
    assert fields.closest(json.dumps({}), ("restart", "none")) == ""
