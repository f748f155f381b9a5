"""How long a save takes until the new process runs: `devcfg up --local` beside the supervisor alone, in turn.

    python benchmarks/reload.py [--quick]

The dev process is a small compiled program, or a shell where there is no compiler, that writes a file at once: what an
application takes to start is its own. The supervisor alone is told over its FIFO. Exit code 1 when a hold is not held.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from statistics import median

from table import Row, lines_of, machine

DEVCFG = str(Path(sys.executable).with_name("devcfg"))
PROGRAM = """\
#include <stdio.h>
#include <unistd.h>
int main(int count, char **words) {
  char name[4096];
  snprintf(name, sizeof name, "%s.%d", words[1], getpid());
  FILE *file = fopen(name, "w");
  fclose(file);
  rename(name, words[1]);
  pause();
  return count == 0;
}
"""
SHELL = '#!/bin/sh\n: > "$1.$$" && mv "$1.$$" "$1"\nexec sleep 100000\n'
MOST = 0.060


def main() -> int:
    """Measure, print the table, and return the exit code."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer saves")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="devcfg-bench-") as folder:
        saves, alone, language = _measure(Path(folder), 20 if options.quick else 100)
    rows = [
        Row(
            f"save → new process ({language}), {name}",
            f"{_share(saves, share) * 1000:.0f} ms",
            f"supervisor alone {_share(alone, share) * 1000:.0f} ms",
            f"{_share(saves, share) / _share(alone, share):.1f} ×",
            f"{min(saves) * 1000:.0f} to {max(saves) * 1000:.0f} ms",
            f"≤ {MOST * 1000:.0f} ms" if share == 50 else "",
            _share(saves, share) <= MOST if share == 50 else None,
        )
        for name, share in (("p50", 50), ("p95", 95))
    ]
    print(machine(0))
    for line in lines_of(rows):
        print(line)
    return 1 if any(row.held is False for row in rows) else 0


def _measure(folder: Path, rounds: int) -> tuple[list[float], list[float], str]:
    project, stamp, program = folder / "project", folder / "stamp", folder / "program"
    (project / "src").mkdir(parents=True)
    language = _build(program)
    config = {"sync": ["src:/app"], "command": {"run": [str(program), str(stamp)]}}
    (project / "devcfg.yaml").write_text(json.dumps({"version": 1, "services": {"web": config}}))
    (project / "src" / "file").write_text("start\n")
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "XDG_CACHE_HOME": str(folder / "cache")}
    words = [DEVCFG, "up", "--local", "--yes", "--events"]
    quiet = subprocess.DEVNULL
    with open(folder / "log", "wb") as log:
        session = subprocess.Popen(words, cwd=project, env=environment, stdin=quiet, stdout=log, stderr=log)
    saves, alone = [], []
    try:
        _wait(stamp, 0, folder / "log")
        for number in range(rounds):
            time.sleep(0.3)
            before = stamp.stat().st_ino
            began = time.perf_counter()
            new = project / "src" / ".new.pyc"
            new.write_text(f"{number}\n")
            new.replace(project / "src" / "file")
            _wait(stamp, before, folder / "log")
            saves.append(time.perf_counter() - began)
            time.sleep(0.3)
            before = stamp.stat().st_ino
            began = time.perf_counter()
            with open(project / ".devcfg" / "local" / "web" / "run" / "ctl", "r+b", buffering=0) as control:
                control.write(b"restart\n")
            _wait(stamp, before, folder / "log")
            alone.append(time.perf_counter() - began)
    finally:
        session.terminate()
        session.wait(30)
    return saves, alone, language


def _build(program: Path) -> str:
    compiler = shutil.which("cc")
    if compiler is None:
        program.write_text(SHELL)
        program.chmod(0o755)
        return "sh"
    source = program.with_suffix(".c")
    source.write_text(PROGRAM)
    subprocess.run([compiler, "-O1", "-o", str(program), str(source)], check=True)
    return "C"


def _wait(stamp: Path, before: int, log: Path) -> None:
    until = time.perf_counter() + 30
    while not stamp.exists() or stamp.stat().st_ino == before:
        time.sleep(0.0005)
        if time.perf_counter() > until:
            raise RuntimeError(f"no new process within 30 s:\n{log.read_text()}")


def _share(found: list[float], percent: int) -> float:
    if percent == 50:
        return median(found)
    return sorted(found)[min(len(found) - 1, len(found) * percent // 100)]


if __name__ == "__main__":
    sys.exit(main())
