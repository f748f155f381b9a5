"""Changes of the workload as a whole: renamed, moved, doubled, another kind, other labels and annotations."""

from __future__ import annotations

import copy

from mutations.site import TEMPLATES, change, need


@change
def workload_renamed(site):
    site.workload["metadata"]["name"] = "renamed"


@change
def workload_name_prefixed(site):
    site.workload["metadata"]["name"] = "x-" + site.name


@change
def workload_name_suffixed(site):
    site.workload["metadata"]["name"] += "-x"


@change
def workload_removed(site):
    site.objects.remove(site.workload)


@change
def workload_replaced_by_one_named_alike(site):
    site.workload["metadata"]["name"] = site.name.replace(site.name[0], "z", 1)


@change
def workload_of_another_kind(site):
    need(site.workload["kind"] not in TEMPLATES)
    site.workload["kind"] = "StatefulSet" if site.workload["kind"] != "StatefulSet" else "Deployment"
    site.workload["apiVersion"] = "apps/v1"


@change
def workload_of_another_version(site):
    group, _, _ = site.workload["apiVersion"].rpartition("/")
    site.workload["apiVersion"] = f"{group}/v1beta9".lstrip("/")


@change
def workload_of_another_group(site):
    site.workload["apiVersion"] = "apps.example.com/v1"


@change
def namespace_gained(site):
    need("namespace" not in site.workload["metadata"])
    site.workload["metadata"]["namespace"] = "moved"


@change
def namespace_gained_by_all(site):
    need("namespace" not in site.workload["metadata"])
    for one in site.objects:
        one["metadata"]["namespace"] = "moved"


@change
def namespace_changed(site):
    need("namespace" in site.workload["metadata"])
    site.workload["metadata"]["namespace"] = "moved"


@change
def namespace_lost_by_all(site):
    need("namespace" in site.workload["metadata"])
    for one in site.objects:
        one["metadata"].pop("namespace", None)


@change
def workload_twice_in_one_namespace(site):
    site.objects.append(copy.deepcopy(site.workload))


@change
def workload_twice_in_two_namespaces(site):
    twin = copy.deepcopy(site.workload)
    twin["metadata"]["namespace"] = "second"
    site.objects.append(twin)


@change
def workload_twice_with_the_other_first(site):
    twin = copy.deepcopy(site.workload)
    twin["metadata"]["namespace"] = "second"
    site.objects.insert(0, twin)


@change
def another_kind_of_the_same_name(site):
    need(site.workload["kind"] != "DaemonSet")
    twin = copy.deepcopy(site.workload)
    twin.update(kind="DaemonSet", apiVersion="apps/v1", spec={"template": copy.deepcopy(site.template)})
    site.objects.append(twin)


@change
def all_in_a_list(site):
    site.objects[:] = [{"apiVersion": "v1", "kind": "List", "items": list(site.objects)}]


@change
def all_in_another_order(site):
    site.objects.reverse()


@change
def another_workload_gained(site):
    twin = copy.deepcopy(site.workload)
    twin["metadata"]["name"] += "-other"
    site.objects.append(twin)


@change
def all_else_removed(site):
    site.objects[:] = [site.workload]


@change
def labels_changed(site):
    site.template.setdefault("metadata", {}).setdefault("labels", {})["app"] = "changed"
    need("selector" in site.workload["spec"])
    site.workload["spec"]["selector"] = {"matchLabels": {"app": "changed"}}


@change
def labels_gained(site):
    for meta in (site.workload["metadata"], site.template.setdefault("metadata", {})):
        meta.setdefault("labels", {})["gained"] = "x"


@change
def labels_lost(site):
    need(site.template is not site.workload)
    need(site.template.get("metadata", {}).pop("labels", None))


@change
def template_metadata_lost(site):
    need(site.template is not site.workload)
    need(site.template.pop("metadata", None))


@change
def annotations_gained(site):
    site.workload["metadata"].setdefault("annotations", {})["gained"] = "x"


@change
def template_annotations_gained(site):
    site.template.setdefault("metadata", {}).setdefault("annotations", {})["gained/by.base"] = "x"


@change
def template_annotations_lost(site):
    need(site.template.get("metadata", {}).pop("annotations", None))


@change
def default_container_gained(site):
    annotations = site.template.setdefault("metadata", {}).setdefault("annotations", {})
    annotations["kubectl.kubernetes.io/default-container"] = "somebody"


@change
def default_container_lost(site):
    annotations = site.template.get("metadata", {}).get("annotations", {})
    need(annotations.pop("kubectl.kubernetes.io/default-container", None))
