"""The commands that are spelled out can be pasted: each is one command with exactly the words it should have."""

import json
import shlex
import shutil
import subprocess

import pytest

from devcfg.runtime.advice import apply_by_hand, patch_by_hand, take_back_by_hand
from devcfg.runtime.project import Sources, compile_project
from devcfg.schemas.patch import Op, Operation, Pointer, apply_patch

SCALER = """\
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: NAME}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, minReplicas: 2, maxReplicas: 5}
"""


def with_scaler(work, name="scaler"):
    base = (work.root / "base.yaml").read_text()
    work.write("base.yaml", base + SCALER.replace("NAME", json.dumps(name)))
    return compile_project(Sources())


def commands(lines):
    return [line.strip() for line in lines if line.startswith(("  kubectl", "  devcfg"))]


def test_where_dev_mode_takes_nothing_away_there_is_nothing_to_say(web):
    web.write("base.yaml", (web.root / "base.yaml").read_text().replace(", args: [serve]", ""))

    assert apply_by_hand(compile_project(Sources())) == ()


def test_a_patch_of_an_autoscaler_is_the_one_of_the_plan(web):
    project = with_scaler(web)
    (scaler,) = project.plan.workloads[0].beside
    words = shlex.split(commands(patch_by_hand(project, project.plan.workloads[0]))[-1])
    steps = [Operation(Op(one["op"]), Pointer.parse(one["path"]), one.get("value")) for one in json.loads(words[-1])]

    assert words[:6] == ["kubectl", "patch", "horizontalpodautoscaler/scaler", "--type", "json", "-p"]
    assert apply_patch(scaler.manifest.object, tuple(steps))["spec"]["maxReplicas"] == 1


@pytest.mark.parametrize("name", ["a b", "x;touch pwned", "$(touch pwned)", "`touch pwned`", "it's", "a&b|c>d"])
def test_no_name_of_a_base_is_run_by_the_shell(web, name):
    if shutil.which("sh") is None:
        pytest.skip("there is no sh")
    project = with_scaler(web, name)
    workload = project.plan.workloads[0]
    lines = (*apply_by_hand(project), *patch_by_hand(project, workload), *take_back_by_hand(project, workload))
    shown = commands(lines)
    program = 'kubectl() { printf "%s\\n" "$2$3"; }\ndevcfg() { :; }\n' + "\n".join(shown)
    done = subprocess.run(["sh", "-c", program], capture_output=True, text=True, timeout=60)

    assert done.stderr == ""
    assert f"horizontalpodautoscaler/{name}" in done.stdout
    assert not (web.root / "pwned").exists()


def test_the_way_back_names_everything_that_was_added(web):
    web.write("devcfg.yaml", (web.root / "devcfg.yaml").read_text() + "    persist: [{path: /cache}]\n")
    project = compile_project(Sources())
    lines = "\n".join(take_back_by_hand(project, project.plan.workloads[0]))

    assert all(f"/{one['metadata']['name']}" in lines for one in project.plan.workloads[0].additions)
    assert "# with its files" in lines
