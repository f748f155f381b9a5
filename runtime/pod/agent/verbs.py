"""The verbs: what each request of the client does to a root, a process or a probe. Knows no frame and no descriptor.

Lists that grow with the tree travel as listings, both ways; all else is a member.
"""

from __future__ import annotations

import ctypes
import hashlib
import threading
from contextlib import nullcontext
from typing import Any, Callable, Iterator, TypeVar

from . import listing, paths
from .entries import change_of, outcome_json, wanted_of, words
from .hints import Watching
from .ignore import Ignores
from .outbox import EndedError, Outbox
from .probe import ProbeError, probe
from .process import ProcessError, Processes
from .reverse import Reverse
from .root import Root
from .serve import Call, RequestError

T = TypeVar("T")
RULES = 64
PROBES = 8
"""The probes that may be asked at a time."""


def features() -> dict[str, bool]:
    """Return what this machine's C library has; a file system may still lack it."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return {"inotify": False, "rename_flags": False}
    return {"inotify": hasattr(library, "inotify_init1"), "rename_flags": hasattr(library, "renameat2")}


class Verbs:
    """The state of one session: its roots by rule, their watches, its supervisors."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._roots: dict[str, Root] = {}
        self._watches: dict[str, Watching] = {}
        self._processes = Processes(self._report)
        self._following = False
        self._probes = threading.BoundedSemaphore(PROBES)
        self._reverse = Reverse(_start)
        self._table: dict[str, Callable[[Call], None]] = {
            "open": self._open,
            "ignores": self._ignores,
            "scan": self._scan,
            "digest": self._digest,
            "fetch": self._fetch,
            "stage": self._stage,
            "apply": self._apply,
            "clean": self._clean,
            "watch": self._watch,
            "cookie": self._cookie,
            "mark": self._mark,
            "process": self._process,
            "probe": self._probe,
            "reverse": self._reverse.handle,
        }

    def handle(self, call: Call) -> None:
        """Do one request."""
        verb = call.members["verb"]
        if verb not in self._table:
            raise RequestError("unknown-verb", f"no verb `{verb}` here")
        self._table[verb](call)

    # ---- roots

    def _open(self, call: Call) -> None:
        rule, path, write = (_text(call, name) for name in ("rule", "path", "write"))
        if rule not in self._roots and len(self._roots) == RULES:
            raise RequestError("bad-request", f"more than {RULES} rules")
        if write not in ("atomic", "inplace"):
            raise RequestError("bad-request", "`write` is atomic or inplace")
        self._leave(rule)
        try:
            root = self._roots[rule] = Root(path, write=write)
        except OSError as exc:
            raise RequestError("gone", f"{path}: {words(exc)}") from exc
        root.clean()
        call.answer({"volume_id": root.volume_id(), "empty": root.empty()})

    def _leave(self, rule: str) -> None:
        watch, root = self._watches.pop(rule, None), self._roots.pop(rule, None)
        if watch is not None:
            watch.close()
        if root is not None:
            root.close()

    def _root(self, call: Call) -> Root:
        rule = _text(call, "rule")
        if rule not in self._roots:
            raise RequestError("bad-request", f"the rule `{rule}` is not open")
        gone = self._roots[rule].gone()
        if gone:
            raise RequestError("gone", gone)
        return self._roots[rule]

    def _ignores(self, call: Call) -> None:
        root = self._root(call)
        try:
            root.set_ignores(Ignores.of(call.members.get("ignores")))
        except ValueError as exc:
            raise RequestError("bad-request", str(exc)) from exc
        if _text(call, "rule") in self._watches:
            self._observe(_text(call, "rule"), root)  # a watch keeps the ignores that it began with
        call.answer({})

    def _scan(self, call: Call) -> None:
        root, hints, known = self._root(call), call.members.get("hints"), call.members.get("known")
        found = root.scan(None if hints is None else _hints(hints))
        digest = hashlib.blake2b(digest_size=16)
        for line in listing.lines(found.rows):
            digest.update(line)
        members = {"listing": digest.hexdigest(), "started_ns": found.started_ns, "rows": len(found.rows)}
        if known == members["listing"] and not found.missing:
            call.answer(dict(members, same=True))
        else:
            # A row is a list, a missing path a text.
            items: Iterator[Any] = (item for part in (found.rows, found.missing) for item in part)
            call.answer_bulk(dict(members, same=False), listing.lines(items))

    def _digest(self, call: Call) -> None:
        root, files = self._root(call), _items(call, paths.check)
        found = root.digest(files, {})
        call.answer_bulk({}, listing.lines([path, one] for path, one in found.items()))

    def _fetch(self, call: Call) -> None:
        root, wanted = self._root(call), _items(call, wanted_of)
        call.answer_bulk({}, root.records(wanted))

    def _stage(self, call: Call) -> None:
        root = self._root(call)
        try:
            staged = root.stage(call.bulk)
        except ValueError as exc:
            raise RequestError("bad-request", str(exc)) from exc
        # What is not named is here; the digests were compared.
        call.answer_bulk({}, listing.lines(one for one in staged if one.problem))

    def _apply(self, call: Call) -> None:
        root, changes = self._root(call), _items(call, change_of)
        watch = self._watches.get(_text(call, "rule"))
        # The client takes the first outcomes while the last changes are made.
        with watch.applying() if watch is not None else nullcontext() as tell:
            call.answer_bulk({}, listing.lines(map(outcome_json, root.applying(changes, tell))))

    def _clean(self, call: Call) -> None:
        self._root(call).clean()
        call.answer({})

    def _mark(self, call: Call) -> None:
        root, identity = self._root(call), _text(call, "volume_id")
        root.mark_volume(identity)
        call.answer({})

    # ---- hints

    def _watch(self, call: Call) -> None:
        root = self._root(call)
        call.answer({"degraded": self._observe(_text(call, "rule"), root).degraded})

    def _observe(self, rule: str, root: Root) -> Watching:
        if rule in self._watches:
            self._watches.pop(rule).close()
        watch = self._watches[rule] = Watching(rule, root, self._report)
        return watch

    def _cookie(self, call: Call) -> None:
        rule = _text(call, "rule")
        if rule not in self._watches:
            raise RequestError("bad-request", f"the rule `{rule}` is not watched")
        self._watches[rule].after(lambda: call.answer({"n": call.members.get("n")}))

    def _report(self, event: dict[str, Any]) -> None:
        self._outbox.event(event)

    # ---- processes

    def _process(self, call: Call) -> None:
        if not self._following:
            self._following = True
            _start(self._processes.run)
        try:
            self._processes.ask(call.members, call.answer, call.fail)
        except ProcessError as exc:
            raise RequestError(exc.code, str(exc)) from exc

    def _probe(self, call: Call) -> None:
        if not self._probes.acquire(blocking=False):
            raise RequestError("busy", f"more than {PROBES} probes at once")

        def ask() -> None:
            try:
                call.answer(probe(call.members))
            except ProbeError as exc:
                call.fail("bad-request", str(exc))
            finally:
                self._probes.release()

        _start(ask)  # not in the worker: a save must not wait for an application that hangs


def _start(work: Callable[[], None]) -> None:
    def run() -> None:
        try:
            work()
        except EndedError:
            return

    threading.Thread(target=run, daemon=True).start()


def _text(call: Call, name: str) -> str:
    found = call.members.get(name)
    if not isinstance(found, str) or not found or len(found) > paths.PATH_BYTES or "\0" in found:
        raise RequestError("bad-request", f"`{name}` is a text")
    return found


def _hints(found: Any) -> list[tuple[str, bool]]:
    if not isinstance(found, list):
        raise RequestError("bad-request", "`hints` is a list or null")
    hints: list[tuple[str, bool]] = []
    for one in found:
        if not (isinstance(one, list) and len(one) == 2 and isinstance(one[1], bool)):
            raise RequestError("bad-request", "a hint is a path and whether it is deep")
        hints.append(("" if one[0] == "" else _checked(paths.check, one[0]), one[1]))
    return hints


def _items(call: Call, read: Callable[[Any], T]) -> list[T]:
    try:
        return [read(item) for item in listing.read(call.bulk)]
    except ValueError as exc:
        raise RequestError("bad-request", str(exc)) from exc


def _checked(read: Callable[[Any], T], item: Any) -> T:
    try:
        return read(item)
    except ValueError as exc:
        raise RequestError("bad-request", str(exc)) from exc
