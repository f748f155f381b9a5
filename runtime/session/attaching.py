"""How an editor gets to a debugger that answers, in words. Never writes an editor's file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from devcfg.runtime.ide import jetbrains, nvim
from devcfg.runtime.ide.merge import OURS
from devcfg.runtime.ide.ports import local_port

LIMIT = 1024 * 1024
"""Bytes of an editor's file that are looked at."""


def how_to_attach(project: str, told: dict[str, Any]) -> Iterator[str]:
    """Say which entry attaches; where no file has one, show it. `told` is what `debug -o json` prints."""
    service, port = told["service"], told["port"]
    stable = local_port(os.path.basename(os.path.realpath(project)), service)
    if port != stable:
        yield f"on port {port} this time, since {stable} is taken: entries that `devcfg ide` wrote name {stable}"
    name = f"{OURS}attach {service}"
    files = {
        "VS Code": ".vscode/launch.json",
        "JetBrains": f"{jetbrains.FOLDER}/{jetbrains.file_name(service)}",
        "Neovim": nvim.PATH,
    }
    found = [f"{editor}: start `{name}`" for editor, path in files.items() if _holds(os.path.join(project, path), name)]
    yield from found
    entry = told["entries"]["vscode"]
    if not found and entry is not None:
        yield f"an entry for VS Code: {json.dumps(entry, ensure_ascii=False)}"
        yield f"`devcfg ide vscode|jetbrains|nvim {service} --write` writes it into the editor's file"


def _holds(path: str, name: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return f'"{name}"' in file.read(LIMIT)
    except OSError:
        return False
