"""Which devcfg this is. Never looked up before it is needed: that takes longer than most commands."""

from __future__ import annotations


def version() -> str:
    """Return the version of the installed distribution."""
    from importlib.metadata import version as installed

    return installed("devcfg")
