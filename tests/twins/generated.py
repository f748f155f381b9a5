"""Dev configs and bases that hypothesis draws: several workloads and kinds, every block of the config. All compile."""

import json
from dataclasses import dataclass

from hypothesis import strategies as st

KINDS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "ReplicaSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "Pod": "v1",
    "Rollout": "argoproj.io/v1alpha1",
}
SCALED = ("Deployment", "StatefulSet", "ReplicaSet", "Rollout")
WORDS = ["a", "on", "y", "1e3", "0o17", "null", "~", "12:30:45", "a: b", "# x", "é", "$HOME", "$(A)", "x\ny", " ", "'"]
ENV = ["A", "B", "C", "LOG_LEVEL", "a.b"]
PROBE = st.sampled_from(
    [
        {"httpGet": {"port": 80, "path": "/"}},
        {"exec": {"command": ["true"]}, "failureThreshold": 3},
        {"tcpSocket": {"port": "http"}, "timeoutSeconds": 2},
    ]
)
CONTEXT = st.fixed_dictionaries(
    {"runAsUser": st.sampled_from([1000, 65534])},
    optional={
        "runAsNonRoot": st.just(True),
        "readOnlyRootFilesystem": st.booleans(),
        "runAsGroup": st.just(1000),
        "capabilities": st.just({"drop": ["ALL"]}),
        "seccompProfile": st.just({"type": "RuntimeDefault"}),
    },
)
RESOURCES = st.sampled_from([{"limits": {"memory": "64Mi"}}, {"requests": {"cpu": "10m"}, "limits": {"cpu": "1"}}])
SOURCES = st.sampled_from(
    [
        {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
)
VALUES = st.sampled_from(WORDS).map(lambda word: {"value": word})
ANNOTATIONS = st.dictionaries(
    st.sampled_from(["a", "example.com/b.c", "x~y"]), st.sampled_from(WORDS), min_size=1, max_size=2
)


@dataclass(frozen=True)
class Drawn:
    """A dev config and the base it is for, as values."""

    config: dict
    objects: list

    @property
    def text(self):
        """The dev config as text: JSON is YAML."""
        return json.dumps(self.config)

    @property
    def base(self):
        """The base as text."""
        return text_of(self.objects)


def text_of(objects):
    """Write objects as a stream of documents."""
    return "".join(f"---\n{json.dumps(one)}\n" for one in objects)


_VARIABLES = st.lists(
    st.tuples(st.sampled_from(ENV), VALUES | SOURCES), min_size=1, max_size=4, unique_by=lambda p: p[0]
)


@st.composite
def containers(draw, name, volumes):
    """Draw one container of a base."""
    found = {
        "name": name,
        "image": draw(st.sampled_from(["web:1", "registry.example:5000/team/app@sha256:" + "0" * 64])),
    }
    optional = {
        "env": _VARIABLES.map(lambda pairs: [{"name": key, **value} for key, value in pairs]),
        "command": st.just(["serve"]),
        "args": st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
        "workingDir": st.just("/srv"),
        "imagePullPolicy": st.just("Always"),
        "ports": st.just([{"name": "http", "containerPort": 80}]),
        "livenessProbe": PROBE,
        "readinessProbe": PROBE,
        "startupProbe": PROBE,
        "resources": RESOURCES,
        "securityContext": CONTEXT,
        "lifecycle": st.just({"postStart": {"exec": {"command": ["x"]}}}),
        "stdin": st.just(True),
    }
    for member, values in optional.items():
        if draw(st.booleans()):
            found[member] = draw(values)
    if volumes and draw(st.booleans()):
        found["volumeMounts"] = [{"name": one["name"], "mountPath": f"/mnt/{one['name']}"} for one in volumes]
    return found


@st.composite
def workloads(draw, name):
    """Draw one workload of a base."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    volumes = draw(
        st.sampled_from(
            [
                [],
                [{"name": "conf", "configMap": {"name": "conf"}}],
                [{"name": "scratch", "emptyDir": {}}, {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
            ]
        )
    )
    names = ["app", "side", "third"][: draw(st.integers(1, 3))]
    pod = {"containers": [draw(containers(one, volumes)) for one in draw(st.permutations(names))]}
    if volumes:
        pod["volumes"] = volumes
    optional = {
        "initContainers": st.just([{"name": "migrate", "image": "web:1"}]),
        "imagePullSecrets": st.just([{"name": "pull"}]),
        "securityContext": CONTEXT.map(lambda found: {"fsGroup": 1000, "runAsUser": found["runAsUser"]}),
        "serviceAccountName": st.just("web"),
        "nodeSelector": st.just({"disk": "ssd"}),
    }
    pod |= {member: draw(values) for member, values in optional.items() if draw(st.booleans())}
    metadata = {"labels": {"app": name}}
    if draw(st.booleans()):
        metadata["annotations"] = draw(ANNOTATIONS)
    own = {"name": name} | ({"namespace": "prod"} if draw(st.booleans()) else {})
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": {**own, **metadata}, "spec": pod}
    template = {"spec": pod} | ({"metadata": metadata} if kind not in ("Job", "CronJob") or draw(st.booleans()) else {})
    spec = {"template": template}
    if kind == "CronJob":
        spec = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}}
    elif kind not in ("Job", "Rollout"):
        spec["selector"] = {"matchLabels": {"app": name}}
    if kind in SCALED and draw(st.booleans()):
        spec["replicas"] = draw(st.integers(0, 4))
    if kind == "Deployment" and draw(st.booleans()):
        spec["strategy"] = draw(st.sampled_from([{"type": "Recreate"}, {"rollingUpdate": {"maxSurge": 1}}]))
    return {"apiVersion": KINDS[kind], "kind": kind, "metadata": own, "spec": spec}


@st.composite
def services(draw, workload, container, replicas):
    """Draw the service for one container."""
    src = f"/{container['name']}/src"  # the services of a pod share no target
    found = {"workload": f"{workload['kind'].lower()}/{workload['metadata']['name']}", "container": container["name"]}
    names = [one["name"] for one in container.get("env", ())] + ENV + ["NEW"]
    env = st.dictionaries(st.sampled_from(names), st.sampled_from(WORDS) | st.none() | SOURCES, min_size=1, max_size=4)
    optional = {
        "image": st.sampled_from(["dev:1", "python:3-slim"]),
        "imagePullPolicy": st.just("IfNotPresent"),
        "imagePullSecrets": st.just(["dev", "pull"]),
        "command": st.fixed_dictionaries(
            {"run": st.lists(st.sampled_from([word for word in WORDS if word.strip()]), min_size=1, max_size=3)},
            optional={"build": st.just("make all")},
        ),
        "sync": st.sampled_from(
            [[f".:{src}"], [{"path": ".", "target": src, "seed": "image"}, {"path": "lib", "target": f"/lib{src}"}]]
        ),
        "env": env,
        "probes": st.sampled_from(["remove", "keep", "relax", {"liveness": "relax", "readiness": "keep"}]),
        "user": st.sampled_from(["1000", "1000:1000"]),
        "resources": RESOURCES,
        "reload": st.sampled_from(["none", "signal:HUP"]),
        "workdir": st.just(src),
    }
    if workload["kind"] != "DaemonSet":
        optional["persist"] = st.sampled_from(
            [[{"path": "/var/cache"}], [{"path": src}, {"path": f"{src}/a.b", "size": "2Gi"}]]
        )
    found |= {member: draw(values) for member, values in optional.items() if draw(st.booleans())}
    if replicas is not None:
        found["replicas"] = replicas
    return found


@st.composite
def projects(draw):
    """Draw a dev config and its base."""
    objects, bound = [], {}
    for name in ["web", "we.b", "cart"][: draw(st.integers(1, 3))]:
        one = draw(workloads(name))
        objects.append(one)
        pod = one["spec"]
        if one["kind"] == "CronJob":
            pod = pod["jobTemplate"]["spec"]
        pod = pod if one["kind"] == "Pod" else pod["template"]["spec"]
        chosen = draw(st.lists(st.sampled_from(pod["containers"]), min_size=1, unique_by=lambda found: found["name"]))
        replicas = draw(st.none() | st.integers(1, 3)) if one["kind"] in SCALED else None
        for container in chosen:
            service = draw(services(one, container, replicas))
            if container.get("securityContext", {}).get("runAsNonRoot") and "user" not in service:
                service["user"] = "1000"
            bound[f"{name.replace('.', '-')}-{container['name']}"] = service
        beside = {"namespace": one["metadata"]["namespace"]} if "namespace" in one["metadata"] else {}
        if one["kind"] in SCALED and draw(st.booleans()):
            reference = {"apiVersion": one["apiVersion"], "kind": one["kind"], "name": name}
            spec = {"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 9}
            meta = {"name": f"{name}-scaler", **beside}
            scaler = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": spec}
            objects.append(scaler)
        if draw(st.booleans()):
            spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
            objects.append({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, **beside}, "spec": spec})
    # Through JSON: what hypothesis draws twice is one object, and a patch of one place would change the other.
    return Drawn(**json.loads(json.dumps({"config": {"version": 1, "services": bound}, "objects": objects})))
