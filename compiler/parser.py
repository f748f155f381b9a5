"""The dev config's text to `DevConfig`: every error at once, each with its place. Never reads a base."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails, ValidationError

from devcfg.compiler.document import Document, read_document
from devcfg.compiler.findings import Findings
from devcfg.schemas.block import Block
from devcfg.schemas.config import DevConfig
from devcfg.schemas.errors import ConfigError
from devcfg.schemas.fields import closest
from devcfg.schemas.scalar import clip, describe


@dataclass(frozen=True, slots=True)
class Parsed:
    """A dev config with the document it came from, for places in findings."""

    document: Document
    config: DevConfig
    file: str


def read_config(data: bytes, *, file: str) -> Parsed:
    """Read a dev config. Raises `ConfigError` with every diagnostic."""
    document = read_document(data, file=file)
    return check_config(document, document.value, file=file)


def check_config(document: Document, value: Any, *, file: str) -> Parsed:
    """Check a value against the schema; `value` is the document's own, or one merged with a personal file."""
    try:
        return Parsed(document, DevConfig.validate(value), file)
    except ValidationError as error:
        findings, errors = Findings(document, file), error.errors(include_url=False)
        slips = {_meant(one) for one in errors if one["type"] == "extra_forbidden"}
        missing: dict[tuple[str | int, ...], list[str]] = {}
        for one in errors:
            if one["type"] != "missing":
                _report(findings, one)
            elif tuple(one["loc"]) not in slips:  # a key that stands there with a slip is one mistake, not two
                missing.setdefault(tuple(one["loc"][:-1]), []).append(f"`{one['loc'][-1]}`")
        for loc, keys in missing.items():
            message = f"{' and '.join(keys)} {'is' if len(keys) == 1 else 'are'} missing in {_spelled(loc)}"
            findings.add("missing-key", loc, message, hint=f"add {'it' if len(keys) == 1 else 'them'}", key=True)
        raise ConfigError(findings.diagnostics) from None


def _report(findings: Findings, error: ErrorDetails) -> None:
    loc = tuple(error["loc"])
    match error["type"]:
        case "extra_forbidden":
            parent, key = _spelled(loc[:-1]), str(loc[-1])
            known = _known_keys(loc[:-1])
            near = _near(key, known)
            hint = "" if near else f"known keys: {', '.join(f'`{one}`' for one in known)}"
            findings.add("unknown-key", loc, f"unknown key `{key}` in {parent}", label=near, hint=hint, key=True)
        case "too_short":
            findings.add("empty-value", loc, f"{_spelled(loc)} must not be empty", hint="name at least one service")
        case "model_type" | "dict_type" | "model_attributes_type":
            found = describe(error["input"])
            hint = _shape_hint(loc, found, "write `key: value` lines below the key")
            findings.add("wrong-type", loc, f"{_spelled(loc)}: wanted a mapping, found {found}", hint=hint)
        case "tuple_type" | "list_type":
            found = describe(error["input"])
            hint = _shape_hint(loc, found, "write each item behind `- `, or all in `[…]`")
            findings.add("wrong-type", loc, f"{_spelled(loc)}: wanted a list, found {found}", hint=hint)
        case code:
            context = error.get("ctx", {})
            hint = str(context.get("hint", ""))
            label, hint = (hint, "") if hint.startswith("did you mean") else ("", hint)
            on_key = bool(loc) and loc[-1] == "[key]"
            at = loc[:-1] if on_key else (*loc, *context.get("at", ()))
            message = f"{_spelled(at)}: {context.get('message', error['msg'])}"
            if on_key:  # a key counts by its text, with quotes or without
                message = message.replace(f'`"{at[-1]}"`', f"`{at[-1]}`")
            on_key = on_key or bool(context.get("key"))
            findings.add(str(code).replace("_", "-"), at, message, hint=hint, label=label, key=on_key)


def _shape_hint(loc: tuple[str | int, ...], found: str, hint: str) -> str:
    if found == "null":
        return "name at least one service" if loc == ("services",) else "leave the key out instead"
    return hint


def _spelled(loc: tuple[str | int, ...]) -> str:
    """Write a place as `services.web.sync[0]`."""
    spelled = "".join(map(_step, loc))
    return spelled.removeprefix(".") or "the dev config"


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if re.fullmatch(r"[\w.-]+", part) else f'["{clip(part)}"]'


_MEANT = {"environment": "env", "ignore": "exclude", "start": "run", "volumes": "persist", "script": "run"}
"""What other tools call our keys, where no letters are alike."""


def _near(key: str, known: tuple[str, ...]) -> str:
    meant = _MEANT.get(key)
    return f"did you mean `{meant}`?" if meant in known else closest(key, known)


def _meant(error: ErrorDetails) -> tuple[str | int, ...]:
    """Return the place that an unknown key was meant for; its own where nothing is near."""
    *parent, key = error["loc"]
    near = _near(str(key), _known_keys(tuple(parent)))
    return (*parent, near.split("`")[1] if near else key)


def _known_keys(loc: tuple[str | int, ...]) -> tuple[str, ...]:
    """Return the keys of the block at a place; indexes and free keys stay inside what holds them."""
    inside: type[Block] | None = DevConfig
    steps = iter(loc)
    for part in steps:
        shape = inside.fields[str(part)].shape if inside is not None else None
        inside = shape.within if shape is not None else None
        if shape is not None and shape.block is None and shape.inner is not None:
            next(steps, None)
    if inside is None:
        return ()
    # A key that is always refused is nothing to recommend.
    return tuple(name for name, one in inside.fields.items() if one.shape.json != {"not": {}})
