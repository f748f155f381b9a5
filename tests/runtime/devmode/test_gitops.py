"""What Flux keeps is paused by the very patch and let go by the way back; others are named with what to do."""

import pytest
from cluster import killed_after

from devcfg.runtime.devmode.gitops import Tool, advice, steward_of
from devcfg.runtime.devmode.leave import leave_one
from devcfg.runtime.devmode.stays import stays_in

FLUX = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
PAUSE = "kustomize.toolkit.fluxcd.io/reconcile"


class DeadError(BaseException):
    """The process is no more."""


def test_flux_is_paused_as_long_as_dev_mode_lasts_whoever_dies(shop, play):
    async def once(at):
        one = shop()
        before = await one.deploy(labels=FLUX)
        dying = one.world.client("dying", namespace="shop")
        dying.around.append(killed_after(at, DeadError()))
        ended = False
        try:
            entered = await one.enter(dying)
            assert one.get()["metadata"]["annotations"][PAUSE] == "disabled"
            await one.leave(entered, dying)
            ended = True
        except DeadError:
            found = one.get()
            taken = "dev:1" in one.state()
            assert not taken or found["metadata"]["annotations"].get(PAUSE) == "disabled", f"killed after call {at}"
        for stay in await stays_in(one.cluster, "shop"):
            await leave_one(one.cluster, stay, one.steps.append)
        assert one.state() == before, f"killed after call {at}"
        assert one.left() == []
        return ended

    deaths = 0
    while not play(once(deaths + 1)):
        deaths += 1

    assert deaths > 20


def test_a_pause_that_was_there_before_stays(shop, play):
    async def go():
        one = shop()
        before = await one.deploy(labels=FLUX, annotations={PAUSE: "disabled"})
        await one.leave(await one.enter())
        return before, one.state()

    before, after = play(go())

    assert PAUSE in before
    assert after == before


@pytest.mark.parametrize(
    ("meta", "tool", "name"),
    [
        ({"labels": FLUX}, Tool.FLUX, "apps"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "web"}}, Tool.FLUX_HELM, "web"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}}, Tool.ARGO, "shop"),
        ({"labels": {"argocd.argoproj.io/instance": "shop"}}, Tool.ARGO, "shop"),
        ({"managedFields": [{"manager": "argocd-controller"}]}, Tool.ARGO, ""),
        ({"managedFields": [{"manager": "kustomize-controller"}]}, Tool.FLUX, ""),
        ({"annotations": {"meta.helm.sh/release-name": "web"}}, Tool.HELM, "web"),
    ],
)
def test_who_keeps_a_workload_is_seen_from_its_metadata(meta, tool, name):
    found = steward_of({"metadata": meta})

    assert (found.tool, found.name) == (tool, name)
    assert "deployment/web belongs to" in advice(found, "deployment/web", "")[0]


def test_a_workload_that_nobody_keeps_has_no_steward():
    assert steward_of({"metadata": {"labels": {"app.kubernetes.io/instance": "web"}}}) is None


def test_argo_cds_ways_are_snippets_and_with_an_overlay_that_is_the_best_one():
    tracking = {"argocd.argoproj.io/tracking-id": "team_shop:apps/Deployment:a/web"}
    found = steward_of({"metadata": {"annotations": tracking}})

    without, with_one = (advice(found, "deployment/web", overlay) for overlay in ("", "k8s/overlays/dev"))

    patch = "kubectl -n team patch application shop --type merge -p"
    for said in (without, with_one):
        assert f"""{patch} '{{"spec":{{"syncPolicy":{{"automated":{{"enabled":false}}}}}}}}'`""" in " ".join(said)
        assert "ignoreApplicationDifferences: [{jsonPointers: [/spec/syncPolicy]}]" in " ".join(said)
    assert "`argocd app set team/shop --revision BRANCH --path k8s/overlays/dev`" in with_one[-1]
