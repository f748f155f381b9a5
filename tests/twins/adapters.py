"""Debug adapters as a sticky port meets them: scripted, honest or hostile, one connection after the other."""

import json
import socket
import threading

SECONDS = 60.0


def frame(message):
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(data), data)


class Adapter:
    """A server of the protocol. Each connection is played by the next of `scripts`, the last one ever after."""

    def __init__(self, *scripts):
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._scripts = list(scripts)
        self._changed = threading.Condition()
        self.heard = []
        """A list of requests for each connection."""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
            threading.Thread(target=self._play, args=(script, near), daemon=True).start()

    def _play(self, script, near):
        heard = []
        with self._changed:
            self.heard.append(heard)
            self._changed.notify_all()
        connection = Connection(near, lambda one: self._note(heard, one))
        try:
            script(connection)
        except (OSError, EOFError):
            pass
        finally:
            connection.close()

    def _note(self, heard, message):
        with self._changed:
            heard.append(message)
            self._changed.notify_all()

    def wait_for(self, command, connection=-1):
        """Wait until a request came, and return it."""

        def found():
            one = self.heard[connection] if len(self.heard) > max(connection, 0) else []
            return [message for message in one if message.get("command") == command]

        with self._changed:
            assert self._changed.wait_for(found, SECONDS), self.heard
            return found()[-1]

    def commands(self, connection):
        return [one.get("command") for one in self.heard[connection]]

    def close(self):
        self._server.close()


class Connection:
    """One client, as the adapter sees it."""

    def __init__(self, near, note):
        self._near = near
        self._file = near.makefile("rb")
        self._note = note
        self._seq = 0
        self.next_id = 1

    def read(self):
        length = 0
        while (line := self._file.readline()).strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        if not length:
            raise EOFError
        message = json.loads(self._file.read(length))
        self._note(message)
        return message

    def send(self, message):
        self._seq += 1
        self.raw(frame({"seq": self._seq, **message}))

    def raw(self, data):
        self._near.sendall(data)

    def event(self, name, **body):
        self.send({"type": "event", "event": name, "body": body})

    def answer(self, request, **body):
        made = {"type": "response", "request_seq": request["seq"], "command": request["command"], "success": True}
        self.send({**made, "body": body} if body else made)

    def close(self):
        self._file.close()
        self._near.close()


def serve(connection, until=None, first_id=1, on=None):
    """Answer as an adapter does, until a request of the name `until` has come, which is returned unanswered.

    `on` maps the names of requests to what is done instead. Breakpoints are numbered from `first_id` on.
    """
    connection.next_id = first_id
    starting = None
    while True:
        request = connection.read()
        command, arguments = request["command"], request.get("arguments") or {}
        if command == until:
            return request
        if on and command in on:
            on[command](connection, request)
        elif command == "initialize":
            connection.answer(request, supportsConfigurationDoneRequest=True, supportTerminateDebuggee=True)
        elif command == "attach":
            starting = request
            connection.event("initialized")
        elif command == "setBreakpoints":
            asked = arguments.get("breakpoints", [])
            found = [
                {"id": connection.next_id + at, "verified": True, "line": one["line"]} for at, one in enumerate(asked)
            ]
            connection.next_id += len(asked)
            connection.answer(request, breakpoints=found)
        elif command == "configurationDone":
            connection.answer(request)
            if starting is not None:
                connection.answer(starting)
            connection.event("thread", reason="started", threadId=1)
        elif command == "disconnect":
            connection.answer(request)
            return request
        else:
            connection.answer(request, echo=command)
