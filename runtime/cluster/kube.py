"""Opening the real cluster: kubeconfig, exec plugins, tokens, certificates and proxies, as kubectl takes them.

The only file that imports `kubernetes`, and only once it runs. Sends nothing itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from typing import Any

from devcfg.runtime.cluster.cluster import Cluster, Identity
from devcfg.runtime.cluster.errors import UnreachableError
from devcfg.runtime.cluster.server import Server
from devcfg.runtime.cluster.transport import Login, Transport

HOME = "~/.kube/config"
IN_POD = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


async def open_cluster(context: str | None = None) -> Cluster:
    """Return the cluster of a context, the current one for None; nothing is asked of it yet.

    Raises UnreachableError where there is no such context, or nobody to log in as.
    """

    async def log_in() -> Login:
        # Exec plugins block, and may ask the user something.
        return await asyncio.to_thread(_log_in, context)

    return Server(Transport(await log_in(), log_in))


def _log_in(context: str | None) -> Login:
    from kubernetes import config
    from kubernetes.client import Configuration
    from yaml import YAMLError

    files = os.environ.get("KUBECONFIG") or HOME
    settings = Configuration()
    words = _Words()
    logging.getLogger().addHandler(words)  # the library logs why an exec plugin failed, and goes on
    try:
        if not _any_exists(files):
            return _log_in_from_pod(config, settings, files)
        contexts, current = _contexts(files)
        chosen = _choose(contexts, context, current, files)
        config.load_kube_config(files, context=chosen["name"], client_configuration=settings)
    except (config.ConfigException, YAMLError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise UnreachableError(
            f"the kubeconfig `{files}` cannot be used: {said}", hint="`kubectl config view` shows how kubectl reads it"
        ) from error
    finally:
        logging.getLogger().removeHandler(words)
    inner = chosen["context"]
    user = str(inner.get("user") or "")
    if words.said and not settings.api_key and not settings.cert_file:
        raise UnreachableError(
            f"user `{user}` of the kubeconfig could not log in: {words.said[-1]}",
            hint="the command stands under `users` in the kubeconfig: run it by hand, or log in again",
        )
    identity = Identity(chosen["name"], settings.host.rstrip("/"), str(inner.get("namespace") or "default"), user)
    return _login(identity, settings)


class _Words(logging.Handler):
    """The errors that a library logs instead of raising."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what was said."""
        self.said.append(record.getMessage())


def _any_exists(files: str) -> bool:
    return any(os.path.exists(os.path.expanduser(one)) for one in files.split(os.pathsep) if one)


def _contexts(files: str) -> tuple[list[dict[str, Any]], str | None]:
    """Return the contexts and the name of the current one, which may be missing where another one is asked for."""
    from kubernetes.config.kube_config import KubeConfigMerger

    merged = KubeConfigMerger(files).config
    value = merged.value if merged is not None else {}
    contexts = [getattr(one, "value", one) for one in value.get("contexts") or ()]
    return contexts, value.get("current-context")


def _choose(contexts: list[dict[str, Any]], asked: str | None, current: str | None, files: str) -> dict[str, Any]:
    names = [str(one.get("name")) for one in contexts]
    wanted = asked or current
    if not wanted:
        raise UnreachableError(f"the kubeconfig `{files}` has no current context", hint=_have(names))
    for one in contexts:
        if one.get("name") == wanted:
            return {"name": wanted, "context": one.get("context") or {}}
    raise UnreachableError(f"the kubeconfig `{files}` has no context `{wanted}`", hint=_have(names))


def _have(names: list[str]) -> str:
    return f"it has: {', '.join(names)}" if names else "it has none: how does your cluster's vendor log in?"


def _log_in_from_pod(config: Any, settings: Any, files: str) -> Login:
    try:
        config.load_incluster_config(client_configuration=settings)
        with open(IN_POD, encoding="utf-8") as file:
            namespace = file.read().strip()
    except (config.ConfigException, OSError) as error:
        raise UnreachableError(
            f"there is no kubeconfig: `{files}` is not there",
            hint="log in to your cluster first, or set KUBECONFIG; without a cluster there is `devcfg up --local`",
        ) from error
    return _login(Identity("in-cluster", settings.host.rstrip("/"), namespace, "service account"), settings)


def _login(identity: Identity, settings: Any) -> Login:
    proxy = settings.proxy or None
    if proxy and not str(proxy).startswith(("http://", "https://")):
        raise UnreachableError(
            f"the proxy `{proxy}` of context `{identity.context}` is of a kind that devcfg cannot use",
            hint="`http://` and `https://` proxies work",
        )
    if proxy and settings.no_proxy and _bypasses(identity.server, settings.no_proxy):
        proxy = None
    token = settings.api_key.get("BearerToken") or settings.api_key.get("authorization")
    return Login(
        identity,
        headers={"Authorization": token} if token else {},
        tls=_tls(identity, settings) if identity.server.startswith("https") else None,
        name=settings.tls_server_name or None,
        proxy=proxy,
        proxy_headers=settings.proxy_headers,
    )


def _bypasses(server: str, no_proxy: str) -> bool:
    from urllib.parse import urlsplit
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed has it for no system

    return bool(proxy_bypass_environment(urlsplit(server).netloc, {"no": no_proxy}))


def _tls(identity: Identity, settings: Any) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ssl_ca_cert)
        # Go does not ask for the extensions that Python's strict mode asks for: what kubectl trusts, we do.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        raise UnreachableError(
            f"the certificates of context `{identity.context}` cannot be read: {error}",
            hint="`kubectl config view --raw` shows where they are",
        ) from error
    if not settings.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
