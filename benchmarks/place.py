"""A namespace with one small service, and what looks into its pod. Never measures more than a moment.

The moment at which a file is in place in a pod is taken there, by a program that waits for it. Where the node is this
machine, both have the same clock; elsewhere the moment is the one at which the program's line is here.
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

DEVCFG = str(Path(sys.executable).with_name("devcfg"))
AGENT = "devcfg-agent"
PATIENCE = 120.0
BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: web, image: "python:3-slim", command: [sleep, "100000"]}
"""
# What an application takes to start is its own: a shell that writes a file at once stands for it.
RUN = "cat /src/file >/devcfg/bench/.new && mv /devcfg/bench/.new /devcfg/bench/started; exec sleep 100000\n"
BOOT = Path("/proc/sys/kernel/random/boot_id")
WATCHER = """\
import ctypes, os, struct, sys, time
libc = ctypes.CDLL(None)
fd, folders = libc.inotify_init(), {}
for folder in sys.argv[1:]:
    os.makedirs(folder, exist_ok=True)
    folders[libc.inotify_add_watch(fd, folder.encode(), 0x80 | 0x8)] = folder  # moved to, written
print(open("/proc/sys/kernel/random/boot_id").read().strip(), flush=True)
while True:
    data, at = os.read(fd, 1 << 16), 0
    now = time.monotonic_ns()
    while at < len(data):
        watch, _, _, size = struct.unpack_from("iIII", data, at)
        path = os.path.join(folders[watch], data[at + 16 : at + 16 + size].rstrip(b"\\0").decode())
        at += 16 + size
        try:
            with open(path) as file: print(now, path, file.readline().strip(), flush=True)
        except OSError: pass
"""
AGENT_USAGE = """\
import os
for name in filter(str.isdigit, os.listdir("/proc")):
    words = open(f"/proc/{name}/cmdline", "rb").read().split(b"\\0")
    if b"agent" in words and b"-S" in words and name != "1":
        fields = open(f"/proc/{name}/stat").read().rpartition(")")[2].split()
        rss = [line.split()[1] for line in open(f"/proc/{name}/status") if line.startswith("VmRSS")]
        print((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(rss[0]) / 1024)
"""


class Place:
    """A project and its namespace, which goes at the end."""

    def __init__(self, folder: Path) -> None:
        self.name = f"devcfg-bench-{secrets.token_hex(3)}"
        self.project, self.home = folder / "project", folder / "home"
        (self.project / "src").mkdir(parents=True)
        self.home.mkdir()
        names = ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
        self.env = {**os.environ, **dict.fromkeys(names, str(self.home))}
        config = {"sync": ["src:/src"], "command": {"run": ["sh", "-c", f"mkdir -p /devcfg/bench; {RUN}"]}}
        document = {"version": 1, "base": "base.yaml", "namespace": self.name, "services": {"web": config}}
        (self.project / "devcfg.yaml").write_text(json.dumps(document))
        (self.project / "base.yaml").write_text(BASE)
        (self.project / "src" / "file").write_text("start\n")

    def __enter__(self) -> Self:
        subprocess.run(["kubectl", "create", "namespace", self.name], check=True, capture_output=True)
        wait(lambda: "default" in self.kubectl("get", "serviceaccounts", "-o", "name"), "a service account")
        self.rest()
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["kubectl", "delete", "namespace", self.name, "--wait=false"], capture_output=True)

    def kubectl(self, *words: str, stdin: bytes = b"") -> str:
        """Run stock kubectl in the namespace."""
        done = subprocess.run(["kubectl", "-n", self.name, *words], input=stdin, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(words)}: {done.stderr.decode()}")
        return done.stdout.decode()

    def pods(self) -> list[dict[str, Any]]:
        """Return the pods."""
        return json.loads(self.kubectl("get", "pods", "-o", "json"))["items"]

    def rest(self) -> None:
        """Have the base as it is in production, and nothing of before."""
        self.kubectl("apply", "-f", str(self.project / "base.yaml"))
        self.kubectl("rollout", "status", "deployment/web")
        wait(lambda: len(self.pods()) == 1, "one pod")

    def pod(self) -> str:
        """Return the pod of dev mode."""
        return next(
            one["metadata"]["name"]
            for one in self.pods()
            if "devcfg.dev/plan" in one["metadata"]["annotations"] and "deletionTimestamp" not in one["metadata"]
        )

    def usage(self) -> tuple[float, float]:
        """Return CPU seconds and MiB of the agent."""
        said = self.kubectl("exec", self.pod(), "-c", AGENT, "--", "python3", "-c", AGENT_USAGE).split()
        return float(said[0]), float(said[1])


class Up:
    """`devcfg up` in a process of its own; the moment of each of its events is when its line is here."""

    def __init__(self, place: Place, *words: str) -> None:
        self.began = time.monotonic()
        self._log = open(place.home / "log", "wb")  # noqa: SIM115  it lives as long as the process
        self.process = subprocess.Popen(
            [DEVCFG, "up", "--yes", "--events", *words],
            cwd=place.project,
            env=place.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        self._lines: queue.Queue[tuple[float, str]] = queue.Queue()
        threading.Thread(target=_read, args=(self.process.stdout, self._lines), daemon=True).start()

    def wait_for(self, event: str) -> float:
        """Return the moment of the next event of a name; those before it are passed over."""
        while True:
            moment, line = self._lines.get(timeout=PATIENCE)
            if not line:
                raise RuntimeError(f"the session ended before `{event}`: {Path(self._log.name).read_text()[-2000:]}")
            if json.loads(line)["event"] == event:
                return moment

    def end(self, number: int) -> None:
        """Signal it, and wait."""
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        self._log.close()


class Watcher:
    """What says when a file below some directories of the pod has which first line."""

    def __init__(self, place: Place, *folders: str) -> None:
        words = ("exec", "-i", place.pod(), "-c", AGENT, "--", "python3", "-u", "-c", WATCHER, *folders)
        self._process = subprocess.Popen(
            ["kubectl", "-n", place.name, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._lines: queue.Queue[tuple[float, str]] = queue.Queue()
        threading.Thread(target=_read, args=(self._process.stdout, self._lines), daemon=True).start()
        _, boot = self._lines.get(timeout=PATIENCE)
        self.same_clock = BOOT.exists() and BOOT.read_text().strip() == boot.strip()

    def moments(self, text: str, *paths: str) -> list[float]:
        """Return when each path first had this line."""
        found: dict[str, float] = {}
        while found.keys() != set(paths):
            here, line = self._lines.get(timeout=PATIENCE)
            if not line:
                raise RuntimeError("the exec that waits for files in the pod has ended: was the cluster restarted?")
            moment, path, said = (*line.split(maxsplit=2), "", "")[:3]
            if path in paths and said.strip() == text and path not in found:
                found[path] = int(moment) / 1e9 if self.same_clock else here
        return [found[path] for path in paths]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def _read(lines: Any, into: queue.Queue[tuple[float, str]]) -> None:
    for line in lines:
        into.put((time.monotonic(), line.decode()))
    into.put((time.monotonic(), ""))


def wait(look: Any, what: str) -> None:
    """Return when something is so."""
    until = time.monotonic() + PATIENCE
    while not look():
        if time.monotonic() > until:
            raise RuntimeError(f"{what}: not within {PATIENCE:g} s")
        time.sleep(0.1)
