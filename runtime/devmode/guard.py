"""Whether devcfg may change a namespace at all: asked at its first use, refused where it looks like production.

Only the user decides, by answering or in the user config. Never reads anything of a repository.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from devcfg.runtime.cluster.cluster import Identity
from devcfg.runtime.devmode.errors import NotAdmittedError
from devcfg.runtime.devmode.preferences import Preferences, Spot, preferences_path
from devcfg.runtime.files import write_atomically
from devcfg.runtime.session.consent import state_home
from devcfg.schemas.errors import UsageError

WORDS = frozenset(("prod", "prods", "production", "productive", "produktion", "produktiv", "prd", "prdn", "live"))
"""What a name says that means production, as a word of its own."""
ENDINGS = ("prod", "prd")
"""What a word may end in that means it, too: `euprod`."""
HARMLESS = frozenset(("nonprod", "noprod", "notprod", "nonprd"))
NEGATIONS = frozenset(("non", "not", "no"))
KEPT = 500
"""How many places are remembered."""
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
Ask = Callable[[str], bool]
"""Shows a question and returns whether the answer was a yes."""


def admit(identity: Identity, namespace: str, preferences: Preferences, *, yes: bool, ask: Ask | None) -> None:
    """Return where devcfg may change this namespace. Raises `NotAdmittedError`, or `UsageError` where nobody answers.

    `ask` is None where nobody can be asked; `yes` accepts what is new, but never what looks like production.
    """
    spot = Spot(identity.server.rstrip("/"), namespace)
    if spot in preferences.allow:
        return
    place = f"namespace `{namespace}` of `{identity.server}` (context `{identity.context}`)"
    said = production_words(identity, namespace)
    if said:
        entry = f"  - {{server: {json.dumps(spot.server)}, namespace: {json.dumps(namespace)}}}"
        raise NotAdmittedError(
            f"{place} looks like production, by its {', '.join(said)}: devcfg changes nothing there",
            hint=f"if it is not production, say so in `{preferences_path()}` under `allow:`, as `{entry.strip()}`",
        )
    known = _remembered()
    if spot in known:
        return
    if not yes:
        if ask is None:
            raise UsageError(f"devcfg was never used in {place}, and nobody can be asked here", hint="`--yes` accepts")
        if not ask(f"devcfg was never used in {place}: go on there? [y/N] "):
            raise NotAdmittedError(f"{place} was not accepted", hint="nothing was changed")
    _remember((*known, spot))


def production_words(identity: Identity, namespace: str) -> tuple[str, ...]:
    """Return in words which names look like production; none where all are ordinary."""
    names = {
        "server": urlsplit(identity.server).hostname or identity.server,
        "context": identity.context,
        "namespace": namespace,
    }
    return tuple(f"{kind} `{name}`" for kind, name in names.items() if is_production(name))


def is_production(name: str) -> bool:
    """Tell whether a name has a word that means production. Digits and punctuation end a word, as capitals begin one.

    >>> [is_production(name) for name in ("shop-prod-2", "product-page", "non-prod", "alive")]
    [True, False, False, False]
    """
    words = [word.lower() for word in _WORD.findall(name)]
    return any(
        (word in WORDS or word.endswith(ENDINGS)) and word not in HARMLESS and not (at and words[at - 1] in NEGATIONS)
        for at, word in enumerate(words)
    )


def memory_path() -> str:
    """Return the file that remembers where devcfg was used."""
    return os.path.join(state_home(), "places.json")


def _remembered() -> tuple[Spot, ...]:
    try:
        with open(memory_path(), encoding="utf-8") as file:
            found = json.load(file)
        return tuple(Spot(str(one["server"]), str(one["namespace"])) for one in found)
    except (OSError, ValueError, TypeError, KeyError):
        return ()


def _remember(spots: tuple[Spot, ...]) -> None:
    kept = [{"server": one.server, "namespace": one.namespace} for one in spots[-KEPT:]]
    write_atomically(memory_path(), json.dumps(kept, indent=1) + "\n", private=True)
