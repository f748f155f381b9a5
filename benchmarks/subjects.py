"""What is measured: projects with bases of any size, drawn from a seed, and the hostile files. Never measures.

As a script it writes the hostile files, in a process of their own: one that holds them all is no small parent.
"""

from __future__ import annotations

import runpy
import shutil
import sys
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[1]
HEAD = "version: 1\nbase: {base}\nservices:\n"
SERVICE = """\
  {name}:
    image: python:3-slim
    command: {{run: [python, -u, app.py]}}
    sync: [".:/src"]
"""


def write_project(folder: Path, size: int, seed: int) -> Path:
    """Write a base of `size` workloads, a Deployment and a Service each, and the configs over it.

    `one` and `every` name one service or all; each with the base as plain YAML and as a kustomization.
    """
    draw = Random(f"{seed}:{size}")
    names = [f"{draw.choice(('web', 'api', 'job', 'store'))}-{number:04d}" for number in range(size)]
    base = folder / "base"
    base.mkdir(parents=True)
    (base / "all.yaml").write_text("---\n".join(_workload(name, draw) for name in names))
    (base / "kustomization.yaml").write_text("resources: [all.yaml]\n")
    for scope, chosen in (("one", names[:1]), ("every", names)):
        services = "".join(SERVICE.format(name=name) for name in chosen)
        (folder / scope).mkdir()
        (folder / scope / "plain.yaml").write_text(HEAD.format(base="../base/all.yaml") + services)
        (folder / scope / "devcfg.yaml").write_text(HEAD.format(base="../base") + services)
    return folder


def _workload(name: str, draw: Random) -> str:
    """Return a Deployment and its Service of the size that such objects have."""
    env = "".join(
        f"            - {{name: SETTING_{number}, value: '{draw.randrange(10**6)}'}}\n"
        for number in range(draw.randint(1, 6))
    )
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{app.kubernetes.io/name: {name}, tier: {draw.choice(("front", "back"))}}}
spec:
  replicas: {draw.randint(1, 5)}
  selector:
    matchLabels: {{app.kubernetes.io/name: {name}}}
  template:
    metadata:
      labels: {{app.kubernetes.io/name: {name}}}
    spec:
      containers:
        - name: app
          image: registry.example/{name}:{draw.randint(1, 99)}
          ports: [{{containerPort: 8080, name: http}}]
          env:
{env}\
          readinessProbe: {{httpGet: {{path: /ready, port: http}}, periodSeconds: {draw.randint(5, 20)}}}
          resources:
            requests: {{cpu: 100m, memory: 128Mi}}
            limits: {{memory: {draw.randint(1, 4)}Gi}}
---
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  selector: {{app.kubernetes.io/name: {name}}}
  ports: [{{name: http, port: 80, targetPort: http}}]
"""


def copy_bookstore(folder: Path) -> Path:
    """Copy the example, which the commands may then write to."""
    return Path(shutil.copytree(ROOT / "examples" / "bookstore", folder))


def write_hostile(folder: Path) -> None:
    """Write every hostile dev config into a directory of its own."""
    for name, data in runpy.run_path(str(ROOT / "tests/compiler/data/hostile.py"))["corpus"]().items():
        (folder / name).mkdir(parents=True)
        (folder / name / "devcfg.yaml").write_bytes(data)


if __name__ == "__main__":
    write_hostile(Path(sys.argv[1]))
