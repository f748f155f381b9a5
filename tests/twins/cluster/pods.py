"""What a kubelet says of a pod: statuses for `World.kubelets`. Starts nothing."""


def _status(pod, phase, *, ready, states):
    condition = "True" if ready else "False"
    return {
        "phase": phase,
        "conditions": [{"type": one, "status": condition} for one in ("Ready", "ContainersReady")]
        + [{"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [
            {
                "name": one["name"],
                "image": one.get("image", ""),
                "ready": ready,
                "started": ready,
                "restartCount": 0,
                "state": states(one),
            }
            for one in pod["spec"]["containers"]
        ],
        "podIP": "10.0.0.1",
        "hostIP": "10.0.0.254",
    }


def running(pod):
    """All is well."""
    return _status(pod, "Running", ready=True, states=lambda _: {"running": {"startedAt": "2026-01-01T00:00:00Z"}})


def unready(pod, container):
    """One container runs, but its probe says no."""
    status = running(pod)
    for one in status["conditions"]:
        one["status"] = "True" if one["type"] == "PodScheduled" else "False"
    for one in status["containerStatuses"]:
        one["ready"] = one["name"] != container
    return status


def pulling_fails(pod, message="manifest unknown"):
    """An image cannot be pulled."""
    waiting = {"reason": "ErrImagePull", "message": message}
    return _status(pod, "Pending", ready=False, states=lambda _: {"waiting": waiting})


def crashing(pod, code=1):
    """Every container ends at once, again and again."""
    status = _status(
        pod, "Running", ready=False, states=lambda _: {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    )
    for one in status["containerStatuses"]:
        one["restartCount"] = 3
        one["lastState"] = {"terminated": {"exitCode": code, "reason": "Error"}}
    return status


def pending(pod, message="0/1 nodes are available: 1 Insufficient memory."):
    """No node has room."""
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"phase": "Pending", "conditions": [unscheduled]}
