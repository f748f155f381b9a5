"""gdbserver, for C, C++, Rust and Zig: the program stands still until gdb comes. Never started with `--once`."""

from __future__ import annotations

import re

from devcfg.runtime.debug.adapters.adapter import HOST, Adapter, Advice, Asking, Signs, Speaks, Wish, Written
from devcfg.runtime.debug.adapters.words import Words, take_apart

STILL = "the program stands still until a debugger has come and says `continue`; when it goes, `command.run` goes on"
BUILDERS = ("cargo", "make", "cmake", "ninja", "bazel", "zig", "meson", "bear")


def _rewrite(words: Words, wish: Wish) -> Written | Advice:
    started = take_apart(words)
    if started is None:
        return _advice(wish, "what it starts is not to be seen")
    if started.name in BUILDERS:
        return _advice(wish, f"`{started.name}` starts the program in a process of its own")
    if not started.program.startswith((".", "/")) and "/" not in started.program:
        return _advice(wish, f"`{started.program}` is not seen to be a program with symbols of its own")
    inner = (started.program, *started.words)
    return Written((*started.before, "gdbserver", f"{HOST}:{wish.port}", *inner), (STILL,))


def _advice(wish: Wish, reason: str) -> Advice:
    return Advice(reason, f"[gdbserver, {HOST}:{wish.port}, target/debug/app], and build it in `command.build`")


def _asking(_: Words) -> Asking:
    # It takes one client, with `--once` its only one, and whoever comes while it notices that the last has gone is
    # turned away.
    return Asking.NOTHING


ADAPTER = Adapter(
    name="gdb",
    debugger="gdbserver",
    port=1234,
    needs="`gdbserver` in the container: `apt-get install gdbserver` and its like",
    signs=Signs(
        debugger=r"gdbserver",
        unless=r"lldb-server.*",
        program=r"cargo|cmake|make|ninja|zig|meson|gcc|g\+\+|cc|c\+\+|clang|clang\+\+|rustc",
        image=r"gcc|rust|.*-cpp|.*-rust",
        files=r"Cargo\.toml|CMakeLists\.txt|meson\.build|build\.zig|.*\.(?:c|cc|cpp|cxx|rs|zig)",
    ),
    ports=re.compile(r"gdbserver\b.*?\s(?:[\w.\[\]]*:)(\d+)\b"),
    announces=re.compile(r"Listening on port (\d+)"),
    missing=re.compile(r"gdbserver: (?:not found|command not found|No such file)"),
    speaks=Speaks.OTHER,
    rewrite=_rewrite,
    asking=_asking,
    ends_with_client=True,
)
