"""Who works on a workload: a Lease that one session holds, renews, and gives back. Never touches the workload.

Clocks of two machines are not compared where it matters: as in client-go's leader election, a holder counts as gone
when its lease did not change for its whole duration by *our* clock. Only what is long dead by any clock is not watched
first.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import secrets
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from devcfg.runtime.cluster.cluster import Cluster, Object, Resource
from devcfg.runtime.cluster.errors import ConflictError, GuardError, MissingError, UnreachableError
from devcfg.runtime.devmode.errors import HeldError, LostError
from devcfg.schemas.naming import WORKLOAD_LABEL

LEASE = Resource("coordination.k8s.io", "v1", "leases", "Lease")
DURATION = 30.0
"""Seconds that a lease holds without being renewed."""
RENEW = 10.0
"""Seconds between two renewals."""
LONG_DEAD = timedelta(minutes=5)
"""What clocks may differ by: a lease that was not renewed for so long is nobody's."""
ATTEMPTS = 20
LOOK = 1.0
"""Seconds between two looks at a lease whose holder may be gone."""
_FORM = "%Y-%m-%dT%H:%M:%S.%fZ"
_IDENTITY = re.compile(r"(?P<holder>\S+) (?P<process>\d+)@(?P<machine>[^\s@]+) (?P<session>[0-9a-f]+)")


@dataclass(frozen=True, slots=True)
class Session:
    """Who we are: user and host for people; machine, process and session so that two of one user are two."""

    holder: str
    process: int
    machine: str
    """Where that process id means something."""
    id: str

    @property
    def identity(self) -> str:
        """What the lease says."""
        return f"{self.holder} {self.process}@{self.machine} {self.id}"


def this_session() -> Session:
    """Return a new session of this user on this machine."""
    return Session(this_holder(), os.getpid(), this_machine(), secrets.token_hex(8))


def this_holder() -> str:
    """Return `user@host`, without spaces."""
    return re.sub(r"\s", "-", f"{getpass.getuser()}@{socket.gethostname()}")


def this_machine() -> str:
    """Return a word for this machine since its start, and for the container in it that we may be in."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            words = f"{file.read()} {os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        words = f"{socket.gethostname()} {uuid.getnode()}"
    return sha256(words.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Held:
    """What a lease says: who, whether that is alive, and since when. `alive` is a guess where clocks differ."""

    holder: str
    session: str
    process: int
    machine: str
    since: str
    age: timedelta
    """Since the last renewal, by our wall clock."""

    @property
    def alive(self) -> bool:
        """Whether it was renewed lately; one from the future may be anybody's."""
        return self.holder != "" and self.age < timedelta(seconds=DURATION)


def read_held(lease: Object, now: datetime) -> Held:
    """Read a lease."""
    spec = lease.get("spec") or {}
    identity = str(spec.get("holderIdentity") or "")
    found = _IDENTITY.fullmatch(identity)
    renewed = _moment(spec.get("renewTime"))
    age = now - renewed if renewed is not None else LONG_DEAD + timedelta(seconds=DURATION)
    since = str(spec.get("acquireTime") or "")
    if found is None:
        return Held(identity, "", 0, "", since, age)
    return Held(found["holder"], found["session"], int(found["process"]), found["machine"], since, age)


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")) if text else None
    except ValueError:
        return None


@dataclass(slots=True)
class Lease:
    """The lease of one workload, held by one session."""

    cluster: Cluster
    namespace: str
    name: str
    body: Object
    session: Session
    steal: bool = False

    async def acquire(self, tell: Callable[[str], None]) -> None:
        """Take the lease. Raises `HeldError` with the holder where somebody else has it; `steal` takes it anyway."""
        watched: tuple[str, float] | None = None
        for _ in range(ATTEMPTS + int(DURATION / LOOK)):
            try:
                found = await self.cluster.get(LEASE, self.namespace, self.name)
            except MissingError:
                if await self._write(None):
                    return
                continue
            held = read_held(found, datetime.now(UTC))
            version = found["metadata"]["resourceVersion"]
            if watched is None or watched[0] != version:
                if watched is not None:
                    raise self._refusal(held)  # it was renewed before our eyes
                watched = (version, time.monotonic())
            gone = time.monotonic() - watched[1] >= DURATION
            if self.steal or gone or self._is_free(held):
                if await self._write(found):
                    return
                watched = None
                continue
            if held.alive and held.age > -timedelta(seconds=DURATION):
                raise self._refusal(held)
            if time.monotonic() - watched[1] < LOOK:
                tell(f"{held.holder} had it last; looking for {DURATION:.0f} s whether that session still lives")
            await asyncio.sleep(LOOK)
        raise HeldError(f"the lease `{self.name}` changes hands all the time", hint="try again")

    def _is_free(self, held: Held) -> bool:
        if not held.holder or held.age > LONG_DEAD + timedelta(seconds=DURATION):
            return True
        if held.session == self.session.id:
            return True
        return held.machine == self.session.machine and not _runs(held.process)

    def _refusal(self, held: Held) -> HeldError:
        if held.holder == self.session.holder:
            here = f", process {held.process} of this machine" if held.machine == self.session.machine else ""
            return HeldError(
                f"a session of yours has it since {held.since[:19]}{here} (lease `{self.name}`)",
                hint="end that one (Ctrl-C, or `devcfg down` in its project), or take it over: `devcfg up --steal`",
            )
        return HeldError(
            f"{held.holder} is developing it since {held.since[:19]} (lease `{self.name}`)",
            hint="ask, or take it over: `devcfg up --steal`",
        )

    async def _write(self, found: Object | None) -> bool:
        """Write the lease as ours; tell whether nobody was quicker. An answer that is lost is looked up."""
        moment = datetime.now(UTC).strftime(_FORM)
        spec = (found or {}).get("spec") or {}
        turns = int(spec.get("leaseTransitions") or 0) + (found is not None)
        body = {
            **(self.body if found is None else found),
            "spec": {
                "holderIdentity": self.session.identity,
                "leaseDurationSeconds": int(DURATION),
                "acquireTime": moment,
                "renewTime": moment,
                "leaseTransitions": turns,
            },
        }
        try:
            if found is None:
                await self.cluster.create(LEASE, self.namespace, body)
            else:
                await self.cluster.replace(LEASE, self.namespace, body)
        except (ConflictError, GuardError):
            return False
        except UnreachableError:
            await asyncio.sleep(LOOK)
            return False  # if it was written, it says so when it is read again
        return True

    async def keep(self) -> None:
        """Renew the lease until it is lost. Raises `LostError` with the reason; never returns."""
        while True:
            await asyncio.sleep(RENEW)
            await self.renew()

    async def renew(self) -> None:
        """Renew the lease once. Raises `LostError`. While the cluster cannot be reached, the lease stays ours."""
        for _ in range(ATTEMPTS):
            try:
                found = await self.cluster.get(LEASE, self.namespace, self.name)
                held = read_held(found, datetime.now(UTC))
                if held.session != self.session.id:
                    who = held.holder or "somebody"
                    raise LostError(f"{who} took it over (lease `{self.name}`)", hint="your files here are untouched")
                spec = {**found["spec"], "renewTime": datetime.now(UTC).strftime(_FORM)}
                await self.cluster.replace(LEASE, self.namespace, {**found, "spec": spec})
            except MissingError:
                raise LostError(
                    f"the lease `{self.name}` is gone: somebody left dev mode for you", hint="`devcfg up` starts again"
                ) from None
            except ConflictError:
                continue
            except UnreachableError:
                pass
            return

    async def release(self) -> None:
        """Give the lease back, if it is ours."""
        try:
            found = await self.cluster.get(LEASE, self.namespace, self.name)
            if read_held(found, datetime.now(UTC)).session == self.session.id:
                meta = found["metadata"]
                await self.cluster.delete(
                    LEASE, self.namespace, self.name, uid=meta["uid"], resource_version=meta["resourceVersion"]
                )
        except (MissingError, ConflictError):
            pass


def lease_of(cluster: Cluster, session: Session, *, namespace: str, workload: str, owner: Object) -> Lease:
    """Return the lease of a workload (by its ID), which goes when the workload goes; it is not taken yet."""
    name = f"devcfg-{workload}"
    meta = {"name": name, "namespace": namespace, "labels": {WORKLOAD_LABEL: workload}, "ownerReferences": [owner]}
    body = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": meta}
    return Lease(cluster, namespace, name, body, session)


def stealing(lease: Lease) -> Lease:
    """Return the same lease, to be taken from whoever has it."""
    return replace(lease, steal=True)


def _runs(process: int) -> bool:
    """Tell whether a process of this machine runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
