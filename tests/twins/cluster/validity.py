"""What the server fills in and what it does not take. Only what devcfg can run into."""

import re

from live import SPEC, live

from cluster.selectors import matches
from devcfg.runtime.cluster.errors import RejectedError

NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
LABEL_KEY = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?")
DEFAULTED = {*SPEC, "Pod", "HorizontalPodAutoscaler"}


def completed(resource, body):
    """Return an object with the server's defaults filled in."""
    body["apiVersion"], body["kind"] = resource.api_version, resource.kind
    if resource.kind not in DEFAULTED:
        return body
    try:
        made = live(body)
    except (KeyError, TypeError, AttributeError) as error:
        name = body["metadata"].get("name")
        raise RejectedError(f'{resource.kind} "{name}" is invalid: spec: Required value: {error}') from error
    template = made["spec"].get("template", {}).get("metadata", {})
    if template.get("creationTimestamp", "") is None:
        del template["creationTimestamp"]
    if resource.kind == "Pod" and made["metadata"].get("creationTimestamp", "") is None:
        del made["metadata"]["creationTimestamp"]
    return made


def validate(resource, new, old):
    """Raise where the server would not keep an object, or not change it so."""
    name = new["metadata"]["name"]

    def reject(why):
        label = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
        raise RejectedError(f'{label} "{name}" is invalid: {why}')

    for key, value in (new["metadata"].get("labels") or {}).items():
        if not LABEL_KEY.fullmatch(key) or not LABEL_VALUE.fullmatch(value):
            reject(f"metadata.labels: Invalid value: {key}: {value}")
    selector = new.get("spec", {}).get("selector") if resource.kind in SPEC else None
    if resource.group != "apps" or resource.kind == "ControllerRevision":
        return
    if old is not None and selector != old["spec"].get("selector"):
        reject("spec.selector: Invalid value: field is immutable")
    if not isinstance(selector, dict) or not matches(
        selector, new["spec"]["template"].get("metadata", {}).get("labels") or {}
    ):
        reject("spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`")
    if new["spec"].get("replicas", 0) < 0:
        reject("spec.replicas: Invalid value: must be greater than or equal to 0")
    if resource.kind == "StatefulSet" and old is not None:
        fixed = ("serviceName", "volumeClaimTemplates", "podManagementPolicy")
        if any(new["spec"].get(one) != old["spec"].get(one) for one in fixed):
            reject("spec: Forbidden: updates to statefulset spec for fields other than 'replicas', … are forbidden")
