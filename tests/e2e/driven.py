"""A session that runs in a process of its own, driven and read as an editor would: by its events and its forwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request


class Driven:
    """`devcfg up --yes --events` in a project, with a home of its own; what it said is in two files there."""

    def __init__(self, project, until, home, *words, **env):
        self.project, self._until = project, until
        self.out, self.err = home / "events", home / "words"
        homes = {"XDG_STATE_HOME": str(home), "XDG_CONFIG_HOME": str(home), "NO_COLOR": "1"}
        self.env = {**os.environ, **homes, **env}
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(
                ["devcfg", "up", "--yes", "--events", *words],
                cwd=project.path,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def events(self):
        """What it told until now."""
        lines = self.out.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    @property
    def words(self):
        """What it said until now."""
        return self.err.read_text()

    def wait_for(self, event, service):
        """Return the first event of this name of a service."""

        def look():
            found = next((one for one in self.events if (one["event"], one["service"]) == (event, service)), None)
            assert found is not None or self.process.poll() is None, self.words
            return found

        return self._until(look, f"{event} of {service}", lambda: self.words)

    def ask(self, service, path):
        """Return what a service answers over its forward; empty while it does not."""
        port = next(
            (one["local"] for one in self.events if (one["event"], one["service"]) == ("forwarding", service)), None
        )
        if port is None:
            return ""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=40) as answer:
                return answer.read().decode()
        except (OSError, urllib.error.URLError):
            return ""

    def until_answer(self, service, path, text):
        """Wait until a service answers with a text."""
        self._until(lambda: text in self.ask(service, path), f"{service}: an answer with {text!r}", lambda: self.words)

    def end(self, number=signal.SIGINT):
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(180)
