"""What the server keeps: objects, their versions and history, who owns whom. Asks nobody whether it may.

Holds to the real one in what devcfg can see: uids, resource versions that do not move for a write that changes
nothing, generations, managed fields, defaults, immutable fields, graceful deletion, namespaces that must exist.
"""

import asyncio
import copy

from cluster.controllers import reconcile
from cluster.fields import controllers, managed
from cluster.pods import running
from cluster.validity import DEFAULTED, NAME, completed, validate
from devcfg.runtime.cluster.cluster import Identity
from devcfg.runtime.cluster.errors import ConflictError, MissingError, RejectedError
from devcfg.runtime.cluster.kinds import USUAL, Served

GENERATED = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"}
WITH_STATUS = {*DEFAULTED, "PersistentVolumeClaim", "Namespace"}
MANAGER = "kube-controller-manager"


class World:
    """One cluster; `client` gives the port to it."""

    def __init__(self, *namespaces, nodes=("node-1",)):
        self.objects = {}
        self.history = []
        self.kinds = list(USUAL)
        self.nodes = nodes
        self.admission = []
        """Functions of verb, resource and object that return the sentence of a refusal, or None."""
        self.kubelets = [running]
        """Functions of a pod that return its status; the last one that returns something is right."""
        self.processes = None
        """What runs a command of a pod: see `MemoryCluster.execute`."""
        self.dials = None
        """What connects to a port of a pod: a coroutine function of pod and port that returns a pair of streams."""
        self.logs = {}
        """The log of a container, as bytes, by namespace, pod and container."""
        self._version = 100
        self._oldest = 0
        self._made = 0
        self._waiting = set()
        self._settling = None
        for name in ("default", *namespaces):
            self.create(self.kind("Namespace"), "", {"metadata": {"name": name}}, manager="setup")

    def client(self, user="admin", rules=None, namespaces=None, namespace="default"):
        """Return the port for a user; `rules` are those of a Role, None for everything."""
        from cluster.rules import Rules
        from cluster.twin import MemoryCluster

        identity = Identity("memory", "https://memory.test:6443", namespace, user)
        return MemoryCluster(self, identity, Rules(user, rules, namespaces))

    def serve(self, resource, *words):
        """Serve a custom kind."""
        self.kinds.append(Served(resource, frozenset({resource.kind.lower(), resource.plural, *words})))

    def kind(self, kind):
        """Return the resource of a kind."""
        return next(one.resource for one in self.kinds if one.resource.kind == kind)

    def kind_of(self, one):
        """Return the resource of an object."""
        group = one["apiVersion"].rpartition("/")[0]
        return next(
            each.resource for each in self.kinds if (each.resource.group, each.resource.kind) == (group, one["kind"])
        )

    @property
    def version(self):
        """The resource version of now."""
        return str(self._version)

    # ---- time

    async def settle(self):
        """Let the controllers work until they have nothing left to do."""
        for _ in range(2000):
            if not reconcile(self):
                return
            await asyncio.sleep(0)
        raise AssertionError("the controllers of the twin do not come to rest")

    def kick(self):
        """Let the controllers work in the background."""
        loop = asyncio.get_running_loop()
        if self._settling is None or self._settling.done() or self._settling.get_loop() is not loop:
            self._settling = loop.create_task(self.settle())

    def compact(self):
        """Forget the history: who watches from before now has to list again."""
        self._oldest = self._version
        self._wake()

    async def changed(self):
        """Wait for the next change."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)

    def since(self, version):
        """Return the changes after a version, or None where that is too long ago."""
        if version < self._oldest:
            return None
        return [one for one in self.history if one[0] > version]

    # ---- reading

    def find(self, resource, namespace, name):
        """Return an object as it is kept, or None."""
        return self.objects.get((resource.group, resource.plural, namespace if resource.namespaced else "", name))

    def get(self, resource, namespace, name):
        """Return a copy of an object."""
        found = self.find(resource, namespace, name)
        if found is None:
            if resource.namespaced and not self.find(self.kind("Namespace"), "", namespace):
                raise MissingError(f"there is no namespace `{namespace}`")
            place = f" in namespace `{namespace}`" if resource.namespaced else ""
            raise MissingError(f"there is no {resource.kind.lower()} `{name}`{place}")
        return copy.deepcopy(found)

    def all(self, kind, namespace=""):
        """Return the objects of a kind as they are kept, by name."""
        resource = self.kind(kind) if isinstance(kind, str) else kind
        return [
            one
            for (group, plural, within, _), one in sorted(self.objects.items())
            if (group, plural) == (resource.group, resource.plural) and namespace in ("", within)
        ]

    def owned(self, kind, owner):
        """Return the objects of a kind that an object controls."""
        uid = owner["metadata"]["uid"]
        return [one for one in self.all(kind, owner["metadata"]["namespace"]) if uid in controllers(one)]

    def of_uid(self, uid):
        """Return the object with a uid, or None."""
        return next((one for one in self.objects.values() if one["metadata"]["uid"] == uid), None)

    # ---- writing

    def create(self, resource, namespace, body, *, manager, dry_run=False):
        """Keep a new object, or raise as the server would."""
        body = copy.deepcopy(body)
        meta = body.setdefault("metadata", {})
        if resource.namespaced:
            if not self.find(self.kind("Namespace"), "", namespace):
                raise MissingError(f"there is no namespace `{namespace}`")
            meta["namespace"] = namespace
        self._made += 1
        if meta.get("generateName") and not meta.get("name"):
            meta["name"] = f"{meta['generateName']}{self._made:05x}"
        key = (resource.group, resource.plural, meta.get("namespace", ""), meta.get("name", ""))
        if not NAME.fullmatch(meta.get("name", "")):
            raise RejectedError(
                f'{resource.kind} "{meta.get("name")}" is invalid: metadata.name: a lowercase RFC 1123 …'
            )
        if key in self.objects:
            raise ConflictError(f'{resource.plural} "{meta["name"]}" already exists')
        meta["uid"] = f"{self._made:08x}-0000-4000-8000-{len(self.objects):012x}"
        meta["creationTimestamp"] = (
            f"2026-01-01T{self._made // 3600 % 24:02}:{self._made // 60 % 60:02}:{self._made % 60:02}Z"
        )
        for volatile in ("resourceVersion", "generation", "managedFields", "deletionTimestamp"):
            meta.pop(volatile, None)
        if resource.kind in GENERATED or (
            resource.group and "." in resource.group and "spec" in body and resource.kind != "Lease"
        ):
            meta["generation"] = 1
        if resource.kind in WITH_STATUS:
            body["status"] = {}
        made = completed(resource, body)
        validate(resource, made, None)
        self._admit("create", resource, made)
        meta = made["metadata"]
        meta["managedFields"] = managed([], {}, made, manager, resource, "")
        if dry_run:
            meta["resourceVersion"] = ""
            return made
        self._keep(key, "ADDED", None, made)
        return copy.deepcopy(made)

    def update(self, resource, namespace, name, body, *, manager, dry_run=False, subresource=""):
        """Keep an object changed: its status with the subresource `status`, all else without."""
        old = self.find(resource, namespace, name)
        if old is None:
            self.get(resource, namespace, name)
        new = copy.deepcopy(body)
        meta, was = new["metadata"], old["metadata"]
        if meta.get("resourceVersion") not in (None, "", was["resourceVersion"]):
            sentence = "the object has been modified; please apply your changes to the latest version and try again"
            raise ConflictError(f'Operation cannot be fulfilled on {resource.plural} "{name}": {sentence}')
        if meta.get("uid", was["uid"]) != was["uid"]:
            raise ConflictError(
                f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {was['uid']}"
            )
        for fixed in (
            "uid",
            "creationTimestamp",
            "namespace",
            "name",
            "generation",
            "deletionTimestamp",
            "resourceVersion",
        ):
            meta.pop(fixed, None)
            if fixed in was:
                meta[fixed] = was[fixed]
        if subresource == "status":
            new = {**copy.deepcopy(old), "status": new.get("status", {})}
            meta = new["metadata"]
        elif resource.kind in WITH_STATUS:
            new["status"] = copy.deepcopy(old.get("status", {}))
        for bare in ("annotations", "labels", "ownerReferences", "finalizers"):
            if not meta.get(bare, True):
                del meta[bare]
        new = completed(resource, new)
        meta = new["metadata"]
        if not subresource:
            validate(resource, new, old)
            self._admit("update", resource, new)
        if "generation" in was and new.get("spec") != old.get("spec"):
            meta["generation"] = was["generation"] + 1
        meta["managedFields"] = was.get("managedFields", [])
        if new == old:
            return copy.deepcopy(old)
        meta["managedFields"] = managed(was.get("managedFields", []), old, new, manager, resource, subresource)
        if dry_run:
            return new
        key = (resource.group, resource.plural, was.get("namespace", ""), name)
        if "deletionTimestamp" in meta and not meta.get("finalizers") and resource.kind != "Pod":
            self._drop(key)
        else:
            self._keep(key, "MODIFIED", old, new)
        return copy.deepcopy(new)

    def status(self, one, status):
        """Write the status of an object as its controller; tell whether that changed anything."""
        resource, meta = self.kind_of(one), one["metadata"]
        before = self.version
        body = {**one, "status": status}
        self.update(resource, meta["namespace"], meta["name"], body, manager=MANAGER, subresource="status")
        return self.version != before

    def delete(self, resource, namespace, name, *, uid="", resource_version=""):
        """Delete an object: pods when their node says so, the others once nothing holds them."""
        old = self.get(resource, namespace, name)
        meta = old["metadata"]
        for word, wanted, found in (
            ("UID", uid, meta["uid"]),
            ("ResourceVersion", resource_version, meta["resourceVersion"]),
        ):
            if wanted and wanted != found:
                said = f"the {word} in the precondition ({wanted}) does not match the {word} in record ({found})"
                raise ConflictError(f'Operation cannot be fulfilled on {resource.kind} "{name}": {said}')
        key = (resource.group, resource.plural, meta.get("namespace", ""), name)
        self._admit("delete", resource, old)
        if meta.get("finalizers") or (resource.kind == "Pod" and old["spec"].get("nodeName")):
            if "deletionTimestamp" not in meta:
                meta["deletionTimestamp"] = "2026-01-02T00:00:00Z"
                self._keep(key, "MODIFIED", self.objects[key], old)
        else:
            self._drop(key)

    def gone(self, one):
        """Take away a pod that its node has ended."""
        meta = one["metadata"]
        self._drop(("", "pods", meta["namespace"], meta["name"]))

    def _admit(self, verb, resource, one):
        for hook in self.admission:
            sentence = hook(verb, resource, copy.deepcopy(one))
            if sentence:
                raise RejectedError(f'{resource.plural} "{one["metadata"]["name"]}" is forbidden: {sentence}')

    def _keep(self, key, kind, old, new):
        self._version += 1
        new["metadata"]["resourceVersion"] = str(self._version)
        self.objects[key] = copy.deepcopy(new)
        self._tell(kind, key, old)

    def _drop(self, key):
        old = self.objects.pop(key)
        self._version += 1
        last = copy.deepcopy(old)
        last["metadata"]["resourceVersion"] = str(self._version)
        self.history.append((self._version, "DELETED", key, old, last))
        self._wake()

    def _tell(self, kind, key, old):
        self.history.append((self._version, kind, key, copy.deepcopy(old), copy.deepcopy(self.objects[key])))
        self._wake()

    def _wake(self):
        for one in tuple(self._waiting):
            if not one.done():
                one.get_loop().call_soon_threadsafe(lambda one=one: one.done() or one.set_result(None))
