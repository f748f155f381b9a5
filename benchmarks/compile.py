"""How quick the compiler is: each figure a ratio against a peer or a floor that was measured in the same run.

    python benchmarks/compile.py [--quick] [--seed N]

- the floor: `python -c 'import typer, pydantic, yaml'` of the same environment, beside every command;
- the peer: `kubectl kustomize` of the overlay that `devcfg render --write` made, beside `devcfg render`, for bases of
  1, 100 and 1,000 workloads. Where every one of 1,000 services is in dev mode kubectl takes longer than anyone waits:
  it is stopped, and the ratio is then the least that it can be;
- the growth of `render` alone, up to 4,000 workloads;
- every hostile dev config of the tests beside `--help`, with its peak memory.

All times are CPU time, user and system, of whole processes; `timing` says how. Exit code 1 when a hold is not held.
`--quick` leaves out 1,000 workloads and the growth, and takes fewer rounds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

from subjects import copy_bookstore, write_project
from table import Row, above_floor, lines_of, machine, milliseconds, under_peer
from timing import Command, Run, alternate, bend, fit, measure, middle

DEVCFG = str(Path(sys.executable).with_name("devcfg"))
FLOOR = (sys.executable, "-c", "import typer, pydantic, yaml")
KUBECTL = ("kubectl", "kustomize", "k8s/overlays/dev")
PATIENCE = 40
"""CPU seconds after which kubectl is stopped where every one of 1,000 services is in dev mode."""
MOST_FLOORS, LEAST_GAIN, MOST_BEND = 1.5, 20, 1.3
HOSTILE_SECONDS, HOSTILE_MIB = 0.2, 150


def main() -> int:
    """Measure everything, print the table, and return the exit code."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="no 1,000 workloads, no growth, fewer rounds")
    parser.add_argument("--seed", type=int, default=1, help="what the bases are drawn from")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="devcfg-bench-") as folder:
        bench = Bench(Path(folder), seed=options.seed, quick=options.quick)
        # The hostile files before this process has grown: no child's peak is below it.
        rows = [*bench.starts(), *bench.imports(), *bench.hostile(), *bench.renders(), *bench.growth()]
    print(machine(options.seed))
    for line in lines_of(rows):
        print(line)
    return 1 if any(row.held is False for row in rows) else 0


class Bench:
    """The parts of the table, over projects below one directory."""

    def __init__(self, folder: Path, *, seed: int, quick: bool) -> None:
        self.folder = folder
        self.quick = quick
        self.seed = seed
        # Nothing of PYTHON*: who forbids bytecode, for one, would measure Python's own compiler.
        self.environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        self.environment |= {"LC_ALL": "C.UTF-8", "XDG_CACHE_HOME": str(folder / "cache"), "KUBECONFIG": os.devnull}
        self.small = write_project(folder / "small", 3, seed) / "one"
        self.shop = copy_bookstore(folder / "bookstore")

    def starts(self) -> Iterator[Row]:
        """Yield what each command takes beside the floor, on small projects."""
        shop, component = self.shop, self.shop / "k8s" / "components"
        self._say(shop, "render", "--write")
        commands = {
            "floor": Command(FLOOR, self.folder),
            "validate, plain base of 6 objects": _ours(self.small, "validate", "-f", "plain.yaml"),
            "validate, bookstore (kustomize base, warm cache)": _ours(shop, "validate"),
            "render, bookstore": _ours(shop, "render"),
            "render --check, bookstore": _ours(shop, "render", "--check"),
            "render --write, bookstore, into nothing": Command(
                (DEVCFG, "render", "--write"), shop, before=lambda: shutil.rmtree(component, ignore_errors=True)
            ),
            "diff, bookstore": _ours(shop, "diff"),
            "explain services.web.sync": _ours(shop, "explain", "services.web.sync"),
            "schema": _ours(shop, "schema"),
            "--help": _ours(shop, "--help"),
        }
        found = alternate(commands, 7 if self.quick else 21, self.environment)
        floor = found.pop("floor")
        for name, runs in found.items():
            yield above_floor(name, runs, floor, MOST_FLOORS if name.startswith("validate") else None)

    def imports(self) -> Iterator[Row]:
        """Yield whether `validate` imports `kubernetes`, which is put where it would be found."""
        bait = self.folder / "bait"
        (bait / "kubernetes").mkdir(parents=True)
        (bait / "kubernetes" / "__init__.py").touch()
        words = (sys.executable, "-X", "importtime", DEVCFG, "validate")
        for name, folder, more in (("plain base", self.small, ("-f", "plain.yaml")), ("bookstore", self.shop, ())):
            environment = {**self.environment, "PYTHONPATH": str(bait)}
            seen = subprocess.run(
                (*words, *more), cwd=folder, env=environment, capture_output=True, text=True, check=True
            ).stderr
            if "devcfg.compiler" not in seen:
                raise RuntimeError(f"no imports were seen in {folder}")
            clean = "kubernetes" not in seen
            yield Row(f"validate, {name}: `kubernetes`", "unused" if clean else "imported", hold="unused", held=clean)

    def renders(self) -> Iterator[Row]:
        """Yield `render` beside kubectl for bases of growing size, and the growth of both."""
        if shutil.which("kubectl", path=self.environment["PATH"]) is None:
            yield Row("render beside kubectl", other="no kubectl here")
            return
        sizes = (1, 100) if self.quick else (1, 100, 1000)
        found = {size: self._render(size) for size in sizes}
        sides = [name for name in found[1] if not name.startswith("kubectl")]
        for size in sizes:
            for name in sides:
                peer = found[size]["kubectl, every" if name.startswith("every") else "kubectl, one"]
                least = LEAST_GAIN if size == 1000 else None
                plural = "s" * (size > 1)
                yield under_peer(f"render, {size:,} workload{plural}, {name}", found[size][name], peer, least)
        most = sizes[-1]
        for name in sides:
            grown, peer = (
                f"{'> ' * found[most][one][0].cut}{middle(found[most][one]) / middle(found[1][one]):,.1f} ×"
                for one in (name, "kubectl, every" if name.startswith("every") else "kubectl, one")
            )
            yield Row(f"growth from 1 to {most:,} workloads, {name}", grown, peer)
        for name in sides:
            yield Row(f"peak memory, {most:,} workloads, {name}", f"{_peak(found[most][name]):.0f} MiB")

    def _render(self, size: int) -> dict[str, list[Run]]:
        """Measure what `render` is asked for most, and kubectl, which builds the same from the written files."""
        project = self._project(size)
        one, every = project / "one", project / "every"
        for folder in (one, every):
            self._say(folder, "render", "--write")
        self._compare_objects(one)
        commands = {
            "kubectl, one": Command(KUBECTL, one),
            "kubectl, every": Command(KUBECTL, every, bound=PATIENCE if size == 1000 else 0),
            "one service, plain base": _ours(one, "render", "-f", "plain.yaml"),
            "one service, kustomize base, warm cache": _ours(one, "render"),
            "one service and the whole base (--all), plain base": _ours(one, "render", "--all", "-f", "plain.yaml"),
            "one service and the whole base (--all), warm cache": _ours(one, "render", "--all"),
            "every service, plain base": _ours(every, "render", "-f", "plain.yaml"),
            "every service, kustomize base, warm cache": _ours(every, "render"),
        }
        return alternate(commands, 3 if self.quick or size == 1000 else 9, self.environment)

    def growth(self) -> Iterator[Row]:
        """Yield how the cost of `render` grows, without kubectl."""
        small, large = (100, 250, 500, 1000), (100, 200, 500, 1000, 2000, 4000)
        asked = (("one service", "one", large, ()), ("--all", "one", large, ("--all",)), ("every", "every", small, ()))
        for name, scope, sizes, words in asked if not self.quick else ():
            commands = {
                str(size): _ours(self._project(size) / scope, "render", *words, "-f", "plain.yaml") for size in sizes
            }
            runs = alternate(commands, 5, self.environment)
            costs = {int(size): middle(found) for size, found in runs.items()}
            bent, (fixed, slope, square) = bend(costs), fit(costs)
            yield Row(
                f"line through {sizes[0]:,} to {sizes[-1]:,} workloads, render, {name}, plain base",
                f"{fixed * 1000:.0f} ms + {slope * 1e6:.0f} µs each",
                f"R² {square:.4f}",
                f"upper half {bent:.2f} × lower",
                hold=f"upper ≤ {MOST_BEND} × lower",
                held=bent <= MOST_BEND,
            )

    def hostile(self) -> Iterator[Row]:
        """Yield how the worst of the hostile files stand beside `--help`."""
        folder = self.folder / "hostile"
        subprocess.run([sys.executable, Path(__file__).with_name("subjects.py"), folder], check=True)
        helps: list[Run] = []
        found: dict[str, list[Run]] = {one.name: [] for one in sorted(folder.iterdir())}
        for _ in range(1 if self.quick else 3):
            for name, runs in found.items():
                helps.append(measure(_ours(folder, "--help"), self.environment))
                runs.append(measure(_ours(folder / name, "validate", code=2), self.environment))
        slowest, largest = (
            max(found, key=lambda name: middle(found[name])),
            max(found, key=lambda one: _peak(found[one])),
        )
        worst, floor, peak = middle(found[slowest]), middle(helps), _peak(found[largest])
        yield Row(
            f"slowest of {len(found)} hostile files ({slowest}) beside --help",
            milliseconds(found[slowest]),
            milliseconds(helps),
            f"{worst / floor:.2f} ×",
            hold=f"≤ --help + {HOSTILE_SECONDS * 1000:.0f} ms",
            held=worst <= floor + HOSTILE_SECONDS,
        )
        yield Row(
            f"largest of {len(found)} hostile files ({largest}) beside --help",
            f"{peak:.0f} MiB",
            f"{_peak(helps):.0f} MiB",
            f"{peak / _peak(helps):.2f} ×",
            hold=f"≤ {HOSTILE_MIB} MiB",
            held=peak <= HOSTILE_MIB,
        )

    def _project(self, size: int) -> Path:
        folder = self.folder / f"project-{size}"
        return folder if folder.exists() else write_project(folder, size, self.seed)

    def _say(self, folder: Path, *words: str) -> str:
        """Run devcfg and return what it says on standard output."""
        return self._output((DEVCFG, *words), folder)

    def _output(self, words: tuple[str, ...], folder: Path) -> str:
        done = subprocess.run(words, cwd=folder, env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout

    def _compare_objects(self, folder: Path) -> None:
        """Make sure that both sides make the same objects: a comparison of different work would say nothing."""
        texts = self._say(folder, "render", "--all"), self._output(KUBECTL, folder)
        ours, peer = (sorted(line for line in text.splitlines() if line.startswith("kind: ")) for text in texts)
        if not ours or ours != peer:
            raise RuntimeError(f"render makes {len(ours)} objects and kubectl {len(peer)}, or other kinds, in {folder}")


def _ours(folder: Path, *words: str, code: int = 0) -> Command:
    return Command((DEVCFG, *words), folder, code)


def _peak(runs: list[Run]) -> float:
    return max(one.peak for one in runs)


if __name__ == "__main__":
    sys.exit(main())
