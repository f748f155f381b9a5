"""Text and manifests in, Plan out. Never touches disk, network, clock or process."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devcfg.compiler.analysis import check_plan, selected
    from devcfg.compiler.manifests import read_manifests
    from devcfg.compiler.parser import Parsed, check_config, read_config
    from devcfg.compiler.pipeline import compile_plan

__all__ = ["Parsed", "check_config", "check_plan", "compile_plan", "read_config", "read_manifests", "selected"]

_HOMES = {
    "Parsed": "parser",
    "check_config": "parser",
    "check_plan": "analysis",
    "compile_plan": "pipeline",
    "read_config": "parser",
    "read_manifests": "manifests",
    "selected": "analysis",
}


def __getattr__(name: str) -> Any:
    """Import a public name's module when it is first asked for: every command pays for what it uses alone."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
