"""Short ways from texts to what the passes take and give."""

import pytest

from devcfg.compiler import check_plan, read_config, read_manifests
from devcfg.schemas.errors import ConfigError


def deployment(name="web", *, kind="apps/v1 Deployment", namespace="", containers=("web",), more=""):
    version, kind = kind.split()
    space = f", namespace: {namespace}" if namespace else ""
    listed = "".join(f"      - {{name: {one}, image: 'i:1'{more}}}\n" for one in containers)
    return (
        f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}{space}}}\nspec:\n"
        f"  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      containers:\n{listed}"
    )


@pytest.fixture(scope="session")
def workload():
    """Return a function that writes a manifest with a pod template."""
    return deployment


@pytest.fixture(scope="session")
def findings_of():
    """Return a function that gives every finding of a config against a base, errors or not."""

    def found(services, *manifests):
        config = services if services.startswith("services") else f"services:\n  {services}\n"
        try:
            parsed = read_config(config.encode(), file="devcfg.yaml")
            return check_plan(parsed, read_manifests("---\n".join(manifests), file="base.yaml"))
        except ConfigError as error:
            return error.diagnostics

    return found
