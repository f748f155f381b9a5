"""A client that wants out of the root, or more memory than there is: neither."""

from __future__ import annotations

import json
import os
import random
import struct

import pytest

from devcfg.runtime.pod.agent import frames
from devcfg.runtime.pod.agent.frames import Frame

BAD_PATHS = [
    "../out/x",
    "/etc/x",
    "a/../../out/x",
    "out",
    ".",
    "",
    "a//b",
    "x" * 256,
    "link/x",
    ".devcfg-tmp-stage/../../o",
]
VERBS = ["open", "scan", "digest", "fetch", "stage", "apply", "mark", "watch", "cookie", "clean", "ignores", "x"]


def request(chance: random.Random, stream: int, root: str) -> list[Frame]:
    """Return the frames of a request that is one, of a client that wants out of the root."""
    path, verb = chance.choice(BAD_PATHS), chance.choice(VERBS)
    entry = chance.choice(
        [["l", "../..", False], ["l", "/etc", False], ["f", "0" * 32, True], ["d", "", False], None, 7]
    )
    item = chance.choice([[path, None, None, entry, 0], [path, entry, None, entry, 0], path, [path], 1])
    record = json.dumps([path, chance.choice([0, 5, -1, 2**62]), "0" * 32, False, 0, chance.choice([0, 1, 2])]).encode()
    stage = struct.pack(">I", chance.choice([len(record), len(record), 2**31])) + record + b"hello"
    members = {"verb": verb, "rule": "r", "path": root, "write": "atomic", "hints": [[path, True]], "volume_id": path}
    data = stage if verb == "stage" else json.dumps([item]).encode() + b"\n"
    return [
        Frame(frames.REQUEST, frames.BULK, stream, json.dumps(members).encode()),
        Frame(frames.DATA, 0, stream, data),
        Frame(frames.END, 0, stream, b""),
    ]


def breach(chance: random.Random) -> bytes:
    """Return bytes that end a session, unless they happen to be a frame."""
    kind, flags, stream = chance.randrange(256), chance.choice([0, 1, 255]), chance.choice([0, 1, 999])
    return struct.pack(">BBHI", kind, flags, stream, chance.choice([0, 4, 8, 2**32 - 1])) + chance.randbytes(20)


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
        assert "volume_id" in agent.ask(1, "open", rule="r", path=str(tmp_path / "root"), write="atomic")
        for stream in range(2, 402):
            asked = request(chance, stream, str(tmp_path / "root"))
            agent.say(*asked)
            agent.hear(frames.REPLY, stream)  # whatever it is: the frames have been read
            agent.heard.clear()
            sent += len(asked)
            if sent >= count:
                break
        agent.say(breach(chance))
        code, log = agent.end()
        assert code in (0, 1), log
        assert "a bug" not in log
        assert "Traceback" not in log
        agent.kill()
        assert tree(tmp_path / "out") == before
        assert sorted(os.listdir(tmp_path)) == ["out", "root", "state"]
    return sent


def test_hostile_frames_write_nothing_outside_the_root(agents, tmp_path):
    assert assail(agents, tmp_path, 2_000, 8) >= 2_000


@pytest.mark.proof
def test_fifty_thousand_hostile_frames_write_nothing_outside_the_root(agents, tmp_path):
    assert assail(agents, tmp_path, 50_000, random.SystemRandom().randrange(2**32)) >= 50_000


@pytest.mark.proof
def test_changes_of_a_million_names_stop_within_memory(agents, tmp_path):
    (tmp_path / "root").mkdir()
    agent = agents()
    assert agent.ask(1, "open", rule="r", path=str(tmp_path / "root"), write="atomic")["empty"] is True
    agent.request(2, "apply", frames.BULK, rule="r")
    pattern = json.dumps([[f"BLOCK/{name}", None, None, ["d", "", False], 0] for name in range(1000)]).encode() + b"\n"
    left = frames.WINDOW
    for block in range(1000):
        line = pattern.replace(b"BLOCK", b"%d" % block)
        while left < len(line):
            frame = agent.hear_any(frames.CREDIT, frames.GOODBYE)
            left += int.from_bytes(frame.payload, "big") if frame.kind == frames.CREDIT else 2**40
            agent.heard[:0] = [frame] if frame.kind == frames.GOODBYE else []
        left -= len(line)
        if not agent.say(Frame(frames.DATA, 0, 2, line)):
            break
    assert "a listing of more than 400000 items" in agent.breached()
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
