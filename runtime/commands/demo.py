"""`devcfg demo`: the bundled bookstore taken through a session, then written as files. Leaves nothing behind.

Every command that it shows is run as it stands there, on a copy of the example; every word it prints is the command's.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile

from devcfg.runtime import console
from devcfg.runtime.commands.rehearsal import play_session
from devcfg.runtime.commands.stage import Execute, Stage, lines, read
from devcfg.runtime.files import write_atomically
from devcfg.schemas.errors import DevcfgError

CONFIG = "devcfg.yaml"
WORKLOAD = "k8s/base/reviews.yaml"
FLAT = "k8s/base/manifests.yaml"
PATCH = "k8s/components/devcfg/deployment.reviews/patch.yaml"
SIDECAR = "        - {name: proxy, image: envoy:1}\n"


def demo(execute: Execute) -> int:
    """Run the demo and return the exit code: 1 where a command did not do what the text around it says."""
    with tempfile.TemporaryDirectory(prefix="devcfg-demo-") as folder:
        place = os.path.join(folder, "bookstore")
        shutil.copytree(_example(), place, ignore=shutil.ignore_patterns("components", "overlays", ".devcfg"))
        with contextlib.chdir(place):
            return _play(Stage(execute), folder)


def _example() -> str:
    """Return the directory of the bundled bookstore: beside the rooms in a checkout and in an installed wheel."""
    rooms = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    found = os.path.join(rooms, "examples", "bookstore")
    if not os.path.isfile(os.path.join(found, CONFIG)):
        raise DevcfgError(f"the bundled example is not at `{found}`", hint="install devcfg again")
    return found


def _play(stage: Stage, folder: str) -> int:
    stage.say(
        "A bookstore of five services in five languages runs in a cluster; its manifests are in k8s/base. You want "
        "to work on one of them, with your own source and your own tools. One file says how:"
    )
    found = re.search(r"(?m)^  storefront:\n(?:    .*\n)+", read(CONFIG))
    stage.shown(f"sed -n '/storefront:/,/^$/p' {CONFIG}")
    lines(found[0].rstrip() if found else "")
    workload = WORKLOAD
    if not any(shutil.which(name) for name in ("kubectl", "kustomize")):
        stage.say("Neither kubectl nor kustomize is here, so the base becomes one plain file, which needs no tool.")
        _flatten(stage)
        workload = FLAT
    stage.say("A slip in it is found at once, with its place and what was probably meant:")
    stage.edit(CONFIG, "command:\n      build: [javac", "comand:\n      build: [javac")
    stage.command("validate reviews", wanted=2)
    stage.edit(CONFIG, "comand:", "command:")
    stage.command("validate")
    play_session(stage, folder)
    _play_files(stage, workload)
    return _end(stage)


def _play_files(stage: Stage, workload: str) -> None:
    stage.say(
        "In a cluster, dev mode is plain kustomize files, which a reviewer reads and stock kubectl applies. Each line "
        "leads back to what causes it:"
    )
    stage.command("render --write")
    _excerpt(stage, PATCH, ("# What this patch assumes of the base:", 3), ("# services.reviews.image", 2))
    stage.command(f"explain {PATCH}:{_line(PATCH, '/image')}")
    stage.say(
        "Weeks later somebody puts a container in front of yours. A patch that counts containers would now change "
        "the wrong one, without a word. This one cannot, and devcfg says which change made it stale:"
    )
    stage.shown(f"$EDITOR {workload}")
    stage.edit(workload, "        - name: access-log\n", f"{SIDECAR}        - name: access-log\n")
    console.say(f"+{SIDECAR.rstrip()}", console.GREEN)
    stage.command("render --check > stale.diff", wanted=1)
    stage.say("Writing it again takes the new base in; nothing else is needed:")
    stage.command("render --write")
    stage.command("render --check")


def _end(stage: Stage) -> int:
    if stage.failed:
        console.say(f"the demo failed: {'; '.join(stage.failed)}", console.RED, console.BOLD)
        return 1
    stage.say(
        "That was devcfg: your source live at every save, and dev mode as files. In a cluster: `devcfg up reviews`, "
        "or with stock tools `kubectl apply -k k8s/overlays/dev`. The copy that this ran on is gone again."
    )
    return 0


def _excerpt(stage: Stage, path: str, *parts: tuple[str, int]) -> None:
    """Show lines of a generated file: each part is a heading and how many lines, its own included."""
    text = read(path).splitlines()
    starts = [(text.index(heading), count) for heading, count in parts]
    stage.shown(f"sed -n '{';'.join(f'{at + 1},{at + count}p' for at, count in starts)}' {path}")
    for at, count in starts:
        lines("\n".join(text[at : at + count]))


def _flatten(stage: Stage) -> None:
    folder, name = os.path.split(FLAT)
    files = sorted(one for one in os.listdir(folder) if one != "kustomization.yaml")
    write_atomically(FLAT, "---\n".join(read(f"{folder}/{one}") for one in files))
    write_atomically(f"{folder}/kustomization.yaml", f"resources: [{name}]\n")
    stage.edit(CONFIG, f"base: {folder}", f"base: {FLAT}")


def _line(path: str, pointer: str) -> int:
    """Return the number of the first line that changes what the pointer ends with."""
    return next((at for at, line in enumerate(read(path).splitlines(), 1) if f'{pointer}"' in line), 1)
