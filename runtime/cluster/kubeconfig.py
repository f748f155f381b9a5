"""Reading the kubeconfig as kubectl does: contexts, exec plugins, tokens, certificates and proxies.

The only file that imports `kubernetes`. It is a program of its own, which ends once it has told whom it logged in as:
the modules would stay in a session's memory, and nothing of them is needed afterwards. Connects to no server.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import asdict, dataclass
from typing import Any

HOME = "~/.kube/config"
IN_POD = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whom the kubeconfig says to log in as, and where. Certificates and keys are PEM texts."""

    context: str
    server: str
    namespace: str
    user: str
    token: str | None
    """The value of the `Authorization` header."""
    authority: str | None
    """What the server is trusted by; None: what the system trusts."""
    certificate: str | None
    key: str | None
    verify: bool
    server_name: str | None
    """The name that the server's certificate is for, where it is not the address's."""
    proxy: str | None
    proxy_headers: dict[str, str] | None


class RefusedError(Exception):
    """There is nobody to log in as. `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def read(asked: str | None) -> Credentials:
    """Return the credentials of a context, of the current one for None. May run a plugin, which may ask the user."""
    from kubernetes import config
    from kubernetes.client import Configuration
    from yaml import YAMLError

    files = os.environ.get("KUBECONFIG") or HOME
    settings = Configuration()
    words = _Words()
    logging.getLogger().addHandler(words)  # the library logs why an exec plugin failed, and goes on
    try:
        if not _any_exists(files):
            return _of_pod(config, settings, files)
        contexts, current = _contexts(files)
        chosen = _choose(contexts, asked, current, files)
        config.load_kube_config(files, context=chosen["name"], client_configuration=settings)
    except (config.ConfigException, YAMLError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise RefusedError(
            f"the kubeconfig `{files}` cannot be used: {said}", "`kubectl config view` shows how kubectl reads it"
        ) from error
    finally:
        logging.getLogger().removeHandler(words)
    inner = chosen["context"]
    user = str(inner.get("user") or "")
    if words.said and not settings.api_key and not settings.cert_file:
        raise RefusedError(
            f"user `{user}` of the kubeconfig could not log in: {words.said[-1]}",
            "the command stands under `users` in the kubeconfig: run it by hand, or log in again",
        )
    return _credentials(settings, chosen["name"], str(inner.get("namespace") or "default"), user)


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
        raise RefusedError(f"the kubeconfig `{files}` has no current context", _have(names))
    for one in contexts:
        if one.get("name") == wanted:
            return {"name": wanted, "context": one.get("context") or {}}
    raise RefusedError(f"the kubeconfig `{files}` has no context `{wanted}`", _have(names))


def _have(names: list[str]) -> str:
    return f"it has: {', '.join(names)}" if names else "it has none: how does your cluster's vendor log in?"


def _of_pod(config: Any, settings: Any, files: str) -> Credentials:
    try:
        config.load_incluster_config(client_configuration=settings)
        with open(IN_POD, encoding="utf-8") as file:
            namespace = file.read().strip()
    except (config.ConfigException, OSError) as error:
        raise RefusedError(
            f"there is no kubeconfig: `{files}` is not there",
            "log in to your cluster first, or set KUBECONFIG; without a cluster there is `devcfg up --local`",
        ) from error
    return _credentials(settings, "in-cluster", namespace, "service account")


def _credentials(settings: Any, context: str, namespace: str, user: str) -> Credentials:
    server = settings.host.rstrip("/")
    proxy = settings.proxy or None
    if proxy and not str(proxy).startswith(("http://", "https://")):
        raise RefusedError(
            f"the proxy `{proxy}` of context `{context}` is of a kind that devcfg cannot use",
            "`http://` and `https://` proxies work",
        )
    if proxy and settings.no_proxy and _bypasses(server, settings.no_proxy):
        proxy = None
    try:
        # The library's files of what stands in the kubeconfig itself end with this process.
        authority, certificate, key = map(_text, (settings.ssl_ca_cert, settings.cert_file, settings.key_file))
    except (OSError, ValueError) as error:
        raise RefusedError(
            f"the certificates of context `{context}` cannot be read: {error}",
            "`kubectl config view --raw` shows where they are",
        ) from error
    return Credentials(
        context,
        server,
        namespace,
        user,
        settings.api_key.get("BearerToken") or settings.api_key.get("authorization"),
        authority,
        certificate,
        key,
        bool(settings.verify_ssl),
        settings.tls_server_name or None,
        proxy,
        settings.proxy_headers,
    )


def _text(path: str | None) -> str | None:
    if not path:
        return None
    with open(path, encoding="ascii", errors="surrogateescape") as file:
        return file.read()


def _bypasses(server: str, no_proxy: str) -> bool:
    from urllib.parse import urlsplit
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed has it for no system

    return bool(proxy_bypass_environment(urlsplit(server).netloc, {"no": no_proxy}))


def main() -> None:
    """Tell the credentials, or why there are none, as JSON to the file descriptor that the first word names."""
    told: dict[str, Any]
    try:
        told = {"credentials": asdict(read(sys.argv[2] if len(sys.argv) > 2 else None))}
    except RefusedError as error:
        told = {"refused": [str(error), error.hint]}
    with open(int(sys.argv[1]), "w", encoding="ascii") as file:
        json.dump(told, file)


if __name__ == "__main__":
    main()
