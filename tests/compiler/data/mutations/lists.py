"""Changes of the lists of container and pod: grown, shrunk, reordered, elements of another meaning."""

from __future__ import annotations

import copy

from mutations.site import GONE_ENV, NEW_ENV, TARGET, define, need


def _listed(holder, member, edit):
    def made(site):
        found = getattr(site, holder).get(member)
        need(found)
        edit(found)

    return made


def _reverse(found):
    need(len(found) > 1)
    found.reverse()


ELEMENTS = {
    ("container", "env"): {"name": "GAINED", "value": "x"},
    ("container", "volumeMounts"): {"name": "gained", "mountPath": "/gained"},
    ("container", "ports"): {"containerPort": 4321},
    ("container", "envFrom"): {"secretRef": {"name": "gained"}},
    ("pod", "volumes"): {"name": "gained", "emptyDir": {}},
    ("pod", "initContainers"): {"name": "gained", "image": "g:1"},
    ("pod", "imagePullSecrets"): {"name": "gained"},
}
for (holder, member), element in ELEMENTS.items():
    for name, edit in (
        ("grew", lambda found, element=element: found.append(copy.deepcopy(element))),
        ("grew-in-front", lambda found, element=element: found.insert(0, copy.deepcopy(element))),
        (
            "grew-by-two",
            lambda found, element=element: found.extend([copy.deepcopy(element), {**element, "name": "b"}]),
        ),
        ("lost-its-first", lambda found: found.pop(0)),
        ("lost-its-last", lambda found: found.pop()),
        ("reversed", _reverse),
        ("first-changed-name", lambda found: found[0].update(name="changed")),
        ("last-changed-name", lambda found: found[-1].update(name="changed")),
    ):
        define(f"{holder}-{member}-{name}", _listed(holder, member, edit))


def _env(edit):
    return _listed("container", "env", edit)


def _turn(one, **member):
    name = one["name"]
    one.clear()
    one.update(name=name, **member)


FROM = {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
define("env-first-value-changed", _env(lambda env: _turn(env[0], value="changed")))
define("env-first-turned-into-valueFrom", _env(lambda env: _turn(env[0], **FROM)))
define("env-all-turned-into-valueFrom", _env(lambda env: [_turn(one, **FROM) for one in env]))
define("env-all-turned-into-values", _env(lambda env: [_turn(one, value="v") for one in env]))
define("env-gained-what-the-config-sets", _env(lambda env: env.append({"name": NEW_ENV, "value": "base"})))
define("env-gained-what-the-config-sets-in-front", _env(lambda env: env.insert(0, {"name": NEW_ENV, "value": "b"})))
define("env-gained-what-the-config-removes", _env(lambda env: env.append({"name": GONE_ENV, "value": "base"})))
define("env-first-doubled", _env(lambda env: env.append(dict(env[0]))))
define("env-last-doubled-in-front", _env(lambda env: env.insert(0, dict(env[-1]))))


def _mounts(edit):
    return _listed("container", "volumeMounts", edit)


define("mount-moved", _mounts(lambda mounts: mounts[0].update(mountPath="/moved")))
define("mount-moved-to-the-config's-target", _mounts(lambda mounts: mounts[0].update(mountPath=TARGET)))
define("mount-moved-to-tmp", _mounts(lambda mounts: mounts[-1].update(mountPath="/tmp")))
define("mount-gained-at-the-config's-target", _mounts(lambda m: m.append({"name": "g", "mountPath": TARGET})))
define("mount-of-another-volume", _mounts(lambda mounts: mounts[0].update(name="another")))
define("mount-turned-read-only", _mounts(lambda mounts: mounts[0].update(readOnly=True)))


def _volumes(edit):
    return _listed("pod", "volumes", edit)


def _source(one, **source):
    name = one["name"]
    one.clear()
    one.update(name=name, **source)


CLAIM = {"persistentVolumeClaim": {"claimName": "gained"}}
define("volume-first-turned-into-a-claim", _volumes(lambda volumes: _source(volumes[0], **CLAIM)))
define("volume-last-turned-into-a-claim", _volumes(lambda volumes: _source(volumes[-1], **CLAIM)))
define("volume-first-turned-into-scratch", _volumes(lambda volumes: _source(volumes[0], emptyDir={})))
define("volume-claim-gained", _volumes(lambda volumes: volumes.append({"name": "gained", **CLAIM})))
define("volume-claim-gained-in-front", _volumes(lambda volumes: volumes.insert(0, {"name": "gained", **CLAIM})))


def _context(holder, edit):
    def made(site):
        found = getattr(site, holder).get("securityContext")
        need(found)
        edit(found)

    return made


for holder in ("container", "pod"):
    define(f"{holder}-uid-changed", _context(holder, lambda found: found.update(runAsUser=4242)))
    define(f"{holder}-uid-lost", _context(holder, lambda found: need(found.pop("runAsUser", None))))
    define(f"{holder}-non-root-demanded", _context(holder, lambda found: found.update(runAsNonRoot=True)))
define(
    "root-file-system-became-writable",
    _context("container", lambda found: need(found.pop("readOnlyRootFilesystem", 0))),
)
