"""Plan in, text out: kustomize component and overlay, plain manifests, patches. Never touches the disk."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devcfg.overlays.component import render_component
    from devcfg.overlays.emitter import emit_document, emit_flow
    from devcfg.overlays.hunks import Hunk, ObjectDiff, diff_plan
    from devcfg.overlays.inverse import invert, render_inverse
    from devcfg.overlays.jsonpatch import render_json_patch
    from devcfg.overlays.lock import Change, Lock, compare, read_lock, text_digest
    from devcfg.overlays.overlay import render_overlay
    from devcfg.overlays.plain import objects_of, render_plain

__all__ = [
    "Change",
    "Hunk",
    "Lock",
    "ObjectDiff",
    "compare",
    "diff_plan",
    "emit_document",
    "emit_flow",
    "invert",
    "objects_of",
    "read_lock",
    "render_component",
    "render_inverse",
    "render_json_patch",
    "render_overlay",
    "render_plain",
    "text_digest",
]

_HOMES = {
    "Change": "lock",
    "Hunk": "hunks",
    "Lock": "lock",
    "ObjectDiff": "hunks",
    "compare": "lock",
    "diff_plan": "hunks",
    "emit_document": "emitter",
    "emit_flow": "emitter",
    "invert": "inverse",
    "objects_of": "plain",
    "read_lock": "lock",
    "render_component": "component",
    "render_inverse": "inverse",
    "render_json_patch": "jsonpatch",
    "render_overlay": "overlay",
    "render_plain": "plain",
    "text_digest": "lock",
}


def __getattr__(name: str) -> Any:
    """Import a public name's module when it is first asked for: every command pays for what it uses alone."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
