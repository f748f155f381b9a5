"""What a client may ask of reverse ports, and what it is refused: nothing of it ends the session or grows."""

import json
import socket

import pytest

from devcfg.runtime.pod.agent import frames
from devcfg.runtime.pod.agent.frames import Frame
from devcfg.runtime.pod.agent.reverse import CONNECTIONS, PIECE, PORTS


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def reverse(agent, stream, action, **members):
    return agent.ask(stream, "reverse", action=action, **members)


@pytest.mark.parametrize(
    ("action", "members", "error"),
    [
        ("listen", {"port": 0}, "bad-request"),
        ("listen", {"port": 65536}, "bad-request"),
        ("listen", {"port": "80"}, "bad-request"),
        ("accept", {"port": 1}, "not-listening"),
        ("read", {"id": "none"}, "gone"),
        ("finish", {"id": ["x"]}, "gone"),
        ("dial", {}, "bad-request"),
    ],
)
def test_what_makes_no_sense_is_refused_and_the_session_goes_on(agents, action, members, error):
    agent = agents()

    assert reverse(agent, 1, action, **members)["error"] == error
    assert reverse(agent, 2, "close", id="none") == {}


def test_only_loopback_is_listened_on_and_a_port_that_is_taken_is_said(agents):
    agent, port = agents(), free_port()

    assert reverse(agent, 1, "listen", port=port) == {}
    with socket.create_server(("127.0.0.2", port)):  # free: the agent has not taken every address
        pass
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = reverse(agent, 2, "listen", port=taken.getsockname()[1])
    assert (refused["error"], "address already in use" in refused["message"]) == ("taken", True)


def test_more_ports_than_a_config_needs_are_refused(agents):
    agent = agents()
    answers = [reverse(agent, one + 1, "listen", port=free_port()) for one in range(PORTS + 1)]

    assert [one.get("error") for one in answers] == [None] * PORTS + ["bad-request"]


def test_a_piece_that_is_too_long_is_refused(agents):
    agent, port = agents(), free_port()
    reverse(agent, 1, "listen", port=port)
    with socket.create_connection(("127.0.0.1", port)):
        name = reverse(agent, 2, "accept", port=port)["id"]
        agent.request(3, "reverse", frames.BULK, action="write", id=name)
        agent.say(Frame(frames.DATA, 0, 3, b"x" * (PIECE + 1)), Frame(frames.END, 0, 3, b""))

        assert json.loads(agent.hear(frames.REPLY, 3).payload)["error"] == "bad-request"


def test_no_more_connections_are_taken_than_have_room_until_one_is_closed(agents):
    agent, port = agents(), free_port()
    reverse(agent, 1, "listen", port=port)
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS + 1)]
    names = [reverse(agent, 2 + one, "accept", port=port)["id"] for one in range(CONNECTIONS)]
    agent.request(50, "reverse", action="accept", port=port)
    assert reverse(agent, 51, "close", id="none") == {}
    assert not [frame for frame in agent.heard if frame.stream == 50]

    reverse(agent, 52, "close", id=names[0])

    assert json.loads(agent.hear(frames.REPLY, 50).payload)["id"] not in names
    for one in clients:
        one.close()
