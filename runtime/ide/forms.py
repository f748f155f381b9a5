"""One service's entry in the form of each editor, for programs that read `devcfg debug -o json`. Never writes any."""

from __future__ import annotations

from typing import Any

from devcfg.runtime.ide import jetbrains, nvim, vscode
from devcfg.runtime.ide.entries import Attach, Untold
from devcfg.runtime.ide.merge import OURS


def entries(attach: Attach | Untold) -> dict[str, Any]:
    """Return `{vscode, jetbrains, nvim}`: an object, a text of XML, and `{adapter, configuration}`; null where none is.

    None of them starts a task: whoever reads this has the debugger already.
    """
    if isinstance(attach, Untold):
        return {"vscode": None, "jetbrains": None, "nvim": None}
    configuration = jetbrains.configuration(attach)
    adapter, entry = nvim.attach(attach)
    return {
        "vscode": {"name": f"{OURS}attach {attach.service}", **vscode.connection(attach)},
        "jetbrains": configuration if isinstance(configuration, str) else None,
        "nvim": {"adapter": adapter, "configuration": entry},
    }
