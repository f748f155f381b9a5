"""The agent as a process, spoken to in raw frames, in an address space that has an end."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from devcfg.runtime.pod.agent import frames
from devcfg.runtime.pod.agent.frames import Decoder, Frame

POD = Path(__file__).resolve().parents[5] / "runtime" / "pod"
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
        return self.hear_any(kind, stream=stream)

    def hear_any(self, *kinds: int, stream: int = 0) -> Frame:
        """Return the first frame of one of the kinds, now or later."""
        deadline = time.monotonic() + SECONDS
        while True:
            for frame in self.heard:
                if frame.kind in kinds and frame.stream == stream:
                    self.heard.remove(frame)
                    return frame
            if not self._read(0.05) and self.process.poll() is not None:
                pytest.fail(f"the agent ended: {self.process.stderr.read().decode()}")
            assert time.monotonic() < deadline, f"no frame {kinds} on {stream}"

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

    def breached(self) -> str:
        """Wait for the end of a session that broke the protocol; return its reason."""
        said = json.loads(self.hear(frames.GOODBYE).payload)
        code, log = self.end()
        assert (said["code"], code) == ("protocol", 1)
        assert "the client broke the protocol" in log
        return said["message"]

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
