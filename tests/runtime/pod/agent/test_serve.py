"""The agent's end of the link against clients that are slow, gone or hostile; the agent's address space has an end."""

import contextlib
import json
import os
import random
import resource
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from devcfg.runtime.pod.agent import frames
from devcfg.runtime.pod.agent.frames import Decoder, Frame
from devcfg.runtime.pod.agent.outbox import Outbox
from devcfg.runtime.pod.agent.serve import SILENCE, Serving

POD = Path(__file__).resolve().parents[4] / "runtime" / "pod"
SECONDS = 60.0
SPACE = 768 * 1024 * 1024
"""Bytes of address space; the threads' stacks and arenas take most of it, so a listing that piles up does not fit."""


class RawAgent:
    """One `python3 -m agent`, and what it said."""

    def __init__(self, state: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-m", "agent", str(state)],
            env={**os.environ, "PYTHONPATH": str(POD)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE)),
        )
        self._decoder = Decoder(frames.FROM_AGENT)
        self.heard: list[Frame] = []

    def say(self, *sent: Frame | bytes) -> bool:
        """Write, and read whatever comes meanwhile; False when the agent takes no more."""
        data = memoryview(b"".join(one if isinstance(one, bytes) else one.encode() for one in sent))
        stdin = self.process.stdin.fileno()
        os.set_blocking(stdin, False)
        while data:
            _, writable, _ = select.select([], [stdin], [], 0.001)
            try:
                if writable:
                    data = data[os.write(stdin, data) :]
            except BrokenPipeError:
                return False
            self._read(0)
        return True

    def hello(self) -> None:
        self.say(Frame(frames.HELLO, 0, 0, b'{"protocol":1,"oldest":1,"side":"client"}'))

    def request(self, stream: int, verb: str, flags: int = 0, **members) -> None:
        self.say(Frame(frames.REQUEST, flags, stream, json.dumps({"verb": verb, **members}).encode()))

    def hear(self, kind: int, stream: int = 0) -> Frame:
        """Return the first frame of a kind and stream, now or later."""
        deadline = time.monotonic() + SECONDS
        while True:
            for frame in self.heard:
                if frame.kind == kind and frame.stream == stream:
                    self.heard.remove(frame)
                    return frame
            if not self._read(0.05) and self.process.poll() is not None:
                pytest.fail(f"the agent ended: {self.process.stderr.read().decode()}")
            assert time.monotonic() < deadline, f"no frame {kind} on {stream}"

    def ask(self, stream: int, verb: str, **members) -> dict:
        self.request(stream, verb, **members)
        return json.loads(self.hear(frames.REPLY, stream).payload)

    def _read(self, seconds: float) -> bool:
        stdout = self.process.stdout.fileno()
        if not select.select([stdout], [], [], seconds)[0]:
            return False
        data = os.read(stdout, 1 << 20)
        self.heard.extend(self._decoder.feed(data))
        return bool(data)

    def end(self) -> tuple[int, str]:
        """Close its input; return exit code and log."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        while self._read(0.01) or self.process.poll() is None:
            continue
        return self.process.wait(SECONDS), self.process.stderr.read().decode()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                continue


@pytest.fixture
def agents(tmp_path):
    """Start agents on one state directory; whatever is left is killed."""
    started = []

    def start(*, greet: bool = True) -> RawAgent:
        started.append(RawAgent(tmp_path / "state"))
        if greet:
            started[-1].hello()
        return started[-1]

    yield start
    for one in started:
        one.kill()


def ended(agent):
    """Wait for a breach's end; return its reason."""
    said = json.loads(agent.hear(frames.GOODBYE).payload)
    code, log = agent.end()
    assert said["code"] == "protocol"
    assert code == 1
    assert "the client broke the protocol" in log
    return said["message"]


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
    assert says in ended(agent)


def test_the_first_frame_is_a_hello(agents):
    agent = agents(greet=False)
    agent.say(Frame(frames.PING, 0, 0, b"12345678"))
    assert "wanted HELLO first, found PING" in ended(agent)


def test_no_protocol_in_common_is_said(agents):
    agent = agents(greet=False)
    agent.say(Frame(frames.HELLO, 0, 0, b'{"protocol":9,"oldest":8}'))
    assert "no protocol in common: here 1 to 1" in ended(agent)


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
    assert "more DATA than the window" in ended(agent)


def test_members_without_end_are_a_breach(agents):
    agent = agents()
    agent.request(1, "open", frames.BODY)
    for _ in range(33):
        agent.say(Frame(frames.DATA, 0, 1, b"[" * frames.DATA_LIMIT))
    assert "bytes of JSON" in ended(agent)


def test_too_many_requests_at_once_are_a_breach(agents):
    agent = agents()
    agent.request(1, "open", frames.BODY)  # the worker waits for the rest of it
    for stream in range(2, 100):
        agent.request(stream, "scan", rule="r")
    assert "more than 64 requests at once" in ended(agent)


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


def hostile(chance: random.Random, root: str) -> bytes:
    """Return bytes of a client that wants out of the root, or just wants harm."""
    paths = [
        "../out",
        "/etc/x",
        "a/../../out",
        "out",
        ".",
        "",
        "a//b",
        "x" * 256,
        "link/out",
        ".devcfg-tmp-stage/../../o",
    ]
    path = chance.choice(paths)
    entry = chance.choice(
        [["l", "../..", False], ["l", "/etc", False], ["f", "0" * 32, True], ["d", "", False], None, 7]
    )
    line = json.dumps([chance.choice([[path, None, None, entry, 0], [path, entry, None, entry, 0], path, [path], 1])])
    record = json.dumps([path, chance.choice([0, 5, -1, 2**62]), "0" * 32, False, 0, chance.choice([0, 1, 2])]).encode()
    stage = struct.pack(">I", chance.choice([len(record), 2**31])) + record + b"hello"
    kind = chance.choice([2, 2, 2, 4, 4, 4, 5, 5, 7, chance.randrange(256)])
    verb = chance.choice(["open", "scan", "digest", "fetch", "stage", "apply", "mark", "watch", "cookie", "clean", "x"])
    payload = {
        2: json.dumps({"verb": verb, "rule": "r", "path": root, "write": "atomic", "hints": [[path, True]],
                       "volume_id": path}).encode(),
        4: chance.choice([line.encode() + b"\n", stage, chance.randbytes(40)]),
        5: b"",
        7: b"12345678",
    }.get(kind, chance.randbytes(chance.randrange(30)))  # fmt: skip
    flags = chance.choice([0, 1, 1, 2]) if kind == 2 else 0
    return Frame(kind, flags, chance.randrange(1, 4) if kind in (2, 4, 5) else 0, payload).encode()


def tree(path):
    """Return everything below a directory but the sync root, with content."""
    found = {}
    for folder, names, files in os.walk(path):
        names[:] = [name for name in names if (folder, name) != (str(path), "root")]
        for name in files:
            with open(os.path.join(folder, name), "rb") as file:
                found[os.path.join(folder, name)] = file.read()
        found[folder] = sorted(names + files)
    return found


def assail(agents, tmp_path, count, seed):
    """Send hostile frames to one agent after the other; return how many there were."""
    chance = random.Random(seed)
    (tmp_path / "state").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept").write_text("kept")
    (tmp_path / "root" / "link").symlink_to("../out")
    (tmp_path / "state" / "agent.lock").write_text("")
    before, sent = tree(tmp_path / "out"), 0
    while sent < count:
        agent = agents()
        opening = json.dumps({"verb": "open", "rule": "r", "path": str(tmp_path / "root"), "write": "atomic"}).encode()
        agent.say(Frame(frames.REQUEST, 0, 9, opening))
        going = True
        while going and agent.process.poll() is None and sent < count:
            going = agent.say(*(hostile(chance, str(tmp_path / "root")) for _ in range(5)))
            sent += 5
        code, log = agent.end()
        assert code in (0, 1), log
        assert "a bug" not in log
        assert "Traceback" not in log
        agent.kill()
        assert tree(tmp_path / "out") == before
        assert sorted(os.listdir(tmp_path)) == ["out", "root", "state"]
    return sent


def test_hostile_frames_write_nothing_outside_the_root(agents, tmp_path):
    assert assail(agents, tmp_path, 400, 8) == 400


@pytest.mark.proof
def test_fifty_thousand_hostile_frames_write_nothing_outside_the_root(agents, tmp_path):
    assert assail(agents, tmp_path, 50_000, random.SystemRandom().randrange(2**32)) == 50_000


@pytest.mark.proof
def test_changes_of_a_million_names_stop_within_memory(agents, tmp_path):
    (tmp_path / "root").mkdir()
    agent = agents()
    assert agent.ask(1, "open", rule="r", path=str(tmp_path / "root"), write="atomic")["empty"] is True
    agent.request(2, "apply", frames.BULK, rule="r")
    for block in range(10_000):
        line = json.dumps([[f"{block}/{name}", None, None, ["d", "", False], 0] for name in range(100)]).encode()
        if not agent.say(Frame(frames.DATA, 0, 2, line + b"\n")):
            break
    assert "a listing of more than 400000 items" in ended(agent)
    assert os.listdir(tmp_path / "root") == []


def test_a_record_that_never_ends_is_held_to_its_size(agents, tmp_path):
    (tmp_path / "root").mkdir()
    agent = agents()
    agent.ask(1, "open", rule="r", path=str(tmp_path / "root"), write="atomic")
    header = json.dumps(["a", 3, "0" * 32, False, 0, 0]).encode()
    agent.request(2, "stage", frames.BULK, rule="r")
    agent.say(Frame(frames.DATA, 0, 2, struct.pack(">I", len(header)) + header + b"abc"))
    agent.say(Frame(frames.DATA, 0, 2, b"\xff" * 5000), Frame(frames.END, 0, 2, b""))
    assert json.loads(agent.hear(frames.REPLY, 2).payload)["error"] == "bad-request"
    assert not os.path.exists(tmp_path / "root" / "a")
