"""Reads are tests: what a witness was asked is what the patch asserts."""

import pytest

from devcfg.compiler.witness import Witness, append_all, exact_length
from devcfg.schemas.errors import PatchError
from devcfg.schemas.patch import Pointer, apply_patch

BASE = {"spec": {"list": [{"name": "a"}, {"name": "b"}], "empty": None}}


def at(text):
    return Pointer.parse(text)


def test_a_read_is_asserted_with_its_value():
    witness = Witness(BASE)

    assert witness.read(at("/spec/list/0/name")) == "a"
    assert [step.to_json() for step in witness.tests()] == [{"op": "test", "path": "/spec/list/0/name", "value": "a"}]


def test_a_missing_parent_is_asserted_instead_of_its_member():
    witness = Witness(BASE)

    assert witness.read(at("/spec/other/deep/member")) is None
    assert [str(step.path) for step in witness.tests()] == ["/spec/other"]


def test_a_null_in_the_base_counts_as_missing():
    witness = Witness(BASE)

    assert not witness.exists(at("/spec/empty"))
    assert apply_patch(BASE, witness.tests()) == BASE


def test_peeking_asserts_nothing():
    witness = Witness(BASE)
    witness.peek(at("/spec/list"))

    assert witness.tests() == ()


@pytest.mark.parametrize("grown", [[{"name": "c"}], [{"name": "c"}, {"name": "d"}]])
def test_an_exact_append_notices_a_list_that_grew(grown):
    witness = Witness(BASE)
    steps = append_all(witness, at("/spec/list"), (({"name": "new"}, "f"),), exact=True)

    assert apply_patch(BASE, steps)["spec"]["list"][-1] == {"name": "new"}
    with pytest.raises(PatchError):
        apply_patch({"spec": {"list": BASE["spec"]["list"] + grown}}, steps)


def test_an_exact_append_to_an_empty_list_notices_that_it_filled():
    steps = append_all(Witness({"list": []}), at("/list"), (({"name": "new"}, "f"),), exact=True)

    assert apply_patch({"list": []}, steps) == {"list": [{"name": "new"}]}
    with pytest.raises(PatchError):
        apply_patch({"list": [{"name": "x"}]}, steps)


def test_appending_to_a_missing_list_asserts_that_it_is_missing():
    witness = Witness(BASE)
    steps = append_all(witness, at("/spec/new"), (({"name": "x"}, "f"),))

    with pytest.raises(PatchError):
        apply_patch({"spec": {"new": [1]}}, witness.tests() + steps)


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_an_exact_length_holds_for_that_length_alone(length):
    document = {"list": [{"name": str(n)} for n in range(length)]}

    assert apply_patch(document, exact_length(at("/list"), length, "f")) == document
    for other in (length - 1, length + 1):
        if other >= 0:
            with pytest.raises(PatchError):
                apply_patch(document, exact_length(at("/list"), other, "f"))
