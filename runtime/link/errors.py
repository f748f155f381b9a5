"""What can go wrong with a link, for the code that has to decide what to do next. Never printed here."""

from __future__ import annotations

from devcfg.schemas.errors import DevcfgError


class LinkError(DevcfgError):
    """The link cannot do what was asked."""


class LinkLostError(LinkError):
    """The link has ended; a new one may work. What was under way may have happened or not."""


class LinkEndedError(LinkError):
    """The link has ended, and a new one would end the same way."""


class BreachError(LinkEndedError):
    """The agent broke the protocol: nothing it says counts any longer."""


class VersionError(LinkEndedError):
    """Client and agent have no protocol in common."""


class SupersededError(LinkEndedError):
    """A newer session has taken the agent over."""


class RequestError(LinkError):
    """The agent answered that it cannot; `code` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
