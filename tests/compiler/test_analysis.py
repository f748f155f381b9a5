"""Bind and check: what is selected, grouped by workload, and refused before anything is lowered."""

import pytest

from devcfg.compiler import read_config, read_manifests
from devcfg.compiler.analysis import analyse, check_plan, selected
from devcfg.schemas.errors import ConfigError, UsageError


def parsed(text):
    return read_config(text.encode(), file="devcfg.yaml")


TWO = "services:\n  web: {}\n  api: {}\n"


def test_services_are_selected_in_the_order_of_the_config():
    config = parsed(TWO).config

    assert selected(config, ()) == ("web", "api")
    assert selected(config, ("api", "web", "api")) == ("web", "api")
    assert selected(config, ("api",)) == ("api",)


def test_a_service_that_is_not_there_leads_to_the_nearest():
    with pytest.raises(UsageError) as raised:
        selected(parsed(TWO).config, ("wbe",))

    assert raised.value.hint == "did you mean `web`?"


def test_only_what_is_selected_must_be_in_the_base(workload):
    base = read_manifests(workload(), file="base.yaml")

    assert [one.service for group in analyse(parsed(TWO), base, ("web",)).groups for one in group] == ["web"]
    with pytest.raises(ConfigError):
        analyse(parsed(TWO), base, ())


def test_services_of_one_workload_are_one_group(workload):
    config = parsed("services: {web: {}, api: {}, side: {workload: deployment/web}}\n")
    base = read_manifests(workload(containers=["web", "side"]) + "---\n" + workload("api"), file="base.yaml")
    groups = analyse(config, base, ()).groups

    assert [[one.service for one in group] for group in groups] == [["web", "side"], ["api"]]


def test_services_of_one_workload_agree_on_replicas(workload):
    config = "services: {web: {replicas: 1}, side: {workload: deployment/web, replicas: 2}}\n"
    base = read_manifests(workload(containers=["web", "side"]), file="base.yaml")
    with pytest.raises(ConfigError) as raised:
        check_plan(parsed(config), base)

    assert [one.code for one in raised.value.diagnostics] == ["replicas-conflict"]


def test_checking_tries_the_users_patches_too(workload):
    config = parsed("services: {web: {patches: [{op: remove, path: /spec/nothing}]}}\n")
    with pytest.raises(ConfigError) as raised:
        check_plan(config, read_manifests(workload(), file="base.yaml"))

    assert [one.code for one in raised.value.diagnostics] == ["patch-fails"]
