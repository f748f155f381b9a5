"""A way to the API server that can be cut: connections through it are relayed, and all end at a word. Never listens
anywhere but on this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import threading
from pathlib import Path
from urllib.parse import urlsplit


class Relay:
    """A port on this machine that leads to the API server of the current context."""

    def __init__(self) -> None:
        words = ("kubectl", "config", "view", "--raw", "--minify", "--flatten", "-o", "json")
        self._config = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
        (self._cluster,) = (one["cluster"] for one in self._config["clusters"])
        server = urlsplit(self._cluster["server"])
        self._host, self._port = server.hostname or "", server.port or 443
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._writers: set[asyncio.StreamWriter] = set()
        started = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(started, self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]

    def write_kubeconfig(self, path: Path) -> None:
        """Write the kubeconfig of now with this port in it."""
        self._cluster.setdefault("tls-server-name", self._host)
        self._cluster["server"] = f"https://127.0.0.1:{self.port}"
        path.touch(mode=0o600)
        path.write_text(json.dumps(self._config))

    def cut(self) -> int:
        """End all connections at once; return how many there were."""

        async def abort() -> int:
            found = list(self._writers)
            for writer in found:
                writer.transport.abort()
            return len(found) // 2

        return asyncio.run_coroutine_threadsafe(abort(), self._loop).result()

    def close(self) -> None:
        """End everything."""
        self.cut()
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, back}
        self._writers |= pair
        await asyncio.gather(_carry(reader, back), _carry(there, writer))
        self._writers -= pair


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
