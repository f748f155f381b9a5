"""The services that a workload is in dev mode for already: they stay when another one comes. Never compiles one."""

from __future__ import annotations

from collections.abc import Iterable

from devcfg.compiler.binder import bind
from devcfg.compiler.findings import Findings
from devcfg.compiler.parser import Parsed
from devcfg.runtime.cluster.cluster import Object
from devcfg.runtime.devmode.lease import this_holder
from devcfg.runtime.devmode.record import is_taken, owner_of
from devcfg.schemas.manifest import Manifest


def companions(
    parsed: Parsed, homes: Iterable[tuple[Object, Manifest]], services: tuple[str, ...], leaving: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the services that stay in dev mode beside the wished ones, and what is to be said of others.

    `homes` are the workloads as they live and as they were before; without wished services all of the config are
    wished. A service is a companion where this user took it, and the config still binds it to that workload.
    """
    if not services:
        return (), ()
    found: list[str] = []
    notes: list[str] = []
    for document, before in homes:
        owner = owner_of(document) if is_taken(document) else None
        others = [name for name in owner.services if name not in (*services, *leaving)] if owner is not None else []
        label = f"{before.kind.lower()}/{document['metadata']['name']}"
        for name in others:
            if owner is not None and owner.holder != this_holder():
                notes.append(f"{label}: {owner.holder} had taken it for {name}, which leaves dev mode")
            elif _is_bound(parsed, name, before):
                found.append(name)
            else:
                notes.append(f"{label}: {name}, which this config does not bind to it any more, leaves dev mode")
    return tuple(found), tuple(notes)


def _is_bound(parsed: Parsed, name: str, manifest: Manifest) -> bool:
    if name not in parsed.config.services:
        return False
    findings = Findings(parsed.document, parsed.file)
    return bool(bind(parsed.config, (manifest,), (name,), findings)) and not findings.failed
