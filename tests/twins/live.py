"""What the API server makes of an object it stores: defaults filled in, empty values dropped. Only what tests draw."""

import copy

TEMPLATES = {"CronJob": ("spec", "jobTemplate", "spec", "template"), "Pod": ()}
SPEC = {
    "Deployment": {
        "replicas": 1,
        "progressDeadlineSeconds": 600,
        "revisionHistoryLimit": 10,
        "strategy": {"type": "RollingUpdate"},
    },
    "StatefulSet": {"replicas": 1, "podManagementPolicy": "OrderedReady", "updateStrategy": {"type": "RollingUpdate"}},
    "DaemonSet": {"revisionHistoryLimit": 10, "updateStrategy": {"type": "RollingUpdate"}},
    "ReplicaSet": {"replicas": 1},
    "Job": {"backoffLimit": 6, "completions": 1, "parallelism": 1, "suspend": False},
    "CronJob": {"concurrencyPolicy": "Allow", "suspend": False, "successfulJobsHistoryLimit": 3},
}
POD = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
}
CONTAINER = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
PROBE = {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}
ROLLING = {"maxSurge": "25%", "maxUnavailable": "25%"}


def live(document):
    """Return the object as the cluster would hold it."""
    document = copy.deepcopy(document)
    document["metadata"].setdefault("uid", "9c2b")
    document["metadata"].setdefault("resourceVersion", "41")
    document["metadata"].setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
    document["metadata"].setdefault("namespace", "default")
    document.setdefault("status", {})
    kind = document["kind"]
    if kind == "HorizontalPodAutoscaler":
        _fill(document["spec"], {"minReplicas": 1})
        return document
    _fill(document["spec"], SPEC.get(kind, {}))
    if kind == "Deployment":
        _strategy(document["spec"]["strategy"])
    template = _template(document)
    metadata = template.setdefault("metadata", {})
    if metadata.get("annotations") == {}:
        del metadata["annotations"]
    metadata.setdefault("creationTimestamp", None)
    _pod(template["spec"])
    return document


def framed(document):
    """Return the object with metadata in its pod template: the one default that a patch for a live object rests on."""
    document = copy.deepcopy(document)
    if document["kind"] != "HorizontalPodAutoscaler":
        _template(document).setdefault("metadata", {})
    return document


def _template(document):
    for step in TEMPLATES.get(document["kind"], ("spec", "template")):
        document = document[step]
    return document


def _fill(holder, defaults):
    for key, value in defaults.items():
        holder.setdefault(key, copy.deepcopy(value))


def _strategy(strategy):
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(strategy.setdefault("rollingUpdate", {}), ROLLING)


def _pod(pod):
    _fill(pod, POD)
    for member in ("volumes", "initContainers", "imagePullSecrets", "tolerations", "nodeSelector"):
        if not pod.get(member, True):
            del pod[member]
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        _container(container)
    for volume in pod.get("volumes", ()):
        if "configMap" in volume:
            volume["configMap"].setdefault("defaultMode", 420)


def _container(container):
    _fill(container, CONTAINER)
    container.setdefault("imagePullPolicy", "Always" if ":" not in container["image"] else "IfNotPresent")
    for member in ("env", "volumeMounts", "args", "command", "ports"):
        if container.get(member) == []:
            del container[member]
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
    for variable in container.get("env", ()):
        if variable.get("value") == "":
            del variable["value"]
        if "fieldRef" in variable.get("valueFrom", {}):
            variable["valueFrom"]["fieldRef"].setdefault("apiVersion", "v1")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container:
            _fill(container[probe], PROBE)
            if "httpGet" in container[probe]:
                container[probe]["httpGet"].setdefault("scheme", "HTTP")
