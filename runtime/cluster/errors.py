"""What a cluster can answer instead of doing what it was asked. Never printed here.

ClusterError         exit 1   the cluster refused or failed
├─ MissingError      exit 4   an object, its kind or its namespace is not there
├─ ForbiddenError    exit 5   this user may not do that
├─ UnreachableError  exit 6   no answer: no network, no server, no way to log in
├─ ConflictError     exit 1   the object is there already, or is not as it was when it was read
├─ GuardError        exit 3   a `test` of a patch found another value: nothing was changed
├─ RejectedError     exit 1   the object is not valid, or admission or quota refused it
└─ ExpiredError      exit 1   a watch is too old to go on: list again
"""

from __future__ import annotations

from devcfg.schemas.errors import DevcfgError


class ClusterError(DevcfgError):
    """The cluster refused or failed; `message` is its own sentence where it gave one."""


class MissingError(ClusterError):
    """An object, its kind or its namespace is not there."""

    exit_code = 4


class ForbiddenError(ClusterError):
    """This user may not do that; `verb` and `resource` are the words of a Role."""

    exit_code = 5

    def __init__(self, message: str, *, verb: str, resource: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.verb = verb
        self.resource = resource


class UnreachableError(ClusterError):
    """No answer came, or nobody to log in as."""

    exit_code = 6


class ConflictError(ClusterError):
    """The object is there already, or is not as it was when it was read."""


class GuardError(ClusterError):
    """A `test` of a patch found another value: nothing was changed."""

    exit_code = 3


class RejectedError(ClusterError):
    """The object is not valid, or admission or quota refused it."""


class ExpiredError(ClusterError):
    """A watch is too old to go on."""
