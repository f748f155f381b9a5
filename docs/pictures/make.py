"""Makes the pictures of the README out of a real session: `devcfg` in a terminal, on the cluster of KUBECONFIG.

    KUBECONFIG=… python docs/pictures/make.py

It makes the namespace `books`, which must not be there, and deletes it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from terminal import Screen, Terminal, picture

SPACE = "books"
HERE = Path(__file__).parent
BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews}
spec:
  selector: {matchLabels: {app: reviews}}
  template:
    metadata: {labels: {app: reviews}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - {name: reviews, image: "python:3-slim", command: [sleep, "100000"]}
"""
CONFIG = """\
version: 1
base: base.yaml
namespace: books
services:
  reviews:
    command: {run: [python, -u, app.py]}
    sync: ["src:/src"]
    ports: [":8000"]
"""
APP = """\
import http.server
class Reviews(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"five stars")
print("reviews: listening on port 8000")
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Reviews).serve_forever()
"""


class Studio:
    """A project, its namespace, and what is typed there."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "books"
        (self.project / "src").mkdir(parents=True)
        for name, text in (("base.yaml", BASE), ("devcfg.yaml", CONFIG), ("src/app.py", APP), ("src/notes.md", "a\n")):
            (self.project / name).write_text(text)
        names = ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "TERM": "xterm-256color", "LOGNAME": "anna", "COLUMNS": "100"}
        plain = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR")}
        self.env = {**plain, **own, **dict.fromkeys(names, str(folder / "home"))}

    def kubectl(self, *words: str) -> None:
        """Run stock kubectl in the namespace."""
        subprocess.run(["kubectl", "-n", SPACE, *words], cwd=self.project, check=True, stdout=subprocess.DEVNULL)

    def type(self, screen: Screen, words: str) -> Terminal:
        """Type a command at a prompt of this screen."""
        screen.feed(f"\x1b[32m~/books $\x1b[0m {words}\r\n")
        return Terminal(words.split(), self.project, self.env, screen)

    def save(self, name: str, text: str) -> None:
        """Save as an editor that replaces the file."""
        new = self.project / "src" / ".new.pyc"
        new.write_text(text)
        new.replace(self.project / "src" / name)

    def pod(self) -> str:
        """Return the pod of the session."""
        words = ["devcfg", "status", "-o", "json"]
        done = subprocess.run(words, cwd=self.project, env=self.env, check=True, capture_output=True)
        return json.loads(done.stdout)["services"][0]["pod"]


def draw(name: str, screen: Screen, title: str, since: int = 0) -> None:
    """Write the picture of a screen from a line on."""
    (HERE / f"{name}.svg").write_text(picture(screen.lines[since:], title))
    print(f"---- {name}\n{screen.text(since)}")


def show_session(studio: Studio) -> None:
    """Draw `up`, a save, `status` and a conflict."""
    screen, other = Screen(), Screen()
    session = studio.type(screen, "devcfg up reviews")
    session.until("[y/N]")
    session.type("y\r")
    session.until("started in")
    session.rest()
    draw("up", screen, "devcfg up takes a workload into dev mode")
    since = len(screen.lines) - 1
    studio.save("app.py", APP.replace("five", "six"))
    session.until("restarted in")
    session.rest()
    draw("save", screen, "a save is in the pod, and the process runs anew", since)
    studio.type(other, "devcfg status").end()
    draw("status", other, "devcfg status says how each service is")

    # Both change the same file while the session cannot see it.
    pod, since = studio.pod(), len(screen.lines) - 1
    os.kill(session.pid, signal.SIGSTOP)
    studio.save("notes.md", "mine\n")
    studio.kubectl("exec", pod, "-c", "reviews", "--", "sh", "-c", "echo theirs >/src/notes.md")
    os.kill(session.pid, signal.SIGCONT)
    session.until("conflict")
    session.rest()
    other = Screen([*screen.lines[since:], [], []])
    studio.type(other, "devcfg sync conflicts").end()
    studio.type(other, "devcfg sync resolve reviews notes.md --local").end()
    draw("conflict", other, "a conflict is shown, and both sides stay untouched until it is decided")
    session.type("\x03")
    session.end()


def show_failure(studio: Studio) -> None:
    """Draw a rollout that fails, and the way back."""
    config = studio.project / "devcfg.yaml"
    config.write_text(CONFIG.replace("    command:", "    image: registry.books.test/dev/python:4\n    command:"))
    screen = Screen()
    session = studio.type(screen, "devcfg up reviews")
    session.until("Enter takes it back")
    session.type("\r")
    session.end()
    draw("failed-rollout", screen, "a rollout that fails is told of with its reason")


def main() -> int:
    """Make all pictures."""
    subprocess.run(["kubectl", "create", "namespace", SPACE], check=True, stdout=subprocess.DEVNULL)
    try:
        with tempfile.TemporaryDirectory() as folder:
            studio = Studio(Path(folder))
            studio.kubectl("apply", "-f", "base.yaml")
            studio.kubectl("rollout", "status", "deployment/reviews")
            show_session(studio)
            show_failure(studio)
    finally:
        subprocess.run(["kubectl", "delete", "namespace", SPACE, "--wait=false"], check=True, stdout=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
