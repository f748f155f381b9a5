"""A site: one dev container in a copy of its base, to be changed; and the catalogue that changes are put into.

A change takes a site and edits it, or says that it does not apply there.
"""

from __future__ import annotations

import json

NEW_ENV, GONE_ENV, TARGET, SECRET = "DEVCFG_NEW", "DEVCFG_GONE", "/devcfg-test", "devcfg-pull"
"""What the dev configs of the experiment name, whether the base has it or not."""
LISTS = ("env", "volumeMounts", "ports", "envFrom")
TEMPLATES = {"CronJob": ("spec", "jobTemplate", "spec", "template"), "Pod": ()}


class NotApplicableError(Exception):
    """This change has nothing to work on at this site."""


class Site:
    """A base made from JSON, with the workload and the container that a change is made at."""

    def __init__(self, objects, workload, container):
        self.objects = json.loads(objects)
        self.workload = next(one for one in self.objects if _key(one) == workload)
        self.template = self.workload
        for step in TEMPLATES.get(self.workload["kind"], ("spec", "template")):
            self.template = self.template[step]
        self.pod = self.template["spec"]
        self.containers = self.pod["containers"]
        self.container = next(one for one in self.containers if one["name"] == container)
        self.at = self.containers.index(self.container)
        self.name = self.workload["metadata"]["name"]

    def add(self, *objects):
        """Add objects in the workload's namespace."""
        for one in objects:
            if "namespace" in self.workload["metadata"]:
                one["metadata"].setdefault("namespace", self.workload["metadata"]["namespace"])
            self.objects.append(one)

    def scalers(self):
        """Return the autoscalers of the workload."""
        need(found := [one for one in self.objects if one["kind"] == "HorizontalPodAutoscaler"])
        own = [one for one in found if one["spec"]["scaleTargetRef"]["name"] == self.name]
        need(own)
        return own

    def strangers(self):
        """Return the autoscalers of other workloads."""
        found = [one for one in self.objects if one["kind"] == "HorizontalPodAutoscaler"]
        need(found := [one for one in found if one["spec"]["scaleTargetRef"]["name"] != self.name])
        return found


def _key(one):
    return one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]


def need(condition):
    """Stop where there is nothing to change."""
    if not condition:
        raise NotApplicableError


CHANGES = {}


def change(function):
    """Put a change into the catalogue, under its name."""
    CHANGES[function.__name__.strip("_").replace("_", "-")] = function
    return function


def define(name, function):
    """Put one member of a family into the catalogue."""
    CHANGES[name] = function
