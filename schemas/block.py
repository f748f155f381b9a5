"""The mapping blocks of the dev config: frozen, unknown keys refused, every error at once. Never knows a field.

One definition of a field gives its check (run by pydantic-core), its default, its JSON Schema and its text in the
reference. pydantic's own models are not used: building them costs every command more than the rest of its work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

from pydantic_core import SchemaValidator

_REQUIRED: Any = object()


class Shape:
    """What a value may be: a leaf, a list of them, a mapping, or a block."""

    __slots__ = ("block", "core", "inner", "json")

    def __init__(
        self, core: dict[str, Any], json: dict[str, Any], inner: Shape | None = None, block: type[Block] | None = None
    ) -> None:
        self.core = core
        """The pydantic-core schema that checks a value."""
        self.json = json
        """JSON Schema, without what `inner` and `block` add."""
        self.inner = inner
        self.block = block

    @property
    def within(self) -> type[Block] | None:
        """The block that stands here, or in each element."""
        return self.block or (self.inner.within if self.inner else None)


def leaf(check: Callable[[Any], Any], **json: Any) -> Shape:
    """Return the shape of a single value; `check` returns what it means, or raises through `fields.fail`."""
    return Shape({"type": "function-plain", "function": {"type": "no-info", "function": check}}, json)


def many(item: Shape) -> Shape:
    """Return the shape of a list; it becomes a tuple."""
    core = {"type": "tuple", "items_schema": [item.core], "variadic_item_index": 0}
    return Shape(core, {"type": "array"}, inner=item)


def mapping(key: Shape, value: Shape, *, least: int = 0, before: Callable[[Any], Any] | None = None) -> Shape:
    """Return the shape of a mapping with free keys."""
    core: dict[str, Any] = {"type": "dict", "keys_schema": key.core, "values_schema": value.core, "min_length": least}
    json: dict[str, Any] = {"type": "object", "propertyNames": key.json} if key.json else {"type": "object"}
    if least:
        json["minProperties"] = least
    return Shape(_after(before, core), json, inner=value)


def block(kind: type[Block], before: Callable[[Any], Any] | None = None, **short: Any) -> Shape:
    """Return the shape of a block; `before` turns a short form, whose JSON Schema is `short`, into a mapping."""
    return Shape(_after(before, kind.core()), short, block=kind)


def _after(before: Callable[[Any], Any] | None, core: dict[str, Any]) -> dict[str, Any]:
    if before is None:
        return core
    return {"type": "function-before", "function": {"type": "no-info", "function": before}, "schema": core}


class Field:
    """One key of a block."""

    __slots__ = ("default", "description", "shape")

    def __init__(self, shape: Shape, description: str, default: Any) -> None:
        self.shape = shape
        self.description = description
        self.default = default

    @property
    def required(self) -> bool:
        """Whether the key must be there."""
        return self.default is _REQUIRED

    def core(self) -> dict[str, Any]:
        """Return the pydantic-core schema of the field."""
        if self.required:
            return {"type": "model-field", "schema": self.shape.core}
        wrapped: dict[str, Any] = {"type": "default", "schema": self.shape.core, "default": self.default}
        if self.shape.block is not None and self.default == {}:
            wrapped["validate_default"] = True
        return {"type": "model-field", "schema": wrapped}


def field(shape: Shape, description: str, default: Any = None) -> Any:
    """Declare a key of a block with its default. A default of `{}` for a block means all of the block's own."""
    return Field(shape, description, default)


def required(shape: Shape, description: str) -> Any:
    """Declare a key that must be there."""
    return Field(shape, description, _REQUIRED)


class Block:
    """A frozen mapping with known keys."""

    __slots__ = ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")
    __pydantic_fields_set__: set[str]
    fields: ClassVar[dict[str, Field]]

    def __init_subclass__(cls) -> None:
        cls.fields = {name: value for name, value in vars(cls).items() if isinstance(value, Field)}
        for name in cls.fields:
            delattr(cls, name)

    @classmethod
    def core(cls) -> dict[str, Any]:
        """Return the pydantic-core schema of the block."""
        fields = {name: one.core() for name, one in cls.fields.items()}
        return {
            "type": "model",
            "cls": cls,
            "schema": {"type": "model-fields", "fields": fields},
            "config": {"extra_fields_behavior": "forbid"},
        }

    @classmethod
    def validate(cls, value: Any) -> Self:
        """Return the block that a value describes. Raises pydantic-core's `ValidationError` with every error."""
        found: Self = SchemaValidator(cls.core()).validate_python(value)
        return found

    @property
    def written(self) -> frozenset[str]:
        """The keys that the config says itself, in whatever form; all others have their defaults."""
        return frozenset(self.__pydantic_fields_set__)

    def dump(self) -> dict[str, Any]:
        """Return the block as JSON values, defaults filled in, in the order of its definition."""
        return {name: _dump(getattr(self, name)) for name in type(self).fields}

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: `{name}` cannot be set to {value!r}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"


def _dump(value: Any) -> Any:
    match value:
        case Block():
            return value.dump()
        case dict():
            return {key: _dump(below) for key, below in value.items()}
        case list() | tuple():
            return [_dump(below) for below in value]
        case _:
            return value
