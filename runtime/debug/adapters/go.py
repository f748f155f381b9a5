"""dlv, for Go: DAP and its own JSON-RPC on one port, one client after the other. Never ends with the first."""

from __future__ import annotations

import re

from devcfg.runtime.debug.adapters.adapter import HOST, Adapter, Advice, Asking, Signs, Speaks, Wish, Written
from devcfg.runtime.debug.adapters.words import Words, plain, take_apart
from devcfg.schemas.errors import UsageError

_OUTPUT = ".devcfg-tmp-dlv"
"""What dlv builds to: of a name that is never synced."""
_SWITCHES = ("-race", "-msan", "-asan", "-trimpath", "-v", "-x", "-a", "-work", "-cover")
_OPTIMISED = "where variables are missing, have `command.build` say `-gcflags=all=-N -l`"


def _flags(wish: Wish) -> Words:
    # A forward comes as another user than the program's: dlv would turn it away without a word.
    keeps = () if wish.wait else ("--continue",)
    return (
        "--headless",
        "--accept-multiclient",
        *keeps,
        "--api-version=2",
        "--only-same-user=false",
        f"--listen={HOST}:{wish.port}",
    )


def _rewrite(words: Words, wish: Wish) -> Written | Advice:
    started = take_apart(words)
    if started is None:
        return _advice(wish, "what it starts is not to be seen")
    if started.name == "go":
        return _debug(started.before, started.words, wish)
    if not started.program.startswith((".", "/")):
        return _advice(wish, f"`{started.program}` is not seen to be a program made with Go")
    behind = ("--", *started.words) if started.words else ()
    notes = () if "-N" in " ".join(wish.build or ()) else (_OPTIMISED,)
    return Written((*started.before, "dlv", "exec", started.program, *_flags(wish), *behind), notes)


def _debug(before: Words, words: Words, wish: Wish) -> Written | Advice:
    """Write `go run PACKAGE` as `dlv debug PACKAGE`."""
    if words[:1] != ("run",):
        return _advice(wish, f"`go {' '.join(words[:1])}` starts no program of yours")
    at = 1
    while at < len(words) and words[at].startswith("-"):
        if "=" not in words[at] and words[at] not in _SWITCHES:
            return _advice(wish, f"`{words[at]}` may have a value of its own")
        at += 1
    package, behind = words[at : at + 1], words[at + 1 :]
    if not package or (package[0].endswith(".go") and behind[:1] and behind[0].endswith(".go")):
        return _advice(wish, "it names no package")
    # With `-trimpath` the program knows no file by the path that a breakpoint is set by.
    options = tuple(word for word in words[1:at] if word != "-trimpath" and not word.startswith("-trimpath="))
    build = (f"--build-flags={' '.join(options)}",) if options else ()
    if any(" " in word for word in options):
        return _advice(wish, "a flag of its build has a space in it")
    own = (f"--output={_OUTPUT}", *build, *_flags(wish))
    return Written((*before, "dlv", "debug", *package, *own, *(("--", *behind) if behind else ())))


def _advice(wish: Wish, reason: str) -> Advice:
    return Advice(reason, f"[dlv, exec, ./server, {', '.join(_flags(wish))}]")


def _asking(command: Words) -> Asking:
    words = plain(command) or command
    if "dap" in words and "dlv" in " ".join(words):
        hint = f"write `dlv exec ./server {' '.join(_flags(Wish(ADAPTER.port, wait=False)))}`"
        raise UsageError("`dlv dap` ends with the first client, and so with who asks whether it answers", hint=hint)
    if "--accept-multiclient" not in " ".join(words):
        hint = "put `--accept-multiclient` and `--continue` into it"
        raise UsageError("`command.debug` has dlv end with its first client", hint=hint)
    return Asking.DELVE


ADAPTER = Adapter(
    name="go",
    debugger="dlv",
    port=2345,
    needs="`dlv` in the container: `go install github.com/go-delve/delve/cmd/dlv@latest`, as new as its Go",
    signs=Signs(debugger=r"dlv|delve", program=r"go", image=r"golang|go", files=r"go\.mod|go\.work|.*\.go"),
    ports=re.compile(r"(?:--listen|-l)[ =](?:\S*:)?(\d+)(?![\d.:])"),
    announces=re.compile(r"API server listening at: \S*:(\d+)"),
    missing=re.compile(r"dlv: (?:not found|command not found|No such file)"),
    speaks=Speaks.DAP,
    rewrite=_rewrite,
    asking=_asking,
)
