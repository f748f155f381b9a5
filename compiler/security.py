"""Names the security-relevant changes that a user's patches make. Never judges them: that is the reader's."""

from __future__ import annotations

from devcfg.compiler.prover import changed
from devcfg.schemas.patch import Json, Pointer

_POD = {
    "serviceAccountName": "the service account",
    "serviceAccount": "the service account",
    "automountServiceAccountToken": "whether the service account's token is mounted",
    "hostNetwork": "the host's network",
    "hostPID": "the host's processes",
    "hostIPC": "the host's IPC",
    "hostUsers": "the user namespace",
    "securityContext": "the pod's security context",
    "nodeName": "the node",
    "runtimeClassName": "the runtime class",
    "shareProcessNamespace": "whether containers see each other's processes",
}


def security_changes(before: Json, after: Json, template: Pointer) -> tuple[str, ...]:
    """Return in words what differs between two states of a workload that a reviewer should look at."""
    pod = template / "spec"
    found: list[str] = []
    for path in changed(before, after):
        if not pod.covers(path):
            continue
        rest = path[len(pod) :]
        value = _value(after, path)
        if rest and rest[0] in _POD:
            found.append(f"changes {_POD[rest[0]]} (`{path}`)")
        elif "securityContext" in rest:
            found.append(f"changes a container's security context (`{path}`)")
        elif "hostPort" in rest:
            found.append(f"opens a port of the node (`{path}`)")
        else:
            found += [f"{word} (`{path}`)" for word in _inside(value)]
            if rest[0] == "volumes" and "hostPath" in rest:
                found.append(f"mounts a directory of the node (`{path}`)")
            if "secretKeyRef" in rest or "secretRef" in rest or (rest[0] == "volumes" and "secret" in rest):
                found.append(f"reads a Secret (`{path}`)")
    return tuple(dict.fromkeys(found))


def _inside(value: Json) -> list[str]:
    match value:
        case dict():
            words = [word for below in value.values() for word in _inside(below)]
            if "hostPath" in value:
                words.append("mounts a directory of the node")
            if "secretKeyRef" in value or "secretRef" in value or ("secret" in value and "name" in value):
                words.append("reads a Secret")
            if "securityContext" in value:
                words.append("brings a security context of its own")
            if "hostPort" in value:
                words.append("opens a port of the node")
            return words
        case list():
            return [word for below in value for word in _inside(below)]
        case _:
            return []


def _value(document: Json, path: Pointer) -> Json:
    for token in path:
        if isinstance(document, dict):
            document = document.get(token)
        elif isinstance(document, list) and int(token) < len(document):
            document = document[int(token)]
        else:
            return None
    return document
