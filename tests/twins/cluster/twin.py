"""The port `Cluster` over a world in memory, as one user. Adds what stands between a user and the server."""

import asyncio
import copy
from dataclasses import dataclass
from enum import Enum

from cluster.selectors import by_fields, by_labels
from devcfg.runtime.cluster.cluster import Resource, Seen
from devcfg.runtime.cluster.errors import (
    ClusterError,
    ExpiredError,
    ForbiddenError,
    GuardError,
    MissingError,
    RejectedError,
)
from devcfg.runtime.cluster.kinds import Wanted
from devcfg.schemas.errors import PatchError
from devcfg.schemas.patch import apply_patch

POD = Resource("", "v1", "pods", "Pod")


class Moment(Enum):
    """When a call is looked at."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True)
class Call:
    """One request, as a Role would name it."""

    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    dry_run: bool = False

    @property
    def writes(self):
        """Whether it would change anything."""
        return self.verb in ("create", "update", "patch", "delete") and not self.dry_run and not self.subresource


class MemoryCluster:
    """One user's view of a world."""

    def __init__(self, world, identity, rules):
        self.world = world
        self.identity = identity
        self.rules = rules
        self.around = []
        """Functions of a call and a moment; what they raise happens to whoever called."""
        self.calls = []

    async def close(self):
        """Nothing is open."""

    async def version(self):
        """Return the version that the twin is like."""
        return "v1.34.2"

    async def find(self, kind, group=None, version=""):
        """Return how a kind is served."""
        wanted = Wanted.parse(kind, group, version)
        found = wanted.pick(self.world.kinds)
        if found is None:
            raise MissingError(f"this cluster serves no `{wanted}`")
        return found

    # ---- objects

    async def get(self, resource, namespace, name):
        """Return an object."""
        return await self._call(
            Call("get", resource, namespace, name), lambda: self.world.get(resource, namespace, name)
        )

    async def list(self, resource, namespace, *, labels="", fields=""):
        """Return the objects of a namespace that these selectors take."""
        return await self._call(
            self._listing("list", resource, namespace, fields), lambda: self._taken(resource, namespace, labels, fields)
        )

    def _listing(self, verb, resource, namespace, fields):
        name = fields.removeprefix("metadata.name=") if fields.startswith("metadata.name=") else ""
        return Call(verb, resource, namespace, name if "," not in name else "")

    def _taken(self, resource, namespace, labels, fields):
        by_label, by_field = by_labels(labels), by_fields(fields)
        found = self.world.all(resource, namespace if resource.namespaced else "")
        return tuple(copy.deepcopy(one) for one in found if by_label(one) and by_field(one))

    async def create(self, resource, namespace, body, *, dry_run=False):
        """Create an object and return it as it is kept."""
        name = body.get("metadata", {}).get("name", "")
        return await self._call(
            Call("create", resource, namespace, name, dry_run=dry_run),
            lambda: self.world.create(resource, namespace, body, manager="devcfg", dry_run=dry_run),
        )

    async def replace(self, resource, namespace, body):
        """Replace an object, if it is still as it was read."""
        name = body["metadata"]["name"]
        return await self._call(
            Call("update", resource, namespace, name),
            lambda: self.world.update(resource, namespace, name, body, manager="devcfg"),
        )

    async def patch(self, resource, namespace, name, operations, *, dry_run=False):
        """Apply a patch, all of it or nothing."""

        def do():
            found = self.world.get(resource, namespace, name)
            try:
                wanted = apply_patch(found, tuple(operations))
            except PatchError as error:
                label = f"{resource.kind.lower()} `{name}`"
                message = f"{label} is not as it was expected, nothing was changed: {error.message}"
                raise GuardError(message) from error
            return self.world.update(resource, namespace, name, wanted, manager="devcfg", dry_run=dry_run)

        return await self._call(Call("patch", resource, namespace, name, dry_run=dry_run), do)

    async def delete(self, resource, namespace, name, *, uid="", resource_version=""):
        """Delete an object, if it is still this one."""
        await self._call(
            Call("delete", resource, namespace, name),
            lambda: self.world.delete(resource, namespace, name, uid=uid, resource_version=resource_version),
        )

    async def may(self, asked):
        """Tell for each whether this user may do it."""
        await asyncio.sleep(0)
        return tuple(
            self.rules.allow(one.verb, one.group, one.resource, one.subresource, one.namespace, one.name)
            for one in asked
        )

    async def _call(self, call, do):
        self._look(call, Moment.BEFORE)
        await asyncio.sleep(0)  # others come between, as they do on the way to a server
        self._check(call)
        done = do()
        self.calls.append(call)
        if call.writes:
            self.world.kick()
        await asyncio.sleep(0)
        self._look(call, Moment.AFTER)
        return done

    def _look(self, call, moment):
        for one in tuple(self.around):
            one(call, moment)

    def _check(self, call):
        resource, namespace = call.resource, call.namespace if call.resource.namespaced else ""
        name = "" if call.verb == "create" and not call.subresource else call.name
        words = (call.subresource, namespace, name)
        if not self.rules.allow(call.verb, resource.group, resource.plural, *words):
            ruled = f"{resource.plural}/{call.subresource}" if call.subresource else resource.plural
            place = f" in namespace `{namespace}`" if namespace else ""
            raise ForbiddenError(
                f"user `{self.rules.user}` may not {call.verb} `{ruled}`{place}",
                verb=call.verb,
                resource=ruled,
                hint=f"the server's words: {self.rules.refusal(call.verb, resource, *words)}",
            )

    # ---- streams

    async def watch(self, resource, namespace, *, name="", labels="", since=""):
        """Yield what is there, then each change, for ever; from a `resourceVersion` on, only changes."""
        fields = f"metadata.name={name}" if name else ""
        if not since:
            found = await self._call(
                self._listing("list", resource, namespace, fields),
                lambda: (self._taken(resource, namespace, labels, fields), self.world.version),
            )
            for one in found[0]:
                yield Seen("ADDED", one)
            since = found[1]
        await self._call(self._listing("watch", resource, namespace, fields), lambda: None)
        at, by_label, by_field = int(since), by_labels(labels), by_fields(fields)
        while True:
            changes = self.world.since(at)
            if changes is None:
                raise ExpiredError(f"too old resource version: {at} ({self.world.version})")
            for version, kind, key, old, new in changes:
                at = version
                if key[:2] != (resource.group, resource.plural) or namespace not in ("", key[2]) or not by_field(new):
                    continue
                was, is_now = old is not None and by_label(old), by_label(new)
                if kind == "DELETED" or not is_now:
                    if was:
                        yield Seen("DELETED", copy.deepcopy(new))
                else:
                    yield Seen("MODIFIED" if was else "ADDED", copy.deepcopy(new))
            if not changes:
                await self.world.changed()

    async def execute(self, namespace, pod, container, argv, *, stdin, terminal=False, heard=None):
        """Start a command with what the test gave as `World.processes`: its coroutine returns an `Exec`."""
        call = Call("get", POD, namespace, pod, "exec")
        found = await self._call(call, lambda: self.world.get(POD, namespace, pod))
        if container not in [one["name"] for one in found["spec"]["containers"]]:
            raise RejectedError(f"container {container} is not valid for pod {pod}")
        if self.world.processes is None:
            raise ClusterError("the command could not be started: this test runs none")
        return await self.world.processes(found, container, tuple(argv), stdin=stdin, terminal=terminal, heard=heard)

    async def dial(self, namespace, pod, port):
        """Connect with what the test gave as `World.dials`."""
        call = Call("get", POD, namespace, pod, "portforward")
        try:
            found = await self._call(call, lambda: self.world.get(POD, namespace, pod))
        except MissingError as error:
            raise ConnectionError(f"pod `{pod}` cannot be reached: {error.message}") from error
        if self.world.dials is None:
            raise ConnectionRefusedError("nothing listens there")
        return await self.world.dials(found, port)

    async def log(self, namespace, pod, container, *, follow, tail=None, previous=False, since="", stamped=False):
        """Yield what a test has put into `World.logs`; following ends with the pod.

        A test whose reader wants times writes them before its lines, as the kubelet does.
        """
        await self._call(Call("get", POD, namespace, pod, "log"), lambda: self.world.get(POD, namespace, pod))
        if since and not stamped:
            raise ClusterError("the twin knows when a line was printed only where it says so")
        key = (namespace, pod, container, "previous") if previous else (namespace, pod, container)
        said = self.world.logs.get(key, b"")
        lines = said.splitlines(keepends=True)
        at = 0 if tail is None else len(b"".join(lines[:-tail] if tail else lines))
        old = [line for line in lines if since and line[:19] < since[:19].encode()]
        at = max(at, len(b"".join(old)))
        while True:
            said = self.world.logs.get(key, b"")
            if said[at:]:
                yield said[at:]
                at = len(said)
            elif not follow or self.world.find(POD, namespace, pod) is None:
                return
            else:
                await self.world.changed()
