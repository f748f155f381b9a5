"""Which debugger a service gets, on which port and by which command. Never looks itself: what is seen is given."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from devcfg.runtime.debug.adapters import gdb, go, java, lldb, node, php, python, ruby
from devcfg.runtime.debug.adapters.adapter import Adapter, Advice, Asking, Traces, Wish, Written
from devcfg.runtime.debug.adapters.words import Words, plain
from devcfg.schemas.config import Service
from devcfg.schemas.errors import UsageError

ADAPTERS: tuple[Adapter, ...] = (
    python.ADAPTER,
    go.ADAPTER,
    node.ADAPTER,
    java.ADAPTER,
    ruby.ADAPTER,
    php.ADAPTER,
    gdb.ADAPTER,
    lldb.ADAPTER,
)
UNSUPPORTED = {
    "dotnet": "its debugger speaks over the standard input of a process that the editor starts, not over a port",
}
"""Adapters that the config may name and that `devcfg debug` cannot start, each with the way on."""


class UndebuggableError(UsageError):
    """A service cannot be put under a debugger as it stands; the hint says what to write."""


class Whose(Enum):
    """Who wrote a command."""

    CONFIG = "config"
    DEVCFG = "devcfg"


@dataclass(frozen=True, slots=True)
class Debugger:
    """What a service is debugged with."""

    adapter: Adapter
    reason: str
    """Why this adapter, in words."""
    port: int
    """Where it listens, in the pod."""
    command: Words
    whose: Whose
    asking: Asking
    notes: tuple[str, ...] = ()


def choose(name: str, spec: Service, traces: Traces, *, port: int | None = None) -> Debugger:
    """Return what a service is debugged with. `port` stands in for the adapter's own.

    Raises `UndebuggableError` with what to write.
    """
    adapter, reason = _adapter(name, spec, traces)
    command = spec.command.debug
    if command is not None:
        said = adapter.port_of(command)
        where = spec.debug.port or said or adapter.port
        if said is not None and said != where:
            there = f"`command.debug` has {adapter.debugger} on {said}"
            message = f"`debug.port` of service `{name}` is {where}, and {there}"
            raise UndebuggableError(message, hint="leave `debug.port` out, or make them one")
        notes = ("`debug.wait` changes no `command.debug`: it is yours",) if spec.debug.wait else ()
        return Debugger(adapter, reason, where, command, Whose.CONFIG, adapter.asking(command), notes)
    where = spec.debug.port or port or adapter.port
    written = _written(name, spec, adapter, Wish(where, spec.debug.wait, spec.command.build))
    asking = adapter.asking(written.command)
    return Debugger(adapter, reason, where, written.command, Whose.DEVCFG, asking, written.notes)


def _written(name: str, spec: Service, adapter: Adapter, wish: Wish) -> Written:
    run = spec.command.run
    if run is None:
        message = f"service `{name}` has neither `command.debug` nor `command.run`"
        raise UndebuggableError(message, hint="write one of them")
    words = plain(run)
    found = (
        Advice("its shell does more than start a program", _advised(adapter, wish))
        if words is None
        else adapter.rewrite(words, wish)
    )
    if isinstance(found, Advice):
        message = f"`command.run` of service `{name}` cannot be put under {adapter.debugger} by itself: {found.reason}"
        raise UndebuggableError(message, hint=f"write for instance `command.debug: {found.write}`")
    return found


def _advised(adapter: Adapter, wish: Wish) -> str:
    """Return what the adapter advises where it can take nothing."""
    found = adapter.rewrite((), wish)
    return found.write if isinstance(found, Advice) else ""


def _adapter(name: str, spec: Service, traces: Traces) -> tuple[Adapter, str]:
    wanted = spec.debug.adapter
    if wanted in UNSUPPORTED:
        message = f"`devcfg debug` has no adapter `{wanted}` yet, which service `{name}` wants"
        raise UndebuggableError(message, hint=UNSUPPORTED[wanted])
    for adapter in ADAPTERS:
        if adapter.name == wanted:
            return adapter, "`debug.adapter` says so"
    found = [(guess, one) for one in ADAPTERS if (guess := one.guess(traces)) is not None]
    best = [(guess, one) for guess, one in found if guess.certainty is max(guess.certainty for guess, _ in found)]
    listed = ", ".join(f"`{one.name}`" for one in ADAPTERS)
    if not best:
        message = f"what service `{name}` is debugged with is not to be seen from command, image and files"
        raise UndebuggableError(message, hint=f"say it in `debug.adapter`: {listed}")
    if len(best) > 1:
        either = " and ".join(f"{guess.reason} ({one.name})" for guess, one in best)
        message = f"service `{name}` may be debugged in several ways: {either}"
        raise UndebuggableError(message, hint="set `debug.adapter`")
    guess, adapter = best[0]
    return adapter, guess.reason
