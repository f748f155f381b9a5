"""Editors as far as a debugger sees them: what they have in common, and those that speak DAP.

Each sets a breakpoint by a local path as its user does, and finds the file of the far side as its own documentation
says.
"""

import json
import os
import socket
import time

SECONDS = 60.0
"""How long anything is waited for, on a loaded machine."""
AGAIN = 1.0
"""Seconds between two tries of an editor that comes back by itself: js-debug and JetBrains' IDEs take as long."""


class GoneError(AssertionError):
    """The connection ended: a failure where nobody waits for that."""


class RefusedError(Exception):
    """The debugger answers with an error."""


class Editor:
    """One editor with one breakpoint."""

    comes_back = False
    """Whether it attaches again by itself after its program has ended, as its user has set it up to."""

    def __init__(self, port, mappings=()):
        self.port, self.mappings = port, mappings
        self.breakpoint = None

    @classmethod
    def to(cls, found):
        """Return the editor for what `devcfg debug -o json` prints."""
        return cls(found["port"], mappings=[(one["local"], one["remote"]) for one in found["path_mappings"]])

    def attach(self, path, line):
        """Attach with a breakpoint at a line of a local file; return whether it is one that can be hit."""
        raise NotImplementedError

    def stand(self, name):
        """Wait until the program stands at the breakpoint; return the local file, the line, a variable's value."""
        raise NotImplementedError

    def go_on(self):
        """Have the program go on from where it stands."""
        raise NotImplementedError

    def leave(self):
        """Detach in order; the program goes on."""
        raise NotImplementedError

    def drop(self):
        """Go without a word, as an editor that is killed."""
        raise NotImplementedError

    def wait_for_end(self):
        """Return once the connection has ended."""
        raise NotImplementedError

    def stopped(self, name):
        """Stand at the breakpoint, and go on."""
        found = self.stand(name)
        self.go_on()
        return found

    def come_back(self):
        """Attach again with the same breakpoint once the program has ended, however often that takes."""
        self.wait_for_end()
        self.drop()
        self.insist(*self.breakpoint)

    def insist(self, path, line):
        """Attach as somebody who tries again where it is refused."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                held = self.attach(path, line)
            except (OSError, GoneError, RefusedError) as error:
                assert time.monotonic() < deadline, f"no way to the program: {error}"
                self.drop()
                time.sleep(AGAIN)
            else:
                assert held, "this breakpoint cannot be hit"
                return

    def remote(self, path):
        """Return where a local file is on the far side."""
        return _mapped(str(path), self.mappings)

    def local(self, path):
        """Return which local file one of the far side is."""
        return _mapped(path, [(far, near) for near, far in self.mappings])


def _mapped(path, mappings):
    for before, after in mappings:
        if path.startswith(before + os.sep):
            return after + path[len(before) :]
    return path


class Dap(Editor):
    """An editor attached over DAP, in the order that VS Code says things. It stays while its program starts anew."""

    comes_back = True

    def __init__(self, port, arguments=None, mappings=()):
        super().__init__(port, mappings)
        self._arguments = arguments
        self._socket = self._file = None

    def arguments(self):
        """Return what this debugger's extension sends with `attach`."""
        return self._arguments or {}

    def connect(self):
        """Connect, and say nothing yet."""
        self._socket = socket.create_connection(("127.0.0.1", self.port), SECONDS)
        self._file = self._socket.makefile("rb")
        self._seq, self._events, self._answers = 0, [], {}

    def attach(self, path, line):
        self.breakpoint = path, line
        self.connect()
        self.ask("initialize", adapterID="test", clientID="test", pathFormat="path", linesStartAt1=True)
        attaching = self._send("attach", self.arguments())
        self.wait_for("initialized", unless=attaching)
        found = self.ask("setBreakpoints", source={"path": self.named(path)}, breakpoints=[{"line": line}])
        self.ask("configurationDone")
        self._answer(attaching)
        return found["breakpoints"][0]["verified"]

    def named(self, path):
        """Return how a local file is named to the debugger: as it is, where that maps paths itself."""
        return str(path)

    def stand(self, name):
        self._thread = self.wait_for("stopped")["threadId"]
        frame = self.ask("stackTrace", threadId=self._thread)["stackFrames"][0]
        value = self.ask("evaluate", expression=name, frameId=frame["id"], context="watch")["result"]
        return frame["source"]["path"], frame["line"], value

    def go_on(self):
        self.ask("continue", threadId=self._thread)

    def leave(self):
        self.ask("disconnect", terminateDebuggee=False)
        self.drop()

    def drop(self):
        if self._socket is not None:
            self._file.close()
            self._socket.close()

    def come_back(self):
        while "reloaded, 1 breakpoint set again" not in self.wait_for("output").get("output", ""):
            pass

    def wait_for_end(self):
        try:
            while True:
                self._read()
        except (GoneError, OSError):
            pass

    def ask(self, command, **arguments):
        return self._answer(self._send(command, arguments))

    def wait_for(self, event, *, unless=0):
        """Return the body of an event, `unless` the request of this number fails."""
        while True:
            for at, one in enumerate(self._events):
                if one["event"] == event:
                    return self._events.pop(at).get("body", {})
            if not self._answers.get(unless, {}).get("success", True):
                refusal = self._answers.pop(unless)
                self.leave()
                raise RefusedError(refusal)
            self._read()

    def _send(self, command, arguments):
        self._seq += 1
        message = {"seq": self._seq, "type": "request", "command": command, "arguments": arguments}
        data = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        return self._seq

    def _answer(self, seq):
        while seq not in self._answers:
            self._read()
        message = self._answers.pop(seq)
        if not message["success"]:
            raise RefusedError(message)
        return message.get("body", {})

    def _read(self):
        """Take one message: an adapter may answer, and tell events, in any order."""
        length = 0
        while (line := self._file.readline()).strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        data = self._file.read(length)
        if not length or len(data) < length:
            raise GoneError
        self.take(json.loads(data))

    def take(self, message):
        """Keep an event or an answer until somebody asks for it."""
        if message["type"] == "event":
            self._events.append(message)
        elif message["type"] == "response":
            self._answers[message["request_seq"]] = message


class Debugpy(Dap):
    """VS Code's debugger for Python: debugpy maps paths itself."""

    def arguments(self):
        mappings = [{"localRoot": local, "remoteRoot": remote} for local, remote in self.mappings]
        return {"justMyCode": False, "pathMappings": mappings}


class Delve(Dap):
    """VS Code's debugger for Go: dlv maps paths itself."""

    def arguments(self):
        return {"mode": "remote", "substitutePath": [{"from": local, "to": remote} for local, remote in self.mappings]}


class Rdbg(Dap):
    """VS Code's debugger for Ruby, with the gem of Ruby 3.1.

    That one maps no paths: `localfsMap` came with a later one, and is left unread. Attaching makes it pause: it tells
    so once for the connection, once for `attach`, or for both together, and once more than it does behind
    `configurationDone`. A `continue` too many would be kept, and have the program run over its next breakpoint.
    """

    def arguments(self):
        return {"localfsMap": ",".join(f"{remote}:{local}" for local, remote in self.mappings)}

    def attach(self, path, line):
        self._untrue = 1
        return super().attach(path, line)

    def named(self, path):
        return self.remote(path)

    def wait_for(self, event, *, unless=0):
        while True:
            found = super().wait_for(event, unless=unless)
            if event != "stopped" or found["reason"] != "pause":
                return found
            if self._untrue:
                self._untrue -= 1
            else:
                self.ask("continue", threadId=found["threadId"])

    def stand(self, name):
        path, line, value = super().stand(name)
        return self.local(path), line, value
