"""Bases and dev configs that the experiment changes: each holds a shape that a patch may trip over. Never imported."""

from __future__ import annotations

import json

COMMAND = 'command: {build: [make], run: [sleep, "1"]}'


def _template(containers, pod="", meta="labels: {app: web}"):
    return f"{{metadata: {{{meta}}}, spec: {{{pod} containers: [{containers}]}}}}"


def _workload(kind, spec, name="web", version="apps/v1", extra=""):
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}{extra}}}\nspec: {{{spec}}}\n---\n"


def _deployment(containers, pod="", meta="labels: {app: web}", name="web", extra="", spec="replicas: 2, "):
    selector = "selector: {matchLabels: {app: web}}, "
    body = f"{spec}{selector}template: {_template(containers, pod, meta)}"
    return _workload("Deployment", body, name=name, extra=extra)


def _scaler(name, target, extra=""):
    reference = f"scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {target}}}"
    return _workload(
        "HorizontalPodAutoscaler",
        f"{reference}, minReplicas: 2, maxReplicas: 5",
        name=name,
        version="autoscaling/v2",
        extra=extra,
    )


def _claim(name, mode, extra=""):
    body = f"accessModes: [{mode}], resources: {{requests: {{storage: 1Gi}}}}"
    return _workload("PersistentVolumeClaim", body, name=name, version="v1", extra=extra)


SERVICE = _workload("Service", "selector: {app: web}, ports: [{port: 80}]", version="v1")
BARE = "{name: app, image: 'web:1'}"
SIDE = "{name: side, image: 'side:1'}"
FULL = """{name: app, image: 'web:1', imagePullPolicy: Always, command: [web], args: [--port, "80"], workingDir: /srv,
  env: [{name: FIRST, value: a}, {name: SECOND, valueFrom: {secretKeyRef: {name: s, key: k}}}, {name: THIRD, value: c}],
  envFrom: [{configMapRef: {name: more}}], ports: [{name: http, containerPort: 80}, {containerPort: 81}],
  lifecycle: {postStart: {exec: {command: [touch]}}},
  livenessProbe: {httpGet: {port: http}}, readinessProbe: {httpGet: {port: http}}, startupProbe: {exec: {command: [x]}},
  resources: {limits: {memory: 64Mi}}, securityContext: {runAsUser: 1000, readOnlyRootFilesystem: true},
  volumeMounts: [{name: data, mountPath: /data}, {name: conf, mountPath: /etc/conf, readOnly: true}]}"""
FULL_POD = """securityContext: {runAsNonRoot: true, fsGroup: 1000}, imagePullSecrets: [{name: pull}, {name: other}],
  initContainers: [{name: migrate, image: 'web:1'}],
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}, {name: conf, configMap: {name: conf}}],"""
EMPTY = "{name: app, image: 'web:1', args: [], env: [], volumeMounts: [], ports: [], securityContext: {}}"
ANNOTATED = "labels: {app: web}, annotations: {a/b: c, kubectl.kubernetes.io/default-container: app}"

RICH = f"""image: dev:1, imagePullPolicy: Always, imagePullSecrets: [devcfg-pull], {COMMAND}, sync: [".:/devcfg-test"],
  env: {{FIRST: own, SECOND: null, DEVCFG_NEW: x, DEVCFG_GONE: null}}, probes: relax, user: "1000:1000",
  resources: {{limits: {{memory: 1Gi}}}}"""


def _config(*services, **more):
    return json.dumps(more)[1:-1] + ", " * bool(more) + "services: {" + ", ".join(services) + "}"


def _service(name="web", workload="deployment/web", container="app", fields=COMMAND):
    return f"{name}: {{workload: {workload}, container: {container}, {fields}}}"


TWO = _deployment(f"{BARE}, {SIDE}") + SERVICE
OTHER = _deployment("{name: other, image: 'o:1'}", meta="labels: {app: other}", name="other")
SCALED = TWO + OTHER + _scaler("web.scaler", "web") + _scaler("other", "other")
PATCHES = """patches: [
  {op: replace, path: /spec/template/spec/containers/1/image, value: "side:dev"},
  {op: copy, from: /spec/template/spec/containers/1/args, path: /spec/template/spec/containers/1/command},
  {op: move, from: /spec/template/spec/containers/0/ports/0/name, path: /spec/template/spec/hostname},
  {op: add, path: /spec/template/spec/containers/0/ports/-, value: {containerPort: 9000}},
  {op: remove, path: /spec/template/spec/nodeSelector/disk},
  {op: test, path: /spec/template/spec/serviceAccountName, value: web}]"""
MERGE = """patches: {spec: {minReadySeconds: null, template: {spec: {nodeSelector: {zone: a, disk: null},
  serviceAccountName: web, affinity: {}, tolerations: [{operator: Exists}], dnsPolicy: null}}}}"""
PATCHED = _deployment(
    f"{FULL}, {{name: side, image: 'side:1', args: [a, b]}}",
    "nodeSelector: {disk: ssd}, serviceAccountName: web, affinity: {podAffinity: {}}, " + FULL_POD,
    spec="replicas: 2, minReadySeconds: 5, ",
)

BASES = {
    "plain": (_config(_service()), TWO),
    "plain-rich": (_config(_service(fields=RICH)), TWO),
    "plain-seeded": (
        _config(_service(fields='sync: [{path: ., target: /devcfg-test, seed: image}], image: "d:1"')),
        TWO,
    ),
    "seeded-from-the-base-s-image": (
        _config(_service(fields="sync: [{path: ., target: /devcfg-test, seed: image}]")),
        TWO,
    ),
    "both-containers": (_config(_service(), _service("two", container="side", fields=RICH)), TWO),
    "full": (_config(_service()), _deployment(FULL, FULL_POD, ANNOTATED) + SERVICE + _claim("data", "ReadWriteOnce")),
    "full-rich": (_config(_service(fields=RICH)), _deployment(f"{SIDE}, {FULL}", FULL_POD) + SERVICE),
    "claim-of-many": (
        _config(_service()),
        _deployment(FULL, FULL_POD, spec="strategy: {type: RollingUpdate}, ") + _claim("data", "ReadWriteMany"),
    ),
    "persist": (_config(_service(fields=RICH + ", persist: [{path: /cache}]")), _deployment(FULL, FULL_POD)),
    "empty-lists": (
        _config(_service(fields=RICH)),
        _deployment(EMPTY, "volumes: [], initContainers: [], imagePullSecrets: [], securityContext: {}, "),
    ),
    "scaled": (_config(_service()), SCALED),
    "scaled-rich": (
        _config(_service(fields=RICH + ", replicas: 3"), _service("other", "deployment/other", "other")),
        SCALED,
    ),
    "namespaced": (
        _config(_service(fields=RICH + ", persist: [{path: /cache}]")),
        _deployment(BARE, extra=", namespace: prod") + _scaler("web", "web", ", namespace: prod"),
    ),
    "patched": (_config(_service(fields=PATCHES)), PATCHED),
    "merged": (_config(_service(fields=MERGE)), PATCHED),
    "statefulset": (
        _config(_service(workload="statefulset/web", fields=RICH)),
        _workload("StatefulSet", f"serviceName: web, replicas: 2, template: {_template(FULL, FULL_POD)}"),
    ),
    "daemonset": (
        _config(_service(workload="daemonset/web", fields=RICH)),
        _workload("DaemonSet", f"template: {_template(BARE)}"),
    ),
    "cronjob": (
        _config(_service(workload="cronjob/web", fields=RICH)),
        _workload(
            "CronJob",
            f"schedule: '* * * * *', jobTemplate: {{spec: {{template: {_template(FULL)}}}}}",
            version="batch/v1",
        ),
    ),
    "job": (
        _config(_service(workload="job/web")),
        _workload("Job", f"template: {_template(BARE, 'restartPolicy: Never,')}", version="batch/v1"),
    ),
    "rollout": (
        _config(_service(workload="rollout/web", fields=RICH)),
        _workload("Rollout", f"replicas: 2, template: {_template(FULL)}", version="argoproj.io/v1alpha1"),
    ),
    "pod": (
        _config(_service(workload="pod/web", fields=RICH)),
        _workload("Pod", f"containers: [{BARE}]", version="v1"),
    ),
    "name-with-dots": (
        _config(_service(workload="deployment/we.b")),
        _deployment(BARE, name="we.b") + _deployment(BARE, name="weeb"),
    ),
}
"""Dev config and base by name."""
