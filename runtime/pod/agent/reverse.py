"""Ports of the pod's loopback that lead to the laptop: listeners and their connections. Never dials, nor keeps bytes.

The client pulls: it asks for a connection, for the next bytes of one, and sends the next only when the last are in the
socket. So a peer that does not read holds up its own connection, never the link.
"""

from __future__ import annotations

import os
import socket
import threading
from typing import Any, Callable, Iterable

from .serve import Call, RequestError

PORTS = 16
CONNECTIONS = 16
"""The connections that are open at a time; further ones wait in the kernel's queue."""
PIECE = 64 * 1024
"""The bytes of one answer, and of one request."""


class Reverse:
    """The listeners of one session. They end with the process, which ends with the link."""

    def __init__(self, start: Callable[[Callable[[], None]], None]) -> None:
        self._start = start
        self._listeners: dict[int, socket.socket] = {}
        self._open: dict[str, socket.socket] = {}
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(CONNECTIONS)

    def handle(self, call: Call) -> None:
        """Do one request of the verb; what waits for somebody waits in a thread of its own."""
        action = call.members.get("action")
        if action == "listen":
            self._listen(_port(call.members))
            call.answer({})
        elif action == "accept":
            listener = self._listeners.get(_port(call.members))
            if listener is None:
                raise RequestError("not-listening", "that port was not asked for")
            self._start(lambda: self._accept(call, listener))
        elif action == "read":
            one = self._connection(call.members)
            self._start(lambda: call.answer_bulk({}, _received(one)))
        elif action == "write":
            one, data = self._connection(call.members), _whole(call.bulk)
            self._start(lambda: _send(call, one, data))
        elif action == "finish":
            _shut(self._connection(call.members), socket.SHUT_WR)
            call.answer({})
        elif action == "close":
            self._close(call.members.get("id"))
            call.answer({})
        else:
            raise RequestError("bad-request", "`action` is listen, accept, read, write, finish or close")

    def _listen(self, port: int) -> None:
        if port in self._listeners:
            return
        if len(self._listeners) == PORTS:
            raise RequestError("bad-request", f"more than {PORTS} ports")
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(CONNECTIONS)
        except OSError as exc:
            listener.close()
            raise RequestError("taken", f"port {port} of the pod: {(exc.strerror or str(exc)).lower()}") from exc
        self._listeners[port] = listener

    def _accept(self, call: Call, listener: socket.socket) -> None:
        self._room.acquire()
        try:
            one, _ = listener.accept()
        except OSError as exc:
            self._room.release()
            call.fail("system", str(exc))
            return
        # Of no use in the next session, whose connections are others.
        name = os.urandom(8).hex()
        with self._lock:
            self._open[name] = one
        call.answer({"id": name})

    def _connection(self, members: dict[str, Any]) -> socket.socket:
        with self._lock:
            one = self._open.get(str(members.get("id")))
        if one is None:
            raise RequestError("gone", "there is no such connection")
        return one

    def _close(self, name: Any) -> None:
        with self._lock:
            one = self._open.pop(str(name), None)
        if one is not None:
            _shut(one, socket.SHUT_RDWR)  # wakes whoever reads from it or writes to it
            one.close()
            self._room.release()


def _port(members: dict[str, Any]) -> int:
    port = members.get("port")
    if not isinstance(port, int) or not 0 < port < 65536:
        raise RequestError("bad-request", "`port` is a number from 1 to 65535")
    return port


def _received(one: socket.socket) -> Iterable[bytes]:
    try:
        data = one.recv(PIECE)
    except OSError:
        data = b""
    return (data,) if data else ()


def _send(call: Call, one: socket.socket, data: bytes) -> None:
    try:
        one.sendall(data)
    except OSError:
        call.fail("gone", "whoever connected has gone")
    else:
        call.answer({})


def _whole(pieces: Iterable[bytes]) -> bytes:
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) > PIECE:
            raise RequestError("bad-request", f"more than {PIECE} bytes at once")
    return bytes(held)


def _shut(one: socket.socket, how: int) -> None:
    try:
        one.shutdown(how)
    except OSError:
        return
