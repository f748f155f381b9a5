"""An editor that speaks DAP, word by word: what it says and hears can be looked at singly."""

import json
import socket

SECONDS = 60.0


class Dap:
    """An editor attached over DAP, with one breakpoint, in the order that VS Code says things."""

    def __init__(self, port, arguments):
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._file = self._socket.makefile("rb")
        self._seq, self._events, self._answers = 0, [], {}
        self.asked = []
        """What it was asked itself."""
        self._arguments = arguments

    def attach(self, path, line):
        """Attach with a breakpoint at a line of a local file; return whether it is one that can be hit."""
        self.ask("initialize", adapterID="test", clientID="test", pathFormat="path", linesStartAt1=True)
        attaching = self._send("attach", self._arguments)
        self.wait_for("initialized")
        found = self.ask("setBreakpoints", source={"path": str(path)}, breakpoints=[{"line": line}])
        self.ask("configurationDone")
        self._answer(attaching)
        return found["breakpoints"][0]["verified"]

    def stopped(self, name):
        """Wait for the breakpoint; return where it is and the value of a variable, then go on."""
        thread = self.wait_for("stopped")["threadId"]
        frame = self.ask("stackTrace", threadId=thread)["stackFrames"][0]
        value = self.ask("evaluate", expression=name, frameId=frame["id"], context="watch")["result"]
        self.ask("continue", threadId=thread)
        return frame["source"]["path"], frame["line"], value

    def wait_for_output(self, text):
        """Wait until something is said to the user."""
        while text not in (found := self.wait_for("output").get("output", "")):
            pass
        return found

    def refused(self, command, **arguments):
        """Ask for what is not granted, and return the words of the refusal."""
        seq = self._send(command, arguments)
        while seq not in self._answers:
            self._read()
        message = self._answers.pop(seq)
        assert not message["success"], message
        return message["message"]

    def ended(self):
        """Return whether the connection has ended, once it has nothing more to say."""
        try:
            while True:
                self._read()
        except AssertionError:
            return True

    def leave(self):
        """Detach in order; the program goes on."""
        self.ask("disconnect", terminateDebuggee=False)
        self.drop()

    def drop(self):
        """Go without a word."""
        self._file.close()
        self._socket.close()

    def ask(self, command, **arguments):
        return self._answer(self._send(command, arguments))

    def wait_for(self, event):
        while True:
            for at, one in enumerate(self._events):
                if one["event"] == event:
                    return self._events.pop(at).get("body", {})
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
        assert message["success"], message
        return message.get("body", {})

    def _read(self):
        """Take one message: an adapter may answer, and tell events, in any order."""
        length = 0
        while (line := self._file.readline()).strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        assert length, "the connection ended"
        message = json.loads(self._file.read(length))
        if message["type"] == "event":
            self._events.append(message)
        elif message["type"] == "response":
            self._answers[message["request_seq"]] = message
        else:
            self.asked.append(message)
