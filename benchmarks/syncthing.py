"""How quick a peer is at the same work: two Syncthings on loopback, from Debian, beside our engine, agent and link.

    python benchmarks/syncthing.py [--quick]

The same save and the same first sync as in `sync.py`, for both in turn. Syncthing watches with its least delay (1 s)
and both of its ends know each other before anything is measured; nothing of it leaves this machine.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from argparse import ArgumentParser
from pathlib import Path
from typing import Self

from sync import Bench, Client, save
from table import Row, lines_of, machine

FILES = 10_000
PATIENCE = 120.0  # seconds
OPTIONS = {
    "globalAnnounceEnabled": "false",
    "localAnnounceEnabled": "false",
    "relaysEnabled": "false",
    "natEnabled": "false",
    "startBrowser": "false",
    "crashReportingEnabled": "false",
    "urAccepted": "-1",
    "autoUpgradeIntervalH": "0",
    "reconnectionIntervalS": "1",
    "setLowPriority": "false",
}


class Peer:
    """Two Syncthings that share one folder."""

    def __init__(self, folder: Path, near: Path, far: Path) -> None:
        self.homes = (folder / "home-near", folder / "home-far")
        self.roots = (near, far)
        self.ports = tuple((_free(), _free()) for _ in self.homes)
        for root in self.roots:
            root.mkdir(parents=True, exist_ok=True)
        made = [_made(home) for home in self.homes]
        for at in (0, 1):
            self._write(at, made[at], tuple(one[1] for one in made))
        self.processes: list[subprocess.Popen[bytes]] = []

    def _write(self, at: int, made: tuple[ET.Element, str], identities: tuple[str, ...]) -> None:
        config, (listen, gui) = made[0], self.ports[at]
        options = config.find("options")
        for name, value in {**OPTIONS, "listenAddress": f"tcp://127.0.0.1:{listen}"}.items():
            options.find(name).text = value
        config.find("gui/address").text = f"127.0.0.1:{gui}"
        other = ET.SubElement(config, "device", id=identities[1 - at], name="other", compression="never")
        ET.SubElement(other, "address").text = f"tcp://127.0.0.1:{self.ports[1 - at][0]}"
        members = {"rescanIntervalS": "3600", "fsWatcherEnabled": "true", "fsWatcherDelayS": "1"}
        folder = ET.SubElement(config, "folder", id="shared", path=str(self.roots[at]), type="sendreceive", **members)
        for identity in identities:
            ET.SubElement(folder, "device", id=identity)
        ET.ElementTree(config).write(self.homes[at] / "config.xml")

    def __enter__(self) -> Self:
        for home in self.homes:
            words = ["syncthing", "serve", "--home", str(home), "--no-browser", "--no-restart", "--no-upgrade"]
            self.processes.append(
                subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()

    def version(self) -> str:
        """Return what it says of itself."""
        return subprocess.run(["syncthing", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


def _made(home: Path) -> tuple[ET.Element, str]:
    """Return the configuration of a new home without its default folder, and the identity of its device."""
    words = ["syncthing", "generate", "--home", str(home), "--no-default-folder", "--skip-port-probing"]
    subprocess.run(words, capture_output=True, check=True)
    config = ET.parse(home / "config.xml").getroot()
    return config, config.find("device").get("id")


def _free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _answers(port: int) -> bool:
    with socket.socket() as found:
        return found.connect_ex(("127.0.0.1", port)) == 0


def _until(look, what: str) -> float:  # type: ignore[no-untyped-def]
    began = time.perf_counter()
    while not look():
        if time.perf_counter() - began > PATIENCE:
            raise RuntimeError(f"{what}: not within {PATIENCE:g} s")
        time.sleep(0.01)
    return time.perf_counter() - began


def _count(root: Path) -> int:
    return sum(name.endswith(".py") for _, _, names in os.walk(root) for name in names)


def _saves(near: Path, far: Path, count: int) -> list[float]:
    file, took = "package0/part0/module0.py", []
    for number in range(count):
        took.append(save(near / file, far / file, f"save = {number}\n"))
        time.sleep(0.05)
    return sorted(took)


def rows(folder: Path, *, quick: bool) -> list[Row]:
    """Measure ours and theirs, and return the lines."""
    bench, count = Bench(folder, quick=quick, huge=False), 10 if quick else 40
    tree = bench.tree(FILES)
    near, far, state = (bench.fresh() for _ in range(3))
    shutil.copytree(tree, near)
    with Client(near, far, state) as client:
        first = client.ask("sync")["wall"]
        client.ask("run")
        time.sleep(1)
        ours = _saves(near, far, count)
    near, far = bench.fresh(), bench.fresh()
    with Peer(bench.fresh(), near, far) as peer:
        for _, gui in peer.ports:
            _until(lambda gui=gui: _answers(gui), "syncthing's start")
        (near / "hello.py").write_text("1")
        _until(lambda: _count(far) == 1, "syncthing's first file")
        # Moved in at once, so that what is measured begins when the tree is there.
        shutil.copytree(tree, folder / "moved")
        for one in (folder / "moved").iterdir():
            one.rename(near / one.name)
        theirs_first = _until(lambda: _count(far) == FILES + 1, "syncthing's first sync")
        time.sleep(3)
        theirs = _saves(near, far, count)
        version = peer.version()

    def row(name: str, share: int) -> Row:
        left, right = (one[min(len(one) - 1, len(one) * share // 100)] * 1000 for one in (ours, theirs))
        spread = f"theirs {theirs[0] * 1000:,.0f} to {theirs[-1] * 1000:,.0f} ms"
        return Row(name, f"{left:.1f} ms", f"Syncthing {right:,.0f} ms", f"1 / {right / left:,.0f}", spread)

    both = f"Syncthing {theirs_first:.1f} s"
    return [
        row(f"save → in place, {FILES:,} files, p50", 50),
        row(f"save → in place, {FILES:,} files, p95", 95),
        Row(f"first sync, {FILES:,} files", f"{first:.2f} s", both, f"1 / {theirs_first / first:.0f}", version),
    ]


def main() -> int:
    """Measure, print the table, and return the exit code."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer saves")
    options = parser.parse_args()
    if shutil.which("syncthing") is None:
        print("there is no syncthing here: Debian's package has it")
        return 0
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="devcfg-bench-", dir=place) as folder:
        found = rows(Path(folder), quick=options.quick)
    print(machine(0))
    for line in lines_of(found):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
