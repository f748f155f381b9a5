"""A finding stands where the user wrote what is wrong, one a place, and nothing said is lost."""

from devcfg.compiler.document import read_document
from devcfg.compiler.findings import Findings
from devcfg.schemas.diagnostic import Severity

TEXT = b"""\
base: &there k8s
services:
  web:
    sync: ["a:/b"]
    image: *there
"""


def findings():
    return Findings(read_document(TEXT, file="devcfg.yaml"), "devcfg.yaml")


def only(found):
    (one,) = found.diagnostics
    return one


def test_a_value_or_its_key_is_pointed_at():
    for key, column in ((False, 11), (True, 5)):
        found = findings()
        found.add("bad-value", ("services", "web", "sync"), "m", key=key)
        assert (only(found).span.line, only(found).span.column) == (4, column)


def test_a_place_inside_a_short_form_is_the_short_form():
    found = findings()
    found.add("bad-value", ("services", "web", "sync", 0, "target"), "m")

    assert (only(found).pointer, only(found).span.column) == ("/services/web/sync/0", 12)


def test_a_place_that_is_not_written_is_the_nearest_around_it():
    found = findings()
    found.add("bad-value", ("services", "web", "debug", "port"), "m")

    assert only(found).pointer == "/services/web"


def test_behind_an_alias_the_place_where_it_is_written_is_told():
    found = findings()
    found.add("bad-value", ("services", "web", "image"), "m")

    assert only(found).span.line == 5
    assert [(one.message, one.line) for one in only(found).notes] == [("it is written here", 1)]


def test_the_gravest_of_a_place_is_kept_and_the_others_become_notes():
    found = findings()
    at = ("services", "web", "image")
    found.add("tight-limits", at, "a note", severity=Severity.NOTE)
    found.add("shared-claim", at, "a warning", severity=Severity.WARNING)
    found.add("bad-value", at, "an error")

    assert only(found).message == "an error"
    assert {"a note", "a warning"} <= {one.message for one in only(found).notes}


def test_findings_come_in_the_order_of_the_file():
    found = findings()
    for at in (("services", "web", "image"), ("base",), ("services", "web", "sync")):
        found.add("bad-value", at, "m")

    assert [one.span.line for one in found.diagnostics] == [1, 4, 5]


def test_only_an_error_fails():
    found = findings()
    found.add("shared-claim", ("base",), "m", severity=Severity.WARNING)
    assert not found.failed
    found.add("bad-value", ("base",), "m")

    assert found.failed
