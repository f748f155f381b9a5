"""What a service shows of its language: its commands, its image, the names in its source. Never reads a file."""

from __future__ import annotations

import contextlib
import os

from devcfg.runtime.debug.adapters.adapter import Traces
from devcfg.schemas.config import Service


def traces_of(project: str, spec: Service) -> Traces:
    """Look at what is synced; what cannot be listed shows nothing."""
    found: set[str] = set()
    for rule in spec.sync:
        with contextlib.suppress(OSError):
            found.update(os.listdir(os.path.join(project, rule.path)))
    command = spec.command
    return Traces(command.run, command.debug, command.build, spec.image or "", tuple(sorted(found)))
