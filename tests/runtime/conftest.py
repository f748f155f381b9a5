"""A project on disk, an environment of its own, and the command line run in this process: all real, no stand-ins."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from devcfg.runtime.cli import main

CONFIG = """\
version: 1
base: base.yaml
services:
  web:
    image: dev:1
    command: {run: [sleep, "1"]}
"""
BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "web:1", args: [serve]}
"""


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def said(self):
        return self.out + self.err


class Work:
    """The working directory of a test."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def files(self, below: str = ".") -> dict[str, bytes]:
        """Return every regular file below a directory with its content."""
        top = self.root / below
        return {str(one.relative_to(top)): one.read_bytes() for one in sorted(top.rglob("*")) if one.is_file()}

    def devcfg(self, *words: str, stdin: bytes = b"") -> Done:
        """Run the command line; its streams are no terminal."""
        streams = [io.TextIOWrapper(io.BytesIO(data), "utf-8", newline="") for data in (stdin, b"", b"")]
        kept, code = (sys.argv, sys.stdin, sys.stdout, sys.stderr), 0
        try:
            sys.argv, (sys.stdin, sys.stdout, sys.stderr) = ["devcfg", *words], streams
            with contextlib.suppress(SystemExit):
                try:
                    main()
                except SystemExit as leaving:
                    code = leaving.code
                    raise
        finally:
            sys.argv, sys.stdin, sys.stdout, sys.stderr = kept
        for one in streams[1:]:
            one.flush()
        return Done(code, *(one.buffer.getvalue().decode("utf-8", "surrogateescape") for one in streams[1:]))


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Return an empty working directory, with nothing of the machine's environment but the PATH."""
    for name in list(os.environ):
        if name != "PATH" and not name.startswith("PYTEST"):
            monkeypatch.delenv(name)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "own" / name.lower()))
    root = tmp_path / "work"
    root.mkdir()
    monkeypatch.chdir(root)
    return Work(root)


@pytest.fixture
def web(work):
    """Return a working directory with a small project that is fine."""
    work.write("devcfg.yaml", CONFIG)
    work.write("base.yaml", BASE)
    return work


@pytest.fixture
def built(web):
    """Return a working directory whose base is a kustomization."""
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl on the path")
    web.write("devcfg.yaml", CONFIG.replace("base: base.yaml", "base: k8s/base"))
    web.write("k8s/base/web.yaml", BASE)
    web.write("k8s/base/kustomization.yaml", "resources: [web.yaml]\n")
    return web
