"""A command of a pod as a process of this machine: what `World.processes` may return. Knows no world."""

import asyncio
import contextlib


class Process:
    """An `Exec` over a subprocess with pipes; a terminal is not made."""

    def __init__(self, process, heard=None):
        self._process = process
        self._heard = heard
        self._said = b""
        self._closed = False
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, argv, *, stdin, env=None, cwd=None, heard=None):
        """Start it in a session of its own."""
        pipe = asyncio.subprocess.PIPE
        given = pipe if stdin else asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=given, stdout=pipe, stderr=pipe, env=env, cwd=cwd, start_new_session=True
        )
        return cls(process, heard)

    async def read(self):
        """Return what it has printed; nothing at its end."""
        return await self._process.stdout.read(64 * 1024)

    async def write(self, data):
        """Send to its standard input."""
        if self._closed or self._process.stdin is None or self._process.stdin.is_closing():
            raise BrokenPipeError("the connection is closed")
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def finish(self):
        """Close its standard input."""
        self._process.stdin.close()

    async def resize(self, columns, rows):
        """Take no notice."""

    async def wait(self):
        """Return the exit code, as a container's: 128 and the signal's number."""
        code = await self._process.wait()
        return code if code >= 0 else 128 - code

    async def close(self):
        """Let go of it: its input ends, and it is killed if it does not notice, so that no test leaves one behind."""
        if self._closed:
            return
        self._closed = True
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.transport.abort()
        try:
            async with asyncio.timeout(2):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await self._listening

    def words(self):
        """Return the last lines of its standard error."""
        lines = self._said.decode("utf-8", "replace").splitlines()
        return "; ".join(line for line in lines[-5:] if line)

    async def _listen(self):
        while data := await self._process.stderr.read(4096):
            self._said = (self._said + data)[-4096:]
            if self._heard is not None:
                self._heard(data)
