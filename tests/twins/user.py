"""A user with a session of `devcfg up`: saves files, looks at what the service answers, reads what is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request


class Up:
    """A session that runs in a process of its own, and what it said."""

    def __init__(self, project, until, home, *words, **env):
        self.project, self.until = project, until
        homes = {"XDG_STATE_HOME": str(home), "XDG_CONFIG_HOME": str(home), "NO_COLOR": "1"}
        self.env = {**os.environ, **homes, **env}
        self.out, self.err = home / "events", home / "words"
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
        lines = self.out.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    @property
    def words(self):
        return self.err.read_text()

    def wait_for(self, event, *, after=0, **members):
        """Return the first event of this name and members, none of the first `after` counted."""

        def look():
            assert self.process.poll() is None or self._find(event, after, members), self.words
            return self._find(event, after, members)

        return self.until(look, f"{event} {members}", lambda: f"{self.out.read_text()}\n{self.words}")

    def _find(self, event, after, members):
        found = [one for one in self.events[after:] if one["event"] == event]
        return next((one for one in found if members.items() <= one.items()), None)

    def ask(self, service=None, path="/"):
        """Return what a service, else the only one, answers over its forward; empty while it does not."""
        told = [one for one in self.events if one["event"] == "forwarding" and service in (None, one["service"])]
        if not told:
            return ""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{told[-1]['local']}{path}", timeout=40) as answer:
                return answer.read().decode()
        except (OSError, urllib.error.URLError):
            return ""

    def until_answer(self, text, service=None, path="/"):
        """Wait until this text is in the answer."""
        self.until(lambda: text in self.ask(service, path), f"an answer with {text!r}", lambda: self.words)

    def devcfg(self, *words, stdin=""):
        """Run another command beside the session."""
        return subprocess.run(
            ["devcfg", *words], cwd=self.project.path, env=self.env, input=stdin, capture_output=True, text=True
        )

    def save(self, old, new):
        path = self.project.path / "src" / "app.py"
        path.write_text(path.read_text().replace(old, new))

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.process.wait(180)
