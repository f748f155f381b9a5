"""A service is bound to one workload and one container, or the finding says what there is."""

import pytest

from devcfg.compiler import read_config, read_manifests
from devcfg.compiler.binder import bind
from devcfg.compiler.findings import Findings


@pytest.fixture
def bound(workload):
    def run(service, *manifests):
        parsed = read_config(f"services:\n  {service}\n".encode(), file="devcfg.yaml")
        findings = Findings(parsed.document, parsed.file)
        base = read_manifests("---\n".join(manifests), file="base.yaml")
        return bind(parsed.config, base, tuple(parsed.config.services), findings), findings.diagnostics

    return run


def only(found):
    bindings, diagnostics = found
    assert diagnostics == ()
    (one,) = bindings
    return one


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("deployment/web", "apps/v1 Deployment"),
        ("deployments/web", "apps/v1 Deployment"),
        ("deploy/web", "apps/v1 Deployment"),
        ("Deployment/web", "apps/v1 Deployment"),
        ("sts/web", "apps/v1 StatefulSet"),
        ("ds/web", "apps/v1 DaemonSet"),
        ("rs/web", "apps/v1 ReplicaSet"),
        ("job/web", "batch/v1 Job"),
        ("apps/v1/deployment/web", "apps/v1 Deployment"),
        ("argoproj.io/v1alpha1/rollout/web", "argoproj.io/v1alpha1 Rollout"),
    ],
)
def test_a_workload_is_found_by_every_word_that_kubectl_takes(bound, workload, word, kind):
    one = only(bound(f"api: {{workload: {word}}}", workload(kind=kind), workload(name="other")))

    assert (one.target.kind, one.target.name) == (kind.split()[1], "web")


def test_a_bare_kind_means_the_built_in_one(bound, workload):
    kruise, own = workload(kind="apps.kruise.io/v1beta1 StatefulSet"), workload(kind="apps/v1 StatefulSet")

    assert only(bound("web: {workload: statefulset/web}", kruise, own)).target.group == "apps"
    assert (
        only(bound("web: {workload: apps.kruise.io/v1beta1/statefulset/web}", kruise, own)).target.group
        == "apps.kruise.io"
    )


def test_the_only_container_needs_no_name_and_of_several_the_services_counts(bound, workload):
    assert only(bound("web: {}", workload(containers=["main"]))).name == "main"
    named = only(bound("web: {}", workload(containers=["side", "web"])))

    assert (named.name, named.index) == ("web", 1)


@pytest.mark.parametrize(
    ("service", "manifests", "code", "words"),
    [
        ("wbe: {}", ["web"], "unknown-workload", "did you mean `deployment/web`?"),
        ("web: {}", [], "unknown-workload", "no workload at all"),
        ("web: {workload: job/web}", ["web"], "unknown-workload", "did you mean `deployment/web`?"),
        ("web: {container: wbe}", ["web"], "unknown-container", "did you mean `web`?"),
        ("web: {container: zzz}", ["web"], "unknown-container", "it has `web`"),
    ],
)
def test_what_is_not_there_leads_to_what_is(bound, workload, service, manifests, code, words):
    bindings, (finding,) = bound(service, *map(workload, manifests))

    assert bindings == ()
    assert finding.code == code
    assert words in finding.label + finding.hint


def test_two_of_one_name_are_both_shown(bound, workload):
    _, (finding,) = bound("web: {}", workload(), workload(kind="apps/v1 StatefulSet"))

    assert finding.code == "ambiguous-workload"
    assert [one.message for one in finding.notes] == ["deployment/web is here", "statefulset/web is here"]


def test_two_services_cannot_have_one_container(bound, workload):
    bindings, (finding,) = bound("web: {}\n  api: {workload: deployment/web}", workload())

    assert [one.service for one in bindings] == ["web"]
    assert finding.code == "same-container"


def test_two_services_may_share_a_workload(bound, workload):
    bindings, found = bound("web: {}\n  side: {workload: deployment/web}", workload(containers=["web", "side"]))

    assert ([one.index for one in bindings], found) == ([0, 1], ())


def test_a_kind_that_nobody_knows_needs_its_template(bound, workload):
    thing = workload(kind="x.y/v1 Thing")
    _, (finding,) = bound("web: {workload: thing/web}", thing)

    assert finding.code == "no-pod-template"
    assert "podTemplate: /spec/template" in finding.hint
    assert only(bound("web: {podTemplate: /spec/template}", thing)).target.kind == "Thing"


def test_every_workload_binds_to_itself_among_many(bound, workload):
    names = [f"w{number}" for number in range(20)]
    services = "\n  ".join(f"{name}: {{}}" for name in names)
    bindings, found = bound(services, *map(workload, reversed(names)))

    assert found == ()
    assert [one.target.name for one in bindings] == names
