"""Why a workload does not go into dev mode, or not back. Never printed here.

DevModeError           exit 1   dev mode failed; nothing of it is left unless the message says so
├─ NotAdmittedError    exit 5   the user's own guard does not let us in there
├─ HeldError           exit 3   somebody else has the workload
├─ DriftError          exit 3   what is in the cluster is not what a plan or a record says
└─ LostError           exit 3   a session lost its workload: to somebody else, to `down`, to whoever reverts it
"""

from __future__ import annotations

from devcfg.schemas.errors import DevcfgError


class DevModeError(DevcfgError):
    """Dev mode failed."""


class NotAdmittedError(DevModeError):
    """The user's own guard does not let us in there."""

    exit_code = 5


class HeldError(DevModeError):
    """Somebody else has the workload."""

    exit_code = 3


class DriftError(DevModeError):
    """What is in the cluster is not what a plan or a record says."""

    exit_code = 3


class LostError(DevModeError):
    """A session lost its workload."""

    exit_code = 3
