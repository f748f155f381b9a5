"""Changes of containers: renamed, moved, doubled, gone."""

from __future__ import annotations

from mutations.site import change, need


@change
def container_renamed(site):
    site.container["name"] = "renamed"


@change
def container_renamed_by_one_letter(site):
    site.container["name"] += "2"


@change
def container_removed(site):
    site.containers.remove(site.container)


@change
def container_replaced_by_another(site):
    site.containers[site.at] = {"name": "another", "image": "another:1"}


@change
def containers_gone(site):
    del site.pod["containers"]


@change
def container_became_an_init_container(site):
    site.containers.remove(site.container)
    site.pod.setdefault("initContainers", []).append(site.container)


@change
def containers_reversed(site):
    need(len(site.containers) > 1)
    site.containers.reverse()


@change
def containers_swapped_names(site):
    need(len(site.containers) > 1)
    other = site.containers[site.at - 1]
    site.container["name"], other["name"] = other["name"], site.container["name"]


@change
def other_container_removed(site):
    need(len(site.containers) > 1)
    site.containers.remove(next(one for one in site.containers if one is not site.container))


@change
def other_container_renamed(site):
    need(len(site.containers) > 1)
    next(one for one in site.containers if one is not site.container)["name"] = "renamed"


@change
def other_container_changed(site):
    need(len(site.containers) > 1)
    next(one for one in site.containers if one is not site.container)["image"] = "other:changed"


@change
def other_container_s_arguments_changed(site):
    need(len(site.containers) > 1)
    next(one for one in site.containers if one is not site.container)["args"] = ["changed"]


@change
def sidecar_in_front(site):
    site.containers.insert(0, {"name": "injected", "image": "proxy:1"})


@change
def sidecar_behind(site):
    site.containers.append({"name": "injected", "image": "proxy:1"})


@change
def sidecars_on_both_sides(site):
    site.containers.insert(0, {"name": "injected", "image": "proxy:1"})
    site.containers.append({"name": "injected-too", "image": "proxy:1"})


@change
def sidecar_named_nearly_alike(site):
    site.containers.append({"name": site.container["name"] + "-proxy", "image": "proxy:1"})
