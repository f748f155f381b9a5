"""The pod site: a dev container and its agent in a cluster, followed from pod to pod. Never changes an object.

What makes dev mode and what takes it back is done before and after: a pod that goes is found again by its owner.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence

from devcfg.runtime.cluster.cluster import Cluster
from devcfg.runtime.cluster.errors import ClusterError
from devcfg.runtime.devmode.place import PodPlace
from devcfg.runtime.files import write_atomically
from devcfg.runtime.link.errors import LinkLostError
from devcfg.runtime.link.stream import Stream
from devcfg.runtime.session.forward import Pair
from devcfg.runtime.session.podlog import PodLog, Told
from devcfg.runtime.session.pods import Pod, Pods
from devcfg.runtime.session.site import There
from devcfg.schemas.config import Service
from devcfg.schemas.naming import AGENT_CONTAINER, BUSYBOX, agent_directory, run_directory

LOOK, LOOK_LAST = 0.2, 2.0
"""Seconds between two looks for a pod while there is none, growing."""
LOOKED = 1.0
"""Seconds that a found pod is believed in by whoever only wants a connection."""


class PodSite:
    """One service's place in a cluster. Implements `Site`."""

    def __init__(
        self,
        cluster: Cluster,
        place: PodPlace,
        service: Service,
        project: str,
        *,
        say: Callable[[str], None],
        fresh: bool,
        node: str = "",
        told: Told | None = None,
    ) -> None:
        """Take a place. `fresh` says that its pod was made for this session, so that its whole log is wanted.

        `told` is until when this session has told its log already.
        """
        self._cluster = cluster
        self._place = place
        self._service = service
        self._record = os.path.join(project, ".devcfg", "state", f"{place.service}.commands")
        self._say = say
        self._said = ""
        self._ends: dict[str, int] = {}  # of the pod of now: how many ends of its dev container are known
        self._pods = Pods(cluster, place, node)
        self._pod: Pod | None = None
        self._left: Pod | None = None  # what became of it may be known later than that it is gone
        self._linked: Pod | None = None  # the one of the last stream
        self._looking = asyncio.Lock()
        self._looked = 0.0
        told = {} if told is None else told
        self._log = PodLog(cluster, place.namespace, place.container, self._find, whole=fresh, told=told)

    @property
    def directory(self) -> str:
        """Return the supervisor's state directory."""
        return run_directory(self._place.service)

    @property
    def beside_agent(self) -> str:
        """Return the agent's directory in the volume that the dev container has, too."""
        return agent_directory(self._place.service)

    @property
    def shared(self) -> bool:
        """Say that a pod's ports are its own."""
        return False

    @property
    def incarnation(self) -> str:
        """Return the uid of the pod that the last stream led to."""
        return self._linked.uid if self._linked is not None else ""

    @property
    def pod(self) -> str | None:
        """Return the name of the pod."""
        return self._pod.name if self._pod is not None else None

    def place(self, path: str) -> str:
        """Return the path: the agent has the volumes where the dev container has them."""
        return path

    async def enter(self) -> None:
        """Wait for the pod."""
        await self._find()

    async def leave(self) -> None:
        """Leave the process to whoever takes the workload out of dev mode, and its pods with it."""

    def let_go(self) -> None:
        """Leave everything as it is."""

    # ---- the process

    def started_as(self, argv: Sequence[str]) -> list[str]:
        """Put before a command what the config's `env` says by now and the pod's container does not."""
        pod = self._linked or self._pod
        container = pod.environment if pod is not None else ()
        has = {one["name"]: one.get("value", "") if "valueFrom" not in one else None for one in container}
        removed = [name for name, value in self._service.env.items() if value is None and name in has]
        wanted = {name: value for name, value in self._service.env.items() if isinstance(value, str)}
        # What has a `$(` was expanded by Kubernetes from the other variables: the container has it right.
        new = {name: value for name, value in wanted.items() if has.get(name) != value and "$(" not in value}
        if not removed and not new:
            return list(argv)
        words = [word for name in removed for word in ("-u", name)]
        return [BUSYBOX, "env", *words, *(f"{name}={value}" for name, value in new.items()), *argv]

    def renew(self, commands: str) -> bool:
        """Remember what the process of this pod is started with."""
        now, known = f"{self.incarnation} {commands}\n", ""
        with contextlib.suppress(OSError), open(self._record, encoding="utf-8") as file:
            known = file.read()
        write_atomically(self._record, now)
        return now != known

    # ---- the ways to it

    async def open_stream(self) -> Stream:
        """Start an agent in the pod that is there now."""
        pod = await self._find(anew=True)
        argv = ["python3", "-S", "-m", "agent", self.beside_agent]
        try:
            stream = await self._cluster.execute(self._place.namespace, pod.name, AGENT_CONTAINER, argv, stdin=True)
        except ClusterError as error:
            raise LinkLostError(error.message, hint=error.hint) from error
        self._linked = pod
        return stream

    async def dial(self, port: int) -> Pair:
        """Connect to a port of the pod."""
        if self._pod is None:
            raise ConnectionRefusedError("there is no pod yet")
        try:
            return await self._cluster.dial(self._place.namespace, self._pod.name, port)
        except ClusterError as error:
            raise ConnectionRefusedError(error.message) from error

    def log(self) -> AsyncIterator[str]:
        """Yield the lines of the dev container's log."""
        return self._log.follow()

    async def beside(self) -> There:
        """Return the dev container of the pod that is there now."""
        pod, place, identity = await self._find(), self._place, self._cluster.identity
        names = (identity.context, identity.server, place.namespace, pod.name, place.container)
        return There(*names, folder_of(self._service), tuple(self.started_as(())))

    # ---- which pod

    async def _find(self, *, anew: bool = False) -> Pod:
        """Return the pod that is there now; wait for one, and say what for. `anew` believes in none from before."""
        loop, pause = asyncio.get_running_loop(), LOOK
        while True:
            async with self._looking:
                if anew or self._pod is None or loop.time() - self._looked > LOOKED:
                    found = await self._look()
                    self._pod, self._looked = found, loop.time()
                if self._pod is not None:
                    return self._pod
            await asyncio.sleep(pause)
            pause = min(pause * 1.3, LOOK_LAST)

    async def _look(self) -> Pod | None:
        self._left = self._pod or self._left
        try:
            found = await self._pods.find()
            if self._left is not None and (not isinstance(found, Pod) or found.uid != self._left.uid):
                fate = await self._pods.fate(self._left)
                if fate:
                    self._left = None
                    self._said = fate
                    self._say(fate)
        except ClusterError as error:
            found = error.message
        if isinstance(found, Pod):
            self._said, self._left = "", None
            self._tell_end(found)
            return found
        if found != self._said:
            self._said = found
            self._say(found)
        return None

    def _tell_end(self, found: Pod) -> None:
        """Say once for each end of the dev container since this session knows the pod."""
        times = found.ended.times if found.ended is not None else 0
        before = self._ends.get(found.uid, found.restarts)
        self._ends = {found.uid: max(times, before)}
        if found.ended is not None and times > before:
            self._say(found.ended.words)


def folder_of(service: Service) -> str:
    """Return where a service's commands start, as its container has it; empty where nothing says so."""
    return service.workdir or (service.sync[0].target if service.sync else "")
