"""One API server behind the port `Cluster`: each verb as one request. Never reads a kubeconfig."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

from devcfg.runtime.cluster.changes import follow_changes, follow_log
from devcfg.runtime.cluster.channels import Channels
from devcfg.runtime.cluster.cluster import Access, Exec, Identity, Object, Resource, Seen
from devcfg.runtime.cluster.errors import ClusterError, ExpiredError, ForbiddenError, GuardError, MissingError
from devcfg.runtime.cluster.execution import PROTOCOLS, Execution
from devcfg.runtime.cluster.kinds import USUAL, Wanted, group_versions, read_list, versions
from devcfg.runtime.cluster.refusals import missing_namespace
from devcfg.runtime.cluster.request import JSON_PATCH, Page, Request
from devcfg.runtime.cluster.transport import Transport
from devcfg.runtime.cluster.tunnel import PROTOCOL as PORT_PROTOCOL
from devcfg.runtime.cluster.tunnel import open_tunnel
from devcfg.runtime.session.forward import Pair
from devcfg.schemas.errors import PatchError
from devcfg.schemas.patch import Operation, apply_patch

MANAGER = "devcfg"
PAGE = 500
AT_ONCE = 8
"""Questions that are asked at the same time at most."""
REVIEW = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False)
NAMESPACE = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
POD = Resource("", "v1", "pods", "Pod")


class Server:
    """The real cluster."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._found: dict[Wanted, Resource] = {}

    @property
    def identity(self) -> Identity:
        """Whom we speak to, and as whom."""
        return self._transport.identity

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.close()

    async def version(self) -> str:
        """Return the server's version."""
        answer = await self._transport.call(Page("/version"))
        return str(answer["gitVersion"])

    # ---- kinds

    async def find(self, kind: str, group: str | None = None, version: str = "") -> Resource:
        """Return how a kind is served, by its kind, plural, singular or short name."""
        wanted = Wanted.parse(kind, group, version)
        known = wanted.pick(USUAL) or self._found.get(wanted)
        if known is None:
            known = self._found[wanted] = await self._discover(wanted)
        return known

    async def _discover(self, wanted: Wanted) -> Resource:
        if wanted.group == "":
            groups: tuple[tuple[str, tuple[str, ...]], ...] = (("", ("v1",)),)
        elif wanted.group is not None:
            groups = ((wanted.group, await self._versions(wanted.group)),)
        else:
            groups = (("", ("v1",)), *versions(await self._transport.call(Page("/apis"))))
        # The preferred versions of all groups come first: an old one is right only where there is nothing else.
        first = [(group, found[:1]) for group, found in groups]
        rest = [(group, found[1:]) for group, found in groups]
        for some in (first, rest):
            pages = [
                f"/apis/{group}/{one}" if group else f"/api/{one}"
                for group, found in some
                for one in found
                if wanted.version in ("", one)
            ]
            for served in await _gather([self._served(page) for page in pages]):
                resource = wanted.pick(served)
                if resource is not None:
                    return resource
        raise MissingError(
            f"this cluster serves no `{wanted}`", hint="`kubectl api-resources` lists what it does; is a CRD missing?"
        )

    async def _versions(self, group: str) -> tuple[str, ...]:
        try:
            return group_versions(await self._transport.call(Page(f"/apis/{group}")))
        except MissingError:
            return ()

    async def _served(self, page: str) -> Any:
        try:
            return read_list(await self._transport.call(Page(page)))
        except ClusterError:  # an aggregated API whose own server is down is not the cluster's failure
            return ()

    # ---- objects

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """Return an object."""
        return await self._one(Request("get", resource, namespace, name))

    async def list(self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "") -> Sequence[Object]:
        """Return the objects of a namespace that these selectors take."""
        items, _ = await self.page_through(resource, namespace, labels=labels, fields=fields)
        return items

    async def page_through(
        self, resource: Resource, namespace: str, *, labels: str = "", fields: str = ""
    ) -> tuple[tuple[Object, ...], str]:
        """Return the objects, and the resource version that they are of."""
        query = _selected(labels, fields)
        items: list[Object] = []
        more = ""
        while True:
            paging = (("limit", str(PAGE)), *((("continue", more),) if more else ()))
            try:
                answer = await self._transport.call(Request("list", resource, namespace, query=(*query, *paging)))
            except ExpiredError:  # so many that the pages grew too old: once more, in one
                answer = await self._transport.call(Request("list", resource, namespace, query=query))
                items.clear()
            kind = {"apiVersion": resource.api_version, "kind": resource.kind}  # what lists leave out of their items
            items += ({**kind, **one} for one in answer.get("items") or ())
            about = answer.get("metadata") or {}
            more = about.get("continue") or ""
            if not more:
                return tuple(items), str(about.get("resourceVersion") or "")

    async def create(self, resource: Resource, namespace: str, body: Object, *, dry_run: bool = False) -> Object:
        """Create an object and return it as it is kept."""
        name = str((body.get("metadata") or {}).get("name") or "")
        return await self._one(Request("create", resource, namespace, name, query=_writing(dry_run=dry_run), body=body))

    async def replace(self, resource: Resource, namespace: str, body: Object) -> Object:
        """Replace an object, if it is still as it was read."""
        return await self._one(
            Request("update", resource, namespace, body["metadata"]["name"], query=_writing(), body=body)
        )

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        operations: Sequence[Operation],
        *,
        dry_run: bool = False,
    ) -> Object:
        """Apply a patch, all of it or nothing."""
        body = [one.to_json() for one in operations]
        asked = Request(
            "patch", resource, namespace, name, query=_writing(dry_run=dry_run), body=body, media=JSON_PATCH
        )
        try:
            return await self._one(asked)
        except GuardError as error:
            raise await self._explain(asked, operations, error) from None

    async def _explain(self, asked: Request, operations: Sequence[Operation], error: GuardError) -> GuardError:
        """Find out which test failed: the server does not say."""
        try:
            found = await self._one(replace(asked, verb="get", query=(), body=None))
            apply_patch(found, tuple(operations))
        except PatchError as reason:
            label = f"{asked.resource.kind.lower()} `{asked.name}`"
            return GuardError(f"{label} is not as it was expected, nothing was changed: {reason.message}")
        except ClusterError:
            pass
        return error

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", resource_version: str = ""
    ) -> None:
        """Delete an object, if it is still this one."""
        still = {key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value}
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if still:
            body["preconditions"] = still
        await self._one(Request("delete", resource, namespace, name, body=body))

    async def _one(self, asked: Request) -> Object:
        try:
            answer: Object = await self._transport.call(asked)
        except MissingError as error:
            raise await self._whole(asked, error) from None
        return answer

    async def _whole(self, asked: Request, error: MissingError) -> MissingError:
        """Tell an object that is not there from a namespace that is not there, where we may look."""
        if not asked.namespace or not asked.resource.namespaced:
            return error
        try:
            await self._transport.call(Request("get", NAMESPACE, name=asked.namespace))
        except MissingError:
            return missing_namespace(asked.namespace)
        except ClusterError:
            pass
        return error

    # ---- streams

    async def watch(
        self, resource: Resource, namespace: str, *, name: str = "", labels: str = "", since: str = ""
    ) -> AsyncIterator[Seen]:
        """Yield what is there, then each change, for ever; from a `resourceVersion` on, only changes."""
        fields = f"metadata.name={name}" if name else ""
        if not since:
            items, since = await self.page_through(resource, namespace, labels=labels, fields=fields)
            for one in items:
                yield Seen("ADDED", one)
        asked = Request("watch", resource, namespace, query=_selected(labels, fields))
        async for seen in follow_changes(self._transport, asked, since):
            yield seen

    async def execute(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        stdin: bool,
        terminal: bool = False,
        heard: Callable[[bytes], None] | None = None,
    ) -> Exec:
        """Start a command in a container."""
        wanted = {"stdin": stdin, "stdout": True, "stderr": not terminal, "tty": terminal}
        query = [("container", container), *((key, "true") for key, value in wanted.items() if value)]
        query += (("command", word) for word in argv)
        asked = Request("get", POD, namespace, pod, "exec", query=tuple(query))
        return Execution(Channels(await self._transport.upgrade(asked, PROTOCOLS)), heard)

    async def dial(self, namespace: str, pod: str, port: int) -> Pair:
        """Connect to a port of a pod."""
        asked = Request("get", POD, namespace, pod, "portforward", query=(("ports", str(port)),))
        try:
            socket = await self._transport.upgrade(asked, (PORT_PROTOCOL,))
        except ForbiddenError:
            raise
        except ClusterError as error:  # the pod is gone, or its node does not answer: another one may come
            raise ConnectionError(f"pod `{pod}` cannot be reached: {error.message}") from error
        return await open_tunnel(Channels(socket))

    async def log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        follow: bool,
        tail: int | None = None,
        previous: bool = False,
        since: str = "",
        stamped: bool = False,
    ) -> AsyncIterator[bytes]:
        """Yield what a container has printed, in pieces."""
        wanted = {"follow": follow, "previous": previous, "timestamps": stamped}
        query = [("container", container), *((key, "true") for key, value in wanted.items() if value)]
        query += [("tailLines", str(tail))] if tail is not None else []
        query += [("sinceTime", since)] if since else []
        asked = Request("get", POD, namespace, pod, "log", query=tuple(query))
        async for piece in follow_log(self._transport, asked):
            yield piece

    # ---- permissions

    async def may(self, asked: Sequence[Access]) -> Sequence[bool]:
        """Tell for each whether this user may do it."""
        return await _gather([self._may(one) for one in asked])

    async def _may(self, asked: Access) -> bool:
        attributes = {
            "verb": asked.verb,
            "group": asked.group,
            "resource": asked.resource,
            "subresource": asked.subresource,
            "namespace": asked.namespace,
            "name": asked.name,
        }
        body = {
            "apiVersion": REVIEW.api_version,
            "kind": REVIEW.kind,
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        answer = await self._transport.call(Request("create", REVIEW, body=body, repeatable=True))
        return bool(answer["status"]["allowed"])


def _selected(labels: str, fields: str) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value)


def _writing(*, dry_run: bool = False) -> tuple[tuple[str, str], ...]:
    return (("fieldManager", MANAGER), *((("dryRun", "All"),) if dry_run else ()))


async def _gather(questions: Sequence[Any]) -> list[Any]:
    """Ask a few at a time; the answers are in the order of the questions."""
    room = asyncio.Semaphore(AT_ONCE)

    async def ask(one: Any) -> Any:
        async with room:
            return await one

    return list(await asyncio.gather(*(ask(one) for one in questions)))
