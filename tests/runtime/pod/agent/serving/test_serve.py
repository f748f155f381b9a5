"""The agent's end of the link against clients that are wrong, slow or gone."""

import json
import os
import signal
import struct
import time

import pytest

from devcfg.runtime.pod.agent import frames
from devcfg.runtime.pod.agent.frames import Frame
from devcfg.runtime.pod.agent.outbox import Outbox
from devcfg.runtime.pod.agent.serve import SILENCE, Serving


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ([Frame(frames.DATA, 0, 1, b"x")], "DATA on stream 1, which awaits none"),
        ([Frame(frames.END, 0, 1, b"")], "END on stream 1, which awaits none"),
        ([Frame(frames.CREDIT, 0, 0, struct.pack(">I", 1))], "credit for 1 bytes, where 0 are owed"),
        ([Frame(frames.HELLO, 0, 0, b'{"protocol":1,"oldest":1}')], "a second HELLO"),
        ([Frame(frames.REQUEST, 0, 1, b"[]")], "wanted a JSON object"),
        ([Frame(frames.REQUEST, 0, 1, b"{}")], "a request without a verb"),
        ([Frame(frames.REQUEST, 0, 1, b'{"verb":1}')], "a request without a verb"),
        ([Frame(frames.REPLY, 0, 1, b"{}")], "wanted a frame of this side"),
        ([b"GET / HTTP/1.1\r\n\r\n"], "wanted a frame of this side"),
        ([Frame(frames.REQUEST, frames.BODY, 1, b'{"verb":"scan"}'), Frame(frames.DATA, 0, 1, b"x"),
          Frame(frames.END, 0, 1, b"")], "wanted JSON"),
        ([Frame(frames.REQUEST, frames.BULK, 1, b'{"verb":"x"}'), Frame(frames.REQUEST, 0, 1, b'{"verb":"x"}')],
         "a second request on stream 1"),
    ],
)  # fmt: skip
def test_what_no_client_sends_ends_the_session_with_a_reason(agents, sent, says):
    agent = agents()
    agent.say(*sent)
    assert says in agent.breached()


def test_the_first_frame_is_a_hello(agents):
    agent = agents(greet=False)
    agent.say(Frame(frames.PING, 0, 0, b"12345678"))
    assert "wanted HELLO first, found PING" in agent.breached()


def test_no_protocol_in_common_is_said(agents):
    agent = agents(greet=False)
    agent.say(Frame(frames.HELLO, 0, 0, b'{"protocol":9,"oldest":8}'))
    assert "no protocol in common: here 1 to 1" in agent.breached()


def test_a_verb_that_is_none_is_refused_and_the_session_goes_on(agents):
    agent = agents()
    assert agent.ask(1, "dance")["error"] == "unknown-verb"
    assert agent.ask(2, "scan", rule="r")["error"] == "bad-request"
    assert agent.end()[0] == 0


@pytest.mark.parametrize(
    ("verb", "members"),
    [
        ("open", {}),
        ("open", {"rule": "", "path": "/", "write": "atomic"}),
        ("open", {"rule": "r", "path": "/x\0", "write": "atomic"}),
        ("open", {"rule": "r", "path": "/", "write": "sideways"}),
        ("scan", {"rule": 7}),
        ("cookie", {"rule": "r"}),
        ("process", {"name": "here"}),
        ("probe", {"tcp": {"port": -1}}),
    ],
)
def test_members_that_cannot_be_are_refused(agents, verb, members):
    assert agents().ask(1, verb, **members)["error"] == "bad-request"


def test_data_beyond_the_window_is_a_breach(agents):
    agent = agents()
    agent.request(1, "open", frames.BODY)  # the worker waits for the rest of it
    agent.request(2, "open", frames.BODY)
    for _ in range(33):
        agent.say(Frame(frames.DATA, 0, 2, b"[" * frames.DATA_LIMIT))
    assert "more DATA than the window" in agent.breached()


def test_members_without_end_are_a_breach(agents):
    agent = agents()
    agent.request(1, "open", frames.BODY)
    for _ in range(33):
        agent.say(Frame(frames.DATA, 0, 1, b"[" * frames.DATA_LIMIT))
    assert "bytes of JSON" in agent.breached()


def test_too_many_requests_at_once_are_a_breach(agents):
    agent = agents()
    agent.request(1, "open", frames.BODY)  # the worker waits for the rest of it
    for stream in range(2, 100):
        agent.request(stream, "scan", rule="r")
    assert "more than 64 requests at once" in agent.breached()


def test_a_flood_of_pings_from_a_client_that_does_not_read_costs_no_memory(agents):
    agent = agents()
    stdin = agent.process.stdin.fileno()
    os.set_blocking(stdin, True)
    flood = memoryview(Frame(frames.PING, 0, 0, b"12345678").encode() * 60_000)
    while flood:  # and nothing of what comes back is read
        flood = flood[os.write(stdin, flood) :]
    agent.process.stdin.close()
    assert agent.process.wait(60) == 0


def test_a_client_that_goes_ends_the_agent(agents):
    agent = agents()
    agent.hear(frames.HELLO)
    assert agent.end() == (0, "")


def test_a_goodbye_ends_the_agent_with_its_input_still_open(agents):
    agent = agents()
    agent.say(Frame(frames.GOODBYE, 0, 0, b"{}"))
    assert agent.process.wait(60) == 0


def test_the_newest_session_wins_and_the_older_says_so(agents):
    older = agents()
    older.hear(frames.HELLO)
    newer = agents()
    newer.hear(frames.HELLO)
    assert json.loads(older.hear(frames.GOODBYE).payload)["code"] == "superseded"
    older.process.wait(60)
    assert newer.ask(1, "dance")["error"] == "unknown-verb"


def test_an_older_session_that_stands_still_is_killed(agents):
    older = agents()
    older.hear(frames.HELLO)
    os.kill(older.process.pid, signal.SIGSTOP)
    newer = agents()
    newer.hear(frames.HELLO)
    assert older.process.wait(60) == -signal.SIGKILL


def test_ten_sessions_at_once_leave_one(agents):
    started = [agents() for _ in range(10)]
    deadline = time.monotonic() + 60
    while sum(one.process.poll() is None for one in started) > 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (left,) = [one for one in started if one.process.poll() is None]
    assert left.ask(1, "dance")["error"] == "unknown-verb"


def test_a_lock_of_a_process_that_is_gone_is_taken(agents, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "agent.lock").write_text(f"{os.getpid()} 1")  # a number that somebody else has by now
    agents().hear(frames.HELLO)


def test_silence_ends_the_agent(monkeypatch):
    source, _held = os.pipe()
    heard, sink = os.pipe()
    times = iter([0.0, SILENCE, SILENCE + 0.1])
    try:
        assert Serving(source, Outbox(sink), print, clock=lambda: next(times)).run({"protocol": 1}) == 1
    finally:
        for descriptor in (source, _held, heard, sink):
            os.close(descriptor)


def test_the_greeting_goes_before_the_answer_to_a_ping_that_came_with_the_clients_own():
    heard, sink = os.pipe()
    outbox = Outbox(sink)
    try:
        outbox.hello({"protocol": 1})
        outbox.pong(b"12345678")
        outbox.goodbye("closed", "")
        outbox.run()
        sent = frames.Decoder(frames.FROM_AGENT).feed(os.read(heard, 1 << 16))
        assert [one.kind for one in sent] == [frames.HELLO, frames.PONG, frames.GOODBYE]
    finally:
        os.close(heard)
        os.close(sink)
