"""What `devcfg status` and `devcfg down` say of workloads that no session here has."""

import json

import pytest

from devcfg.runtime.commands import down as down_command
from devcfg.runtime.commands.control import find
from devcfg.runtime.commands.status import status
from devcfg.runtime.devmode.errors import HeldError
from devcfg.runtime.devmode.lease import this_holder
from devcfg.schemas.naming import INVERSE_ANNOTATION

SPACE = "shop"


@pytest.fixture
def asked(monkeypatch, capsys):
    """Return a function that runs `devcfg status` against a world in memory and returns exit code and output."""

    def run(one, output="human", *, prompt=False):
        async def opened(context=None):
            assert context is None
            return one.world.client("status", namespace=SPACE)

        monkeypatch.setattr("devcfg.runtime.cluster.kube.open_cluster", opened)
        monkeypatch.setenv("KUBECONFIG", "memory")
        code = status(find(None), output, watch=False, prompt=prompt)
        return code, capsys.readouterr().out

    return run


def test_who_has_what_since_when_is_a_table_of_its_own(shop, play, asked):
    one = shop()

    async def go():
        await one.deploy(labels={"kustomize.toolkit.fluxcd.io/name": "apps"})
        return await one.enter()

    entered = play(go())
    code, held = asked(one)
    play(entered.taken[0].lease.release())
    _, stale = asked(one)

    lines = held.splitlines()
    assert code == 0
    assert lines[0].split() == ["SERVICE", "STATE", "WORKLOAD", "HOLDER", "SINCE", "OWNER"]
    assert lines[1].split()[:4] == ["web", "held", "deployment/web", this_holder()]
    assert "flux kustomization `apps`" in lines[1]
    assert "web: no session holds it any more: `devcfg up` goes on with it, `devcfg down --stale` restores it" in stale


def test_programs_and_prompts_get_the_same_in_their_forms(shop, play, asked):
    one = shop()

    async def go():
        await one.deploy()
        await one.enter()

    play(go())
    _, text = asked(one, "json")
    _, prompt = asked(one, prompt=True)

    (row,) = json.loads(text)["services"]
    assert (row["name"], row["workload"], row["state"], row["holder"]) == (
        "web",
        "deployment/web",
        "held",
        this_holder(),
    )
    assert prompt == "web:held\n"


@pytest.mark.parametrize("released", [False, True])
def test_drift_is_exit_3_and_says_who_changed_what(shop, play, asked, released):
    one = shop()

    def edit(found):
        found["spec"]["template"]["spec"]["containers"][0]["image"] = "theirs:1"

    async def go():
        await one.deploy()
        entered = await one.enter()
        if released:
            await entered.taken[0].lease.release()

    play(go())
    before, _ = asked(one)
    one.change(edit, manager="kubectl-edit")
    code, table = asked(one)
    machine, text = asked(one, "json")

    assert (before, code, machine) == (0, 3, 3)
    assert [row["state"] for row in json.loads(text)["services"]] == ["drift"]
    assert (
        "deployment/web: kubectl-edit changed /spec/template/spec/containers/0/image since it is in dev mode: "
        "`devcfg down` restores the rest, and keeps that"
    ) in table


def test_a_record_that_is_damaged_is_drift(shop, play, asked):
    one = shop()

    async def go():
        await one.deploy()
        await one.enter()

    play(go())
    one.change(lambda found: found["metadata"]["annotations"].update({INVERSE_ANNOTATION: "{"}))
    code, table = asked(one)

    assert code == 3
    assert f"the annotation `{INVERSE_ANNOTATION}` of `web` is damaged" in table


def test_the_owner_is_whoever_keeps_it_or_whom_the_record_names(shop, play, asked):
    async def go(one, **meta):
        await one.deploy(**meta)
        entered = await one.enter()
        await entered.taken[0].lease.release()

    owners = []
    for meta in ({}, {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}):
        one = shop()
        play(go(one, **meta))
        owners += [json.loads(asked(one, "json")[1])["services"][0]["owner"]]

    assert owners == [this_holder(), "flux kustomization `apps`"]


def test_nothing_in_dev_mode_is_exit_0_in_every_form(shop, play, asked):
    one = shop()
    play(one.deploy())

    assert asked(one) == (0, "nothing is in dev mode here\n")
    assert asked(one, prompt=True) == (0, "")
    code, text = asked(one, "json")
    assert (code, json.loads(text)) == (0, {"version": 1, "services": []})


def test_a_session_of_ones_own_is_told_from_somebody_elses(shop, play):
    async def go():
        one = shop()
        await one.deploy()
        await one.enter()
        with pytest.raises(HeldError, match=r"a session of yours has it since .*, process \d+ of this machine") as held:
            await one.enter()
        return held.value

    error = play(go())

    assert error.exit_code == 3
    assert "`devcfg up --steal`" in error.hint


def test_down_says_that_a_session_of_ones_own_stops(shop, play, monkeypatch, capsys):
    async def go():
        one = shop()
        before = await one.deploy()
        await one.enter()

        async def opened(context=None):
            assert context is None
            return one.world.client("down", namespace=SPACE)

        monkeypatch.setattr(down_command, "open_cluster", opened)
        await down_command._down(down_command.Request(None, (), everything=False, stale=False, yes=False))
        return before, one.state()

    before, after = play(go())

    assert after == before
    assert "deployment/web: a session of yours has it; it loses it, and stops by itself" in capsys.readouterr().err
