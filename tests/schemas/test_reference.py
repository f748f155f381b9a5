"""Every place of the config can be described by the words that people use for it."""

import pytest

from devcfg.schemas.config import DevConfig
from devcfg.schemas.reference import all_fields, describe_field, json_schema


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("services.web.image", "services.*.image"),
        ("image", "services.*.image"),
        ("services.web.sync[0].mode", "services.*.sync[].mode"),
        ("sync.mode", "services.*.sync[].mode"),
        ("services.*.sync[].mode", "services.*.sync[].mode"),
        ("reload.stop.grace", "services.*.reload.stop.grace"),
        ("services.web.env.PATH", "services.*.env.*"),
        ("command.run[1]", "services.*.command.run[]"),
        ("base", "base"),
        ("output.component", "output.component"),
    ],
)
def test_a_field_is_found_by_any_way_to_say_it(words, path):
    entry = describe_field(words)

    assert entry is not None
    assert entry.path == path


@pytest.mark.parametrize(
    "words", ["", "nothing", "image.x", "services.web.sync[0].x", "sync[0][0]", "base[0]", "..", "."]
)
def test_what_is_no_field_is_none(words):
    assert describe_field(words) is None


def test_a_block_lists_its_keys_with_their_texts():
    entry = describe_field("reload.stop")

    assert [name for name, _ in entry.keys] == ["signal", "grace"]
    assert all(text.endswith(".") for _, text in entry.keys)


def test_a_required_key_says_so_and_a_default_is_told():
    assert describe_field("sync.path").required
    assert (describe_field("sync.mode").required, describe_field("sync.mode").default) == (False, "two-way-safe")


def test_schema_and_reference_know_the_same_fields():
    def below(schema, prefix):
        for name, one in schema.get("properties", {}).items():
            yield prefix + name
            path, inner = prefix + name, one
            while True:
                inner = (inner.get("allOf") or [inner])[0]
                inner = next((each for each in inner.get("anyOf", ()) if "$ref" in each), inner)
                if "items" in inner and "$ref" in str(inner["items"]):
                    path, inner = path + "[]", inner["items"]
                elif "$ref" in str(inner.get("additionalProperties", "")):
                    path, inner = path + ".*", inner["additionalProperties"]
                else:
                    break
            if "$ref" in inner:
                yield from below(definitions[inner["$ref"].rpartition("/")[2]], f"{path}.")

    schema = json_schema()
    definitions = schema["definitions"]

    assert list(below(schema, "")) == list(all_fields())
    assert next(iter(DevConfig.fields)) == next(all_fields())
