"""Debuggers that run, each with a small program, on ports that are free."""

import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
from delve import find_dlv

SECONDS = 60.0  # patience on a loaded machine


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Program:
    """A process under its debugger, and what it has printed."""

    def __init__(self, folder, words):
        self.log = folder / "log"
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def lines(self):
        return self.log.read_text(errors="replace").splitlines()

    def wait_for(self, text):
        deadline = time.monotonic() + SECONDS
        while text not in self.log.read_text(errors="replace"):
            assert time.monotonic() < deadline, self.lines()
            time.sleep(0.02)

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


SOURCES = {
    "app.py": "import time\nprint('STARTED', flush=True)\ntime.sleep(120)\n",
    "app.js": "console.log('STARTED'); setTimeout(() => {}, 120000)\n",
    "App.java": (
        "class App { public static void main(String[] a) throws Exception"
        ' { System.out.println("STARTED"); Thread.sleep(120000); } }\n'
    ),
    "main.go": 'package main\n\nimport "time"\n\nfunc main() { println("STARTED"); time.Sleep(2 * time.Minute) }\n',
    "go.mod": "module app\n\ngo 1.21\n",
}
RUNS = {
    "python": (sys.executable, "app.py"),
    "node": ("node", "app.js"),
    "java": ("java", "-cp", ".", "App"),
    "go": ("go", "run", "."),
    "gdb": ("/bin/sleep", "120"),
}
NEEDS = {"node": ("node",), "java": ("java", "javac"), "go": ("go", "dlv"), "gdb": ("gdbserver",)}


@pytest.fixture
def begin(tmp_path):
    """Start the words of a command in a folder that has a program of each language."""
    for name, text in SOURCES.items():
        (tmp_path / name).write_text(text)
    begun = []

    def start(name, words):
        for program in NEEDS.get(name, ()):
            if shutil.which(program) is None:
                pytest.skip(f"there is no {program} here")
        if name == "go":
            find_dlv()
        if name == "java":
            subprocess.run(["javac", "App.java"], cwd=tmp_path, check=True, timeout=SECONDS, env=os.environ)
        begun.append(Program(tmp_path, words))
        return begun[-1]

    yield start
    for one in begun:
        one.end()
