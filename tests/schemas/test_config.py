"""The dev config as a value: short forms mean what they stand for, and equal configs are equal."""

import pytest

from devcfg.schemas.config import DevConfig, template_pointer
from devcfg.schemas.patch import Pointer


def service(**fields):
    return DevConfig.validate({"services": {"web": fields}}).services["web"]


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"sync": ["a:/b"]}, {"sync": [{"path": "a", "target": "/b"}]}),
        ({"reload": "none"}, {"reload": {"on": "none"}}),
        ({"reload": "signal:HUP"}, {"reload": {"on": "signal:HUP"}}),
        ({"probes": "keep"}, {"probes": {"liveness": "keep", "readiness": "keep", "startup": "keep"}}),
        ({"command": {"run": "a b"}}, {"command": {"run": ["sh", "-c", "a b"]}}),
        ({"sync": ["./a/:/b/"]}, {"sync": ["a:/b"]}),
        ({}, {"command": {}, "reload": {}, "debug": {}, "probes": {}, "env": {}, "ports": []}),
    ],
)
def test_a_short_form_means_its_long_one(short, long):
    assert service(**short) == service(**long)


def test_leaving_everything_out_means_the_defaults_that_are_documented():
    config = DevConfig.validate({"services": {"web": {}}})
    web = config.services["web"]

    assert (config.version, config.base, config.output.component) == (1, "k8s/base", "k8s/components/devcfg")
    assert (web.mode, web.reload.on, web.reload.stop.signal, web.probes.liveness) == (
        "replace",
        "restart",
        "TERM",
        "remove",
    )
    assert web.workload is web.image is web.command.run is web.replicas is None


def test_null_takes_a_variable_away_and_is_kept():
    assert service(env={"A": None, "B": "x"}).env == {"A": None, "B": "x"}


def test_a_given_template_is_a_pointer():
    assert template_pointer(service()) is None
    assert template_pointer(service(podTemplate="/spec/a~1b")) == Pointer(("spec", "a/b"))
