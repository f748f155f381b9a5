"""The Python entry as VS Code uses it: every key goes to a real debugpy, over the port that the entry names."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from devcfg.compiler.parser import read_config
from devcfg.runtime.debug.adapters.adapter import Traces
from devcfg.runtime.debug.choice import choose
from devcfg.runtime.ide.entries import attach_to
from devcfg.runtime.ide.vscode import attach_entry

APP = """import time


def answer():
    found = 41
    return found + 1


while True:
    answer()
    time.sleep(0.05)
"""


class Client:
    """Speaks DAP over one connection, as an editor does."""

    def __init__(self, port, process):
        self.socket = connected(port, process)
        self.file = self.socket.makefile("rwb")
        self.sent = 0
        self.heard = []

    def ask(self, command, **arguments):
        self.sent += 1
        body = json.dumps({"seq": self.sent, "type": "request", "command": command, "arguments": arguments}).encode()
        self.file.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.file.flush()
        return self.sent

    def hear(self, fits):
        """Return the first message that fits, of those that came and those that come."""
        while not any(map(fits, self.heard)):
            size = 0
            while (line := self.file.readline()) != b"\r\n":
                assert line, "the debugger has hung up"
                name, _, value = line.partition(b":")
                size = int(value) if name.lower() == b"content-length" else size
            self.heard.append(json.loads(self.file.read(size)))
        return next(filter(fits, self.heard))

    def get(self, command, **arguments):
        number = self.ask(command, **arguments)
        answer = self.hear(lambda one: one.get("request_seq") == number)
        assert answer["success"], answer
        return answer.get("body")


def connected(port, process):
    while process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        time.sleep(0.05)
    pytest.fail("debugpy has ended")


@pytest.fixture
def port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_a_breakpoint_by_the_local_path_stops_the_process_of_the_pod(tmp_path, port):
    pytest.importorskip("debugpy")
    local, remote = tmp_path / "project/src/app.py", tmp_path / "pod/app.py"
    for path in (local, remote):
        path.parent.mkdir(parents=True)
        path.write_text(APP)
    text = f"services: {{web: {{command: {{run: [python3, app.py]}}, sync: [{{path: src, target: {remote.parent}}}]}}}}"
    service = read_config(text.encode(), file="devcfg.yaml").config.services["web"]
    debugger = choose("web", service, Traces(service.command.run))
    attach = attach_to("web", service, debugger, port)
    entry = json.loads(json.dumps(attach_entry(attach)).replace("${workspaceFolder}", str(tmp_path / "project")))
    listen = f"{entry['connect']['host']}:{entry['connect']['port']}"
    words = [sys.executable, "-Xfrozen_modules=off", "-m", "debugpy", "--listen", listen, "app.py"]
    process = subprocess.Popen(words, cwd=remote.parent, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        client = Client(port, process)
        client.get("initialize", adapterID=entry["type"], pathFormat="path", linesStartAt1=True)
        client.ask("attach", **entry)
        client.hear(lambda one: one.get("event") == "initialized")
        points = client.get("setBreakpoints", source={"path": str(local)}, breakpoints=[{"line": 6}])["breakpoints"]
        client.ask("configurationDone")
        thread = client.hear(lambda one: one.get("event") == "stopped")["body"]["threadId"]
        frame = client.get("stackTrace", threadId=thread)["stackFrames"][0]

        assert points[0]["verified"]
        assert (frame["source"]["path"], frame["line"]) == (str(local), 6)
        assert client.get("evaluate", expression="found", frameId=frame["id"])["result"] == "41"

        client.get("disconnect", terminateDebuggee=False)
        client.socket.close()
        assert process.poll() is None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
