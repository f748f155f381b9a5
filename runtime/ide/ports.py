"""The port on this machine that a service's debugger has. Never looks whether it is free."""

from __future__ import annotations

from hashlib import sha256

FIRST, COUNT = 20000, 10000
"""The ports that are chosen from: below those that systems give away by themselves, above those that have a name."""


def local_port(directory: str, service: str) -> int:
    """Return the local port of a service: the same in every run and on every machine, so that files may name it.

    It is SHA-256 of the project's directory name and the service, with a NUL between, as the big-endian number of its
    first eight bytes, modulo 10000, above 20000. `directory` is the name alone, so that a team's checkouts agree.
    """
    digest = sha256(f"{directory}\0{service}".encode("utf-8", "surrogateescape")).digest()
    return FIRST + int.from_bytes(digest[:8], "big") % COUNT
