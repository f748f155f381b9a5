"""An editor that speaks CDP to Node's inspector, as js-debug does: over a WebSocket, coming back each second."""

import base64
import json
import os
import socket
import struct

from editors import SECONDS, Editor, GoneError

FIN, TEXT, CLOSE, PING, PONG, MASK = 0x80, 0x1, 0x8, 0x9, 0xA, 0x80


class Inspector(Editor):
    """js-debug with `localRoot`, `remoteRoot` and `restart: true`."""

    comes_back = True

    def __init__(self, port, mappings=()):
        super().__init__(port, mappings)
        self._socket = None

    def attach(self, path, line):
        self.breakpoint = path, line
        place = self._get("/json/list")[0]["webSocketDebuggerUrl"].rpartition("/")[2]
        self._socket = WebSocket(self.port, f"/{place}")
        self._count, self._answers, self._events, self._scripts = 0, {}, [], {}
        self.ask("Runtime.enable")
        self.ask("Debugger.enable")
        url = f"file://{self.remote(path)}"
        found = self.ask("Debugger.setBreakpointByUrl", url=url, lineNumber=line - 1)
        self.ask("Runtime.runIfWaitingForDebugger")
        if not found["locations"]:  # the program has not come to load that file
            self._wait_for("Debugger.breakpointResolved")
        return True

    def stand(self, name):
        frame = self._wait_for("Debugger.paused")["callFrames"][0]
        asked = {"callFrameId": frame["callFrameId"], "expression": f"String({name})"}
        value = self.ask("Debugger.evaluateOnCallFrame", **asked)["result"]["value"]
        place = frame["location"]
        return self.local(self._scripts[place["scriptId"]].removeprefix("file://")), place["lineNumber"] + 1, value

    def go_on(self):
        self.ask("Debugger.resume")

    def leave(self):
        self.ask("Debugger.disable")
        self._socket.say_goodbye()
        self.drop()

    def drop(self):
        if self._socket is not None:
            self._socket.drop()

    def wait_for_end(self):
        try:
            while True:
                self._read()
        except (GoneError, OSError):
            pass

    def ask(self, method, **params):
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": params}))
        while self._count not in self._answers:
            self._read()
        answer = self._answers.pop(self._count)
        assert "error" not in answer, answer
        return answer["result"]

    def _wait_for(self, method):
        while True:
            for at, one in enumerate(self._events):
                if one["method"] == method:
                    return self._events.pop(at)["params"]
            self._read()

    def _read(self):
        message = json.loads(self._socket.receive())
        if "id" in message:
            self._answers[message["id"]] = message
        elif message["method"] == "Debugger.scriptParsed":
            self._scripts[message["params"]["scriptId"]] = message["params"]["url"]
        elif message["method"] == "Runtime.executionContextDestroyed":
            raise GoneError  # the program has ended, and Node stays until its debugger has gone
        else:
            self._events.append(message)

    def _get(self, path):
        with socket.create_connection(("127.0.0.1", self.port), SECONDS) as one:
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            file = one.makefile("rb")
            length = int(_head(file)["content-length"])
            return json.loads(file.read(length))


def _head(file):
    """Read the head of an HTTP answer."""
    lines = []
    while (line := file.readline().strip()) or not lines:
        if not line:
            raise GoneError
        lines.append(line.decode())
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


class WebSocket:
    """A WebSocket's client side: whole messages of text."""

    def __init__(self, port, path):
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._file = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        wanted = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13"
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{wanted}\r\n\r\n".encode())
        assert "sec-websocket-accept" in _head(self._file)

    def send(self, text):
        self._frame(TEXT, text.encode())

    def say_goodbye(self):
        """Close in order: the other side answers with its own word."""
        self._frame(CLOSE, b"")
        try:
            while True:
                self.receive()
        except (GoneError, OSError):
            pass

    def receive(self):
        """Return the next message. Raises `GoneError`."""
        text = b""
        while True:
            first, second = self._take(2)
            length = second & ~MASK
            if length >= 126:
                (length,) = struct.unpack(">H" if length == 126 else ">Q", self._take(2 if length == 126 else 8))
            data = self._take(length)
            match first & 0xF:
                case 0x8:
                    raise GoneError
                case 0x9:
                    self._frame(PONG, data)
                case 0xA:
                    pass
                case _:
                    text += data
                    if first & FIN:
                        return text

    def drop(self):
        self._file.close()
        self._socket.close()

    def _frame(self, kind, data):
        length = len(data)
        size = bytes([MASK | length]) if length < 126 else struct.pack(">BH", MASK | 126, length)
        assert length < 1 << 16
        key = os.urandom(4)
        masked = bytes(one ^ key[at % 4] for at, one in enumerate(data))
        self._socket.sendall(bytes([FIN | kind]) + size + key + masked)

    def _take(self, count):
        data = self._file.read(count)
        if len(data) < count:
            raise GoneError
        return data
