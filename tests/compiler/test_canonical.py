"""Canonical JSON against the numbers and strings of RFC 8785, and what the digests leave out."""

import pytest

from devcfg.compiler.canonical import canonical, plan_digest
from devcfg.schemas.config import Service

NUMBERS = [
    (333333333.33333329, "333333333.3333333"),
    (1e30, "1e+30"),
    (4.50, "4.5"),
    (2e-3, "0.002"),
    (1e-27, "1e-27"),
    (1e21, "1e+21"),
    (123456789012345680000.0, "123456789012345680000"),
    (1e-6, "0.000001"),
    (1.5e-5, "0.000015"),
    (1e-7, "1e-7"),
    (-1.5e-6, "-0.0000015"),
    (5e-324, "5e-324"),
    (1.7976931348623157e308, "1.7976931348623157e+308"),
    (-0.0, "0"),
    (9007199254740994.0, "9007199254740994"),
]


@pytest.mark.parametrize(("number", "expected"), NUMBERS)
def test_numbers_print_as_ecmascript_prints_them(number, expected):
    assert canonical(number) == expected


def test_members_are_sorted_by_utf_16_code_units():
    unsorted = {"€": 1, "\r": 2, "\ufb33": 3, "1": 4, "😀": 5, "\x80": 6, "ö": 7}

    assert canonical(unsorted) == '{"\\r":2,"1":4,"\x80":6,"ö":7,"€":1,"😀":5,"\ufb33":3}'


def test_infinity_is_refused():
    with pytest.raises(ValueError, match="infinity"):
        canonical(float("inf"))


def _digest(**fields):
    return plan_digest({"web": Service.validate(fields)})


def test_the_plan_digest_ignores_what_changes_without_a_new_pod():
    plain = _digest(image="a", sync=["src:/src"])

    assert plain == _digest(
        image="a",
        sync=[{"path": "lib", "target": "/src", "mode": "one-way-safe", "exclude": ["x"]}],
        command={"run": ["a"]},
        env={"A": "1"},
        reload="none",
        debug={"port": 5005},
        ports=["80"],
        shell="zsh",
    )


def test_the_plan_digest_notices_what_needs_a_new_pod():
    plain = _digest(image="a", sync=["src:/src"])

    assert len({plain, _digest(image="b", sync=["src:/src"]), _digest(image="a", sync=["src:/lib"]), _digest()}) == 4


def test_the_plan_digest_fills_in_defaults():
    assert _digest() == _digest(mode="replace", probes="remove")
