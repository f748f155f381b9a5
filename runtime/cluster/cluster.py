"""The cluster as devcfg sees it: objects as plain JSON, and the streams of a pod. Never a typed API object.

`kube` is the real one; the tests have one in memory, held to the same conformance suite.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from devcfg.runtime.session.forward import Pair
from devcfg.schemas.patch import Operation

Object = dict[str, Any]
"""A Kubernetes object as JSON."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as the API serves it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`group/version`, or `version` alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom we speak to, and as whom."""

    context: str
    server: str
    """The URL of the API server."""
    namespace: str
    """The context's own, `default` where it names none."""
    user: str
    """The name of the kubeconfig's user entry: words for people, no identity of the API."""


@dataclass(frozen=True, slots=True)
class Access:
    """One line of a Role: may this user do that? `subresource` as in `pods/exec`."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """One change of a watch: `ADDED`, `MODIFIED` or `DELETED`, and the object."""

    type: str
    object: Object


class Exec(Protocol):
    """A command in a container. A `Stream` whose link it may carry; without a terminal stderr is apart, in `words`."""

    async def read(self) -> bytes:
        """Return what the command has printed, at least a byte; nothing at its end. Raise OSError where it broke."""

    async def write(self, data: bytes) -> None:
        """Send to its standard input; return when there is room for more."""

    async def finish(self) -> None:
        """Tell that no more input comes; a server that cannot be told (before 1.30) is not."""

    async def resize(self, columns: int, rows: int) -> None:
        """Tell its terminal how large it is."""

    async def wait(self) -> int:
        """Return the exit code, once `read` has come to the end. Raise ClusterError where it never started."""

    async def close(self) -> None:
        """Let go of it. What it started may live on: it has to notice that nobody speaks to it."""

    def words(self) -> str:
        """Return the last of what it said on standard error, or why it never started."""


class Cluster(Protocol):
    """One API server, as one user. Everything raises the errors of `errors`; what a body holds is never changed."""

    @property
    def identity(self) -> Identity:
        """Whom we speak to, and as whom."""

    async def find(self, kind: str, group: str | None = None, version: str = "") -> Resource:
        """Return how a kind is served: by `kind` in any case, or its plural. Raise MissingError where it is not."""

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """Return an object."""

    async def list(self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "") -> Sequence[Object]:
        """Return the objects of a namespace that these selectors take."""

    async def create(self, resource: Resource, namespace: str, body: Object, *, dry_run: bool = False) -> Object:
        """Create an object and return it as it is kept, with `warnings` under no key: they are dropped."""

    async def replace(self, resource: Resource, namespace: str, body: Object) -> Object:
        """Replace an object; ConflictError where `metadata.resourceVersion` is not its own any more."""

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        operations: Sequence[Operation],
        *,
        dry_run: bool = False,
    ) -> Object:
        """Apply an RFC 6902 patch as field manager `devcfg`, all of it or nothing; GuardError where a test fails."""

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", resource_version: str = ""
    ) -> None:
        """Delete an object, if it is still this one, and what it owns in the background."""

    def watch(
        self, resource: Resource, namespace: str, *, name: str = "", labels: str = "", since: str = ""
    ) -> AsyncIterator[Seen]:
        """Yield what is there, then each change, for ever; from a `resourceVersion` on, only changes.

        A stream that ends is opened again where it was; ExpiredError where that is too long ago.
        """

    async def may(self, asked: Sequence[Access]) -> Sequence[bool]:
        """Tell for each whether this user may do it (SelfSubjectAccessReview)."""

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
        """Start a command in a container; `heard` takes what it says on standard error, as it comes.

        A Role needs `get` of `pods/exec`, and newer servers want `create` too.
        """

    async def dial(self, namespace: str, pod: str, port: int) -> Pair:
        """Connect to a port of a pod. Raises `OSError` while nothing listens there. For a Role as `execute`."""

    def log(
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
        """Yield what a container has printed, in pieces; with `follow` until it ends.

        `since` is an RFC 3339 time, its second included; `stamped` lines begin with such a time and a blank.
        """

    async def version(self) -> str:
        """Return the server's version, as `v1.34.2`."""

    async def close(self) -> None:
        """Close every connection."""
