"""Changes whose outcome nobody heard of, and what can be learnt of them later. Pure: never makes one.

Without them the ancestor would lie after a crash: a file that was deleted on the far side, and then written again on
the laptop as it was, would look like one that the far side has deleted, and would be deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from devcfg.runtime.pod.agent.entries import Entry
from devcfg.runtime.sync.modes import Side
from devcfg.runtime.sync.tree import Tree


class Intent(NamedTuple):
    """A side's path that was about to become `new` from `old`, as the other side was then."""

    side: Side
    path: str
    old: Entry | None
    new: Entry | None


def learn(intents: Iterable[Intent], local: Tree, far: Tree) -> dict[str, Entry | None]:
    """Return what the ancestor has to learn: the intents that came true. Of the others it knows enough."""
    found: dict[str, Entry | None] = {}
    for intent in intents:
        now = (local, far)[intent.side].get(intent.path)
        if now is not None and now.kind == "h":
            now = None
        if now == intent.new:
            found[intent.path] = intent.new
    return found
