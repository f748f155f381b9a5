"""The user's overlay, as it is first made: base, component, namespace. Never rewritten afterwards."""

from __future__ import annotations

from devcfg.overlays.emitter import emit_flow


def render_overlay(*, base: str, component: str, namespace: str) -> str:
    """Return the `kustomization.yaml`. `base` and `component` are paths relative to the overlay's directory."""
    lines = [
        "# Dev mode over the base. `devcfg render --write` made this file once; it is yours now.",
        "apiVersion: kustomize.config.k8s.io/v1beta1",
        "kind: Kustomization",
        "resources:",
        f"- {emit_flow(base)}",
        "components:",
        f"- {emit_flow(component)} # or single parts of it, such as {component}/deployment.NAME",
        "sortOptions:",
        "  order: fifo",
    ]
    if namespace:
        lines += [
            "# Not `namespace:`, which would also move objects that have a namespace of their own.",
            "transformers:",
            "- |-",
            "  apiVersion: builtin",
            "  kind: NamespaceTransformer",
            f"  metadata: {emit_flow({'name': 'devcfg', 'namespace': namespace})}",
            "  unsetOnly: true",
        ]
    return "\n".join(lines) + "\n"
