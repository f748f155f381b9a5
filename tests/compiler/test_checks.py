"""The rules across fields and between config and base, each with the case beside it that is fine."""

import pytest


def codes(found):
    return {one.code for one in found}


def service(text):
    return f"web: {{{text}}}"


OF_ITSELF = [
    ("sync: ['a:/x', 'b:/x']", "sync: ['a:/x', 'b:/y']", "duplicate-target"),
    ("sync: ['a:/x', 'b:/x/y']", "sync: ['a:/x', 'b:/xy']", "nested-target"),
    ("persist: [{path: /x}, {path: /x/}]", "persist: [{path: /x}, {path: /y}]", "duplicate-target"),
    ("env: {A: '${B}'}", "env: {A: '$B'}", "flux-substitution"),
    (
        "patches: {metadata: {annotations: {a: '${B}'}}}",
        "patches: {metadata: {annotations: {a: b}}}",
        "flux-substitution",
    ),
]


@pytest.mark.parametrize(("wrong", "fine", "code"), OF_ITSELF)
def test_a_service_is_checked_by_itself(findings_of, workload, wrong, fine, code):
    assert code in codes(findings_of(service(wrong), workload()))
    assert code not in codes(findings_of(service(fine), workload()))


MOUNT = ", volumeMounts: [{name: v, mountPath: /data/}]"
ROOTLESS = ", securityContext: {runAsNonRoot: true}"
WITH_UID = ", securityContext: {runAsNonRoot: true, runAsUser: 7}"
LIMITS = ", resources: {limits: {memory: 1Gi}}"
AGAINST = [
    ("sync: ['a:/data']", MOUNT, "sync: ['a:/data2']", "mount-conflict"),
    ("persist: [{path: /data}]", MOUNT, "persist: [{path: /dat}]", "mount-conflict"),
    ("image: a", ROOTLESS, "user: 1000", "unknown-user"),
    ("user: 0", ROOTLESS, "user: 1", "weakens-security"),
    ("user: '0:5'", WITH_UID, "user: 7", "weakens-security"),
    ("image: a", LIMITS, "resources: {limits: {memory: 2Gi}}", "tight-limits"),
]


@pytest.mark.parametrize(("wrong", "base", "fine", "code"), AGAINST)
def test_a_service_is_checked_against_its_container(findings_of, workload, wrong, base, fine, code):
    assert code in codes(findings_of(service(wrong), workload(more=base)))
    assert code not in codes(findings_of(service(fine), workload(more=base)))


KINDS = [
    ("replicas: 2", "apps/v1 DaemonSet", "apps/v1 Deployment", "not-applicable"),
    ("persist: [{path: /x}]", "apps/v1 DaemonSet", "apps/v1 StatefulSet", "not-applicable"),
    ("image: a", "batch/v1 Job", "apps/v1 ReplicaSet", "fixed-kind"),
]


@pytest.mark.parametrize(("text", "wrong", "fine", "code"), KINDS)
def test_a_service_is_checked_against_its_kind(findings_of, workload, text, wrong, fine, code):
    assert code in codes(findings_of(service(text), workload(kind=wrong)))
    assert code not in codes(findings_of(service(text), workload(kind=fine)))


def test_a_claim_for_several_pods_is_a_warning(findings_of, workload):
    assert "shared-claim" in codes(findings_of(service("persist: [{path: /x}], replicas: 2"), workload()))
    assert "shared-claim" not in codes(findings_of(service("persist: [{path: /x}], replicas: 1"), workload()))


def test_a_workload_in_dev_mode_is_no_base(findings_of, workload):
    base = workload().replace("metadata: {labels", "metadata: {annotations: {devcfg.dev/plan: v1-0}, labels")

    assert "already-dev-mode" in codes(findings_of(service("image: a"), base))


def test_every_finding_of_a_service_comes_at_once(findings_of, workload):
    found = findings_of(service("sync: ['a:/data', 'b:/data'], user: 0"), workload(more=MOUNT + ROOTLESS))

    assert codes(found) >= {"mount-conflict", "weakens-security"}
