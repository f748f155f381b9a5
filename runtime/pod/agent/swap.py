"""Renames that never overwrite what nobody has seen: create only, or exchange. Never decides what is expected."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from typing import Callable

NOREPLACE, EXCHANGE = 1, 2
CALLS = {"x86_64": 316, "aarch64": 276, "armv7l": 382, "ppc64le": 357, "s390x": 347, "riscv64": 276}
LACKING = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)
"""What a kernel, a file system or a filter of system calls answers that does not know these renames."""


ARGUMENTS = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)


def _found() -> Callable[[int, bytes, int, bytes, int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL(None, use_errno=True)
    except OSError:
        return None
    if hasattr(library, "renameat2"):
        call = library.renameat2
        call.argtypes = ARGUMENTS
        return call
    number = CALLS.get(os.uname().machine)
    if number is None or not hasattr(library, "syscall"):
        return None
    library.syscall.argtypes = [ctypes.c_long, *ARGUMENTS]
    return lambda *arguments: library.syscall(number, *arguments)


_renameat2 = _found()


def rename_with(flags: int, source: tuple[int, str], to: tuple[int, str]) -> None:
    """Rename between two (directory, name) with the flags; OSError ENOSYS where that does not exist."""
    if _renameat2 is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if _renameat2(source[0], os.fsencode(source[1]), to[0], os.fsencode(to[1]), flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def move(source: tuple[int, str], to: tuple[int, str]) -> None:
    """Move to a name that is free; FileExistsError when it is not."""
    try:
        rename_with(NOREPLACE, source, to)
    except OSError as problem:
        if problem.errno not in LACKING:
            raise
        _link(source, to)


def _link(source: tuple[int, str], to: tuple[int, str]) -> None:
    """Do the same by a second link, which is never made over something; a directory is renamed over nothing."""
    try:
        os.link(source[1], to[1], src_dir_fd=source[0], dst_dir_fd=to[0], follow_symlinks=False)
    except OSError as problem:
        if problem.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        try:
            os.lstat(to[1], dir_fd=to[0])
        except FileNotFoundError:
            os.rename(source[1], to[1], src_dir_fd=source[0], dst_dir_fd=to[0])
            return
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
    os.unlink(source[1], dir_fd=source[0])


def exchange(one: tuple[int, str], other: tuple[int, str]) -> bool:
    """Let two names change places; False where the system cannot, and nothing was done."""
    try:
        rename_with(EXCHANGE, one, other)
    except OSError as problem:
        if problem.errno in LACKING:
            return False
        raise
    return True
