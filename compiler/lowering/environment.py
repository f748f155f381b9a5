"""Lower `env`: set, replace whole, remove. Never reads a value of the base: those may be secret."""

from __future__ import annotations

from devcfg.compiler.lowering.fragment import Bound, Fragment
from devcfg.compiler.witness import append_all, exact_length
from devcfg.schemas.patch import Json, Op, Operation


def lower_environment(bound: Bound) -> Fragment:
    """Set and remove environment variables; the names the base has are asserted, so that none is set twice."""
    wanted = bound.service.env
    if not wanted:
        return Fragment()
    path, source = bound.at / "env", bound.field("env")
    listed = bound.witness.items(path, "name", source)
    names = listed or ()
    operations: list[Operation] = []
    # From the end: an index below stays what it was.
    for at in reversed(range(len(names))):
        name = names[at]
        if name not in wanted:
            continue
        field = bound.field(f"env.{name}")
        operations.append(Operation(Op.REMOVE, path / at, None, field))
        earlier = name in names[:at]
        if wanted[name] is None or earlier:
            continue
        operations.append(Operation(Op.ADD, path / at, _entry(name, wanted[name]), field))
    new = tuple(
        (_entry(name, value), bound.field(f"env.{name}"))
        for name, value in wanted.items()
        if value is not None and name not in names
    )
    if operations and not new and all(name in wanted and wanted[name] is None for name in names):
        # The API server drops an empty list: the way back could not find it.
        operations.append(Operation(Op.REMOVE, path, None, operations[-1].source))
    length = exact_length(path, len(names), source) if listed is not None else ()
    return Fragment((*length, *operations, *append_all(bound.witness, path, new)))


def _entry(name: str, value: str | dict[str, Json] | None) -> Json:
    return {"name": name, **(value if isinstance(value, dict) else {"value": value})}
