"""Opening the real cluster: as whom the kubeconfig says, trusted as it says. Sends nothing itself."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

from devcfg.runtime.cluster.cluster import Cluster, Identity
from devcfg.runtime.cluster.errors import UnreachableError
from devcfg.runtime.cluster.kubeconfig import Credentials


async def open_cluster(context: str | None = None) -> Cluster:
    """Return the cluster of a context, the current one for None; nothing is asked of it yet.

    Raises UnreachableError where there is no such context, or nobody to log in as.
    """
    # A process and a thread: exec plugins block, and may ask the user something.
    reading = asyncio.create_task(asyncio.to_thread(_read, context))
    from devcfg.runtime.cluster.server import Server
    from devcfg.runtime.cluster.transport import Login, Transport

    def login(found: Credentials) -> Login:
        return Login(
            Identity(found.context, found.server, found.namespace, found.user),
            headers={"Authorization": found.token} if found.token else {},
            tls=_tls(found) if found.server.startswith("https") else None,
            name=found.server_name,
            proxy=found.proxy,
            proxy_headers=found.proxy_headers,
        )

    async def log_in() -> Login:
        return login(await asyncio.to_thread(_read, context))

    return Server(Transport(login(await reading), log_in))


def _read(context: str | None) -> Credentials:
    """Have a process of its own read the kubeconfig: its modules would stay in our memory."""
    ours, theirs = os.pipe()
    with open(ours, encoding="ascii") as file:
        try:
            # It has our terminal, as a plugin expects it; what it found comes by a pipe of its own.
            words = [sys.executable, "-P", "-m", Credentials.__module__, str(theirs), *([context] if context else [])]
            process = subprocess.Popen(words, pass_fds=[theirs])
        finally:
            os.close(theirs)
        with process:
            text = file.read()
    try:
        told = json.loads(text)
    except ValueError:
        raise UnreachableError(
            f"the kubeconfig could not be read: the process that reads it ended with {process.returncode}",
            hint="what it said stands above",
        ) from None
    if "refused" in told:
        message, hint = told["refused"]
        raise UnreachableError(message, hint=hint)
    return Credentials(**told["credentials"])


def _tls(found: Credentials) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=found.authority)
        # Go does not ask for the extensions that Python's strict mode asks for: what kubectl trusts, we do.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if found.certificate:
            with tempfile.TemporaryDirectory(prefix="devcfg-") as folder:
                path = Path(folder, "client.pem")  # of a folder that is only ours; OpenSSL takes files alone
                path.touch(mode=0o600)
                path.write_text(f"{found.certificate}\n{found.key or ''}")
                context.load_cert_chain(path)
    except (OSError, ValueError, ssl.SSLError) as error:
        raise UnreachableError(
            f"the certificates of context `{found.context}` cannot be read: {error}",
            hint="`kubectl config view --raw` shows where they are",
        ) from error
    if not found.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
