"""lldb-server, for C, C++, Rust and Swift, where it is named: gdb's protocol, for one client. Never asked anything.

It ends with its first client and prints nothing before one has come, so that a question would take the editor's place.
"""

from __future__ import annotations

import re

from devcfg.runtime.debug.adapters.adapter import HOST, Adapter, Advice, Asking, Signs, Speaks, Wish, Written
from devcfg.runtime.debug.adapters.gdb import BUILDERS, STILL
from devcfg.runtime.debug.adapters.words import Words, take_apart

_NOTHING = r"(?!)"


def _rewrite(words: Words, wish: Wish) -> Written | Advice:
    started = take_apart(words)
    if started is None:
        return _advice(wish, "what it starts is not to be seen")
    if started.name in BUILDERS:
        return _advice(wish, f"`{started.name}` starts the program in a process of its own")
    if "/" not in started.program:
        return _advice(wish, f"`{started.program}` is not seen to be a program with symbols of its own")
    server = ("lldb-server", "gdbserver", f"{HOST}:{wish.port}", "--")
    return Written((*started.before, *server, started.program, *started.words), (STILL,))


def _advice(wish: Wish, reason: str) -> Advice:
    return Advice(reason, f"[lldb-server, gdbserver, {HOST}:{wish.port}, --, target/debug/app]")


def _asking(_: Words) -> Asking:
    return Asking.PROCESS


ADAPTER = Adapter(
    name="lldb",
    debugger="lldb-server",
    port=1234,
    needs="`lldb-server` in the container; where it has a version in its name, write it into `command.debug`",
    signs=Signs(debugger=r"lldb-server(?:-[\d.]+)?", program=_NOTHING, image=_NOTHING, files=_NOTHING),
    ports=re.compile(r"\bgdbserver\b.*?\s(?:[\w.\[\]*]*:)(\d+)\b"),
    announces=None,
    missing=re.compile(r"lldb-server[-\d.]*: (?:not found|command not found|No such file)"),
    speaks=Speaks.OTHER,
    rewrite=_rewrite,
    asking=_asking,
    ends_with_client=True,
)
