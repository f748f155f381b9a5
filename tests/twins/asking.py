"""Whoever asks a service over HTTP while it is debugged: a request may take as long as the program stands still."""

import socket
import threading
import urllib.request

SECONDS = 60.0


def free_port():
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def listens(port):
    """Tell whether anything listens on a port of loopback."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


class Asking:
    """A request under way, as it is while the program stands at a breakpoint."""

    def __init__(self, port, path="/"):
        self.answer = ""
        self.port, self._path = port, path
        self.thread = threading.Thread(target=self._try, daemon=True)

    def ask(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.port}{self._path}", timeout=SECONDS) as answer:
            self.answer = answer.read().decode()

    def _try(self):
        try:
            self.ask()
        except OSError as error:
            self.answer = f"no answer: {error}"

    def begin(self):
        self.thread.start()
        return self

    def end(self):
        self.thread.join(SECONDS)
        return self.answer


def answer_of(port, path="/"):
    """Ask once, and return the answer; what went wrong in its place."""
    return Asking(port, path).begin().end()
