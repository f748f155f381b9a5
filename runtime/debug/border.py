"""What passes between an editor and a debugger in a pod, and in which form. Never sends anything.

Nothing that a pod says makes an editor start a program, or leads it elsewhere than to our own port; and no button of an
editor ends the pod's process behind the supervisor's back.
"""

from __future__ import annotations

from typing import Any

from devcfg.runtime.debug.dap import Message, members, number
from devcfg.runtime.debug.said import Said

_ENDING = ("supportTerminateDebuggee", "supportsTerminateRequest", "supportsRestartRequest", "supportSuspendDebuggee")
DETACH = {"restart": False, "terminateDebuggee": False}
"""What every `disconnect` says to a debugger."""
CHILD = "debugpyAttach"
CHILDREN = (CHILD, "ptvsd_attach")
"""Events by which debugpy asks the editor to attach to a subprocess."""
RESTARTS = "devcfg restarts the process: save a file, or `devcfg restart`"
_NOT_FOR_A_CHILD = (
    "processId",
    "listen",
    "preLaunchTask",
    "postDebugTask",
    "request",
    "restart",
    "args",
    "processName",
    "pythonArgs",
    "host",
    "port",
    "connect",
)


def capable(capabilities: Any) -> dict[str, Any]:
    """Return what a debugger can do, without what would end the process or leave it frozen."""
    return {name: value for name, value in members(capabilities).items() if name not in _ENDING}


def child(said: Said, asked: Any, port: int) -> dict[str, Any] | None:
    """Return how the editor attaches to a subprocess over our own port; None where that is not what is asked.

    All of it but the subprocess's number is what the editor itself said: a pod adds nothing.
    """
    pid = number(members(asked).get("subProcessId"))
    if pid is None or said.start is None or said.child:
        return None
    own = {name: value for name, value in members(said.start[1]).items() if name not in _NOT_FOR_A_CHILD}
    connect = {"host": "127.0.0.1", "port": port}
    return {**own, "name": f"Subprocess {pid}", "request": "attach", "subProcessId": pid, "connect": connect}


def child_request(said: Said, request: Message, port: int) -> Message | None:
    """Return a request of a debugger to the editor as it may pass; None where it is refused."""
    arguments = members(request.get("arguments"))
    if request["command"] != "startDebugging" or arguments.get("request") != "attach":
        return None
    found = child(said, arguments.get("configuration"), port)
    if found is None:
        return None
    configuration = {name: value for name, value in found.items() if name != "request"}
    passed = {"request": "attach", "configuration": configuration}
    return {"type": "request", "command": "startDebugging", "arguments": passed}
