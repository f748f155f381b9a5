"""Services that are in dev mode although no session runs here: their pods, by the cluster alone. Never enters one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from devcfg.runtime.cluster.cluster import Cluster
from devcfg.runtime.cluster.errors import UnreachableError
from devcfg.runtime.session.control import NoSessionError
from devcfg.runtime.session.pods import Pod, find_dev_pod
from devcfg.runtime.workspace import open_workspace
from devcfg.schemas.config import DevConfig


@dataclass(frozen=True, slots=True)
class Unattended:
    """The config, and the namespace in which its services are looked for."""

    config: DevConfig
    cluster: Cluster
    namespace: str

    async def pod(self, service: str) -> tuple[Pod, str]:
        """Return a service's pod and its dev container. Raises `MissingError`."""
        return await find_dev_pod(self.cluster, self.namespace, service)


@asynccontextmanager
async def unattended(file: str | None) -> AsyncIterator[Unattended]:
    """Open the cluster of the config. Raises `NoSessionError` where there is no way to one."""
    from devcfg.runtime.cluster.kube import open_cluster

    config = open_workspace(file, with_local=True).parsed.config
    try:
        cluster = await open_cluster()
    except UnreachableError as error:
        hint = f"start one: `devcfg up`, or without a cluster `devcfg up --local`; no pod here: {error.message}"
        raise NoSessionError("no session of this project runs on this machine", hint=hint) from error
    try:
        yield Unattended(config, cluster, config.namespace or cluster.identity.namespace)
    finally:
        await cluster.close()
