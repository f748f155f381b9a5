"""Changes of what stands beside a workload: autoscalers, claims, services, objects that bear our names."""

from __future__ import annotations

import copy

from mutations.site import change, need


def _scaler(name, target, kind="Deployment", version="autoscaling/v2"):
    return {
        "apiVersion": version,
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": target}, "maxReplicas": 7},
    }


@change
def autoscaler_removed(site):
    for one in site.scalers():
        site.objects.remove(one)


@change
def autoscaler_renamed(site):
    site.scalers()[0]["metadata"]["name"] += "-x"


@change
def autoscaler_of_another_workload(site):
    site.scalers()[0]["spec"]["scaleTargetRef"]["name"] = "another"


@change
def autoscaler_of_another_kind(site):
    site.scalers()[0]["spec"]["scaleTargetRef"]["kind"] = "Gizmo"


@change
def autoscaler_of_another_group(site):
    site.scalers()[0]["spec"]["scaleTargetRef"]["apiVersion"] = "example.com/v1"


@change
def autoscaler_of_another_version(site):
    site.scalers()[0]["apiVersion"] = "autoscaling/v1"


@change
def autoscaler_moved(site):
    site.scalers()[0]["metadata"]["namespace"] = "moved"


@change
def autoscaler_bounds_changed(site):
    site.scalers()[0]["spec"].update(minReplicas=4, maxReplicas=40)


@change
def autoscaler_bounds_lost(site):
    site.scalers()[0]["spec"].pop("minReplicas", None)


@change
def autoscaler_gained(site):
    site.add(_scaler("gained", site.name, site.workload["kind"]))


@change
def autoscaler_of_the_first_version_gained(site):
    site.add(_scaler("gained", site.name, site.workload["kind"], "autoscaling/v1"))


@change
def autoscaler_in_two_namespaces(site):
    twin = copy.deepcopy(site.scalers()[0])
    twin["metadata"]["namespace"] = "second"
    site.objects.append(twin)


@change
def another_s_autoscaler_turned_to_this_workload(site):
    reference = site.strangers()[0]["spec"]["scaleTargetRef"]
    reference.update(name=site.name, kind=site.workload["kind"], apiVersion=site.workload["apiVersion"])


@change
def another_s_autoscaler_removed(site):
    site.objects.remove(site.strangers()[0])


@change
def another_s_autoscaler_changed(site):
    site.strangers()[0]["spec"]["maxReplicas"] = 77


@change
def scaled_object_of_keda_gained(site):
    reference = {"kind": site.workload["kind"], "name": site.name}
    spec = {"scaleTargetRef": reference}
    site.add({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "g"}, "spec": spec})


@change
def disruption_budget_gained(site):
    spec = {"minAvailable": 1, "selector": {"matchLabels": site.template.get("metadata", {}).get("labels", {})}}
    site.add({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "gained"}, "spec": spec})


def _claim(name, mode):
    spec = {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def _claims(site):
    names = [one.get("persistentVolumeClaim", {}).get("claimName") for one in site.pod.get("volumes") or ()]
    need(names := [name for name in names if name])
    return names, [one for one in site.objects if one["kind"] == "PersistentVolumeClaim"]


@change
def claim_added_that_many_may_mount(site):
    names, claims = _claims(site)
    need(missing := [name for name in names if name not in [one["metadata"]["name"] for one in claims]])
    site.add(*(_claim(name, "ReadWriteMany") for name in missing))


@change
def claim_added_that_one_may_mount(site):
    names, claims = _claims(site)
    need(missing := [name for name in names if name not in [one["metadata"]["name"] for one in claims]])
    site.add(*(_claim(name, "ReadWriteOnce") for name in missing))


@change
def claim_s_mode_turned_to_one(site):
    _, claims = _claims(site)
    need(found := [one for one in claims if one["spec"]["accessModes"] == ["ReadWriteMany"]])
    found[0]["spec"]["accessModes"] = ["ReadWriteOnce"]


@change
def claim_s_mode_turned_to_many(site):
    _, claims = _claims(site)
    need(found := [one for one in claims if one["spec"]["accessModes"] == ["ReadWriteOnce"]])
    found[0]["spec"]["accessModes"] = ["ReadWriteMany"]


@change
def claims_removed(site):
    _, claims = _claims(site)
    need(claims)
    for one in claims:
        site.objects.remove(one)


@change
def claim_added_that_nobody_mounts(site):
    site.add(_claim("gained", "ReadWriteOnce"))


@change
def config_map_of_our_name_gained(site):
    name = f"devcfg-{site.workload['kind'].lower()}.{site.name}"
    site.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})


@change
def services_removed(site):
    need(found := [one for one in site.objects if one["kind"] == "Service"])
    for one in found:
        site.objects.remove(one)


@change
def service_selects_by_another_label(site):
    need(found := [one for one in site.objects if one["kind"] == "Service"])
    found[0]["spec"]["selector"] = {"changed": "x"}


@change
def network_policy_gained(site):
    spec = {"podSelector": {"matchLabels": {"app": "x"}}}
    site.add({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "g"}, "spec": spec})
