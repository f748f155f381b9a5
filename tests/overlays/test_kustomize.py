"""The component under real kubectl: equal to the plain objects with every version, loud where the base changed."""

import pytest

from devcfg.overlays import objects_of

TEMPLATE = """
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: app, image: "web:1"}
      - {name: side, image: "side:1"}
"""
SELECTOR = "  selector: {matchLabels: {app: web}}\n"


def config(workload, container="app", extra="", top=""):
    service = f"{{workload: {workload}, container: {container}, image: 'dev:1', command: {{run: [sleep, '1']}}{extra}}}"
    return f"version: 1\n{top}services:\n  web: {service}\n"


def manifest(version, kind, spec, name="web", namespace=""):
    place = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}{place}}}\nspec:\n{spec}"


def template(indent=0, text=TEMPLATE):
    return "".join(f"{' ' * indent}{line}\n" for line in f"  template:{text}".splitlines())


DEPLOYMENT = manifest("apps/v1", "Deployment", SELECTOR + template())
SERVICE = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"
AUTOSCALER = "---\n" + manifest(
    "autoscaling/v2",
    "HorizontalPodAutoscaler",
    "  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n  minReplicas: 2\n  maxReplicas: 5\n",
    name="web.scaler",
)
TWO = """
version: 1
services:
  one: {workload: deployment/web, container: app, image: "one:1"}
  two: {workload: deployment/web, container: side, image: "two:1"}
"""

BUILDS = {
    "deployment": (config("deployment/web"), DEPLOYMENT),
    "statefulset": (
        config("statefulset/web"),
        manifest("apps/v1", "StatefulSet", "  serviceName: web\n" + SELECTOR + template()),
    ),
    "daemonset": (config("daemonset/web"), manifest("apps/v1", "DaemonSet", SELECTOR + template())),
    "replicaset": (config("replicaset/web"), manifest("apps/v1", "ReplicaSet", SELECTOR + template())),
    "job": (config("job/web"), manifest("batch/v1", "Job", template())),
    "cronjob": (
        config("cronjob/web"),
        manifest("batch/v1", "CronJob", "  schedule: '* * * * *'\n  jobTemplate:\n    spec:\n" + template(4)),
    ),
    "pod": (config("pod/web"), manifest("v1", "Pod", "  containers:\n  - {name: app, image: 'web:1'}\n")),
    "rollout": (config("rollout/web"), manifest("argoproj.io/v1alpha1", "Rollout", SELECTOR + template())),
    "template-at-names-with-dots-and-slashes": (
        config("example.com/v1/Thing/web", extra=", podTemplate: /spec/a.b~1c/d~1e/template"),
        manifest("example.com/v1", "Thing", "  a.b/c:\n    d/e:\n" + template(4)),
    ),
    "annotations-there-already": (
        config("deployment/web"),
        DEPLOYMENT.replace("{labels: {app: web}}\n", "{labels: {app: web}, annotations: {a: b}}\n", 1),
    ),
    "two-services-of-one-pod": (TWO, DEPLOYMENT),
    "autoscaler": (config("deployment/web"), DEPLOYMENT + AUTOSCALER),
    "name-with-a-dot-beside-one-it-would-match": (
        config("deployment/we.b"),
        DEPLOYMENT.replace("name: web}", "name: we.b}") + "---\n" + DEPLOYMENT.replace("name: web}", "name: weeb}"),
    ),
    "namespace-of-the-base": (
        config("deployment/web"),
        manifest("apps/v1", "Deployment", SELECTOR + template(), namespace="prod") + SERVICE,
    ),
    "namespace-of-the-config": (
        config("deployment/web", extra=", persist: [{path: /var/cache}, {path: /a.b}]", top="namespace: dev\n"),
        DEPLOYMENT + SERVICE,
    ),
    "namespaces-of-both": (
        config("deployment/web", extra=", persist: [{path: /var/cache}]", top="namespace: dev\n"),
        manifest("apps/v1", "Deployment", SELECTOR + template(), namespace="prod") + SERVICE,
    ),
    "namespace-that-yaml-takes-for-a-boolean": (config("deployment/web", top="namespace: 'on'\n"), DEPLOYMENT),
    "namespace-that-yaml-takes-for-a-number": (config("deployment/web", top="namespace: '1e3'\n"), DEPLOYMENT),
}


@pytest.mark.parametrize("case", BUILDS)
def test_every_kubectl_builds_what_plain_says(project, canonical, case):
    plan = project.compile(*BUILDS[case])
    assert canonical(project.build()) == canonical(objects_of(plan, everything=True))


@pytest.mark.parametrize(
    "kustomization",
    ["namePrefix: x-\n", "namePrefix: x-\nnamespace: q\n", "commonAnnotations: {a: b}\n", "nameSuffix: .y\n"],
)
def test_a_base_that_renames_its_objects_is_found(project, canonical, kustomization):
    prefix, suffix = "x-" * ("x-" in kustomization), ".y" * (".y" in kustomization)
    plan = project.compile(
        config(f"deployment/{prefix}web{suffix}"), DEPLOYMENT + SERVICE, f"resources: [base.yaml]\n{kustomization}"
    )
    assert canonical(project.build()) == canonical(objects_of(plan, everything=True))


def test_an_overlay_may_rename_and_move_what_the_component_made(project):
    project.compile(config("deployment/web"), DEPLOYMENT)
    overlay = project.root / "overlay/kustomization.yaml"
    overlay.write_text(overlay.read_text() + "namePrefix: anna-\nnamespace: anna\n")
    found = {(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]): one for one in project.build()}
    workload = found["Deployment", "anna", "anna-web"]
    assert ("ConfigMap", "anna", "anna-devcfg-deployment.web") in found
    volumes = workload["spec"]["template"]["spec"]["volumes"]
    assert {"name": "devcfg-source", "configMap": {"name": "anna-devcfg-deployment.web"}} in volumes


def test_an_overlay_may_list_one_workload_alone(project, canonical, plan_of):
    other = DEPLOYMENT.replace("name: web}", "name: other}")
    both = config("deployment/web") + "  other: {workload: deployment/other, container: app, image: 'dev:2'}\n"
    project.compile(both, DEPLOYMENT + "---\n" + other)
    overlay = project.root / "overlay/kustomization.yaml"
    overlay.write_text(overlay.read_text().replace('"../component"', '"../component/deployment.web"'))
    alone = plan_of(config("deployment/web"), DEPLOYMENT + "---\n" + other)
    assert canonical(project.build()) == canonical(objects_of(alone, everything=True))


STALE = {
    "workload-renamed": (("{name: web}", "{name: web2}"), "nothing selected by Deployment.v1.apps/web"),
    "workload-moved": (("{name: web}\nspec", "{name: web, namespace: there}\nspec"), "/metadata/namespace"),
    "kind-changed": (("kind: Deployment\n", "kind: StatefulSet\n"), "nothing selected by Deployment.v1.apps/web"),
    "version-changed": (
        ("apiVersion: apps/v1\n", "apiVersion: apps/v1beta2\n"),
        "nothing selected by Deployment.v1.apps/web",
    ),
    "container-renamed": (("name: app,", "name: app2,"), "[name=app].name` is missing"),
    "container-gone": (('      - {name: app, image: "web:1"}\n', ""), "[name=app].name` is missing"),
    "sidecar-first": (
        ("      - {name: app", '      - {name: zero, image: "zero:1"}\n      - {name: app'),
        "/spec/template/spec/containers/0/name",
    ),
    "containers-swapped": (
        (
            '      - {name: app, image: "web:1"}\n      - {name: side, image: "side:1"}\n',
            '      - {name: side, image: "side:1"}\n      - {name: app, image: "web:1"}\n',
        ),
        "/spec/template/spec/containers/0/name",
    ),
    "volumes-gained": (
        ("      containers:", "      volumes: [{name: x, emptyDir: {}}]\n      containers:"),
        "/spec/template/spec/volumes",
    ),
    "init-containers-gained": (
        ("      containers:", "      initContainers: [{name: x, image: x}]\n      containers:"),
        "/spec/template/spec/initContainers",
    ),
    "autoscaler-renamed": (("name: web.scaler", "name: web-scaler"), "nothing selected by HorizontalPodAutoscaler"),
    "autoscaler-of-another": (("Deployment, name: web}", "Deployment, name: other}"), "/spec/scaleTargetRef/name"),
}


@pytest.mark.parametrize("case", STALE)
def test_a_base_that_changed_fails_loudly_and_names_the_workload(project, case):
    (old, new), said = STALE[case]
    before = DEPLOYMENT + AUTOSCALER
    assert before.count(old) == 1
    project.compile(config("deployment/web"), before)
    project.write("base/base.yaml", before.replace(old, new))
    for error in project.refusals():
        assert "component/deployment.web" in error
        assert said in error


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('image: "web:1"', 'image: "web:2"'),
        ("{labels: {app: web}}\n    spec", "{labels: {app: web}, annotations: {new: x}}\n    spec"),
        ('- {name: side, image: "side:1"}', '- {name: side, image: "side:2"}\n      - {name: third, image: "third:1"}'),
        ('image: "web:1"}', 'image: "web:1", livenessProbe: {tcpSocket: {port: 1}}, args: [x]}'),
    ],
)
def test_a_base_that_changed_elsewhere_still_builds_as_a_new_compile_would(project, canonical, plan_of, old, new):
    assert DEPLOYMENT.count(old) == 1
    project.compile(config("deployment/web"), DEPLOYMENT)
    changed = DEPLOYMENT.replace(old, new)
    project.write("base/base.yaml", changed)
    fresh = plan_of(config("deployment/web"), changed)
    assert canonical(project.build()) == canonical(objects_of(fresh, everything=True))
