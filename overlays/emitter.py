"""JSON values to YAML with one fixed layout and quoting, so that equal values give equal bytes. Never reads YAML."""

from __future__ import annotations

import json
import re

from devcfg.schemas.patch import Json

_BARE = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*(?:[ :=@,+][A-Za-z0-9_./-]+)*")
"""Text that no YAML reader takes for anything but itself; what begins like a number is always quoted."""
_WORDS = frozenset(
    "y n yes no on off true false null nan inf".split()  # noqa: SIM905  a list of words, not of values
)
_LONGEST_KEY = 1000
"""YAML readers look no farther than 1,024 characters for the colon of a key."""
_ENCODER = json.JSONEncoder(ensure_ascii=False)
"""Made once: `json.dumps` makes one a call."""
_FIRST = ("apiVersion", "kind", "metadata")
_AMISS = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LITERAL = re.compile(r"[\t\n\x20-\x7e\xa0-\u200d\u2010-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd]*")


def emit_document(value: Json) -> str:
    """Return one YAML document in block style, without `---`, ending in a newline.

    `apiVersion`, `kind` and `metadata` come first, then the object's own order.
    """
    if isinstance(value, dict) and value:
        ordered = {key: value[key] for key in _FIRST if key in value}
        value = {**ordered, **value}
    lines: list[str] = []
    if isinstance(value, dict | list) and value:
        _block(value, "", lines)
    else:
        lines.append(_scalar(value))
    return "\n".join(lines) + "\n"


def emit_flow(value: Json) -> str:
    """Return a value as one line of JSON, which every YAML reader reads alike."""
    return escaped(_ENCODER.encode(value))


def escaped(text: str) -> str:
    """Return JSON with those characters escaped that it may hold bare, but that YAML, terminals or readers take amiss.

    They are line breaks to YAML, commands to a terminal, or turn the order of what a reviewer sees.
    """
    return _AMISS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _block(value: Json, indent: str, lines: list[str]) -> None:
    if isinstance(value, dict):
        for key, below in value.items():
            head = _scalar(key)
            if len(head) > _LONGEST_KEY:
                lines.append(f"{indent}? {head}")
                head = ""
            _entry(f"{indent}{head}:", below, indent, lines)
        return
    for below in value:
        if isinstance(below, dict | list) and below:
            at = len(lines)
            _block(below, indent + "  ", lines)
            lines[at] = f"{indent}- {lines[at][len(indent) + 2 :]}"
        else:
            _entry(f"{indent}-", below, indent, lines)


def _entry(head: str, below: Json, indent: str, lines: list[str]) -> None:
    if isinstance(below, dict) and below:
        lines.append(head)
        _block(below, indent + "  ", lines)
    elif isinstance(below, list) and below:
        lines.append(head)
        _block(below, indent, lines)
    elif isinstance(below, str) and "\n" in below and _is_literal(below):
        _literal(head, below, indent + "  ", lines)
    else:
        lines.append(f"{head} {_scalar(below)}")


def _scalar(value: Json) -> str:
    if isinstance(value, str):
        return value if is_bare(value) else emit_flow(value)
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list):
        return "[]"
    text = _ENCODER.encode(value)
    # Without a point, YAML 1.1 takes `1e+22` for a string.
    return text.replace("e", ".0e") if isinstance(value, float) and "e" in text and "." not in text else text


def is_bare(text: str) -> bool:
    """Tell whether a string may stand without quotes and still be that string for every YAML reader."""
    return _BARE.fullmatch(text) is not None and text.lower() not in _WORDS and ": " not in text


def _is_literal(text: str) -> bool:
    """A literal block must not begin with a space or a line break, nor hold what YAML does not print."""
    return _LITERAL.fullmatch(text) is not None and text[0] not in " \n\t"


def _literal(head: str, text: str, indent: str, lines: list[str]) -> None:
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    lines.append(f"{head} |{'-' if ends == 0 else '' if ends == 1 else '+'}")
    lines += [indent + line if line else "" for line in (text.removesuffix("\n") if ends else text).split("\n")]
