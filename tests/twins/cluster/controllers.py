"""What a cluster's controllers make of what is kept: pods of workloads, rollouts, garbage. One small step at a time."""

import copy
import re

from cluster.fields import digest
from cluster.selectors import matches
from devcfg.runtime.cluster.errors import ConflictError, RejectedError

MANAGER = "kube-controller-manager"
HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
STATEFUL_HASH = "controller-revision-hash"


def reconcile(world):
    """Do one round of every controller; tell whether anything changed."""
    before = world.version
    for step, kind in STEPS:
        for one in world.all(kind):
            if world.find(world.kind(one["kind"]), *_place(one)) is one:
                step(world, one)
    collect(world)
    return world.version != before


def _place(one):
    return one["metadata"].get("namespace", ""), one["metadata"]["name"]


def collect(world):
    """Delete what has lost all of its owners."""
    kept = {one["metadata"]["uid"] for one in world.objects.values()}
    for one in tuple(world.objects.values()):
        refs = one["metadata"].get("ownerReferences")
        if refs and not any(ref["uid"] in kept for ref in refs):
            resource = world.kind_of(one)
            if world.find(resource, *_place(one)) is one and "deletionTimestamp" not in one["metadata"]:
                world.delete(resource, *_place(one))


# ---- the node


def pod(world, one):
    """Schedule, start and end a pod."""
    meta = one["metadata"]
    if "deletionTimestamp" in meta:
        if not meta.get("finalizers"):
            world.gone(one)
        return
    status = next(filter(None, (kubelet(copy.deepcopy(one)) for kubelet in reversed(world.kubelets))), {})
    scheduled = not any(c["type"] == "PodScheduled" and c["status"] == "False" for c in status.get("conditions", ()))
    if scheduled and not one["spec"].get("nodeName"):
        bound = copy.deepcopy(one)
        bound["spec"]["nodeName"] = world.nodes[0]
        world.update(world.kind("Pod"), *_place(one), bound, manager="kube-scheduler")
        one = world.find(world.kind("Pod"), *_place(one))
    if one.get("status") != status:
        world.status(one, status)


def ready(one):
    """Tell whether a pod is ready."""
    conditions = one.get("status", {}).get("conditions", ())
    alive = "deletionTimestamp" not in one["metadata"]
    return alive and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _make_pod(world, owner, template, name="", labels=None, node=""):
    """Create a pod, or say in an event why it cannot be; return the sentence."""
    meta = copy.deepcopy(template.get("metadata") or {})
    meta.pop("creationTimestamp", None)
    meta["labels"] = {**(meta.get("labels") or {}), **(labels or {})}
    meta["ownerReferences"] = [reference(owner)]
    meta |= {"name": name} if name else {"generateName": f"{owner['metadata']['name']}-"}
    spec = copy.deepcopy(template["spec"])
    if node:
        spec["nodeName"] = node
    try:
        made = world.create(
            world.kind("Pod"), owner["metadata"]["namespace"], {"metadata": meta, "spec": spec}, manager=MANAGER
        )
    except (RejectedError, ConflictError) as error:
        # Without the drawn end of the name: tries that fail alike are one event, as they would be one with a count.
        drawn = re.escape(f"{owner['metadata']['name']}-") + "[0-9a-f]{5}"
        message = re.sub(drawn, f"{owner['metadata']['name']}-", error.message)
        say(world, owner, "Warning", "FailedCreate", f"Error creating: {message}")
        return message
    say(world, owner, "Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
    return ""


def reference(owner):
    """Return the reference of a controller."""
    found = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
    return {**found, "uid": owner["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}


def say(world, about, kind, reason, message):
    """Keep an event, once."""
    meta = about["metadata"]
    involved = {"apiVersion": about["apiVersion"], "kind": about["kind"], "name": meta["name"]}
    involved |= {"namespace": meta["namespace"], "uid": meta["uid"]}
    for one in world.all("Event", meta["namespace"]):
        if one["involvedObject"]["uid"] == meta["uid"] and (one["reason"], one["message"]) == (reason, message):
            return
    name = f"{meta['name']}.{digest([meta['uid'], reason, message])}"
    body = {"metadata": {"name": name}, "involvedObject": involved, "type": kind, "reason": reason}
    body |= {"message": message, "count": 1, "lastTimestamp": "2026-01-01T00:00:00Z"}
    world.create(world.kind("Event"), meta["namespace"], body, manager=MANAGER)


def _alive(world, owner):
    return [one for one in world.owned("Pod", owner) if "deletionTimestamp" not in one["metadata"]]


# ---- ReplicaSet


def replica_set(world, one):
    """Have as many pods as are wanted."""
    pods, wanted, failure = _alive(world, one), one["spec"].get("replicas", 1), ""
    if "deletionTimestamp" in one["metadata"]:
        return
    for _ in range(wanted - len(pods)):
        failure = _make_pod(world, one, one["spec"]["template"])
        if failure:
            break
    for spare in pods[wanted:]:
        world.delete(world.kind("Pod"), *_place(spare))
    pods = _alive(world, one)
    serving = sum(map(ready, pods))
    status = {"replicas": len(pods), "fullyLabeledReplicas": len(pods), "readyReplicas": serving}
    status |= {"availableReplicas": serving, "observedGeneration": one["metadata"]["generation"]}
    if failure:
        condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": failure}
        status["conditions"] = [condition]
    world.status(one, status)


# ---- Deployment


def deployment(world, one):
    """Roll out the template: a ReplicaSet for each, the old one back when a template comes back."""
    if "deletionTimestamp" in one["metadata"]:
        return
    sets = world.owned("ReplicaSet", one)
    mine = next((each for each in sets if _bare(each["spec"]["template"]) == one["spec"]["template"]), None)
    if mine is None and not one["spec"].get("paused"):
        mine = _new_set(world, one)
        sets = world.owned("ReplicaSet", one)
    if mine is not None:
        one = _number(world, one, mine, sets)
        mine = world.find(world.kind("ReplicaSet"), *_place(mine))
        sets = world.owned("ReplicaSet", one)
    wanted = one["spec"].get("replicas", 1)
    others = [each for each in sets if mine is None or each["metadata"]["uid"] != mine["metadata"]["uid"]]
    if mine is None or one["spec"].get("paused"):
        biggest = max(sets, key=lambda each: each["spec"].get("replicas", 0), default=None)
        if biggest is not None:
            _scale(world, biggest, wanted)
    elif one["spec"]["strategy"]["type"] == "Recreate":
        for each in others:
            _scale(world, each, 0)
        if not any(world.owned("Pod", each) for each in others):
            _scale(world, mine, wanted)
    else:
        _scale(world, mine, wanted)
        if mine.get("status", {}).get("availableReplicas", 0) >= wanted:
            for each in others:
                _scale(world, each, 0)
    _trim(world, one, others)
    _tell_status(world, one, mine)


def _bare(template):
    template = copy.deepcopy(template)
    template["metadata"]["labels"].pop(HASH, None)
    return template


def _new_set(world, one):
    template = copy.deepcopy(one["spec"]["template"])
    name = digest(template)
    template.setdefault("metadata", {}).setdefault("labels", {})[HASH] = name
    selector = copy.deepcopy(one["spec"]["selector"])
    selector.setdefault("matchLabels", {})[HASH] = name
    meta = {"name": f"{one['metadata']['name']}-{name}", "labels": template["metadata"]["labels"]}
    meta["ownerReferences"] = [reference(one)]
    body = {"metadata": meta, "spec": {"replicas": 0, "selector": selector, "template": template}}
    return world.create(world.kind("ReplicaSet"), one["metadata"]["namespace"], body, manager=MANAGER)


def _number(world, one, mine, sets):
    """Give the serving ReplicaSet the highest revision, and the annotations of its Deployment, as the real one does."""

    def number(each):
        return int(each["metadata"].get("annotations", {}).get(REVISION, "0"))

    highest = max((number(each) for each in sets if each["metadata"]["uid"] != mine["metadata"]["uid"]), default=0)
    revision = str(max(number(mine), highest + 1))
    copied = {
        key: value
        for key, value in (one["metadata"].get("annotations") or {}).items()
        if key not in (REVISION, "kubectl.kubernetes.io/last-applied-configuration")
    }
    for each, annotations in ((mine, {**copied, REVISION: revision}), (one, {REVISION: revision})):
        changed = copy.deepcopy(world.find(world.kind_of(each), *_place(each)))
        changed["metadata"]["annotations"] = {**changed["metadata"].get("annotations", {}), **annotations}
        world.update(world.kind_of(each), *_place(each), changed, manager=MANAGER)
    return world.find(world.kind("Deployment"), *_place(one))


def _scale(world, one, replicas):
    if one["spec"].get("replicas") != replicas:
        changed = copy.deepcopy(one)
        changed["spec"]["replicas"] = replicas
        world.update(world.kind("ReplicaSet"), *_place(one), changed, manager=MANAGER)


def _trim(world, one, others):
    ended = [each for each in others if not each["spec"].get("replicas") and not world.owned("Pod", each)]
    ended.sort(key=lambda each: int(each["metadata"].get("annotations", {}).get(REVISION, "0")))
    for each in ended[: max(0, len(ended) - one["spec"].get("revisionHistoryLimit", 10))]:
        world.delete(world.kind("ReplicaSet"), *_place(each))


def _tell_status(world, one, mine):
    sets = world.owned("ReplicaSet", one)
    mine = mine and world.find(world.kind("ReplicaSet"), *_place(mine))

    def total(field):
        return sum(each.get("status", {}).get(field, 0) for each in sets)

    wanted, available = one["spec"].get("replicas", 1), total("availableReplicas")
    updated = (mine or {}).get("status", {}).get("replicas", 0)
    status = {"observedGeneration": one["metadata"]["generation"], "replicas": total("replicas")}
    status |= {"updatedReplicas": updated, "readyReplicas": total("readyReplicas"), "availableReplicas": available}
    if wanted > available:
        status["unavailableReplicas"] = wanted - available
    done = mine is not None and updated >= wanted and total("replicas") == updated and available >= wanted
    status["conditions"] = [
        {"type": "Available", "status": "True" if available >= wanted else "False"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"},
        *(mine or {}).get("status", {}).get("conditions", ()),
    ]
    world.status(one, status)


# ---- StatefulSet and DaemonSet


def _keep_revision(world, one, name):
    """Keep the template, which `rollout undo` can lead back to; the one of now has the highest number."""
    kept = world.owned("ControllerRevision", one)
    number = max((each["revision"] for each in kept), default=0)
    mine = next((each for each in kept if each["metadata"]["name"] == name), None)
    if mine is not None and mine["revision"] == number:
        return
    if mine is not None:
        changed = {**copy.deepcopy(mine), "revision": number + 1}
        world.update(world.kind("ControllerRevision"), *_place(mine), changed, manager=MANAGER)
        return
    labels = one["spec"]["template"]["metadata"]["labels"]
    meta = {"name": name, "labels": copy.deepcopy(labels), "ownerReferences": [reference(one)]}
    data = {"spec": {"template": {**copy.deepcopy(one["spec"]["template"]), "$patch": "replace"}}}
    body = {"metadata": meta, "data": data, "revision": number + 1}
    world.create(world.kind("ControllerRevision"), one["metadata"]["namespace"], body, manager=MANAGER)


def stateful_set(world, one):
    """Have pods by number, one after the other; a pod that is not ready holds up all others, also its own way back."""
    if "deletionTimestamp" in one["metadata"]:
        return None
    spec, revision = one["spec"], f"{one['metadata']['name']}-{digest(one['spec']['template'])}"
    _keep_revision(world, one, revision)
    strategy = spec.get("updateStrategy", {})
    orderly = spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    partition = strategy.get("rollingUpdate", {}).get("partition", 0)
    wanted = spec.get("replicas", 1)
    pods = {each["metadata"]["name"]: each for each in world.owned("Pod", one)}
    names = [f"{one['metadata']['name']}-{number}" for number in range(wanted)]
    _tell_numbers(world, one, pods, revision)
    for name, each in pods.items():
        if name not in names and "deletionTimestamp" not in each["metadata"]:
            return world.delete(world.kind("Pod"), *_place(each))
    for name in names:
        if name not in pods:
            labels = {STATEFUL_HASH: revision, "statefulset.kubernetes.io/pod-name": name}
            _make_pod(world, one, spec["template"], name=name, labels=labels)
            if orderly:
                return None
        elif orderly and not ready(pods[name]):
            return None
    if strategy.get("type") == "OnDelete":
        return None
    for number in reversed(range(partition, wanted)):
        each = pods.get(names[number])
        if each is None or not ready(each):
            return None
        if each["metadata"]["labels"].get(STATEFUL_HASH) != revision:
            return world.delete(world.kind("Pod"), *_place(each))
    return None


def _tell_numbers(world, one, pods, revision):
    fresh = [each for each in pods.values() if each["metadata"]["labels"].get(STATEFUL_HASH) == revision]
    serving = sum(map(ready, pods.values()))
    was = one.get("status", {})
    all_fresh = len(fresh) == len(pods) == one["spec"].get("replicas", 1) and serving == len(pods)
    status = {"observedGeneration": one["metadata"]["generation"], "replicas": len(pods), "readyReplicas": serving}
    status |= {"availableReplicas": serving, "updatedReplicas": len(fresh), "updateRevision": revision}
    status["currentRevision"] = revision if all_fresh else was.get("currentRevision", revision)
    status["currentReplicas"] = len(pods) if all_fresh else len(pods) - len(fresh)
    world.status(one, status)


def daemon_set(world, one):
    """Have one pod on each node."""
    if "deletionTimestamp" in one["metadata"]:
        return
    revision = digest(one["spec"]["template"])
    _keep_revision(world, one, f"{one['metadata']['name']}-{revision}")
    pods = world.owned("Pod", one)
    by_node = {each["spec"].get("nodeName"): each for each in pods}
    for node in world.nodes:
        if node not in by_node:
            _make_pod(world, one, one["spec"]["template"], labels={STATEFUL_HASH: revision}, node=node)
    fresh = [each for each in pods if each["metadata"]["labels"].get(STATEFUL_HASH) == revision]
    if one["spec"].get("updateStrategy", {}).get("type") != "OnDelete":
        for each in pods:
            if each not in fresh and "deletionTimestamp" not in each["metadata"]:
                world.delete(world.kind("Pod"), *_place(each))
                break
    serving = sum(map(ready, pods))
    status = {"observedGeneration": one["metadata"]["generation"], "desiredNumberScheduled": len(world.nodes)}
    status |= {"currentNumberScheduled": len(pods), "updatedNumberScheduled": len(fresh), "numberReady": serving}
    status |= {"numberAvailable": serving, "numberUnavailable": len(world.nodes) - serving, "numberMisscheduled": 0}
    world.status(one, status)


def adopt(world, one):
    """Take over the pods that a selector takes and nobody owns."""
    for each in world.all("Pod", one["metadata"]["namespace"]):
        refs = each["metadata"].get("ownerReferences")
        if not refs and matches(one["spec"].get("selector") or {}, each["metadata"].get("labels") or {}):
            changed = copy.deepcopy(each)
            changed["metadata"]["ownerReferences"] = [reference(one)]
            world.update(world.kind("Pod"), *_place(each), changed, manager=MANAGER)


STEPS = (
    (deployment, "Deployment"),
    (adopt, "ReplicaSet"),
    (replica_set, "ReplicaSet"),
    (stateful_set, "StatefulSet"),
    (daemon_set, "DaemonSet"),
    (pod, "Pod"),
)
