"""The agent as the client sees it: one method a verb, every answer checked before anyone uses it. Decides nothing.

What comes back is about the paths that were asked for and no others; a listing is bounded; a path is one that is safe
below a root. An agent that answers otherwise raises BreachError.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Protocol, TypeVar

from devcfg.runtime.link.errors import BreachError
from devcfg.runtime.link.link import Pieces, Reply
from devcfg.runtime.pod.agent import entries, paths
from devcfg.runtime.pod.agent.entries import Change, Digested, Outcome, Row, Staged, Wanted
from devcfg.runtime.pod.agent.frames import ProtocolError
from devcfg.runtime.pod.agent.ignore import Ignores
from devcfg.runtime.pod.agent.listing import Reading, lines

T = TypeVar("T")
Mode = Literal["run", "debug"]


class Requests(Protocol):
    """A link, whether it comes back or not."""

    async def request(self, verb: str, bulk: Pieces | None = None, **members: Any) -> Reply:
        """Ask, and return the answer."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What is known of a root that was opened."""

    volume_id: str
    empty: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """A scan of the far side; rows are None when they are the ones of the listing that is known."""

    rows: tuple[Row, ...] | None
    missing: tuple[str, ...]
    started_ns: int
    listing: str


@dataclass(frozen=True, slots=True)
class State:
    """The state of a dev process; `ms` from the request to this state, where it answers one."""

    generation: int
    state: str
    mode: str
    pid: int | None
    exit_code: int | None
    ms: float | None = None


@dataclass(frozen=True, slots=True)
class Users:
    """The uid of the dev process, None where its supervisor does not say, and of the agent, whose files are its own."""

    process: int | None
    agent: int


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe found: success, failure, or unsupported."""

    result: str
    message: str


@dataclass(frozen=True, slots=True)
class Hints:
    """Paths of the far side to look at, each with whether to look below; `rescan` stands for everything."""

    rule: str
    paths: tuple[tuple[str, bool], ...]
    rescan: bool
    reason: str


class Agent:
    """The verbs over a link."""

    def __init__(self, link: Requests) -> None:
        self._link = link

    # ---- roots

    async def open(self, rule: str, path: str, *, write: Literal["atomic", "inplace"] = "atomic") -> Opened:
        """Open a root, after removing what an interrupted run left there."""
        ok = await self._ask("open", rule=rule, path=path, write=write)
        return Opened(_member(ok, "volume_id", str), _member(ok, "empty", bool))

    async def ignores(self, rule: str, ignores: Ignores) -> None:
        """Tell what to ignore."""
        await self._ask("ignores", rule=rule, ignores=ignores.json())

    async def scan(self, rule: str, hints: Iterable[tuple[str, bool]] | None = None, known: str = "") -> Listing:
        """Scan the tree, or the hinted (path, deep); rows are left out when the listing is the known one."""
        asked = None if hints is None else [list(hint) for hint in hints]
        reply = await self._link.request("scan", rule=rule, hints=asked, known=known)
        listing, started = _member(reply.ok, "listing", str), _member(reply.ok, "started_ns", int)
        if _member(reply.ok, "same", bool):
            if not known or listing != known:
                raise BreachError("the agent says that a listing is the known one, and it is not")
            return Listing(None, (), started, listing)
        rows: list[Row] = []
        missing: list[str] = []
        async for item in _items(reply):
            if isinstance(item, str):
                missing.append(_checked(paths.check, item))
            else:
                rows.append(_checked(entries.row_of, item))
        if any(earlier.path >= later.path for earlier, later in pairwise(rows)):
            raise BreachError("the agent's rows are not in order, or name a path twice")
        return Listing(tuple(rows), tuple(missing), started, listing)

    async def digest(self, rule: str, files: Iterable[str]) -> dict[str, Digested | str]:
        """Return each file's digest, or the problem in words."""
        asked = set(files)
        reply = await self._link.request("digest", lines(sorted(asked)), rule=rule)
        found: dict[str, Digested | str] = {}
        async for item in _items(reply):
            if not (isinstance(item, list) and len(item) == 2 and isinstance(item[0], str) and item[0] in asked):
                raise BreachError("the agent gives a digest that nobody asked for")
            found[item[0]] = item[1] if isinstance(item[1], str) else _checked(entries.digested_of, item[1])
        if found.keys() != asked:
            raise BreachError("the agent gives fewer digests than it was asked for")
        return found

    async def fetch(self, rule: str, wanted: Iterable[Wanted]) -> AsyncIterator[bytes]:
        """Yield the transfer stream of the wanted files; who stages it checks every record."""
        reply = await self._link.request("fetch", lines(wanted), rule=rule)
        async for piece in reply.bulk:
            yield piece

    async def stage(self, rule: str, records: Pieces) -> tuple[Staged, ...]:
        """Send a transfer stream; return the records that had a problem."""
        reply = await self._link.request("stage", records, rule=rule)
        return tuple([_checked(entries.staged_of, item) async for item in _items(reply)])

    async def apply(self, rule: str, changes: Sequence[Change]) -> AsyncIterator[Sequence[Outcome]]:
        """Bring changes into place; yield what became of them, in their order, as it comes."""
        reply = await self._link.request("apply", lines(changes), rule=rule)
        heard = 0
        async for items in _lists(reply):
            asked = changes[heard : heard + len(items)]
            heard += len(items)
            if len(asked) != len(items):
                break
            try:
                outcomes = [entries.outcome_of(item, one.path) for item, one in zip(items, asked, strict=True)]
            except ValueError as exc:
                raise BreachError(f"the agent sends what no agent sends: {exc}") from exc
            yield outcomes
        if heard != len(changes):
            raise BreachError("the agent answers for changes that are not the ones it was asked for")

    async def clean(self, rule: str) -> None:
        """Remove what was staged and not applied."""
        await self._ask("clean", rule=rule)

    async def mark(self, rule: str, volume_id: str) -> None:
        """Give the volume its identity."""
        await self._ask("mark", rule=rule, volume_id=volume_id)

    # ---- hints

    async def watch(self, rule: str) -> str:
        """Have hints come as events; return why they are late or coarse, empty when they are not."""
        return _member(await self._ask("watch", rule=rule), "degraded", str)

    async def cookie(self, rule: str, number: int) -> None:
        """Return when the hints of everything that had happened by now are among the events."""
        await self._ask("cookie", rule=rule, n=number)

    # ---- processes

    async def commands(self, name: str, commands: dict[str, list[str] | None]) -> None:
        """Write the words of run, debug or build for the next start; None takes one away."""
        await self._ask("process", name=name, action="commands", commands=commands)

    async def state(self, name: str) -> State:
        """Return the state of the supervisor in a directory."""
        return state_of(await self._ask("process", name=name, action="state"))

    async def users(self, name: str) -> Users:
        """Return as whom the supervisor in a directory and the agent run."""
        ok = await self._ask("process", name=name, action="users")
        process = ok.get("process")
        return Users(None if process is None else _member(ok, "process", int), _member(ok, "agent", int))

    async def start(self, name: str, mode: Mode) -> State:
        """Make sure that a mode runs; return when it does, or when it turned out that it cannot."""
        return state_of(await self._ask("process", name=name, action="start", mode=mode))

    async def restart(self, name: str, mode: Mode | None = None) -> State:
        """Build and start anew; return when the new process runs, or the build has failed."""
        return state_of(await self._ask("process", name=name, action="restart", mode=mode))

    async def stop(self, name: str) -> State:
        """End the dev process; return when it has."""
        return state_of(await self._ask("process", name=name, action="stop"))

    async def signal(self, name: str, signal: str) -> None:
        """Send a signal (`HUP`) to the dev process itself; nothing happens while none runs."""
        await self._ask("process", name=name, action="signal", signal=signal)

    async def probe(self, **members: Any) -> Probed:
        """Ask a probe once: `http`, `tcp`, `exec` or `grpc` with its members, and `timeout` in seconds."""
        ok = await self._ask("probe", **members)
        return Probed(_member(ok, "result", str), _member(ok, "message", str))

    # ---- ports that lead here

    async def listen(self, port: int) -> None:
        """Listen on a port of the pod's loopback."""
        await self._ask("reverse", action="listen", port=port)

    async def accept(self, port: int) -> str:
        """Return the name of the next connection to a port; wait for one."""
        return _member(await self._ask("reverse", action="accept", port=port), "id", str)

    async def receive(self, name: str) -> bytes:
        """Return the next bytes of a connection; none at its end."""
        reply = await self._link.request("reverse", action="read", id=name)
        return b"".join([piece async for piece in reply.bulk])

    async def send(self, name: str, data: bytes) -> None:
        """Send bytes to a connection; return when they are in its socket."""
        await self._link.request("reverse", (data,), action="write", id=name)

    async def finish_connection(self, name: str) -> None:
        """Tell a connection that no more comes."""
        await self._ask("reverse", action="finish", id=name)

    async def close_connection(self, name: str) -> None:
        """Let a connection go."""
        await self._ask("reverse", action="close", id=name)

    async def _ask(self, verb: str, **members: Any) -> dict[str, Any]:
        return (await self._link.request(verb, **members)).ok


def hints_of(event: dict[str, Any]) -> Hints:
    """Read a `hints` event."""
    found = _member(event, "paths", list)
    if not all(isinstance(one, list) and len(one) == 2 and isinstance(one[1], bool) for one in found):
        raise BreachError("the agent gives a hint that is no path and whether it is deep")
    hinted = tuple((path if path == "" else _checked(paths.check, path), deep) for path, deep in found)
    return Hints(_member(event, "rule", str), hinted, _member(event, "rescan", bool), _member(event, "reason", str))


def state_of(members: dict[str, Any]) -> State:
    """Read the state of a dev process, from an answer or a `state` event."""
    pid, code, ms = members.get("pid"), members.get("exit_code"), members.get("ms")
    if not (isinstance(pid, int | None) and isinstance(code, int | None) and isinstance(ms, float | int | None)):
        raise BreachError("the agent gives a state whose pid, exit_code or ms is no number")
    return State(
        _member(members, "generation", int),
        _member(members, "state", str),
        _member(members, "mode", str),
        pid,
        code,
        ms,
    )


def _member(members: dict[str, Any], name: str, kind: type[T]) -> T:
    found = members.get(name)
    if type(found) is not kind:
        raise BreachError(f"the agent gives no {kind.__name__} `{name}`")
    return found


def _checked(read: Callable[[Any], T], item: Any) -> T:
    try:
        return read(item)
    except ValueError as exc:
        raise BreachError(f"the agent sends what no agent sends: {exc}") from exc


async def _items(reply: Reply) -> AsyncIterator[Any]:
    async for items in _lists(reply):
        for item in items:
            yield item


async def _lists(reply: Reply) -> AsyncIterator[list[Any]]:
    """Yield the items of a listing, those that came together as one list."""
    reading = Reading()
    try:
        async for piece in reply.bulk:
            if items := list(reading.feed(piece)):
                yield items
        reading.end()
    except ProtocolError as exc:
        raise BreachError(f"the agent broke the protocol: {exc}") from exc
    finally:
        reply.bulk.close()
