"""The reference of the dev config, made of its blocks: the JSON Schema and the text of one field. Never read by hand.

Nothing of it stands here: descriptions, defaults and forms are those of `blocks` and `config`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from devcfg.schemas.block import Block, Field, Shape
from devcfg.schemas.config import DevConfig
from devcfg.schemas.patch import Json

ADDRESS = "https://devcfg.dev/devcfg.schema.json"
TITLE = "devcfg dev config"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is said of one place of the config. `form` is a JSON Schema; `keys` are a block's, with their text."""

    path: str
    text: str
    form: Json
    default: Json
    required: bool
    keys: tuple[tuple[str, str], ...]


def json_schema() -> dict[str, Json]:
    """Return the JSON Schema (draft-07) of the dev config."""
    definitions: dict[str, Json] = {}
    root = _block(DevConfig, definitions)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": ADDRESS,
        "title": TITLE,
        **{key: value for key, value in root.items() if key != "title"},
        "definitions": dict(sorted(definitions.items())),
    }


def describe_field(path: str) -> Entry | None:
    """Return what is said of a place such as `services.*.sync[].mode`; None where there is no such place.

    Any name stands for a free key, any index for an element; the index and the beginning `services.*.` may be left out.
    """
    words = tuple(re.sub(r"\[[^\]]*\]", ".[]", path).strip(".").split("."))
    return _find(words) or (_find(("services", "*", *words)) if words[0] not in DevConfig.fields else None)


def all_fields() -> Iterator[str]:
    """Return every path that can be described, in the order of the definition."""
    yield from _below(DevConfig, "")


def _below(kind: type[Block], prefix: str) -> Iterator[str]:
    for name, one in kind.fields.items():
        path, shape = f"{prefix}{name}", one.shape
        yield path
        while shape.block is None and shape.inner is not None:
            path += "[]" if _is_list(shape) else ".*"
            shape = shape.inner
        if shape.block is not None:
            yield from _below(shape.block, f"{path}.")


def _find(words: tuple[str, ...]) -> Entry | None:
    field = Field(Shape({}, {}, block=DevConfig), _docstring(DevConfig), None)
    shape: Shape = field.shape
    spelled: list[str] = []
    for word in words:
        if word != "[]" and shape.inner is not None and _is_list(shape):
            shape = shape.inner
            spelled.append("[]")
        if shape.block is not None:
            found = shape.block.fields.get(word)
            if found is None:
                return None
            field, shape = found, found.shape
            spelled.append(f".{word}")
        elif shape.inner is not None and _is_list(shape) == (word == "[]"):
            spelled.append("[]" if _is_list(shape) else ".*")
            shape = shape.inner
        elif word == "[]" and "items" in str(shape.json):
            spelled.append("[]")
        else:
            return None
    inside = shape.within
    keys = tuple((name, one.description) for name, one in inside.fields.items()) if inside is not None else ()
    whole = shape is field.shape
    text = field.description if whole or shape.block is None else _docstring(shape.block)
    default = None if field.required or not whole else field.default
    return Entry("".join(spelled).lstrip("."), text, _form(shape, {}), default, field.required and whole, keys)


def _block(kind: type[Block], definitions: dict[str, Json]) -> dict[str, Json]:
    found: dict[str, Json] = {
        "title": kind.__name__,
        "description": _docstring(kind),
        "type": "object",
        "properties": {name: _field(one, definitions) for name, one in kind.fields.items()},
        "additionalProperties": False,
    }
    required = [name for name, one in kind.fields.items() if one.required]
    if required:
        found["required"] = required
    return found


def _field(one: Field, definitions: dict[str, Json]) -> dict[str, Json]:
    form = _form(one.shape, definitions)
    if "$ref" in form:
        form = {"allOf": [form]}  # what stands beside a reference is ignored
    default = None if one.required else _plain(one.default)
    return {"description": one.description, **form, **({} if default in (None, [], {}) else {"default": default})}


def _form(shape: Shape, definitions: dict[str, Json]) -> dict[str, Json]:
    if shape.block is not None:
        name = shape.block.__name__
        if name not in definitions:
            definitions[name] = None  # a block inside itself would go on for ever
            definitions[name] = _block(shape.block, definitions)
        reference = {"$ref": f"#/definitions/{name}"}
        return {"anyOf": [shape.json, reference]} if shape.json else reference
    if shape.inner is None:
        return shape.json
    member = "items" if _is_list(shape) else "additionalProperties"
    return {**shape.json, member: _form(shape.inner, definitions)}


def _is_list(shape: Shape) -> bool:
    return shape.json.get("type") == "array" and shape.inner is not None


def _plain(value: Any) -> Json:
    return list(value) if isinstance(value, tuple) else value


def _docstring(kind: type[Block]) -> str:
    return " ".join((kind.__doc__ or "").split())
