"""The names of what dev mode adds fit Kubernetes' limits and never meet."""

import re
from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.schemas import naming as names
from devcfg.schemas.fields import LABEL, SUBDOMAIN
from devcfg.schemas.patch import Target

LABELS = st.from_regex(LABEL, fullmatch=True)
WORKLOADS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PATHS = st.lists(st.text(ascii_lowercase + "AZ09._-", min_size=1, max_size=30), min_size=1, max_size=6).map(
    lambda parts: "/" + "/".join(parts)
)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target("apps", "v1", "Deployment", "web"), "deployment.web"),
        (Target("batch", "v1", "CronJob", "nightly"), "cronjob.nightly"),
        (Target("", "v1", "Pod", "one"), "pod.one"),
        (Target("argoproj.io", "v1alpha1", "Rollout", "web"), "rollout.argoproj.io.web"),
    ],
)
def test_an_id_names_kind_and_workload_and_foreign_groups(target, expected):
    assert names.workload_id(target) == expected


def test_a_long_id_keeps_41_characters_and_10_of_its_digest():
    found = names.workload_id(Target("apps", "v1", "Deployment", "a" * 60))

    assert re.fullmatch(r"deployment\.a{30}-[0-9a-f]{10}", found)


@given(LABELS, PATHS)
def test_volume_names_are_labels(service, path):
    assert LABEL.fullmatch(names.volume_name(service, path))


@given(WORKLOADS, LABELS, PATHS)
def test_claim_and_config_map_names_are_subdomains(workload, service, path):
    identity = names.workload_id(Target("apps", "v1", "Deployment", workload))

    assert SUBDOMAIN.fullmatch(names.claim_name(identity, service, path))
    assert SUBDOMAIN.fullmatch(names.config_map_name(identity))


@given(LABELS, PATHS, PATHS)
def test_two_paths_never_share_a_volume(service, one, other):
    assert (names.volume_name(service, one) == names.volume_name(service, other)) == (one == other)


@given(LABELS)
def test_the_name_part_of_the_container_annotation_fits(service):
    assert len(names.container_annotation(service).partition("/")[2]) <= 63
