"""The blocks of a service: commands, sync rules, reload, debug, probes, resources. Never names a service."""

from __future__ import annotations

from typing import Any

from devcfg.schemas.block import Block, block, field, leaf, many, mapping, required
from devcfg.schemas.fields import (
    ARGV,
    BOOLEAN,
    DURATION,
    LOCAL_PATH,
    POD_PATH,
    QUANTITY_TEXT,
    SUBDOMAIN_NAME,
    TEXT,
    closest,
    fail,
    filled,
    one_of,
    text,
    whole,
    words,
)
from devcfg.schemas.scalar import describe

SYNC_MODES = ("two-way-safe", "two-way-resolved", "one-way-safe", "one-way-replica")
SIGNALS = ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "WINCH")
ADAPTERS = ("python", "go", "node", "java", "ruby", "php", "dotnet", "gdb", "lldb")
TREATMENTS = ("remove", "keep", "relax")


class Command(Block):
    """What runs in the dev container; each a list of words, or a string, which means `sh -c` and is shown so."""

    build: tuple[str, ...] | None = field(
        ARGV, "Runs before each start of `run` or `debug`; when it fails, the old process is kept."
    )
    run: tuple[str, ...] | None = field(
        ARGV, "The dev process. Without it the container idles and `devcfg up` opens a shell."
    )
    debug: tuple[str, ...] | None = field(ARGV, "The dev process under its debugger, for `devcfg debug`.")
    test: tuple[str, ...] | None = field(
        ARGV, "What `devcfg test` runs in the dev container; its exit code is passed on."
    )


def sync_rule(value: Any) -> Any:
    """Take `path:target` for a rule."""
    if isinstance(value, str):
        path, colon, target = text(value).partition(":")
        if not colon or not path or not target:
            fail("bad-value", f"wanted `path:target`, found {describe(value)}", "for instance `services/web:/src`")
        return {"path": path, "target": target}
    return value


class SyncRule(Block):
    """One directory on the laptop kept equal to one in the dev container."""

    path: str = required(LOCAL_PATH, "The directory on the laptop, relative to devcfg.yaml and below it.")
    target: str = required(
        POD_PATH, "The sync target: an absolute directory in the dev container, a volume of its own."
    )
    mode: str = field(
        words(*SYNC_MODES),
        "Which way changes travel, and whether a conflict waits for you (`-safe`) or one side wins.",
        "two-way-safe",
    )
    include: tuple[str, ...] = field(
        many(TEXT), "gitignore patterns that are synced although an exclude or ignore file names them.", ()
    )
    exclude: tuple[str, ...] = field(many(TEXT), "gitignore patterns that are not synced.", ())
    gitignore: bool = field(BOOLEAN, "Whether `.gitignore` and `.devcfgignore` files apply.", default=True)
    write: str = field(
        words("atomic", "inplace"),
        "`atomic` renames a finished file into place; `inplace` overwrites it, for watchers that lose renamed files.",
        "atomic",
    )
    seed: str = field(
        words("none", "image"),
        "`image` first copies what the dev image has at the target, so that ignored paths such as node_modules stay.",
        "none",
    )


class Stop(Block):
    """How the dev process is stopped."""

    signal: str = field(words(*SIGNALS), "The signal that asks the process group to end.", "TERM")
    grace: str = field(DURATION, "How long it may take before it is killed.", "10s")


def reload_on(value: Any) -> str:
    """Take `restart`, `none` or `signal:NAME`."""
    found = filled(value)
    action, _, signal = found.partition(":")
    if found in ("restart", "none") or (action == "signal" and signal in SIGNALS):
        return found
    return fail(
        "bad-value",
        f"wanted `restart`, `none` or `signal:NAME`, found {describe(value)}",
        closest(found, ("restart", "none", *(f"signal:{name}" for name in SIGNALS))),
    )


def reload_rule(value: Any) -> Any:
    """Take a word for the whole block."""
    return {"on": value} if isinstance(value, str) else value


RELOAD_WORDS: dict[str, Any] = {
    "anyOf": [{"enum": ["restart", "none"]}, {"type": "string", "pattern": f"^signal:({'|'.join(SIGNALS)})$"}]
}


class Reload(Block):
    """What a settled batch of changes does to the dev process."""

    on: str = field(
        leaf(reload_on, **RELOAD_WORDS),
        "`restart` it, `signal:HUP` it, or `none` where a framework reloads itself.",
        "restart",
    )
    watch: tuple[str, ...] = field(
        many(TEXT), "gitignore patterns of the paths that count; default: all that is synced.", ()
    )
    ignore: tuple[str, ...] = field(many(TEXT), "gitignore patterns of paths that never count.", ())
    debounce: str = field(
        DURATION, "How long nothing more may arrive before what has arrived counts as one batch.", "20ms"
    )
    stop: Stop = field(block(Stop), "How the old process is stopped.", {})


class Debug(Block):
    """The debugger and the port it listens on inside the pod."""

    adapter: str | None = field(
        words(*ADAPTERS), "The kind of debugger; default: guessed from the command, and said so."
    )
    port: int | None = field(whole(1, 65535), "The port it listens on in the pod; default: the adapter's own.")
    wait: bool = field(BOOLEAN, "Whether the process waits for the debugger before it starts.", default=False)


class Persist(Block):
    """A directory on a claim that outlives the pod: a cache, or the source itself where it is a sync target."""

    path: str = required(POD_PATH, "The directory in the dev container.")
    size: str = field(QUANTITY_TEXT, "The size to claim.", "1Gi")
    storageClass: str | None = field(SUBDOMAIN_NAME, "The storage class; default: the cluster's.")


def probe_rules(value: Any) -> Any:
    """Take one word for every probe."""
    if isinstance(value, str):
        word = one_of(*TREATMENTS)(value)
        return {"liveness": word, "readiness": word, "startup": word}
    return value


class Probes(Block):
    """What happens to each probe of the container in dev mode."""

    liveness: str = field(words(*TREATMENTS), "`remove` it, `keep` it, or `relax` its timeouts.", "remove")
    readiness: str = field(words(*TREATMENTS), "`remove` it, `keep` it, or `relax` its timeouts.", "remove")
    startup: str = field(words(*TREATMENTS), "`remove` it, `keep` it, or `relax` its timeouts.", "remove")


class Resources(Block):
    """Requests and limits in Kubernetes' own form; they replace the container's."""

    requests: dict[str, str] = field(mapping(TEXT, QUANTITY_TEXT), "What the scheduler sets aside.", {})
    limits: dict[str, str] = field(mapping(TEXT, QUANTITY_TEXT), "What the container may use at most.", {})
