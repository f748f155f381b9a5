"""Probes: asks the dev process once whether it is ready, as a kubelet asks. Keeps no count and no schedule."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import Any
from urllib.parse import urljoin, urlsplit

REDIRECTS = 10
BODY = 10 * 1024
"""The bytes of an answer that are read, so that the server may finish writing: a kubelet reads as many."""
LONGEST = 60.0


class ProbeError(Exception):
    """The probe cannot be asked at all."""


def probe(members: dict[str, Any]) -> dict[str, Any]:
    """Return whether a probe succeeds, and why; raise ProbeError for one that is malformed."""
    timeout = members.get("timeout", 1.0)
    if not isinstance(timeout, (int, float)) or not 0 < timeout <= LONGEST:
        raise ProbeError(f"`timeout` is up to {LONGEST:.0f} seconds")
    kinds = [name for name in ("http", "tcp", "exec", "grpc") if name in members]
    if len(kinds) != 1 or not isinstance(members[kinds[0]], dict):
        raise ProbeError("a probe has one of http, tcp, exec, grpc")
    try:
        if kinds[0] == "http":
            return _http(members["http"], timeout)
        if kinds[0] == "tcp":
            return _tcp(members["tcp"], timeout)
    except (OSError, ValueError, http.client.HTTPException) as exc:
        return {"result": "failure", "message": str(exc) or type(exc).__name__}
    return {"result": "unsupported", "message": f"{kinds[0]} probes run in the container, which the agent is not"}


def _address(members: dict[str, Any]) -> tuple[str, int]:
    host, port = members.get("host") or "127.0.0.1", members.get("port")
    if not isinstance(host, str) or isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise ProbeError("`host` is a name and `port` a number of 1 to 65535")
    return host, port


def _tcp(members: dict[str, Any], timeout: float) -> dict[str, Any]:
    with socket.create_connection(_address(members), timeout):
        return {"result": "success", "message": "connected"}


def _http(members: dict[str, Any], timeout: float) -> dict[str, Any]:
    host, port = _address(members)
    scheme, path = str(members.get("scheme") or "http").lower(), members.get("path") or "/"
    headers = members.get("headers") or []
    if scheme not in ("http", "https") or not isinstance(path, str):
        raise ProbeError("`scheme` is HTTP or HTTPS and `path` a text")
    if not isinstance(headers, list) or any(
        not (isinstance(one, list) and len(one) == 2 and all(isinstance(text, str) for text in one)) for one in headers
    ):
        raise ProbeError("`headers` is a list of names and values")
    shown = f"[{host}]" if ":" in host else host
    url = f"{scheme}://{shown}:{port}/{path[path[:1] == '/' :]}"
    for _ in range(REDIRECTS + 1):
        status, where = _get(url, headers, timeout)
        target = urljoin(url, where) if where and 300 <= status < 400 else ""
        # A kubelet follows within the host, and takes a redirect to elsewhere as success.
        if not target or urlsplit(target).hostname != urlsplit(url).hostname:
            result = "success" if 200 <= status < 400 else "failure"
            return {"result": result, "message": f"HTTP {status}", "status": status}
        url = target
    return {"result": "failure", "message": f"more than {REDIRECTS} redirects"}


def _get(url: str, headers: list[list[str]], timeout: float) -> tuple[int, str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # as a kubelet: the probe asks for life, not for identity
        made: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, parts.port, timeout=timeout, context=context
        )
    else:
        made = http.client.HTTPConnection(host, parts.port, timeout=timeout)
    try:
        given = {name.lower() for name, _ in headers}
        path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        made.putrequest("GET", path, skip_host="host" in given, skip_accept_encoding=True)
        for name, value in headers:
            made.putheader(name, value)
        if "user-agent" not in given:
            made.putheader("User-Agent", "kube-probe/devcfg")
        if "accept" not in given:
            made.putheader("Accept", "*/*")
        made.putheader("Connection", "close")
        made.endheaders()
        answer = made.getresponse()
        answer.read(BODY)
        return answer.status, answer.getheader("Location") or ""
    finally:
        made.close()
