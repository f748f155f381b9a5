"""The running service as far as debugging steers it. Never knows how that is done."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from devcfg.runtime.link.agent import Mode, State
from devcfg.runtime.session.process import Process


class Steered(Protocol):
    """The running service, as far as debugging steers it."""

    process: Process

    async def start(self, mode: Mode) -> State:
        """Make sure that a mode runs."""

    async def restart(self) -> State:
        """Start anew in the mode that ran."""

    def coming(self) -> bool:
        """Tell whether its process runs or is on its way."""

    def spawn(self, work: Awaitable[Any]) -> None:
        """Have something done for as long as the service lives."""

    def tell(self, text: str) -> None:
        """Say something of it."""

    def degrade(self, reason: str) -> None:
        """Say that something of it does not work as it should."""
