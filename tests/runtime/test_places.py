"""The way from a field to its line and back leads to the same place."""

import pytest

from devcfg.compiler.document import read_document
from devcfg.runtime.places import field_of, line_of, pointer_of, pointers_at
from devcfg.schemas.patch import Pointer

TEXT = b"""\
services:
  web:
    env:
      A.B: one
      A: two
    sync:
      - path: a
        target: /b
      - {path: c, target: /d}
"""
DOCUMENT = read_document(TEXT, file="f")


@pytest.mark.parametrize(
    ("field", "pointer", "line"),
    [
        ("services", "/services", 1),
        ("services.web.env.A.B", "/services/web/env/A.B", 4),
        ("services.web.env.A", "/services/web/env/A", 5),
        ("services.web.sync[0].target", "/services/web/sync/0/target", 8),
        ("services.web.sync[1].target", "/services/web/sync/1/target", 9),
    ],
)
def test_a_field_and_its_pointer_lead_to_each_other(field, pointer, line):
    assert str(pointer_of(field, DOCUMENT)) == pointer
    assert field_of(Pointer.parse(pointer), DOCUMENT) == field
    assert line_of(field, DOCUMENT) == line


@pytest.mark.parametrize(
    ("field", "pointer"),
    [
        ("services.web.image", "/services/web"),
        ("services.web.sync[7].path", "/services/web/sync"),
        ("services.web.sync[x]", "/services/web/sync"),
        ("nothing", ""),
        ("services.web.env.A.B.C", "/services/web/env/A.B"),
    ],
)
def test_a_field_that_is_not_written_leads_to_the_nearest_around_it(field, pointer):
    assert str(pointer_of(field, DOCUMENT)) == pointer


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (1, ["services"]),
        (3, ["services.web.env"]),
        (4, ["services.web.env.A.B"]),
        (9, ["services.web.sync[1].path", "services.web.sync[1].target"]),
        (99, ["services.web.sync[1]"]),
    ],
)
def test_a_line_leads_to_its_innermost_fields(line, fields):
    found = [field_of(one, DOCUMENT) for one in pointers_at(line, DOCUMENT)]

    assert found == fields


def test_above_the_first_field_there_is_none():
    assert pointers_at(1, read_document(b"# words\nservices: {web: {}}\n", file="f")) == ()
