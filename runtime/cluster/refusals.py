"""What an API server's refusal means: its status and sentence become one of `errors`. Asks nothing, prints nothing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from devcfg.runtime.cluster.errors import (
    ClusterError,
    ConflictError,
    ExpiredError,
    ForbiddenError,
    GuardError,
    MissingError,
    RejectedError,
    UnreachableError,
)
from devcfg.runtime.cluster.request import JSON_PATCH, Page, Request

MOST = 2000
"""Characters of a server's sentence that are passed on: some repeat a whole object."""
_DENIED = re.compile(r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) (?:resource|path) "(?P<what>[^"]+)"')
_REPEATED = re.compile(r'( "" is invalid: patch: )?Invalid value: "\{.*\}": ', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is none: the HTTP status, the reason of the API and its sentence."""

    code: int
    reason: str = ""
    message: str = ""
    details: Any = None

    @classmethod
    def read(cls, code: int, body: bytes) -> Refusal:
        """Read a `Status` object, or what a proxy on the way has said instead."""
        try:
            status = json.loads(body)
        except ValueError:
            status = None
        if not isinstance(status, dict) or status.get("kind") != "Status":
            return cls(code, message=_short(body.decode("utf-8", "replace").strip()))
        return cls.of(status, code)

    @classmethod
    def of(cls, status: Any, code: int = 0) -> Refusal:
        """Take a `Status` object apart."""
        message, details = str(status.get("message") or ""), status.get("details") or {}
        # The whole object stands in some of them, the values of its environment too: those are nobody's to see.
        message = _short(_REPEATED.sub("invalid value: ", message))
        return cls(int(status.get("code") or code), str(status.get("reason") or ""), message, details)

    @property
    def of_patch(self) -> bool:
        """Whether a patch did not apply: a server says so without a word of what it stumbled over."""
        return self.code == 422 and not self.details


def _short(text: str) -> str:
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"


def error_of(asked: Request | Page, refusal: Refusal) -> ClusterError:
    """Return the error that a refused request ends with."""
    said = refusal.message or f"the server answered {refusal.code} {refusal.reason}".rstrip()
    match refusal.code:
        case 401:
            return UnreachableError(
                f"the server does not know who we are: {said}",
                hint="log in again, as for kubectl; `kubectl auth whoami` tells what the server sees",
            )
        case 403:
            return _forbidden(asked, refusal, said)
        case 404:
            return _missing(asked, refusal, said)
        case 409:
            return ConflictError(said)
        case 410:
            return ExpiredError(said)
        case 422 if refusal.of_patch and asked.media == JSON_PATCH:
            return GuardError(f"the patch does not fit what is there now, nothing was changed: {said}")
        case 400 | 413 | 415 | 422:
            return RejectedError(said)
        case 429 | 502 | 503 | 504:
            return UnreachableError(
                f"the server cannot answer now: {said}", hint="it may be starting or overloaded: try again"
            )
    return ClusterError(said)


def _forbidden(asked: Request | Page, refusal: Refusal, said: str) -> ClusterError:
    denied = _DENIED.search(refusal.message)
    if denied is None:
        # Quota, Pod Security and other admission say "Forbidden" too, of something that the user may well do.
        return RejectedError(said)
    verb, resource = denied["verb"], denied["what"]
    place = asked.place if isinstance(asked, Request) else ""
    return ForbiddenError(
        f"user `{denied['user']}` may not {verb} `{resource}`{place}",
        verb=verb,
        resource=resource,
        hint=f"the server's words: {said}",
    )


def _missing(asked: Request | Page, refusal: Refusal, said: str) -> MissingError:
    if isinstance(asked, Page):
        return MissingError(f"this cluster serves no `{asked.path}`")
    kind = refusal.details.get("kind") if isinstance(refusal.details, dict) else None
    name = refusal.details.get("name") if isinstance(refusal.details, dict) else None
    if kind == "namespaces" and asked.resource.plural != "namespaces":
        return missing_namespace(asked.namespace)
    if not kind and not name:
        return MissingError(
            f"this cluster serves no `{asked.resource.plural}` of `{asked.resource.api_version}`",
            hint=f"the server's words: {said}",
        )
    if name and name != asked.name:  # what the request needs beside its own object
        return MissingError(said)
    return MissingError(f"there is no {asked.resource.kind.lower()} `{asked.name}`{asked.place}")


def missing_namespace(name: str) -> MissingError:
    """Return the error of a namespace that is not there."""
    return MissingError(f"there is no namespace `{name}`", hint="is this the right context? `--context` names another")
