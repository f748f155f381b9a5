"""Canonical JSON (RFC 8785) and the digests made of it. Never sees a file."""

from __future__ import annotations

import json
from hashlib import sha256
from math import isfinite

from devcfg.schemas.config import DevConfig, Service
from devcfg.schemas.patch import Json

IN_PLACE = {"command", "env", "reload", "debug", "ports", "reverse", "shell"}
"""Fields of a service that a session changes without a new pod: they do not count for the plan's digest."""
IN_PLACE_SYNC = {"path", "mode", "include", "exclude", "gitignore", "write"}

_ENCODER = json.JSONEncoder(ensure_ascii=False)
"""Made once: `json.dumps` makes one a call."""


def canonical(value: Json) -> str:
    """Return the RFC 8785 text: members sorted by UTF-16 code units, no spaces, numbers as ECMAScript prints them."""
    match value:
        case dict():
            keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
            return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}" for key in keys) + "}"
        case list() | tuple():
            return "[" + ",".join(map(canonical, value)) + "]"
        case float():
            return _number(value)
        case _:
            return _ENCODER.encode(value)


def _number(value: float) -> str:
    if not isfinite(value):
        raise ValueError("JSON has no infinity and no NaN")
    mantissa, mark, exponent = repr(value).partition("e")
    if not mark:
        return "0" if value == 0 else mantissa.removesuffix(".0")
    power, digits = int(exponent), mantissa.replace(".", "").removeprefix("-")
    sign = "-" if value < 0 else ""
    if -7 < power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    if 0 < power < 21:
        return sign + digits.ljust(power + 1, "0")
    return f"{mantissa}e{power:+d}"


def digest(value: Json) -> str:
    """Return the SHA-256 of the canonical text, in hex."""
    return sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def config_digest(config: DevConfig) -> str:
    """Return the digest of the whole dev config, defaults filled in."""
    return digest(config.dump())


def plan_digest(services: dict[str, Service]) -> str:
    """Return `v1-HEX` for one workload's services by name: what needs a new pod, and nothing read from the base."""
    blocks = {}
    for name, service in services.items():
        block = {name: value for name, value in service.dump().items() if name not in IN_PLACE}
        block["sync"] = [
            {key: value for key, value in rule.items() if key not in IN_PLACE_SYNC} for rule in block["sync"]
        ]
        blocks[name] = block
    return "v1-" + digest(blocks)
