"""The tables of kinds agree with themselves."""

import pytest

from devcfg.compiler.kinds import KINDS, SHORT_NAMES, known_kind


def test_no_kind_stands_twice():
    assert len({(one.group, one.kind) for one in KINDS}) == len(KINDS)


@pytest.mark.parametrize("one", KINDS, ids=lambda one: f"{one.group}/{one.kind}")
def test_a_kind_is_found_by_group_and_kind_alone(one):
    assert known_kind(one.group, one.kind) is one
    assert known_kind(one.group, one.kind.lower()) is None
    assert known_kind("elsewhere", one.kind) is None


def test_every_short_name_means_a_known_kind():
    known = {one.kind.lower() for one in KINDS}

    assert set(SHORT_NAMES.values()) <= known
    assert not known & set(SHORT_NAMES)


def test_only_what_is_scaled_can_roll():
    assert all(one.scaled for one in KINDS if one.rolling)
