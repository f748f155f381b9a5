"""Where the base differs from what lives, as far as it touches a dev container. Never looks at the rest."""

from __future__ import annotations

from typing import Any

from devcfg.schemas.plan import Binding


def differences(live: tuple[Binding, ...], uid: str, by_base: dict[tuple[str, str], Binding]) -> list[str]:
    """Return a sentence for each service whose container the base has otherwise."""
    said: list[str] = []
    for binding in live:
        base = by_base.get((binding.service, uid))
        if base is None:
            continue
        ours, theirs = _container(base), _container(binding)
        keys = ("image", "command", "args", "workingDir")
        changed = [f"`{key}`" for key in keys if ours.get(key) != theirs.get(key)]
        names = [_names(one) for one in (base, binding)]
        changed += ["the containers"] * (names[0] != names[1])
        if changed:
            said.append(
                f"{binding.service}: {', '.join(changed)} of {binding.target.label} there differ from the base: "
                "what is in the cluster counts"
            )
    return said


def _container(binding: Binding) -> dict[str, Any]:
    return dict(_pod(binding)["containers"][binding.index])


def _names(binding: Binding) -> list[str]:
    return [str(one.get("name")) for one in _pod(binding)["containers"]]


def _pod(binding: Binding) -> dict[str, Any]:
    document: Any = binding.manifest.object
    for token in (*binding.template, "spec"):
        document = document[token]
    return dict(document)
