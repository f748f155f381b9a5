"""No hostile file becomes an object: every one is refused with our error, at a place in the file."""

import runpy
from pathlib import Path

import pytest

from devcfg.compiler.document import read_document
from devcfg.compiler.manifests import read_manifests
from devcfg.schemas.errors import BaseError, ConfigError

CORPUS = runpy.run_path(str(Path(__file__).parent / "data" / "hostile.py"))["corpus"]()

EXPECTED = {
    "bomb": {"alias-expansion", "too-many-aliases"},
    "text-bomb": {"alias-expansion"},
    "key-value-bomb": {"alias-expansion"},
    "depth-3000": {"too-deep", "too-large"},
    "depth-through-aliases": {"too-deep"},
    "flow-list": {"too-many-nodes"},
    "block-list": {"too-many-nodes", "too-large"},
    "too-large": {"too-large"},
    "duplicate": {"duplicate-key", "too-large"},
    "merge-fold": {"alias-expansion", "too-many-aliases"},
    "recursive": {"recursive-alias", "unknown-alias"},
    "encoding": {"encoding"},
    "latin-1": {"encoding"},
    "character": {"control-character"},
    "tab": {"tab-indentation"},
    "tag": {"explicit-tag", "yaml-syntax", "too-large"},
    "directive-many": {"directive"},
    "documents": {"several-documents"},
}


def wanted(name: str) -> set[str]:
    """The codes for the longest family name that the case belongs to; empty when any will do."""
    families = [family for family in EXPECTED if name.startswith(family + "-")]
    return EXPECTED[max(families, key=len)] if families else set()


def test_the_corpus_has_two_hundred_different_files():
    assert len(set(CORPUS.values())) >= 200


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_dev_config_is_refused_at_a_place(name):
    with pytest.raises(ConfigError) as caught:
        read_document(CORPUS[name], file="devcfg.yaml")
    found = caught.value.diagnostics
    assert 1 <= len(found) <= 101
    for one in found:
        assert one.file == "devcfg.yaml"
        assert one.message
        assert len(one.message) < 200
        assert one.span is not None
        assert one.span.line >= 1
        assert one.span.column >= 1
        assert (one.span.end_line, one.span.end_column) > (one.span.line, one.span.column)
    assert not wanted(name) or found[-1].code in wanted(name) or found[0].code in wanted(name)


@pytest.mark.parametrize("name", [name for name, data in CORPUS.items() if len(data) < 1_000_000])
def test_a_hostile_base_is_read_or_refused_but_breaks_nothing(name):
    try:
        found = read_manifests(CORPUS[name], file="base.yaml")
    except BaseError as error:
        assert all(one.span is not None and one.file == "base.yaml" for one in error.diagnostics)
    else:
        assert found == ()


BASE = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"


@pytest.mark.parametrize("name", [name for name in CORPUS if name.startswith(("bomb", "text-bomb", "key-value"))])
def test_a_bomb_inside_an_object_never_grows_beyond_its_base(name):
    body = CORPUS[name].decode().replace("version: 1\n", "")
    try:
        (found,) = read_manifests(f"{BASE}{body}", file="base.yaml")
    except BaseError as error:
        assert {one.code for one in error.diagnostics} <= {"alias-expansion", "too-deep"}
    else:
        assert weigh(found.object) <= 1_000_000 + 10 * len(body)


def weigh(value):
    match value:
        case dict():
            return sum(len(key) + weigh(below) for key, below in value.items())
        case list():
            return sum(map(weigh, value))
        case _:
            return len(str(value))
