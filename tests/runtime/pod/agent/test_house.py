"""The agent is shipped as text to whatever Python an image has: what that asks of every module."""

import ast
import json
from pathlib import Path

import pytest
import vermin

POD = Path(__file__).resolve().parents[4] / "runtime" / "pod"
MODULES = sorted((POD / "agent").glob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_is_python_3_8_in_grammar_and_in_what_it_asks_of_the_standard_library(module):
    source = module.read_text()
    ast.parse(source, feature_version=(3, 8))
    config = vermin.Config()
    # With `from __future__ import annotations` they are never evaluated.
    config.set_eval_annotations(False)
    config.add_backport("typing")
    _, needs, *_ = vermin.detect(source, config=config)

    assert needs is None or needs <= (3, 8)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_imports_its_siblings_and_the_standard_library_only(module):
    import sys

    allowed = sys.stdlib_module_names | {"__future__"}
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            assert {name.name.split(".")[0] for name in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module.split(".")[0] in allowed
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1


def test_agent_and_supervisor_fit_into_an_annotation():
    shipped = {path.name: path.read_text() for path in [*MODULES, POD / "supervisor.sh"]}
    stored = json.dumps(shipped, separators=(",", ":"), ensure_ascii=False)
    # Go's encoder writes these as six characters, and an arrow stands at nearly every function.
    for mark in "<>&":
        stored = stored.replace(mark, f"\\u{ord(mark):04x}")

    # `kubectl apply` keeps a copy of the ConfigMap in an annotation. All annotations together may hold 256 KiB, and an
    # overlay may bring some of its own.
    assert 100 * 1024 < len(stored.encode()) < 224 * 1024
