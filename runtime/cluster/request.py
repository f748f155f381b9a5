"""One request to an API server as a value: what is asked of which resource, and where that stands. Sends nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from devcfg.runtime.cluster.cluster import Resource

_METHODS = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}
JSON = "application/json"
JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; `verb`, `resource` and `subresource` are the words of a Role."""

    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    media: str = JSON
    repeatable: bool = False
    """Asking twice does no harm; so it is of everything that only reads."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        return _METHODS.get(self.verb, "GET")

    @property
    def harmless(self) -> bool:
        """Whether it may be sent again although it may have arrived."""
        return self.repeatable or self.method == "GET"

    @property
    def target(self) -> str:
        """The path and the query."""
        group = f"/apis/{self.resource.group}" if self.resource.group else "/api"
        parts = [group, self.resource.version]
        if self.resource.namespaced and self.namespace:
            parts += ["namespaces", quote(self.namespace, safe="")]
        parts.append(self.resource.plural)
        if self.name and self.verb != "create":
            parts.append(quote(self.name, safe=""))
        if self.subresource:
            parts.append(self.subresource)
        return with_query("/".join(parts), self.query)

    @property
    def ruled(self) -> str:
        """The resource as a Role names it, as `pods/exec`."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural

    @property
    def place(self) -> str:
        """`in namespace …`, or nothing for what has none."""
        return f" in namespace `{self.namespace}`" if self.resource.namespaced and self.namespace else ""


@dataclass(frozen=True, slots=True)
class Page:
    """A path that is no resource's: discovery, the version."""

    path: str
    verb: str = "get"
    method: str = "GET"
    harmless: bool = True
    body: Any = None
    media: str = JSON

    @property
    def target(self) -> str:
        """The path."""
        return self.path


def with_query(path: str, query: tuple[tuple[str, str], ...]) -> str:
    """Return a path with its query, in which a plus is no blank."""
    return f"{path}?{urlencode(query, quote_via=quote)}" if query else path


def encoded(body: Any) -> bytes:
    """Return a body as JSON, escaped as Go's encoder does it.

    The server's JSON Patch compares the strings of a `test` byte by byte, as they are escaped in the body and in its
    own copy of the object: an `&` that is written as it is never equals the one that Go wrote.
    """
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    for char in "&<>\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode()
