"""Changes of single members of container, pod and workload: gained, lost, set to another value."""

from __future__ import annotations

import copy

from mutations.site import GONE_ENV, NEW_ENV, SECRET, TARGET, change, define, need

MEMBERS = {
    "image": ("gained:9",),
    "imagePullPolicy": ("Never",),
    "command": (["gained"],),
    "args": (["gained"], []),
    "workingDir": ("/gained",),
    "lifecycle": ({"preStop": {"exec": {"command": ["x"]}}}, {"postStart": {"exec": {"command": ["y"]}}}, {}),
    "stdin": (True,),
    "tty": (True,),
    "ports": ([{"containerPort": 1234}], []),
    "envFrom": ([{"configMapRef": {"name": "gained"}}],),
    "livenessProbe": ({"exec": {"command": ["x"]}}, {"tcpSocket": {"port": 1}, "failureThreshold": 7}, {}),
    "readinessProbe": ({"exec": {"command": ["x"]}}, {"httpGet": {"port": 1}, "timeoutSeconds": 7}, {}),
    "startupProbe": ({"exec": {"command": ["x"]}}, {"grpc": {"port": 1}, "periodSeconds": 7}, {}),
    "resources": ({"limits": {"memory": "1Mi"}}, {"requests": {"cpu": "1m"}}, {}),
    "env": ([{"name": "GAINED", "value": "x"}], [], [{"name": NEW_ENV, "value": "x"}], [{"name": GONE_ENV}]),
    "volumeMounts": ([{"name": "gained", "mountPath": "/gained"}], [], [{"name": "g", "mountPath": TARGET}]),
    "terminationMessagePolicy": ("FallbackToLogsOnError",),
    "securityContext": (
        {},
        {"runAsUser": 4242},
        {"runAsNonRoot": True},
        {"readOnlyRootFilesystem": True},
        {"readOnlyRootFilesystem": False},
        {"capabilities": {"drop": ["ALL"]}},
        {"seccompProfile": {"type": "RuntimeDefault"}},
    ),
}
POD_MEMBERS = {
    "securityContext": ({}, {"runAsUser": 4242}, {"runAsNonRoot": True}, {"fsGroup": 1}),
    "imagePullSecrets": ([{"name": "gained"}], [], [{"name": SECRET}]),
    "volumes": (
        [{"name": "gained", "emptyDir": {}}],
        [],
        [{"name": "gained", "persistentVolumeClaim": {"claimName": "gained"}}],
    ),
    "initContainers": ([{"name": "gained", "image": "g:1"}], [], [{"name": "g", "restartPolicy": "Always"}]),
    "serviceAccountName": ("gained",),
    "nodeSelector": ({"gained": "x"},),
    "tolerations": ([{"operator": "Exists"}],),
    "affinity": ({"nodeAffinity": {}},),
    "terminationGracePeriodSeconds": (1,),
    "hostNetwork": (True,),
    "dnsPolicy": ("Default",),
    "priorityClassName": ("gained",),
}
WORKLOAD_MEMBERS = {
    "replicas": (0, 3),
    "strategy": ({"type": "Recreate"}, {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}, {}),
    "updateStrategy": ({"type": "OnDelete"},),
    "minReadySeconds": (5,),
    "revisionHistoryLimit": (1,),
    "paused": (True,),
    "progressDeadlineSeconds": (60,),
}


def _member(part, member, value):
    def made(site):
        holder = site.workload["spec"] if part == "workload" else getattr(site, part)
        need(holder.get(member) != value)
        holder[member] = copy.deepcopy(value)

    return made


def _lost(part, member):
    def made(site):
        holder = site.workload["spec"] if part == "workload" else getattr(site, part)
        need(member in holder)
        del holder[member]

    return made


for part, members in (("container", MEMBERS), ("pod", POD_MEMBERS), ("workload", WORKLOAD_MEMBERS)):
    for member, values in members.items():
        define(f"{part}-{member}-lost", _lost(part, member))
        define(f"{part}-{member}-null", _member(part, member, None))
        for number, value in enumerate(values, start=1):
            define(f"{part}-{member}-set-{number}", _member(part, member, value))


@change
def all_that_is_optional_lost(site):
    for member in MEMBERS:
        if member != "image":
            site.container.pop(member, None)


@change
def probes_lost(site):
    found = [site.container.pop(f"{kind}Probe", None) for kind in ("liveness", "readiness", "startup")]
    need(any(found))


@change
def probes_gained_by_another_container(site):
    need(len(site.containers) > 1)
    site.containers[site.at - 1]["livenessProbe"] = {"tcpSocket": {"port": 9}}
