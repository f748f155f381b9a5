"""`devcfg demo`: the bundled bookstore taken through validate, write and a changed base. Leaves nothing behind.

Every command that it shows is run as it stands there, on a copy of the example; every word it prints is the command's.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from textwrap import fill

from devcfg.runtime import console
from devcfg.runtime.files import write_atomically
from devcfg.schemas.errors import DevcfgError

Execute = Callable[[list[str]], int]
"""Runs the words of one command line and returns its exit code."""

CONFIG = "devcfg.yaml"
WORKLOAD = "k8s/base/reviews.yaml"
FLAT = "k8s/base/manifests.yaml"
PATCH = "k8s/components/devcfg/deployment.reviews/patch.yaml"
SIDECAR = "        - {name: proxy, image: envoy:1}\n"
WIDTH = 98


def demo(execute: Execute) -> int:
    """Run the demo and return the exit code: 1 where a command did not do what the text around it says."""
    with tempfile.TemporaryDirectory(prefix="devcfg-demo-") as folder:
        place = os.path.join(folder, "bookstore")
        shutil.copytree(_example(), place, ignore=shutil.ignore_patterns("components", "overlays", ".devcfg"))
        with contextlib.chdir(place):
            return _Demo(execute).run()


def _example() -> str:
    """Return the directory of the bundled bookstore: beside the rooms in a checkout and in an installed wheel."""
    rooms = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    found = os.path.join(rooms, "examples", "bookstore")
    if not os.path.isfile(os.path.join(found, CONFIG)):
        raise DevcfgError(f"the bundled example is not at `{found}`", hint="install devcfg again")
    return found


class _Demo:
    """One run in the working directory: the steps, and what went otherwise than the text says."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute
        self._failed: list[str] = []
        self._workload = WORKLOAD

    def run(self) -> int:
        self._say(
            "A bookstore of five services in five languages runs in a cluster; its manifests are in k8s/base. You want "
            "to work on one of them, in the cluster, with your own source and your own tools. One file says how:"
        )
        self._show_config()
        if not any(shutil.which(name) for name in ("kubectl", "kustomize")):
            self._say("Neither kubectl nor kustomize is here, so the base becomes one plain file, which needs no tool.")
            self._flatten()
        self._say("A slip in it is found at once, with its place and what was probably meant:")
        self._edit(CONFIG, "command:\n      build: [javac", "comand:\n      build: [javac")
        self._command("validate reviews", wanted=2)
        self._edit(CONFIG, "comand:", "command:")
        self._command("validate reviews")
        self._say("Dev mode becomes plain kustomize files, which a reviewer reads and stock kubectl applies:")
        self._command("render --write")
        self._excerpt(PATCH, ("# What this patch assumes of the base:", 3), ("# services.reviews.image", 2))
        self._say("Each line leads back to what causes it:")
        self._command(f"explain {PATCH}:{_line(PATCH, '/image')}")
        self._say(
            "Weeks later somebody puts a container in front of yours. A patch that counts containers would now change "
            "the wrong one, without a word. This one cannot, and devcfg says which change made it stale:"
        )
        self._shown(f"$EDITOR {self._workload}")
        self._edit(self._workload, "        - name: access-log\n", f"{SIDECAR}        - name: access-log\n")
        console.say(f"+{SIDECAR.rstrip()}", console.GREEN)
        self._command("render --check > stale.diff", wanted=1)
        self._say("Writing it again takes the new base in; nothing else is needed:")
        self._command("render --write")
        self._command("render --check")
        return self._end()

    def _end(self) -> int:
        if self._failed:
            console.say(f"the demo failed: {'; '.join(self._failed)}", console.RED, console.BOLD)
            return 1
        self._say(
            "That was dev mode as files. In a cluster: `devcfg render reviews | kubectl apply -f -`, or "
            "`kubectl apply -k k8s/overlays/dev`. The copy that this ran on is gone again."
        )
        return 0

    def _say(self, text: str) -> None:
        console.say()
        _lines(fill(text, WIDTH), console.BOLD)

    def _shown(self, words: str) -> None:
        console.say()
        console.say(f"$ {words}", console.GREEN)

    def _command(self, words: str, *, wanted: int = 0) -> None:
        self._shown(f"devcfg {words}")
        words, _, sink = words.partition(" > ")
        with (
            open(sink or os.devnull, "w", encoding="utf-8") as file,
            contextlib.redirect_stdout(file if sink else sys.stdout),
        ):
            code = self._execute(words.split())
        if code:
            console.say(f"exit code {code}", console.DIM)
        if code != wanted:
            self._failed.append(f"`devcfg {words}` ended with {code}, not with {wanted}")

    def _show_config(self) -> None:
        found = re.search(r"(?m)^  reviews:\n(?:    .*\n)+", _read(CONFIG))
        self._shown(f"sed -n '/reviews:/,/^$/p' {CONFIG}")
        _lines(found[0].rstrip() if found else "")

    def _excerpt(self, path: str, *parts: tuple[str, int]) -> None:
        """Show lines of a generated file: each part is a heading and how many lines, its own included."""
        lines = _read(path).splitlines()
        starts = [(lines.index(heading), count) for heading, count in parts]
        self._shown(f"sed -n '{';'.join(f'{at + 1},{at + count}p' for at, count in starts)}' {path}")
        for at, count in starts:
            _lines("\n".join(lines[at : at + count]))

    def _edit(self, path: str, old: str, new: str) -> None:
        text = _read(path)
        if old not in text:
            self._failed.append(f"{path} has no {old.strip()!r} to change")
        write_atomically(path, text.replace(old, new, 1))

    def _flatten(self) -> None:
        folder, name = os.path.split(FLAT)
        files = sorted(one for one in os.listdir(folder) if one != "kustomization.yaml")
        write_atomically(FLAT, "---\n".join(_read(f"{folder}/{one}") for one in files))
        write_atomically(f"{folder}/kustomization.yaml", f"resources: [{name}]\n")
        self._edit(CONFIG, f"base: {folder}", f"base: {FLAT}")
        self._workload = FLAT


def _lines(text: str, *codes: str) -> None:
    for line in text.splitlines():
        console.say(line, *codes)


def _line(path: str, pointer: str) -> int:
    """Return the number of the first line that changes what the pointer ends with."""
    return next((at for at, line in enumerate(_read(path).splitlines(), 1) if f'{pointer}"' in line), 1)


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
