"""Programs of the bookstore in their own languages, and the children that their tools start, under a real session."""

import json
import os
import shutil
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest
from tests.runtime.session.conftest import PYTHON, eventually

BOOKSTORE = Path(__file__).resolve().parents[3] / "examples" / "bookstore" / "services"

NOBODY = {f"{name}_URL": "http://127.0.0.1:1" for name in ("DETAILS", "AUTHORS", "REVIEWS", "RATINGS")}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def fetch(port, path):
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.read().decode()
    except OSError:
        return ""


@pytest.fixture
def serve(project):
    """Start one service of the bookstore; return the session and the forwarded port."""
    shutil.rmtree(project.root / "src")

    def start(service, command, **more):
        shutil.copytree(BOOKSTORE / service, project.root / "src")
        listens = free_port()
        project.config(
            web={"command": command, "env": {"PORT": str(listens), **NOBODY}, "ports": [f":{listens}"], **more}
        )
        up = project.up()
        port = up.wait_for("forwarding")["local"]
        up.wait_for("restarted", generation=1)
        return up, port

    return start


@pytest.fixture
def go(program, tmp_path):
    """Return the Go compiler, its cache warm: the standard library alone may take minutes on a loaded machine."""
    found = program("go")
    subprocess.run(
        [found, "build", "-o", str(tmp_path / "warm"), "."], cwd=BOOKSTORE / "authors", check=True, timeout=600
    )
    return found


def edit(project, path, old, new):
    text = (project.root / "src" / path).read_text()
    assert old in text
    project.write(f"src/{path}", text.replace(old, new, 1))


def test_python_the_storefront_serves_what_was_saved(project, serve):
    up, port = serve("storefront", {"run": [PYTHON, "-u", "storefront.py"]}, reload={"watch": ["*.py"]})
    assert fetch(port, "/healthz") == "ok\n"  # held until it listens
    edit(project, "storefront.py", '"ok\\n"', '"fine\\n"')
    up.wait_for("restarted", generation=2)
    eventually(lambda: fetch(port, "/healthz") == "fine\n", "the new answer")
    edit(project, "page.html", "<main>", "<main>SAVED")
    eventually(lambda: "SAVED" in fetch(port, "/"), "the page")
    assert [one["generation"] for one in up.events if one["event"] == "restarted"] == [1, 2]
    assert up.end() == 0


def test_node_ratings_reloads_itself_and_is_not_restarted_twice(project, serve, program):
    sync = [{"path": "src", "target": "/app", "write": "inplace"}]
    up, port = serve("ratings", {"run": [program("node"), "--watch", "server.mjs"]}, sync=sync)
    up.wait_for_words("`--watch` reloads by itself")
    eventually(lambda: fetch(port, "/healthz"), "the server")
    edit(project, "server.mjs", '"ok\\n"', '"fine\\n"')
    eventually(lambda: fetch(port, "/healthz") == "fine\n", "the new answer", lambda: project.log())
    assert [one["generation"] for one in up.events if one["event"] == "restarted"] == [1]
    assert up.end() == 0
    assert project.owned() == []


def test_npm_run_leaves_no_child_behind(project, serve, program):
    up, port = serve("ratings", {"run": [program("npm"), "run", "start"]})
    project.write("src/package.json", json.dumps({"name": "ratings", "scripts": {"start": "node server.mjs"}}))
    eventually(lambda: fetch(port, "/healthz") == "ok\n", "the server", lambda: project.log())
    edit(project, "server.mjs", '"ok\\n"', '"fine\\n"')
    eventually(lambda: fetch(port, "/healthz") == "fine\n", "the new answer", lambda: project.log())
    assert up.end() == 0
    assert project.owned() == []


def test_go_authors_is_built_and_a_build_failure_keeps_it_serving(project, serve, go):
    binary = str(project.root / "authors.bin")
    command = {"build": [go, "build", "-o", binary, "."], "run": [binary]}
    up, port = serve("authors", command, sync=[{"path": "src", "target": "/app", "mode": "one-way-replica"}])
    assert fetch(port, "/healthz") == "ok\n"
    edit(project, "main.go", "package main", "package main\nfunc broken( {")
    up.wait_for("build-failed")
    assert fetch(port, "/healthz") == "ok\n"
    up.wait_for_words("syntax error")
    edit(project, "main.go", "package main\nfunc broken( {", "package main")
    up.wait_for("restarted", generation=3)
    assert fetch(port, "/healthz") == "ok\n"
    assert up.end() == 0
    assert project.owned() == []


def test_go_run_leaves_no_child_behind(project, serve, go):
    up, port = serve("authors", {"run": [go, "run", "."]})
    eventually(lambda: fetch(port, "/healthz") == "ok\n", "the server", lambda: project.log())
    project.write("src/more.go", "package main\n\nvar more = 1\n")
    up.wait_for("restarted", generation=2)
    eventually(lambda: fetch(port, "/healthz") == "ok\n", "the server", lambda: project.log())
    assert up.end() == 0
    assert project.owned() == []


def test_java_reviews_is_built_and_restarted(project, serve, program):
    program("java")
    command = {
        "build": [program("javac"), "-d", "build", "Reviews.java"],
        "run": ["java", "-XX:TieredStopAtLevel=1", "-cp", "build", "Reviews"],
    }
    up, port = serve("reviews", command, sync=[{"path": "src", "target": "/app", "exclude": ["build/"]}])
    eventually(lambda: fetch(port, "/healthz"), "the server", lambda: project.log())
    edit(project, "Reviews.java", 'listening on "', 'now listening on "')
    up.wait_for("restarted", generation=2)
    project.wait_for_log("now listening on")
    assert not os.path.exists(project.root / "src/build")
    assert up.end() == 0


def test_a_connection_is_held_across_a_restart(project, serve):
    up, port = serve("storefront", {"run": [PYTHON, "-c", SLOW, "storefront.py"]})
    assert fetch(port, "/healthz") == "ok\n"
    for generation in (2, 3):
        edit(project, "storefront.py", "def ask(", f"# {generation}\ndef ask(")
        up.wait_for("restarted", generation=generation)
        assert fetch(port, "/healthz") == "ok\n"  # it does not listen yet
    assert up.end() == 0


SLOW = "import runpy, sys, time; time.sleep(1); sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')"
