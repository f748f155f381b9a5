"""The checks of the cluster: context, clock, rights, guard, workloads, a rehearsal, leftovers. Never changes one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from devcfg.runtime.checkup.finding import Finding, Verdict, failed, ok
from devcfg.runtime.cluster.cluster import Cluster, Resource
from devcfg.runtime.cluster.errors import ClusterError
from devcfg.runtime.devmode.additions import CONFIG_MAP
from devcfg.runtime.devmode.gitops import Tool, advice, steward_of
from devcfg.runtime.devmode.guard import production_words
from devcfg.runtime.devmode.kinds import obstacle
from devcfg.runtime.devmode.live import Bound, State, Subject, Wish, bind_live
from devcfg.runtime.devmode.preferences import Preferences, Spot, preferences_path, read_preferences
from devcfg.runtime.devmode.prepare import post_of, rehearse
from devcfg.runtime.devmode.rights import Need, accesses, needs_of, spelled
from devcfg.runtime.devmode.stays import stays_in
from devcfg.schemas.errors import DevcfgError
from devcfg.schemas.quantity import amount_of

SKEW = 10.0
"""Seconds that two clocks may differ: a lease holds thirty."""
QUOTA = Resource("", "v1", "resourcequotas", "ResourceQuota")
FULL = 0.9
"""How much of a quota may be in use without a word."""


Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return what the clock here says."""
    return datetime.now(UTC)


async def examine(cluster: Cluster, wish: Wish, clock: Clock = utc_now) -> AsyncIterator[Finding]:
    """Yield what is found, in the order in which a session would come to it."""
    identity = cluster.identity
    try:
        served = await cluster.version()
    except ClusterError as error:
        yield failed("cluster", error)
        return
    yield ok("cluster", f"context `{identity.context}`: {identity.server}, Kubernetes {served}, as `{identity.user}`")
    try:
        preferences = read_preferences()
        bound = await bind_live(cluster, wish, preferences)
    except DevcfgError as error:
        yield failed("workloads", error)
        return
    for space in sorted({one.namespace for one in bound.subjects}):
        yield _guard(cluster, space, preferences)
        yield await _clock(cluster, space, clock)
        async for one in _rights(cluster, bound, space):
            yield one
        async for one in _quota(cluster, space):
            yield one
    for subject in bound.subjects:
        async for one in _workload(cluster, subject):
            yield one
    async for one in _left(cluster, bound):
        yield one


def _guard(cluster: Cluster, space: str, preferences: Preferences) -> Finding:
    identity = cluster.identity
    said = production_words(identity, space)
    if Spot(identity.server.rstrip("/"), space) in preferences.allow or not said:
        return ok("guard", f"namespace `{space}` is no production, by its names or your word")
    fix = f"where it is none, allow it in `{preferences_path()}`"
    return Finding("guard", Verdict.FAILURE, f"{', '.join(said)} looks like production: `up` refuses it", fix)


async def _clock(cluster: Cluster, space: str, clock: Clock) -> Finding:
    """Compare clocks by an object that is made in a dry run: its time is the server's, in whole seconds."""
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"generateName": "devcfg-clock-", "namespace": space},
    }
    before = clock()
    try:
        made = await cluster.create(CONFIG_MAP, space, body, dry_run=True)
        there = datetime.fromisoformat(str(made["metadata"]["creationTimestamp"]).replace("Z", "+00:00"))
    except (ClusterError, KeyError, ValueError) as error:
        return Finding("clock", Verdict.SKIPPED, f"the cluster's clock could not be read: {error}")
    after = clock()
    early, late = (before - there).total_seconds() - 1, (there - after).total_seconds()
    skew = max(early, late, 0.0)
    if skew <= SKEW:
        return ok("clock", "here and there the clocks agree to some seconds")
    way = "ahead of" if early > late else "behind"
    return Finding(
        "clock",
        Verdict.WARNING,
        f"the clock here is {skew:.0f} s {way} the cluster's: ages of leases and `status` are wrong by that",
        "let it be set: `sudo timedatectl set-ntp true`",
    )


async def _rights(cluster: Cluster, bound: Bound, space: str) -> AsyncIterator[Finding]:
    needs = needs_of(post_of(one) for one in bound.subjects if one.namespace == space)
    missing: list[tuple[Need, str]] = []
    for need in needs:
        asked = accesses((need,), space)
        answers = await cluster.may(asked)
        denied = [f"{one.verb} {spelled(one)}" for one, allowed in zip(asked, answers, strict=True) if not allowed]
        missing += [(need, ", ".join(f"`{one}`" for one in dict.fromkeys(denied)))] if denied else []
    fix = "`devcfg rbac` prints the Role that is needed"
    for need, said in missing:
        verdict = Verdict.WARNING if need.optional else Verdict.FAILURE
        yield Finding("rights", verdict, f"you may not {said} in namespace `{space}`: {need.what_for}", fix)
    if not missing:
        yield ok("rights", f"all that a session needs in namespace `{space}`, and all that makes it better")


async def _quota(cluster: Cluster, space: str) -> AsyncIterator[Finding]:
    try:
        quotas = await cluster.list(QUOTA, space)
    except ClusterError:
        yield Finding("quota", Verdict.SKIPPED, f"you may not read quotas of namespace `{space}`: a rehearsal tells")
        return
    tight = [
        f"{name} {used.get(name, '0')} of {most} (`{one['metadata']['name']}`)"
        for one in quotas
        for used in ((one.get("status") or {}).get("used") or {},)
        for name, most in ((one.get("status") or {}).get("hard") or {}).items()
        if _share(used.get(name, "0"), most) >= FULL
    ]
    if tight:
        fix = "a rolling update needs room for one pod more; free some, or ask for a larger quota"
        yield Finding("quota", Verdict.WARNING, f"nearly used up: {'; '.join(tight)}", fix)
    else:
        yield ok("quota", f"{len(quotas)} in namespace `{space}`" + " with room" * bool(quotas))


def _share(used: object, most: object) -> float:
    whole, part = amount_of(str(most)), amount_of(str(used))
    return 0.0 if whole is None or part is None else float(part / whole) if whole else 1.0


async def _workload(cluster: Cluster, subject: Subject) -> AsyncIterator[Finding]:
    label = subject.target.label
    if subject.state is State.FILES:
        yield ok(label, "in dev mode by files: `up` attaches and changes nothing")
        return
    found = obstacle(subject.object, subject.target, 1)
    if found is not None:
        yield failed(label, found)
        return
    steward = steward_of(subject.object)
    if steward is not None:
        said = advice(steward, label, "")
        verdict = Verdict.OK if steward.tool is Tool.FLUX else Verdict.WARNING
        yield Finding("owner", verdict, said[0], said[-1] if len(said) > 1 else "")
    if not subject.is_new:
        yield ok(label, subject.state.value)
        return
    try:
        notes = await rehearse(cluster, subject)
    except DevcfgError as error:
        yield failed("rehearsal", error)
        return
    if notes:
        yield Finding("rehearsal", Verdict.WARNING, notes[0], "`devcfg rbac` prints the Role with optional rules")
    else:
        yield ok("rehearsal", f"the cluster would take patch and dev pod of {label}: policies, Pod Security, quota")


async def _left(cluster: Cluster, bound: Bound) -> AsyncIterator[Finding]:
    for space in sorted({one.namespace for one in bound.subjects}):
        for one in await stays_in(cluster, space):
            if one.marked and not one.alive and not one.by_files:
                words = f"{one.label} is in dev mode by {one.holder or 'somebody'}, and no session holds it"
                yield Finding("left behind", Verdict.WARNING, words, "`devcfg down --stale` restores it")
