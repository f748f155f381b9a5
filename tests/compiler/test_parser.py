"""From text to `DevConfig`: every error at once, each at its place, and none twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcfg.compiler.parser import read_config
from devcfg.schemas.codes import CODES
from devcfg.schemas.errors import ConfigError


def wrong(text):
    with pytest.raises(ConfigError) as raised:
        read_config(text.encode(), file="devcfg.yaml")
    return raised.value.diagnostics


def test_a_config_may_say_nothing_but_a_service():
    config = read_config(b"services: {web: {}}\n", file="f").config

    assert (config.version, config.base, list(config.services)) == (1, "k8s/base", ["web"])


def test_every_error_comes_at_once_and_in_order():
    text = "version: 2\nbase:\nservices:\n  web:\n    imag: a\n    ports: [x]\n    command: {rum: [a]}\n"
    found = wrong(text)

    assert [(one.code, one.span.line) for one in found] == [
        ("bad-value", 1),
        ("wrong-type", 2),
        ("unknown-key", 5),
        ("bad-port", 6),
        ("unknown-key", 7),
    ]


@pytest.mark.parametrize(
    ("slip", "meant"),
    [("environment", "env"), ("volumes", "persist"), ("imgae", "image"), ("Command", "command"), ("port", "ports")],
)
def test_an_unknown_key_leads_to_the_nearest(slip, meant):
    (found,) = wrong(f"services: {{web: {{{slip}: {{}}}}}}\n")

    assert (found.code, found.label) == ("unknown-key", f"did you mean `{meant}`?")


def test_a_required_key_with_a_slip_is_one_mistake():
    (found,) = wrong("services: {web: {sync: [{path: a, traget: /b}]}}\n")

    assert (found.code, found.label) == ("unknown-key", "did you mean `target`?")


def test_keys_that_are_missing_are_named_together():
    (found,) = wrong("services: {web: {sync: [{}]}}\n")

    assert found.code == "missing-key"
    assert "`path` and `target` are missing" in found.message


@pytest.mark.parametrize("key", ["base", "namespace", "output", "images", "services"])
def test_null_is_never_a_way_to_leave_a_key_out(key):
    found = wrong(f"{key}:\n" + ("" if key == "services" else "services: {web: {}}\n"))

    assert [one.code for one in found] == ["wrong-type"]
    assert found[0].span.line == 1


JUNK = st.recursive(
    st.sampled_from(["null", "true", "1", "1.5", "''", "text", "'a:/b'", "-1", ".inf", "~"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from(["path", "on", "run", "a", "A", "limits"]), inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        )
    ),
    max_leaves=6,
)
KEYS = ["workload", "image", "command", "sync", "reload", "debug", "ports", "env", "resources", "persist", "probes"]


@given(st.dictionaries(st.sampled_from([*KEYS, "user", "patches", "replicas", "clock", "podTemplate"]), JUNK))
def test_whatever_stands_at_a_key_is_taken_or_refused_with_a_place(service):
    text = "services:\n  web:\n    image: a\n" if "image" not in service else "services:\n  web:\n"
    text += "".join(f"    {key}: {value}\n" for key, value in service.items())
    try:
        read_config(text.encode(), file="devcfg.yaml")
    except ConfigError as error:
        lines = text.split("\n")
        for one in error.diagnostics:
            assert one.code in CODES
            assert one.message and one.span is not None
            assert 1 <= one.span.column <= len(lines[one.span.line - 1]) + 1
        places = [(one.span.line, one.span.column) for one in error.diagnostics]
        assert places == sorted(set(places))
