"""The local port that a service keeps, whoever asks."""

from devcfg.runtime.ide.ports import COUNT, FIRST, local_port


def test_a_service_keeps_its_port_on_every_machine():
    assert local_port("shop", "web") == local_port("shop", "web")
    assert local_port("shop", "web") != local_port("shop", "api")


def test_every_port_is_below_those_that_a_system_gives_away():
    assert all(FIRST <= local_port("shop", str(number)) < FIRST + COUNT for number in range(2000))
