"""An editor that speaks JDWP to a JVM, as IDEs do: a source is found by the name of its class, and no path is mapped.

The numbers are those of the specification of JDWP in the documentation of the JDK.
"""

import re
import socket
import struct
from pathlib import Path

from editors import SECONDS, Editor, GoneError, RefusedError

HANDSHAKE = b"JDWP-Handshake"
REPLY = 0x80
VERSION, CLASSES_BY_SIGNATURE, DISPOSE, ID_SIZES, RESUME, ALL_CLASSES = (1, 1), (1, 2), (1, 6), (1, 7), (1, 9), (1, 3)
SIGNATURE, METHODS = (2, 1), (2, 5)
LINE_TABLE, VARIABLE_TABLE = (6, 1), (6, 2)
STRING_VALUE = (10, 1)
FRAMES = (11, 6)
SET, CLEAR = (15, 1), (15, 2)
GET_VALUES = (16, 1)
COMPOSITE = (64, 100)
BREAKPOINT, CLASS_PREPARE, VM_START, VM_DEATH = 2, 8, 90, 99
ALONE = 1
"""Suspends the thread of the event and no other, as IDEs do where they are told to."""
CLASS_MATCH, LOCATION_ONLY = 5, 7
PREPARED = bytes([CLASS_PREPARE, ALONE]) + struct.pack(">ib", 1, CLASS_MATCH)
NUMBERS = {"B": ">b", "C": ">H", "S": ">h", "I": ">i", "J": ">q", "F": ">f", "D": ">d", "Z": ">?"}


class Jdwp(Editor):
    """A Java IDE that attaches again by itself, as JetBrains' do with `AUTO_RESTART`."""

    comes_back = True

    def __init__(self, port, mappings=()):
        super().__init__(port, mappings)
        self._socket = None

    def attach(self, path, line):
        self.breakpoint = path, line
        self._socket = socket.create_connection(("127.0.0.1", self.port), SECONDS)
        self._file = self._socket.makefile("rb")
        self._count, self._answers, self._events, self._set = 0, {}, [], set()
        self._type = None
        self._socket.sendall(HANDSHAKE)
        if self._take(len(HANDSHAKE)) != HANDSHAKE:
            raise RefusedError("no JVM answers")
        sizes = struct.unpack(">5i", self._ask(ID_SIZES))
        self._field, self._method, self._object, self._type, self._frame = sizes
        name = class_of(path)
        self._sought = f"L{name.replace('.', '/')}"
        requests = [self._ask(SET, PREPARED + _text(pattern)) for pattern in (name, f"{name}$*")]
        for kind, signature in self._classes():
            self._break_in(kind, signature)
        while not self._set:
            self._prepared(*self._event(CLASS_PREPARE)[1:])
        # An IDE goes on to hear of classes and answers at once; here nobody would while no one waits for a stop.
        for request in requests:
            self._ask(CLEAR, bytes([CLASS_PREPARE]) + request)
        for kind, thread, body in [one for one in self._events if one[0] == CLASS_PREPARE]:
            self._events.remove((kind, thread, body))
            self._prepared(thread, body)
        return True

    def stand(self, name):
        _, thread, body = self._event(BREAKPOINT)
        self._thread = thread
        _, klass, method, index = body.location()
        line = max((one for one in self._lines(klass, method) if one[0] <= index), default=(0, 0))[1]
        frame = self._reader(self._ask(FRAMES, thread + struct.pack(">ii", 0, 1)))
        frame.number(4)
        value = self._value(thread, frame.bytes(self._frame), self._variable(klass, method, index, name))
        return str(self.breakpoint[0]), line, value

    def go_on(self):
        self._resume(self._thread)

    def leave(self):
        self._ask(DISPOSE)
        self.drop()

    def drop(self):
        if self._socket is not None:
            self._file.close()
            self._socket.close()

    def wait_for_end(self):
        try:
            while True:
                self._read()
        except (GoneError, OSError):
            pass

    # ---- classes

    def _classes(self):
        """Yield the classes that are loaded and may have the line, with their signatures."""
        found = self._reader(self._ask(ALL_CLASSES))
        for _ in range(found.number(4)):
            found.bytes(1)
            kind, signature = found.bytes(self._type), found.text()
            found.bytes(4)
            yield kind, signature

    def _break_in(self, kind, signature):
        """Set the breakpoint at the first place of each method that has the line."""
        if signature != f"{self._sought};" and not signature.startswith(f"{self._sought}$"):
            return
        found = self._reader(self._ask(METHODS, kind))
        for _ in range(found.number(4)):
            method = found.bytes(self._method)
            found.text(), found.text(), found.bytes(4)
            places = [index for index, line in self._lines(kind, method) if line == self.breakpoint[1]]
            if places and (kind, method) not in self._set:
                self._set.add((kind, method))
                location = bytes([1]) + kind + method + struct.pack(">q", min(places))
                self._ask(SET, bytes([BREAKPOINT, ALONE]) + struct.pack(">ib", 1, LOCATION_ONLY) + location)

    def _prepared(self, thread, body):
        body.bytes(1)
        kind = body.bytes(self._type)
        self._break_in(kind, body.text())
        self._resume(thread)

    def _lines(self, kind, method):
        try:
            found = self._reader(self._ask(LINE_TABLE, kind + method))
        except RefusedError:
            return []  # it is native, or abstract
        found.bytes(16)
        return [(found.number(8), found.number(4)) for _ in range(found.number(4))]

    def _variable(self, kind, method, index, name):
        """Return slot and signature of a local variable that is alive at a place."""
        found = self._reader(self._ask(VARIABLE_TABLE, kind + method))
        found.bytes(4)
        for _ in range(found.number(4)):
            start, called, signature, length, slot = (
                found.number(8),
                found.text(),
                found.text(),
                found.number(4),
                found.number(4),
            )
            if called == name and start <= index < start + length:
                return slot, signature
        raise AssertionError(f"there is no `{name}` here: is it compiled with -g?")

    def _value(self, thread, frame, variable):
        slot, signature = variable
        asked = thread + frame + struct.pack(">ii", 1, slot) + signature[:1].encode()
        found = self._reader(self._ask(GET_VALUES, asked))
        found.bytes(4)
        tag = found.bytes(1).decode()
        if tag == "s":
            return self._reader(self._ask(STRING_VALUE, found.bytes(self._object))).text()
        assert tag in NUMBERS, f"a value of type {signature} is not read here"
        (value,) = struct.unpack(NUMBERS[tag], found.bytes(struct.calcsize(NUMBERS[tag])))
        return str(value)

    # ---- the wire

    def _resume(self, thread):
        self._ask((11, 3), thread)

    def _event(self, *kinds):
        """Return the next event of these kinds: its kind, its thread, and what follows."""
        while True:
            for at, one in enumerate(self._events):
                if one[0] in kinds:
                    return self._events.pop(at)
            self._read()

    def _ask(self, command, data=b""):
        self._count += 1
        self._socket.sendall(struct.pack(">iibBB", 11 + len(data), self._count, 0, *command) + data)
        while self._count not in self._answers:
            self._read()
        error, data = self._answers.pop(self._count)
        if error:
            raise RefusedError(f"{command}: error {error}")
        return data

    def _read(self):
        length, number, flags, first, second = struct.unpack(">iiBBB", self._take(11))
        data = self._take(length - 11)
        if flags & REPLY:
            self._answers[number] = first << 8 | second, data
        elif (first, second) == COMPOSITE and self._type is not None:  # before that there is only the JVM's own start
            self._take_events(self._reader(data))

    def _take_events(self, found):
        found.bytes(1)
        for _ in range(found.number(4)):
            kind = found.number(1)
            found.bytes(4)
            if kind == VM_DEATH:
                continue
            thread = found.bytes(self._object)
            # One event a packet is what our requests give: what follows is all its own.
            self._events.append((kind, thread, found))

    def _take(self, count):
        data = self._file.read(count)
        if len(data) < count:
            raise GoneError
        return data

    def _reader(self, data):
        return Reader(data, self._type, self._method)


class Reader:
    """Takes values from the bytes of a packet, one after the other."""

    def __init__(self, data, kind, method):
        self._data, self._at, self._kind, self._method = data, 0, kind, method

    def bytes(self, count):
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, count):
        return int.from_bytes(self.bytes(count), "big", signed=True)

    def text(self):
        return self.bytes(self.number(4)).decode()

    def location(self):
        return self.bytes(1), self.bytes(self._kind), self.bytes(self._method), self.number(8)


def class_of(path):
    """Return the class that a source is found by."""
    package = re.search(r"^package\s+([\w.]+)\s*;", Path(path).read_text(), re.MULTILINE)
    return f"{package[1]}.{Path(path).stem}" if package else Path(path).stem


def _text(text):
    return struct.pack(">i", len(text)) + text.encode()
