"""What scales or protects a workload is found by what it names, in its own namespace."""

import pytest

HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: scaler}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, minReplicas: 2, maxReplicas: 5}
"""
KEDA = """\
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: scaler}
spec: {scaleTargetRef: {name: web}}
"""
BUDGET = """\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: budget}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
"""


def scaled(plan):
    return [one.manifest.name for part in plan.workloads for one in part.beside]


@pytest.fixture
def plan(workload):
    from devcfg.compiler import compile_plan, read_config, read_manifests

    def compiled(*manifests, kind="apps/v1 Deployment"):
        parsed = read_config(b"services: {web: {replicas: 3}}\n", file="devcfg.yaml")
        base = read_manifests("---\n".join((workload(kind=kind), *manifests)), file="base.yaml")
        return compile_plan(parsed, base, shipped={})

    return compiled


def test_an_autoscaler_of_the_workload_gets_the_same_number(plan):
    from devcfg.schemas.patch import apply_patch

    (one,) = plan(HPA).workloads[0].beside
    after = apply_patch(one.manifest.object, one.patch.operations)

    assert (after["spec"]["minReplicas"], after["spec"]["maxReplicas"]) == (3, 3)


@pytest.mark.parametrize(
    "changed",
    [
        HPA.replace("name: web", "name: other"),
        HPA.replace("kind: Deployment", "kind: StatefulSet"),
        HPA.replace("apps/v1", "example.com/v1"),
        HPA.replace("{name: scaler}", "{name: scaler, namespace: elsewhere}"),
    ],
)
def test_an_autoscaler_of_something_else_is_left_alone(plan, changed):
    assert scaled(plan(changed)) == []
    assert scaled(plan(changed, HPA)) == ["scaler"]


def test_keda_is_refused_with_the_way_out(findings_of, workload):
    (found,) = findings_of("web: {}", workload(), KEDA)

    assert found.code == "keda-scaled"
    assert "paused-replicas" in found.hint
    assert findings_of("web: {}", workload(), KEDA.replace("name: web", "name: other")) == ()


def test_a_budget_is_noted_where_it_selects_the_pods(findings_of, workload):
    (found,) = findings_of("web: {}", workload(), BUDGET)

    assert (found.code, found.severity.value) == ("disruption-budget", "note")
    assert findings_of("web: {}", workload(), BUDGET.replace("app: web", "app: other")) == ()
