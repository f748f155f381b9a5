"""The leaf types of the dev config: each takes what YAML gave and returns a checked value or one exact error.

A plain scalar counts by its source text where a string is wanted, and by YAML 1.2 core where a number is.
Nothing here knows which field it serves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

from pydantic_core import PydanticCustomError

from devcfg.schemas.block import Shape, leaf
from devcfg.schemas.scalar import PlainScalar, describe, resolve

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""An RFC 1123 label, as Kubernetes names containers, namespaces and most objects."""
SUBDOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
ENV_NAME = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")
QUANTITY = re.compile(r"[+]?([0-9]+\.?[0-9]*|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|[eE][+-]?[0-9]+)?")
IMAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:/-]*[A-Za-z0-9])?(@sha256:[0-9a-f]{64})?")
OWNED = ("/devcfg", "/devcfg-source", "/proc", "/sys", "/dev")


def fail(code: str, message: str, hint: str = "", *, at: tuple[str | int, ...] = (), key: bool = False) -> NoReturn:
    """Raise the one error of a value. `code` is the diagnostic's.

    `at` is the way from the value to what is wrong in it; with `key`, it is the key there that is wrong.
    """
    raise PydanticCustomError(code, "{message}", {"message": message, "hint": hint, "at": at, "key": key})


def text(value: Any) -> str:
    """Take a string by its source text. Null, lists and mappings are errors."""
    if isinstance(value, PlainScalar):
        if value.value is None:
            fail("wrong-type", "wanted a string, found null", "write a value, or leave the key out")
        return str.__str__(value)
    if isinstance(value, str):
        return value
    return fail("wrong-type", f"wanted a string, found {describe(value)}")


def filled(value: Any) -> str:
    """Take a string that is not empty."""
    found = text(value)
    if not found.strip():
        fail("empty-value", "wanted a string that is not empty", "leave the key out instead")
    return found


def matching(pattern: re.Pattern[str], wanted: str, hint: str = "") -> Callable[[Any], str]:
    """Return a validator that takes a string of one form."""

    def check(value: Any) -> str:
        found = filled(value)
        if not pattern.fullmatch(found):
            fail("bad-value", f"wanted {wanted}, found {describe(value)}", hint)
        return found

    return check


def one_of(*choices: str) -> Callable[[Any], str]:
    """Return a validator that takes one of a closed set of words."""

    def check(value: Any) -> str:
        found = text(value)
        if found not in choices:
            fail(
                "bad-value",
                f"wanted one of {', '.join(f'`{one}`' for one in choices)}, found {describe(value)}",
                closest(found, choices),
            )
        return found

    return check


def closest(word: str, choices: tuple[str, ...]) -> str:
    """Return a did-you-mean hint, or nothing. difflib is imported here: only mistakes pay for it."""
    from difflib import get_close_matches

    near = get_close_matches(word, choices, 1, 0.6)
    return f"did you mean `{near[0]}`?" if near else ""


def integer(low: int, high: int) -> Callable[[Any], int]:
    """Return a validator that takes a whole number between two bounds, both included."""

    def check(value: Any) -> int:
        found = resolve(value)
        if isinstance(found, bool) or not isinstance(found, int):
            quoted = isinstance(found, str) and found.isdecimal()
            hint = "leave the quotes out" if quoted else ""
            fail("wrong-type", f"wanted a whole number, found {describe(value)}", hint)
        if not low <= found <= high:
            wanted = f"a number from {low} to {high}" if low < high else f"`{low}`"
            fail("bad-value", f"wanted {wanted}, found {describe(value)}")
        return found

    return check


def boolean(value: Any) -> bool:
    """Take `true` or `false`, unquoted."""
    found = resolve(value)
    if not isinstance(found, bool):
        fail("wrong-type", f"wanted `true` or `false`, found {describe(value)}")
    return found


def duration(value: Any) -> str:
    """Take a length of time such as `300ms`, `2s`, `1.5s` or `1m`."""
    found = filled(value)
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m)", found):
        fail("bad-value", f"wanted a length of time such as `300ms`, `2s` or `1m`, found {describe(value)}")
    return found


def pod_path(value: Any) -> str:
    """Take an absolute, normal path in the container that dev mode may mount on."""
    found = filled(value)
    if not found.startswith("/"):
        fail(
            "bad-path",
            f"wanted an absolute path in the container, found {describe(value)}",
            f"did you mean `/{found}`?",
        )
    parts = found.split("/")[1:]
    if parts[-1] == "" and len(parts) > 1:
        parts = parts[:-1]
    if any(part in ("", ".", "..") for part in parts):
        fail("bad-path", f"wanted a path without empty, `.` or `..` parts, found {describe(value)}")
    if any(mark in found for mark in ":$\0"):
        fail("bad-path", f"a path in the container cannot contain `:` or `$`, found {describe(value)}")
    normal = "/" + "/".join(parts)
    for owned in OWNED:
        if normal == owned or normal.startswith(owned + "/"):
            fail(
                "bad-path",
                f"`{owned}` is not free, found {describe(value)}",
                "choose another directory, such as `/src`",
            )
    return normal


def local_path(value: Any) -> str:
    """Take a path relative to the config file and below it (or `.`), as written with forward slashes."""
    found = filled(value)
    if found.startswith(("/", "~")) or re.match(r"[A-Za-z]:", found) or "\\" in found:
        fail("bad-path", f"wanted a path relative to the config file, found {describe(value)}")
    if "\0" in found:
        fail("bad-path", f"wanted a path without NUL, found {describe(value)}")
    parts = [part for part in found.split("/") if part not in ("", ".")]
    if ".." in parts:
        fail(
            "bad-path",
            f"wanted a path below the config file's directory, found {describe(value)}",
            "move devcfg.yaml up, beside or above what it names",
        )
    if parts and parts[0] in (".git", ".ssh", ".devcfg"):
        hint = "choose another directory"
        fail("bad-path", f"`{parts[0]}` is neither synced nor written to, found {describe(value)}", hint)
    return "/".join(parts) or "."


def port_pair(value: Any) -> str:
    """Take `local:remote`, `remote`, or `:remote` (a free local port)."""
    found = filled(value)
    local, colon, remote = found.rpartition(":")
    if not _port(remote) or (colon and local and not _port(local)):
        fail(
            "bad-port",
            f"wanted `local:remote`, `remote` or `:remote` with ports from 1 to 65535, found {describe(value)}",
        )
    return found


def port_reverse(value: Any) -> str:
    """Take `remote:local`."""
    found = filled(value)
    remote, colon, local = found.partition(":")
    if not (colon and _port(remote) and _port(local)):
        fail("bad-port", f"wanted `remote:local` with ports from 1 to 65535, found {describe(value)}")
    return found


def _port(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 5 and 1 <= int(word) <= 65535


def argv(value: Any) -> tuple[str, ...]:
    """Take a list of words; a string means `sh -c`, and is shown so."""
    if isinstance(value, list):
        if not value:
            fail("empty-value", "wanted a command, found an empty list", "leave the key out instead")
        words = tuple(_word(item, at) for at, item in enumerate(value))
        if not words[0].strip():
            fail("empty-value", "wanted a program as the first word, found an empty one", at=(0,))
        return words
    if isinstance(value, dict):
        fail("wrong-type", "wanted a list of words or a string, found a mapping")
    return ("sh", "-c", filled(value))


def _word(item: Any, at: int) -> str:
    if isinstance(item, dict | list) or (isinstance(item, PlainScalar) and item.value is None):
        fail(
            "wrong-type",
            f"wanted a string, found {describe(item)}",
            "put quotes around it, or take it out",
            at=(at,),
        )
    found = text(item)
    if "\0" in found:
        fail("bad-value", "no word of a command can hold a NUL character", at=(at,))
    return found


def image(value: Any) -> str:
    """Take an image reference."""
    found = filled(value)
    if not IMAGE.fullmatch(found) or len(found) > 512:
        fail("bad-value", f"wanted an image such as `python:3-slim`, found {describe(value)}")
    return found


def user(value: Any) -> str:
    """Take `uid` or `uid:gid`, numbers as Kubernetes wants them."""
    found = filled(value)
    if not re.fullmatch(r"[0-9]{1,10}(:[0-9]{1,10})?", found) or any(
        int(part) > 2**31 - 1 for part in found.split(":")
    ):
        fail(
            "bad-value",
            f"wanted `uid` or `uid:gid` as numbers, found {describe(value)}",
            "Kubernetes takes no user names; `id -u NAME` in the image tells the number",
        )
    return found


def quantity(value: Any) -> str:
    """Take a Kubernetes quantity, such as `500m` or `1Gi`."""
    found = filled(value)
    if not QUANTITY.fullmatch(found):
        fail("bad-value", f"wanted a quantity such as `500m` or `1Gi`, found {describe(value)}")
    return found


# The schema says as much of each check as a pattern can, so that an editor underlines what a command would refuse.
_BELOW = r"^(?![/~]|[A-Za-z]:|(.*/)?\.\.(/|$)|.*\\).+$"
_STRINGY = ["string", "number", "boolean"]
_NAME = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"

TEXT = leaf(filled, type=_STRINGY)
NAME = leaf(
    matching(LABEL, "a Kubernetes name (lower case letters, digits and `-`, at most 63)"), type="string", pattern=_NAME
)
SUBDOMAIN_NAME = leaf(
    matching(SUBDOMAIN, "a Kubernetes name (lower case letters, digits, `-` and `.`)"),
    type="string",
    pattern="^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
)
IMAGE_REFERENCE = leaf(image, type="string", pattern=f"^{IMAGE.pattern}$", examples=["python:3-slim"])
QUANTITY_TEXT = leaf(quantity, type=["string", "number"], pattern=f"^{QUANTITY.pattern}$", examples=["500m", "1Gi"])
BOOLEAN = leaf(boolean, type="boolean")
DURATION = leaf(duration, type="string", pattern=r"^[0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m)$", examples=["300ms", "10s"])
POD_PATH = leaf(pod_path, type="string", pattern="^/", examples=["/src"])
LOCAL_PATH = leaf(local_path, type="string", pattern=_BELOW, examples=["services/reviews", "."])
FORWARD = leaf(
    port_pair, type=["string", "integer"], pattern="^([0-9]{0,5}:)?[0-9]{1,5}$", examples=["8080:80", "9080", ":9080"]
)
REVERSE = leaf(port_reverse, type="string", pattern="^[0-9]{1,5}:[0-9]{1,5}$", examples=["9003:9003"])
ARGV = leaf(
    argv,
    anyOf=[{"type": "array", "items": {"type": _STRINGY}, "minItems": 1}, {"type": "string", "minLength": 1}],
    examples=[["python", "-u", "app.py"]],
)
USER = leaf(user, type=["string", "integer"], pattern="^[0-9]{1,10}(:[0-9]{1,10})?$", examples=["1000", "1000:1000"])


def words(*choices: str) -> Shape:
    """Return the shape of a closed set of words."""
    return leaf(one_of(*choices), type="string", enum=list(choices))


def whole(low: int, high: int) -> Shape:
    """Return the shape of whole numbers between two bounds, both included."""
    return leaf(integer(low, high), type="integer", minimum=low, maximum=high)
