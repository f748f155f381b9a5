"""An editor as far as Xdebug sees it: it listens, speaks DBGp, and maps paths as PHP's editors do."""

import base64
import socket
import threading
import xml.etree.ElementTree as ET

SECONDS = 60.0
NAMESPACE = "{urn:debugger_protocol_v1}"


class Dbgp:
    """Listens on a port with one breakpoint, at a line of a local file, and takes one connection after the other."""

    def __init__(self, port, mappings, path, line):
        self._server = socket.create_server(("127.0.0.1", port))
        self._server.settimeout(SECONDS)
        self._mappings = [(one["remote"], one["local"]) for one in mappings]
        self._path, self._line = str(path), line

    def close(self):
        self._server.close()

    def stop_at(self, name, ask, *, leave=None):
        """Have `ask` done; return where it stopped as the editor knows it, and a variable's value; then go on.

        With `leave` the connection is ended at the breakpoint by that, without a word.
        """
        asking = threading.Thread(target=ask)
        asking.start()
        connection, _ = self._server.accept()
        connection.settimeout(SECONDS)
        with connection, connection.makefile("rb") as stream:
            found = self._session(connection, stream, name, leave)
        asking.join(SECONDS)
        return found

    def _session(self, connection, stream, name, leave):
        assert _read(stream).tag == f"{NAMESPACE}init"
        uri = "file://" + self._moved(self._path, local_first=True)
        _ask(connection, stream, 1, "breakpoint_set", f"-t line -f {uri} -n {self._line}")
        where = _ask(connection, stream, 2, "run")
        (message,) = where
        value = _ask(connection, stream, 3, "property_get", f"-n ${name}")[0]
        text = value.text if value.get("encoding") != "base64" else base64.b64decode(value.text).decode()
        place = self._moved(message.get("filename").removeprefix("file://"), local_first=False)
        if leave is not None:
            leave(connection)
        else:
            assert _ask(connection, stream, 4, "run").get("status") == "stopping"
            connection.sendall(b"stop -i 5\0")  # at the end of its request it waits for a last word
        return place, int(message.get("lineno")), text

    def _moved(self, path, *, local_first):
        for remote, local in self._mappings:
            before, after = (local, remote) if local_first else (remote, local)
            if path.startswith(before + "/"):
                return after + path[len(before) :]
        raise AssertionError(f"nothing maps {path}")


def _ask(connection, stream, number, command, more=""):
    # A space at the end would be an error of its grammar.
    connection.sendall(" ".join(filter(None, (command, f"-i {number}", more))).encode() + b"\0")
    while True:
        answer = _read(stream)
        if answer.get("transaction_id") == str(number):
            assert answer.find(f"{NAMESPACE}error") is None, ET.tostring(answer)
            return answer


def _read(stream):
    length = b""
    while (one := stream.read(1)) != b"\0":
        assert one, "the connection ended"
        length += one
    text = stream.read(int(length))
    assert stream.read(1) == b"\0"
    return ET.fromstring(text)
