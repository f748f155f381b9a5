"""One sync rule as the engine takes it: what the dev config says, with every place resolved. Never decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from devcfg.runtime.pod.agent.ignore import Ignores
from devcfg.runtime.sync.modes import Mode


@dataclass(frozen=True, slots=True)
class Rule:
    """A directory on the laptop and one on the far side. `name` names it on the link and in files."""

    name: str
    local: str
    far: str
    mode: Mode
    index: str
    """The file that remembers it."""
    kept: str
    """The directory for what lost a conflict."""
    load: Callable[[], Ignores]
    """Reads what is ignored."""
    write: Literal["atomic", "inplace"] = "atomic"
    seeded: bool = False
    """Whether a new volume begins with content of the image, which is no peer's."""
    marks: tuple[str, ...] = ()
    """Files that git changes when it switches branches: then the whole tree is looked at."""
