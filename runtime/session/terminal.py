"""A command in a container at this terminal: its input, its size, its colours, its exit code. Never picks a command.

With a terminal on both ends the bytes pass as they are, Ctrl-C among them: it is the command's. Otherwise what it
prints is data, and on a terminal no sequence but colours passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from devcfg.runtime.cluster.cluster import Cluster, Exec
from devcfg.runtime.session.display import visible_log
from devcfg.runtime.session.site import There
from devcfg.schemas.naming import BUSYBOX

CHUNK = 32 * 1024
AHEAD = 8
"""Pieces of input that may wait to be sent."""
LAUNCH = """
[ -z "$1" ] || cd "$1" || exit 126
shift
my_words=$1
shift
for my_word in $my_words; do
  my_program=''
  case $my_word in */*) my_program=$my_word ;; esac
  my_ifs=$IFS
  IFS=:
  for my_folder in $PATH; do
    [ -z "$my_program" ] && [ -f "$my_folder/$my_word" ] && [ -x "$my_folder/$my_word" ] &&
      my_program=$my_folder/$my_word
  done
  IFS=$my_ifs
  [ ! -x "$my_program" ] || exec "$my_program" "$@"
done
echo "devcfg: the container has no program $my_words" >&2
exit 127
"""
"""Enter a directory and become the first program that the image has: busybox alone would prefer its own to it."""


def launched(there: There, programs: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """Return the words that start the first of these programs that is there, in the directory of the dev process."""
    return [*there.prefix, BUSYBOX, "sh", "-c", LAUNCH, "devcfg", there.folder, " ".join(programs), *arguments]


async def run_there(cluster: Cluster, there: There, words: Sequence[str]) -> int:
    """Run a command in the container until it ends; return its exit code. Raises `ClusterError`, `OSError`."""
    whole = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    done = await _begun(cluster, there, words, terminal=whole)
    try:
        with _raw_terminal() if whole else contextlib.nullcontext(), _stopping():
            return await _carry(done, terminal=whole)
    finally:
        await done.close()


async def _begun(cluster: Cluster, there: There, words: Sequence[str], *, terminal: bool) -> Exec:
    return await cluster.execute(
        there.namespace,
        there.pod,
        there.container,
        words,
        stdin=True,
        terminal=terminal,
        heard=_printer(2, shown=sys.stderr.isatty()),
    )


async def _carry(done: Exec, *, terminal: bool) -> int:
    show = _printer(1, shown=sys.stdout.isatty() and not terminal)
    sending = asyncio.create_task(_send(done))
    loop = asyncio.get_running_loop()
    sizes: set[asyncio.Task[None]] = set()

    def resize() -> None:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
        task = loop.create_task(done.resize(columns, rows))
        sizes.add(task)
        task.add_done_callback(sizes.discard)

    if terminal:
        resize()
        loop.add_signal_handler(signal.SIGWINCH, resize)
    try:
        while data := await done.read():
            show(data)
        show(b"")
        return await done.wait()
    finally:
        if terminal:
            loop.remove_signal_handler(signal.SIGWINCH)
        for task in (sending, *sizes):
            task.cancel()
        await asyncio.gather(sending, *sizes, return_exceptions=True)


async def _send(done: Exec) -> None:
    """Send what comes on standard input, and that it has ended."""
    with contextlib.suppress(OSError):
        async for data in _typed():
            await done.write(data)
        await done.finish()


async def _typed() -> AsyncIterator[bytes]:
    """Yield standard input. A thread reads it, whatever it is; nobody waits for that thread at the end."""
    loop, queue, room = asyncio.get_running_loop(), asyncio.Queue[bytes](), threading.Semaphore(AHEAD)

    def read() -> None:
        data = b"-"
        while data:
            room.acquire()
            try:
                data = os.read(0, CHUNK)
            except OSError:
                data = b""
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(queue.put_nowait, data)

    threading.Thread(target=read, daemon=True).start()
    while data := await queue.get():
        yield data
        room.release()


def _printer(descriptor: int, *, shown: bool) -> Callable[[bytes], None]:
    """Return what writes to a descriptor; `shown` line by line, so that nothing but colours reaches the terminal."""
    rest = b""

    def write(data: bytes) -> None:
        nonlocal rest
        if shown:
            *lines, rest = (rest + data).split(b"\n") if data else (rest, b"") if rest else (b"",)
            data = "".join(visible_log(line.decode("utf-8", "replace")) + "\n" for line in lines).encode()
        while data:
            data = data[os.write(descriptor, data) :]

    return write


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _stopping() -> Iterator[None]:
    """Let signals that end us end the task, so that the terminal is given back."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task is None:
        raise RuntimeError("a command is run by a task")
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
