"""Flux puts values in place of `${VAR}` in all that it applies: what we emit must not change under its hands."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.compiler import check_plan, compile_plan, read_config, read_manifests
from devcfg.overlays import render_component, render_inverse, render_json_patch, render_plain
from devcfg.runtime.project import shipped
from devcfg.schemas.errors import ConfigError

WORDS = [
    "${HOME}",
    "${X:-y}",
    "${X:=y}",
    "$${X}",
    "$$${X}",
    "${X",
    "$~{X}",
    "$~",
    "$",
    "$$",
    "$(X)",
    "$X",
    "a${X}b${Y}",
]
"""What a command may hold."""
BASE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: web, image: "web:1", env: [{name: A, value: b}]}]}}}
"""


def substitute(text):
    """Do as Flux's `envsubst`: braces with or without a default become a value, two dollars before them one."""

    def value(found):
        return found[0][1:] if found[0].startswith("$$") else found[2] or "SUBSTITUTED"

    return re.sub(r"\$?\$\{(\w*)(?::?[-=+?]([^}]*))?[^}]*\}", value, text)


def compiled(service, **more):
    config = {"version": 1, **more, "services": {"web": {"image": "dev:1", **service}}}
    parsed, base = read_config(json.dumps(config).encode(), file="devcfg.yaml"), read_manifests(BASE, file="base.yaml")
    return compile_plan(parsed, base, shipped=shipped())


def emitted(plan):
    """Return every text that the plan becomes, by a name."""
    texts = render_component(plan, version="0", config_file="devcfg.yaml")
    texts["plain"] = render_plain(plan, everything=True)
    for at, one in enumerate(one for workload in plan.workloads for one in workload.patched):
        texts[f"json-patch {at}"], texts[f"inverse {at}"] = render_json_patch(one), render_inverse(one)
    return texts


@pytest.mark.parametrize(
    ("text", "becomes"),
    [("${X}", "SUBSTITUTED"), ("a${X:-y}b", "ayb"), ("$${X}", "${X}"), ("$X $(X) $$ $~{X}", "$X $(X) $$ $~{X}")],
)
def test_the_substitution_of_these_tests_does_what_flux_does(text, becomes):
    assert substitute(text) == becomes


@given(
    st.lists(st.sampled_from(WORDS) | st.text(alphabet="${}()~X:-a", min_size=1, max_size=8), min_size=1, max_size=5),
    st.sampled_from(WORDS),
)
def test_no_word_of_a_command_is_substituted_in_anything_we_emit(words, line):
    plan = compiled({"command": {"run": ["echo", *words], "build": line}, "sync": [".:/src"]})
    for name, text in emitted(plan).items():
        assert substitute(text) == text, name
        assert "${" not in text, name


@pytest.mark.parametrize("word", ["${X}", "${X:-y}", "$${X}", "a${X}b"])
@pytest.mark.parametrize(
    ("place", "service"),
    [
        ("/services/web/env/A", lambda word: {"env": {"A": word}}),
        (
            "/services/web/env/B",
            lambda word: {"env": {"B": {"valueFrom": {"configMapKeyRef": {"name": word, "key": "k"}}}}},
        ),
        ("/services/web/resources", lambda word: {"resources": {"limits": {word: "1"}}}),
        ("/services/web/patches", lambda word: {"patches": {"spec": {"template": {"spec": {"hostname": word}}}}}),
        ("/images/rewrite/docker.io~1", lambda word: {}),
    ],
)
def test_where_it_would_be_substituted_a_warning_says_so(place, service, word):
    more = {"images": {"rewrite": {"docker.io/": word}}} if place.startswith("/images") else {}
    plan = compiled(service(word), **more)
    assert any(substitute(text) != text for text in emitted(plan).values())
    assert [one.pointer for one in plan.diagnostics if one.code == "flux-substitution"] == [place]


@pytest.mark.parametrize("member", ["image", "workdir"])
def test_what_can_hold_no_dollar_is_refused(member):
    config = {"version": 1, "services": {"web": {member: "/a${X}"}}}
    with pytest.raises(ConfigError):
        check_plan(read_config(json.dumps(config).encode(), file="devcfg.yaml"), read_manifests(BASE, file="b"))
