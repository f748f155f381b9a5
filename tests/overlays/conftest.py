"""Real plans from short texts, projects on disk, and every kubectl of the machine to build them with."""

import subprocess

import pytest

from devcfg.compiler import compile_plan, read_config, read_manifests
from devcfg.overlays import render_component, render_overlay

SHIPPED = {"supervisor.sh": "#!/bin/sh\nwhile :; do\n\tsleep 1\ndone\n", "__init__.py": '"""The agent."""\n'}
WEB = """
version: 1
services:
  web:
    workload: deployment/web
    container: app
    image: dev:1
    command: {run: [sleep, "1"]}
"""
BASE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: app, image: "web:1", args: [a, b], livenessProbe: {httpGet: {port: 80}}}
      - {name: side, image: "side:1"}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""


@pytest.fixture(scope="session")
def web():
    """Return the dev config and the base that most tests start from."""
    return WEB, BASE


@pytest.fixture(scope="session")
def plan_of():
    """Return a function that compiles a dev config against a base."""

    def compiled(config, base, file="base.yaml"):
        parsed = read_config(config.encode(), file="devcfg.yaml")
        return compile_plan(parsed, read_manifests(base, file=file), shipped=SHIPPED)

    return compiled


class Project:
    """A directory with a base, the component for a plan of it, and the overlay over both."""

    def __init__(self, root, kubectls, plan_of):
        self.root, self.kubectls, self._plan_of = root, kubectls, plan_of

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def compile(self, config, base, kustomization="resources: [base.yaml]\n"):
        self.write("base/kustomization.yaml", kustomization)
        self.write("base/base.yaml", base)
        plan = self._plan_of(config, self.run(self.kubectls[0], "base").stdout)
        for path, text in render_component(plan, version="0.1.0", config_file="devcfg.yaml").items():
            self.write(f"component/{path}", text)
        overlay = render_overlay(base="../base", component="../component", namespace=plan.namespace)
        self.write("overlay/kustomization.yaml", overlay)
        return plan

    def run(self, kubectl, directory):
        command = [kubectl, "kustomize", self.root / directory]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def build(self, directory="overlay"):
        """Return what each kubectl builds, which must be the same bytes, as objects."""
        built = [self.run(kubectl, directory) for kubectl in self.kubectls]
        assert [one.stderr for one in built if one.returncode] == []
        assert len({one.stdout for one in built}) == 1
        return tuple(one.object for one in read_manifests(built[0].stdout, file="built"))

    def refusals(self, directory="overlay"):
        """Return the error of each kubectl; that every one of them fails is part of it."""
        built = [self.run(kubectl, directory) for kubectl in self.kubectls]
        assert all(one.returncode for one in built)
        return tuple(one.stderr for one in built)


@pytest.fixture
def project(tmp_path, kubectls, plan_of):
    """Return a project to be filled."""
    return Project(tmp_path, kubectls, plan_of)
