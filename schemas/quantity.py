"""Kubernetes quantities: where they stand in an object, and how the API server writes them. Never adds them up."""

from __future__ import annotations

import re
from math import ceil
from typing import TYPE_CHECKING

from devcfg.schemas.patch import Json, Pointer

if TYPE_CHECKING:
    from fractions import Fraction

_TEXT = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:([numkMGTPE]|[KMGTPE]i)|e([+-]?[0-9]{1,2}))?")
_DECIMAL = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_POWERS = {suffix or None: power for power, suffix in _DECIMAL.items()}


def is_quantity(path: Pointer) -> bool:
    """Tell whether a pointer names a quantity, such as `/…/resources/limits/cpu`."""
    return _in_resources(path) or (len(path) > 1 and path[-1] in ("sizeLimit", "divisor"))


def digits_of(path: Pointer) -> int:
    """Return how many digits behind the point the API server keeps: it rounds requests and limits up to thousandths."""
    return 3 if _in_resources(path) else 9


def _in_resources(path: Pointer) -> bool:
    return len(path) > 2 and path[-3] == "resources" and path[-2] in ("limits", "requests")


def amount_of(value: Json, *, digits: int = 9) -> Fraction | None:
    """Return a quantity as a number; None for one that is written in an odd way, or none at all."""
    from fractions import Fraction  # costs every command more than all else that is read here

    number, suffix, exponent = _parts(value)
    if number is None:
        return None
    is_binary = suffix in _BINARY
    unit = Fraction(1024) ** _BINARY.index(suffix) if is_binary else Fraction(10) ** int(exponent or _POWERS[suffix])
    # Nothing is finer than a billionth; what is, is rounded up.
    return Fraction(ceil(Fraction(number) * unit * 10**digits), 10**digits)


def _parts(value: Json) -> tuple[str | None, str | None, str | None]:
    found = _TEXT.fullmatch(str(value))
    return (found[1], found[2], found[3]) if found is not None else (None, None, None)


def as_stored(value: Json, *, digits: int = 9) -> str | None:
    """Return a quantity as the API server gives it back: `0.5` as `500m`, `1024Mi` as `1Gi`.

    None for one that is written in an odd way (`+3`, `5.`, `1E3`), which some versions keep as it is.
    Source: CanonicalizeBytes in k8s.io/apimachinery/pkg/api/resource/quantity.go.
    """
    amount = amount_of(value, digits=digits)
    if amount is None:
        return None
    if not amount:
        return "0"
    _, suffix, exponent = _parts(value)
    if suffix in _BINARY and amount >= 1024 and amount.denominator == 1:
        at = max(index for index in range(len(_BINARY)) if (amount / 1024**index).denominator == 1)
        return f"{amount / 1024**at}{_BINARY[at]}"
    billionths = int(amount * 10**9)
    power = max(one for one in _DECIMAL if billionths % 10 ** (one + 9) == 0)
    written = _DECIMAL[power] if exponent is None else f"e{power}" * (power != 0)
    return f"{billionths // 10 ** (power + 9)}{written}"
