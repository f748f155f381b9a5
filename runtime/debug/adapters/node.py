"""The inspector of Node: CDP over a WebSocket, with nothing to install. Never switched on by NODE_OPTIONS.

That variable reaches `npm` first, which takes the port and leaves the program without one.
"""

from __future__ import annotations

import re

from devcfg.runtime.debug.adapters.adapter import HOST, Adapter, Advice, Asking, Signs, Speaks, Wish, Written
from devcfg.runtime.debug.adapters.words import Words, take_apart, without

_PACKAGERS = ("npm", "npx", "yarn", "pnpm", "bunx", "corepack")
_LAUNCHERS = (*_PACKAGERS, "nodemon", "ts-node", "ts-node-dev", "tsx", "next", "nest")
_VALUED = ("-r", "--require", "--import", "--loader", "--experimental-loader", "--env-file", "-C", "--conditions")


def _flag(wish: Wish) -> str:
    return f"--inspect{'-brk' if wish.wait else ''}={HOST}:{wish.port}"


def _rewrite(words: Words, wish: Wish) -> Written | Advice:
    started = take_apart(words)
    if started is None:
        return _advice(wish, "what it starts is not to be seen")
    if started.name in _LAUNCHERS:
        return _advice(wish, f"`{started.name}` starts the program in a process of its own")
    if started.name not in ("node", "nodejs"):
        return _advice(wish, f"`{started.program}` is not seen to be Node")
    at = 0
    while at < len(started.words) and started.words[at].startswith("-"):
        at += 2 if started.words[at] in _VALUED else 1
    options, rest = started.words[:at], started.words[at:]
    if not rest and "-e" not in options and "--eval" not in options:
        return _advice(wish, "it names no script")
    kept = without(options, flags=("--watch", "--watch-preserve-output"), valued=("--watch-path",))
    kept = tuple(word for word in kept if not word.startswith("--inspect"))
    watched = any(word.startswith("--watch") for word in options)
    notes = ("`--watch` is left out: its child would not be the one that is debugged",) if watched else ()
    return Written((*started.before, started.program, _flag(wish), *kept, *rest), notes)


def _advice(wish: Wish, reason: str) -> Advice:
    return Advice(reason, f"[node, {_flag(wish)}, server.js]")


def _asking(_: Words) -> Asking:
    return Asking.INSPECTOR


ADAPTER = Adapter(
    name="node",
    debugger="node's inspector",
    port=9229,
    needs="nothing but Node itself",
    signs=Signs(
        debugger=r"--inspect(?:-brk|-wait|-port)?(?:=.*)?",
        program=rf"node|nodejs|{'|'.join(_LAUNCHERS)}",
        image=r"node|.*-nodejs|.*-node",
        files=r"package\.json|.*\.[cm]?js|.*\.[cm]?ts",
    ),
    ports=re.compile(r"--inspect(?:-brk|-wait)?[ =](?:[\w.\[\]:]*:)?(\d+)(?![\d.:])"),
    announces=re.compile(r"Debugger listening on wss?://\S*?:(\d+)/"),
    missing=re.compile(r"\bnode(?:js)?: (?:not found|command not found|No such file)"),
    speaks=Speaks.OTHER,
    rewrite=_rewrite,
    asking=_asking,
)
