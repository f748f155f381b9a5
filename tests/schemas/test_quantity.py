"""Quantities are written as the API server writes them: the table is what `kubectl create quota` printed for each."""

import pytest

from devcfg.schemas.patch import Pointer
from devcfg.schemas.quantity import as_stored, digits_of, is_quantity

STORED = {
    "0.5": "500m", "1000": "1k", "1500m": "1500m", "1024Mi": "1Gi", "1.5Gi": "1536Mi", "0.5Ki": "512", "1e3": "1e3",
    "12e1": "120", "100e3": "100e3", "1E": "1E", ".5": "500m", "1000k": "1M", "0.1m": "100u", "1500Mi": "1500Mi",
    "1048576Ki": "1Gi", "1n": "1n", "0.5n": "1n", "2.0": "2", "1023": "1023", "0.0001": "100u", "1e-3": "1e-3",
    "0Gi": "0", "1000000Mi": "1000000Mi", "1.1Ki": "1126400m", "123456789": "123456789", "0.3Gi": "322122547200m",
}  # fmt: skip


@pytest.mark.parametrize(("written", "stored"), STORED.items(), ids=str)
def test_a_quantity_is_written_as_the_api_server_writes_it(written, stored):
    assert as_stored(written) == stored


def test_a_number_is_a_quantity_as_well():
    assert as_stored(1) == "1"
    assert as_stored(0.5) == "500m"


@pytest.mark.parametrize("odd", ["+3", "5.", "1E3", "", "Mi", "1 Gi", "-1", True, None])
def test_an_odd_way_of_writing_is_not_guessed(odd):
    assert as_stored(odd) is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/spec/template/spec/containers/0/resources/limits/cpu", True),
        ("/spec/template/spec/volumes/0/emptyDir/sizeLimit", True),
        ("/spec/template/spec/containers/0/resources/limits", False),
        ("/spec/replicas", False),
    ],
)
def test_a_quantity_is_known_by_its_place(path, expected):
    assert is_quantity(Pointer.parse(path)) is expected


def test_requests_and_limits_are_kept_to_thousandths_rounded_up():
    path = Pointer.parse("/spec/containers/0/resources/limits/memory")

    assert as_stored("0.0000000001", digits=digits_of(path)) == "1m"
    assert as_stored("0.0000000001", digits=digits_of(Pointer.parse("/spec/volumes/0/emptyDir/sizeLimit"))) == "1n"
