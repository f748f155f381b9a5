"""A real cluster behind stock kubectl: namespaces of this run, images, projects on disk, dev containers.

Never names what only one cluster has; where images cannot be built for the cluster, their tests skip.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("storefront", "reviews", "details", "ratings", "authors")
PATIENCE = 90.0  # seconds, for a loaded machine; nothing waits this long when it works
LABEL = "devcfg.test/run"
BUSYBOX = "/devcfg/bin/busybox"
WORKLOADS = "deployments,statefulsets,daemonsets,horizontalpodautoscalers"


def eventually(look: Callable[[], T], what: str, detail: Callable[[], str] = lambda: "") -> T:
    """Return the first true value of `look`; fail with `what` when none comes within `PATIENCE`."""
    deadline = time.monotonic() + PATIENCE
    while not (seen := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {PATIENCE:g} s; last seen {seen!r}\n{detail()}")
        time.sleep(0.2)
    return seen


def run(
    *words: str, cwd: Path | None = None, stdin: str | bytes = b"", code: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """Run a program, give it standard input, and want an exit code of it; None takes any."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(words, cwd=cwd, input=given, capture_output=True)
    result = subprocess.CompletedProcess(words, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert code in (None, result.returncode), f"{' '.join(words)[:300]}: exit {result.returncode}\n{result.stderr}"
    return result


@dataclass(frozen=True)
class DevContainer:
    """The dev container of one service, steered as a person with kubectl would."""

    space: Space
    pod: str
    service: str
    container: str

    def exec(self, *words: str, code: int | None = 0) -> str:
        """Run words in the container and return what they print."""
        return self.space.kubectl("exec", self.pod, "-c", self.container, "--", *words, code=code).stdout

    def busybox(self, *words: str) -> str:
        """Run an applet of the busybox that dev mode brings along."""
        return self.exec(BUSYBOX, *words)

    def put(self, path: str, text: str) -> None:
        """Replace one file below the sync target. Its text travels as an argument: see `fill`."""
        self.exec(BUSYBOX, "sh", "-c", 'printf %s "$2" >/src/.new && mv /src/.new "/src/$1"', "put", path, text)

    def fill(self, directory: Path) -> None:
        """Copy a directory to the sync target, as a first sync would; the dev image may have no tar.

        Some versions of containerd now and then give a quick command no standard input at all: tar fails then.
        """
        packed = subprocess.run(["tar", "-C", directory, "-c", "."], check=True, capture_output=True).stdout
        words = ("-n", self.space.name, "exec", "-i", self.pod, "-c", self.container, "--", BUSYBOX, "tar", "-x")
        eventually(
            lambda: not subprocess.run(["kubectl", *words, "-C", "/src"], input=packed, capture_output=True).returncode,
            f"the source in {self.pod}",
        )

    def tell(self, line: str) -> None:
        """Write a line to the supervisor's FIFO."""
        self.exec(BUSYBOX, "sh", "-c", f"echo {line} 1<>/devcfg/run/{self.service}/ctl")

    @property
    def state(self) -> str:
        """The supervisor's state; empty while the container cannot be asked."""
        asked = ("exec", self.pod, "-c", self.container, "--", BUSYBOX, "cat", f"/devcfg/run/{self.service}/state")
        done = subprocess.run(["kubectl", "-n", self.space.name, *asked], capture_output=True, text=True)
        return done.stdout.strip()

    @property
    def generation(self) -> int:
        """How often the supervisor has started a dev process."""
        return int(self.state.split()[0])

    @property
    def log(self) -> str:
        """What the container of now has logged."""
        return self.space.kubectl("logs", self.pod, "-c", self.container).stdout

    @property
    def restarts(self) -> int:
        """How often the kubelet restarted the container."""
        statuses = self.space.get("pod", self.pod)["status"]["containerStatuses"]
        return next(one["restartCount"] for one in statuses if one["name"] == self.container)

    def until(self, wanted: str) -> str:
        """Wait until the state without its generation begins with `wanted`; return the whole state."""
        return eventually(
            lambda: next((one for one in [self.state] if one.partition(" ")[2].startswith(wanted)), ""),
            f"{self.service}: state `{wanted}`",
            lambda: f"state {self.state!r}\n{self.log}",
        )

    def ask(self, path: str) -> str:
        """Return what the service answers, asked through the API server; empty without an answer."""
        url = f"/api/v1/namespaces/{self.space.name}/pods/{self.pod}:9080/proxy{path}"
        return subprocess.run(["kubectl", "get", "--raw", url], capture_output=True, text=True).stdout

    def until_answer(self, path: str, text: str) -> str:
        """Wait until the service answers with `text`."""
        return eventually(
            lambda: next((one for one in [self.ask(path)] if text in one), ""),
            f"{self.service}: an answer with {text!r}",
            lambda: f"last answer {self.ask(path)!r}, state {self.state!r}\n{self.log}",
        )


@dataclass(frozen=True)
class Space:
    """A namespace of this run."""

    name: str

    def kubectl(
        self, *words: str, stdin: str | bytes = b"", code: int | None = 0, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run stock kubectl in the namespace."""
        return run("kubectl", "-n", self.name, *words, stdin=stdin, code=code, cwd=cwd)

    def get(self, *words: str) -> Any:
        """Return what `kubectl get` knows, as JSON."""
        return json.loads(self.kubectl("get", *words, "-o", "json").stdout)

    def specs(self, *words: str) -> dict[str, str]:
        """Return the spec of each workload and autoscaler, byte for byte as the API server writes it."""
        items = self.get(WORKLOADS, *words)["items"]
        return {
            f"{self.name}/{one['kind']}/{one['metadata']['name']}": json.dumps(one["spec"], indent=1) for one in items
        }

    def rollout(self, *workloads: str) -> None:
        """Wait until the workloads are rolled out."""
        for one in workloads:
            self.kubectl("rollout", "status", one, f"--timeout={PATIENCE:g}s")

    def dev_container(self, service: str, *, container: str | None = None, selector: str | None = None) -> DevContainer:
        """Return the running dev container of a service, once its supervisor says what it is at.

        Unless said otherwise, container and label are named like the service, as in the bookstore.
        """
        name = container or service
        label = f"app={service}" if selector is None else selector

        def look() -> str:
            for pod in self.get("pods", "-l", label)["items"]:
                meta, status = pod["metadata"], pod.get("status", {})
                ours = "devcfg.dev/plan" in meta.get("annotations", {}) and "deletionTimestamp" not in meta
                for one in status.get("containerStatuses", []) if ours else []:
                    if one["name"] == name and "running" in one["state"]:
                        return meta["name"]
            return ""

        pod = eventually(look, f"a dev pod of {service}", lambda: self.kubectl("describe", "pods").stdout)
        found = DevContainer(self, pod, service, name)
        eventually(lambda: found.state, f"a supervisor in {pod}", lambda: found.log)
        return found


@dataclass(frozen=True)
class Project:
    """A dev config and its base, in a directory of their own."""

    path: Path
    space: Space

    def devcfg(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run devcfg in the project."""
        return run("devcfg", *words, cwd=self.path, code=code)

    def apply_base(self, *words: str) -> None:
        """Bring the base into the namespace, as the example's README says."""
        self.space.kubectl("apply", "-k", "k8s/base", *words, cwd=self.path)

    def apply_dev(self, *services: str) -> subprocess.CompletedProcess[str]:
        """Bring services into dev mode with stock kubectl; return what devcfg said."""
        rendered = self.devcfg("render", *services)
        self.space.kubectl("apply", "-f", "-", stdin=rendered.stdout)
        return rendered

    def template(self, service: str) -> str:
        """Return the pod template that `kubectl apply` would make of dev mode, as the API server writes it."""
        rendered = self.devcfg("render", service).stdout
        done = self.space.kubectl("apply", "--dry-run=server", "-o", "json", "-f", "-", stdin=rendered)
        objects = json.loads(done.stdout)["items"]
        return next(
            json.dumps(one["spec"]["template"], indent=1) for one in objects if "template" in one.get("spec", {})
        )

    def advice(self, said: str) -> None:
        """Follow literally the commands that devcfg printed on standard error."""
        commands = [line.strip() for line in said.splitlines() if line.startswith(("  kubectl ", "  devcfg "))]
        assert commands, said
        for one in commands:
            run("sh", "-ec", one, cwd=self.path)


@dataclass
class Spaces:
    """The namespaces of this run, each deleted at its end."""

    run: str = field(default_factory=lambda: secrets.token_hex(3))
    made: list[str] = field(default_factory=list)

    @property
    def label(self) -> dict[str, str]:
        """What everything of this run carries."""
        return {LABEL: self.run}

    def kubectl(self, *words: str, stdin: str = "") -> None:
        """Run stock kubectl on what has no namespace."""
        run("kubectl", *words, stdin=stdin)

    def make(self, purpose: str, *labels: str) -> Space:
        """Make a labelled namespace."""
        name = f"devcfg-e2e-{purpose}-{self.run}"
        run("kubectl", "create", "namespace", name)
        self.made.append(name)
        run("kubectl", "label", "namespace", name, f"{LABEL}={self.run}", *labels)
        space = Space(name)
        eventually(lambda: space.get("serviceaccounts")["items"], "the default service account")
        return space


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    """Return `eventually`."""
    return eventually


@pytest.fixture(scope="session", autouse=True)
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spaces]:
    """The cluster that KUBECONFIG names, or skip; never the context that a person happens to have."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl on the path")
    if subprocess.run(["kubectl", "get", "--raw", "/readyz", "--request-timeout=10s"], capture_output=True).returncode:
        pytest.skip("KUBECONFIG reaches no cluster that is ready")
    patch = pytest.MonkeyPatch()
    patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    spaces = Spaces()
    yield spaces
    for name in spaces.made:
        run("kubectl", "delete", "namespace", name, "--wait=false", "--ignore-not-found")
    for name in spaces.made:
        run("kubectl", "wait", "--for=delete", f"namespace/{name}", "--timeout=120s")
    patch.undo()


@pytest.fixture
def space_of(cluster: Spaces) -> Iterator[Callable[[str], Space]]:
    """Return a function that makes a namespace for one test: its pods make room for the next test's."""
    made: list[Space] = []

    def make(purpose: str) -> Space:
        made.append(cluster.make(purpose))
        return made[-1]

    yield make
    for space in made:
        run("kubectl", "delete", "namespace", space.name, "--wait=false")


@pytest.fixture(scope="session")
def build_image(cluster: Spaces) -> Callable[[Path, str], None]:
    """Return a function that builds an image where the cluster finds it, or skips."""
    script = ROOT.parent / "shared" / "cluster" / "image"

    def build(directory: Path, name: str) -> None:
        if script.exists():
            run(str(script), str(directory), name)
        elif shutil.which("docker") and shutil.which("kind"):
            run("docker", "build", "-t", name, str(directory))
            run("kind", "load", "docker-image", name)
        else:
            pytest.skip("no images can be built for this cluster: neither docker with kind, nor a script of its own")

    return build


@pytest.fixture(scope="session")
def project_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Project]:
    """Return a function that writes a project for a namespace: a copy of the bookstore, or given files."""

    def made(space: Space, files: dict[str, str] | None = None) -> Project:
        path = tmp_path_factory.mktemp("project") / "shop"
        if files is None:
            shutil.copytree(ROOT / "examples" / "bookstore", path)
            config = path / "devcfg.yaml"
            text = config.read_text()
            assert "\nnamespace: bookstore\n" in text
            config.write_text(text.replace("\nnamespace: bookstore\n", f"\nnamespace: {space.name}\n"))
        for name, content in (files or {}).items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(content)
        return Project(path, space)

    return made


@pytest.fixture(scope="session")
def bookstore_images(build_image: Callable[[Path, str], None]) -> None:
    """The images of the five services, built as the example's README says."""
    for service in SERVICES:
        build_image(ROOT / "examples" / "bookstore" / "services" / service, f"bookstore/{service}:1")


@dataclass(frozen=True)
class Shop:
    """The bookstore in a namespace, and authors once more in one that enforces Pod Security `restricted`."""

    main: Project
    strict: Project

    def of(self, service: str) -> Project:
        """Return where a service is developed."""
        return self.strict if service == "authors" else self.main


@pytest.fixture(scope="session")
def shop(cluster: Spaces, project_of: Callable[..., Project], bookstore_images: None) -> Shop:
    """The bookstore in production, deployed from its base."""
    main = project_of(cluster.make("shop"))
    strict = project_of(cluster.make("strict", "pod-security.kubernetes.io/enforce=restricted"))
    main.apply_base()
    strict.apply_base("-l", "app=authors")
    main.space.rollout("statefulset/details", *(f"deployment/{one}" for one in SERVICES if one != "details"))
    strict.space.rollout("deployment/authors")
    return Shop(main, strict)
