"""Received content, whole and checked, waiting in the root's stage directory. Never touches what is in place."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Iterable, NamedTuple

from . import paths
from .chunks import LARGE, Chunker, digest
from .digest import CHANGED, open_file, read_exactly
from .entries import DISK_FULL, Staged, stat_from, words
from .records import HEADER_LIMIT, STEPS_LIMIT, Buffer, Header, headers_of, steps_from

NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
WRONG = "not what its digest says"


class Content(NamedTuple):
    """A staged file: its name in the stage directory, and what it is there."""

    name: str
    executable: bool
    size: int
    mtime_ns: int


class Stage:
    """The stage directory of a root, made when it is first needed, and what lies in it."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._fd = -1
        self._number = 0
        self.content: dict[tuple[str, str], Content] = {}

    @property
    def fd(self) -> int:
        """The directory; its mode keeps others from looking into it."""
        if self._fd < 0:
            with suppress(FileExistsError):
                os.mkdir(paths.STAGE, 0o700, dir_fd=self._root)
            self._fd = os.open(paths.STAGE, paths.DIRECTORY, dir_fd=self._root)
        return self._fd

    def renew(self) -> None:
        """Let the directory go if it was removed meanwhile, as `git clean` does: nothing in it can be used."""
        if self._fd < 0:
            return
        try:
            there = os.path.samestat(os.lstat(paths.STAGE, dir_fd=self._root), os.fstat(self._fd))
        except FileNotFoundError:
            there = False
        if not there:
            self.close()

    def name(self) -> str:
        """Return a name that is not in use."""
        self._number += 1
        return f"{self._number:x}"

    def close(self) -> None:
        """Let the directory go."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self.content.clear()

    def drop(self, name: str) -> None:
        """Remove what nobody needs any more."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def receive(self, stream: Iterable[bytes]) -> list[Staged]:
        """Take a transfer stream; StreamError when it is none. A record's problem leaves the others alone."""
        self.renew()
        buffer = Buffer(stream)
        results: list[Staged] = []
        with paths.Folders(self._root) as folders:
            while not buffer.ended():
                for header in headers_of(buffer.json(HEADER_LIMIT)):
                    self._record(folders, header, buffer, results)
        return results

    def _record(self, folders: paths.Folders, header: Header, buffer: Buffer, results: list[Staged]) -> None:
        if header.size < 0:
            self._take_back(header, results)
        else:
            found = self._small(header, buffer) if header.size < LARGE else self._large(folders, header, buffer)
            results.append(Staged(header.path, header.digest, found))

    def _take_back(self, header: Header, results: list[Staged]) -> None:
        digest_before = ""
        if results and results[-1].path == header.path:
            digest_before = results.pop().digest
            known = self.content.pop((header.path, digest_before), None)
            if known:
                self.drop(known.name)
        results.append(Staged(header.path, digest_before, header.digest))

    def _small(self, header: Header, buffer: Buffer) -> str:
        content = buffer.take(header.size)
        if digest(content) != header.digest:
            return WRONG
        name = self.name()
        try:
            fd = os.open(name, NEW, 0o777 if header.executable else 0o666, dir_fd=self.fd)
        except OSError as problem:
            return words(problem)
        try:
            write_all(fd, content)
            self._keep(fd, name, header)
        except OSError as problem:
            self.drop(name)
            return words(problem)
        finally:
            os.close(fd)
        return ""

    def _large(self, folders: paths.Folders, header: Header, buffer: Buffer) -> str:
        steps = [("l", 0, header.size)]
        if header.form:
            steps = steps_from(buffer.json(STEPS_LIMIT), header)
        left = sum(length for kind, _, length in steps if kind == "l")
        base = fd = -1
        name = self.name()
        result = ""
        taken = _Counted(buffer)
        try:
            fd = os.open(name, NEW, 0o777 if header.executable else 0o666, dir_fd=self.fd)
            room = os.fstatvfs(fd)
            if left > room.f_bavail * room.f_frsize:
                result = DISK_FULL
            else:
                if header.base is not None:
                    base, stat = open_file(folders, header.path)
                    result = "" if stat_from(stat) == header.base else CHANGED
                result = result or _write(fd, base, steps, taken, header.digest)
            if not result:
                self._keep(fd, name, header)
        except OSError as problem:
            result = words(problem)
        finally:
            for each in (base, fd):
                if each >= 0:
                    os.close(each)
        if result:
            self.drop(name)
        for _ in buffer.pieces(left - taken.count):
            pass
        return result

    def _keep(self, fd: int, name: str, header: Header) -> None:
        os.utime(fd, ns=(header.mtime_ns, header.mtime_ns))
        before = self.content.get((header.path, header.digest))
        if before:
            self.drop(before.name)
        self.content[header.path, header.digest] = Content(name, header.executable, header.size, header.mtime_ns)


class _Counted:
    """The literal bytes of one record, counted as they are taken: what a problem leaves must be skipped."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self.count = 0

    def pieces(self, length: int) -> Iterable[bytes]:
        for piece in self._buffer.pieces(length):
            self.count += len(piece)
            yield piece


def write_all(fd: int, content: bytes) -> None:
    """Write all of it, most often at once."""
    view = memoryview(content)[os.write(fd, content) :] if content else b""
    while view:
        view = view[os.write(fd, view) :]


def _write(fd: int, base: int, steps: list[tuple[str, int, int]], literal: _Counted, wanted: str) -> str:
    """Write a large file step by step; return the problem when it is not what its digest says."""
    chunker = Chunker()
    at = 0
    for kind, offset, length in steps:
        if kind == "z":
            chunker.zeros(length)
            os.lseek(fd, length, os.SEEK_CUR)
            at += length
            continue
        for piece in literal.pieces(length) if kind == "l" else read_exactly(base, offset, offset + length):
            write_all(fd, piece)
            chunker.feed(piece)
            at += len(piece)
    os.ftruncate(fd, at)
    return "" if chunker.finish() == wanted else WRONG
