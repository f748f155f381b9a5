"""The configured namespace: what gets it, what keeps its own, what follows; and that kustomize does the same."""

import itertools

import pytest

from devcfg.compiler import read_manifests
from devcfg.overlays import emit_document, render_overlay
from devcfg.overlays.namespaces import CLUSTER_SCOPED, place, place_all

COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
RBAC = "rbac.authorization.k8s.io/v1"


def named(version, kind, name, namespace=None, **rest):
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def namespace_of(document):
    return document["metadata"].get("namespace")


def test_a_namespaced_object_without_a_namespace_gets_it():
    assert place(named("v1", "ConfigMap", "a"), "dev") == named("v1", "ConfigMap", "a", "dev")
    assert place(named("v1", "ConfigMap", "a", ""), "dev") == named("v1", "ConfigMap", "a", "dev")


@pytest.mark.parametrize("namespace", ["prod", None])
def test_an_object_keeps_the_namespace_it_has(namespace):
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": namespace}}
    assert place(document, "dev") is document


def test_a_kind_without_namespaces_is_left_alone():
    assert len(CLUSTER_SCOPED) == 36
    for version, kind in CLUSTER_SCOPED:
        document = named(version, kind, "a")
        assert place(document, "dev") is document


def test_a_kind_that_is_unknown_counts_as_namespaced():
    assert namespace_of(place(named("example.com/v1", "Namespace", "a"), "dev")) == "dev"


def test_without_a_configured_namespace_nothing_changes():
    objects = (named("v1", "ConfigMap", "a"),)
    assert place_all(objects, "") is objects


ADDED = named("v1", "ConfigMap", "added")
KINDS = (
    *sorted(CLUSTER_SCOPED),
    *(("v2", "Namespace"), ("example.com/v1", "ClusterRole"), ("gateway.networking.k8s.io/v1", "GatewayClass")),
    *(
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
        ("flowcontrol.apiserver.k8s.io/v1", "FlowSchema"),
    ),
    *(("resource.k8s.io/v1beta1", "DeviceClass"), ("storage.k8s.io/v1beta1", "CSIStorageCapacity")),
    *(("apps/v1", "Deployment"), ("batch/v1", "CronJob"), ("v1", "Pod"), ("argoproj.io/v1alpha1", "Rollout")),
    *(("authentication.k8s.io/v1", "TokenReview"), ("rbac.authorization.k8s.io/v1alpha1", "ClusterRole")),
)
SUBJECTS = [
    {"kind": kind, "name": name, **({} if namespace is None else {"namespace": namespace})}
    for kind, name, namespace in itertools.product(
        ("ServiceAccount", "User"),
        ("default", "unset", "there", "here", "gone"),
        (None, "default", "dev", "there", ""),
    )
]
SERVICES = [
    {"name": name, **({} if namespace is None else {"namespace": namespace})}
    for name, namespace in itertools.product(("svc", "svc-there", "gone"), (None, "default", "dev", "there"))
]
REFERENCES = (
    named("v1", "ServiceAccount", "unset"),
    named("v1", "ServiceAccount", "there", "there"),
    named("v1", "ServiceAccount", "here", "dev"),
    named("v1", "Service", "svc"),
    named("v1", "Service", "svc-there", "there"),
    named(RBAC, "RoleBinding", "all", subjects=SUBJECTS),
    named(RBAC, "RoleBinding", "all-there", "there", subjects=SUBJECTS),
    named(RBAC, "RoleBinding", "near", subjects=[one for one in SUBJECTS if "namespace" not in one]),
    named(RBAC, "RoleBinding", "far", "far", subjects=[{"kind": "ServiceAccount", "name": "unset"}]),
    named(RBAC, "RoleBinding", "empty", subjects=[]),
    named(RBAC, "ClusterRoleBinding", "all", subjects=SUBJECTS),
    named("example.com/v1", "RoleBinding", "foreign", subjects=SUBJECTS),
    named(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "all",
        webhooks=[
            *({"name": f"w{at}", "clientConfig": {"service": one}} for at, one in enumerate(SERVICES)),
            {"name": "url", "clientConfig": {"url": "https://example.com"}},
        ],
    ),
    named("apiregistration.k8s.io/v1", "APIService", "v1.x", spec={"service": {"name": "svc", "namespace": "default"}}),
    named("v1", "PersistentVolume", "pv", spec={"claimRef": {"name": "c", "namespace": "default"}}),
    named("v1", "Namespace", "default"),
    named("v1", "ConfigMap", "empty-namespace", ""),
)


@pytest.mark.parametrize("objects", [tuple(named(*kind, f"n{at}") for at, kind in enumerate(KINDS)), REFERENCES])
def test_every_kubectl_places_objects_as_we_do(project, canonical, objects):
    project.write("base/base.yaml", "---\n".join(map(emit_document, objects)))
    project.write("base/kustomization.yaml", "resources: [base.yaml]\n")
    project.write("component/kustomization.yaml", f"{COMPONENT}resources: [added.yaml]\n")
    project.write("component/added.yaml", emit_document(ADDED))
    project.write(
        "overlay/kustomization.yaml", render_overlay(base="../base", component="../component", namespace="dev")
    )
    built = read_manifests(project.run(project.kubectls[0], "base").stdout, file="base")
    assert canonical(place_all((*(one.object for one in built), ADDED), "dev")) == canonical(project.build())


def test_a_reference_that_could_mean_two_things_stays():
    accounts = (named("v1", "ServiceAccount", "a"), named("v1", "ServiceAccount", "a", "there"))
    binding = named(RBAC, "ClusterRoleBinding", "b", subjects=[{"kind": "ServiceAccount", "name": "a"}])
    assert place_all((*accounts, binding), "dev")[2] == binding
