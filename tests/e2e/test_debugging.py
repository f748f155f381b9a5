"""The five services of the bookstore under their debuggers, each with an editor that attaches through the forward."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from asking import Asking, answer_of
from editors import Debugpy, Delve, Editor, Rdbg
from inspector import Inspector
from jdwp import Jdwp
from user import Up

DELVE_SEES = "-gcflags=all=-N -l"
LOCAL = {
    "authors": {
        "image": "devcfg.test/dev/go:1",
        "command": {"build": ["go", "build", DELVE_SEES, "-o", "/tmp/authors", "."], "run": ["/tmp/authors"]},
    },
}
"""What a developer writes beside the config: an image that holds debugger and compiler.

That of the storefront holds no debugger: debugpy is brought along.
"""


@dataclass(frozen=True)
class Debugged:
    """How one service is debugged, and what its user sees."""

    file: str
    line: str
    """What the line of the breakpoint says."""
    name: str
    """What is read there."""
    value: str
    editor: type[Editor]
    port: int
    """What the debugger listens on in the pod."""
    edition: tuple[str, str]
    """The place in the source that an edition is written to: what it is, and what stands before and after it."""
    path: str = "/books/1"


SERVICES = {
    "storefront": Debugged(
        "storefront.py",
        'return {"book": book, "storefront": own, **answers}',
        "book",
        "'1'",
        Debugpy,
        5678,
        ('f"', "Python "),
        "/api?book=1",
    ),
    "reviews": Debugged("Reviews.java", "var reviews = BOOKS.get(id);", "id", "1", Jdwp, 5005, ('quoted("', "Java ")),
    "details": Debugged("details.rb", 'from = { service: "details"', "id", '"1"', Rdbg, 12345, ('runtime: "', "Ruby ")),
    "ratings": Debugged(
        "server.mjs",
        'return [200, "application/json", JSON',
        "path",
        "/books/1",
        Inspector,
        9229,
        ("runtime: `", "Node "),
    ),
    "authors": Debugged(
        "main.go", "host, _ := os.Hostname()", "ok", "true", Delve, 2345, ('origin{"authors", "', "Go ")
    ),
}
ROUNDS = [1, pytest.param(20, marks=pytest.mark.proof)]

pytestmark = pytest.mark.cluster


@dataclass
class Service:
    """A service of the running session, as its developer has it in hand."""

    name: str
    store: Any
    up: Up
    until: Any
    edition: int = 0

    @property
    def how(self) -> Debugged:
        return SERVICES[self.name]

    @property
    def local(self):
        return self.store.path / "services" / self.name / self.how.file

    def devcfg(self, *words: str) -> str:
        done = self.up.devcfg(*words)
        assert done.returncode == 0, f"{done.stderr}\n{self.up.devcfg('logs', self.name).stdout[-3000:]}"
        return done.stdout

    def debug(self) -> dict:
        return json.loads(self.devcfg("debug", self.name, "-o", "json"))

    def attach(self) -> Editor:
        (line,) = [at for at, one in enumerate(self.local.read_text().splitlines(), 1) if self.how.line in one]
        editor = self.how.editor.to(self.debug())
        editor.insist(self.local, line)
        return editor

    def request(self) -> Asking:
        told = [one for one in self.up.events if one["event"] == "forwarding" and one["service"] == self.name]
        return Asking(told[-1]["local"], self.how.path)

    def answer(self) -> str:
        return answer_of(self.request().port, self.how.path)

    def hit(self, editor: Editor) -> None:
        """Have a request stop where it shall, and get the answer of the edition that runs."""
        asking = self.request().begin()
        path, line, value = editor.stopped(self.how.name)
        answer = asking.end()
        assert (path, value) == (str(self.local), self.how.value)
        assert self.how.line in self.local.read_text().splitlines()[line - 1]
        assert self.is_told_in(answer), answer

    def is_told_in(self, answer: str) -> bool:
        """Tell whether an answer is of the last edition."""
        return f"Edition {self.edition} " in answer if self.edition else '"from"' in answer

    def until_told(self) -> None:
        """Wait until the last edition is what answers."""
        self.until(lambda: self.is_told_in(self.answer()), f"edition {self.edition}", self.answer)

    def save(self) -> None:
        """Save another edition, and wait until it is what answers; no breakpoint is hit by asking about health."""
        self.edition += 1
        before, word = self.how.edition
        pattern = re.escape(before) + r"(?:Edition \d+ )?" + re.escape(word)
        text, count = re.subn(pattern, lambda _: f"{before}Edition {self.edition} {word}", self.local.read_text())
        assert count == 1
        known = len(self.up.events)
        self.local.write_text(text)
        if self.name not in ("details", "ratings"):  # these start afresh by themselves
            self.up.wait_for("restarted", after=known, service=self.name, command="debug")

    def follow(self, editor: Editor) -> None:
        """Have the editor attach to the new program: by itself, or by its task."""
        editor.come_back()

    def listening(self) -> set[int]:
        """Return the ports that something listens on in the pod."""
        words = ("sh", "-c", "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null")
        rows = [row.split() for row in self._exec(*words).splitlines()]
        return {int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == "0A"}

    def generations(self) -> set[str]:
        """Return the generations that the processes in the container are of."""
        words = "for one in /proc/[0-9]*; do tr '\\0' '\\n' <$one/environ | grep ^DEVCFG_RUN=; done 2>/dev/null; true"
        return {row.rpartition(":")[2] for row in self._exec("sh", "-c", words).splitlines()}

    def _exec(self, *words: str) -> str:
        return self.devcfg("exec", self.name, "--", *words)


@pytest.fixture(scope="module")
def session(cluster, project_of, bookstore_images, until, tmp_path_factory):
    """One session of all five services."""
    store = project_of(cluster.make("debug"))
    config = store.path / "devcfg.yaml"
    config.write_text(config.read_text().replace('ports: ["9080"]', 'ports: [":9080"]'))
    (store.path / "devcfg.local.yaml").write_text(yaml.safe_dump({"services": LOCAL}, width=1000))
    store.apply_base()
    store.space.rollout("statefulset/details", *(f"deployment/{one}" for one in SERVICES if one != "details"))
    up = Up(store, until, tmp_path_factory.mktemp("home"))
    for name in SERVICES:
        up.wait_for("restarted", service=name, generation=1)
    yield store, up
    assert up.end() == 0, up.words


@pytest.fixture
def service(session, until):
    """Take one service of the session in hand; afterwards it runs as it did, and nothing of a debugger is left."""
    taken = []

    def take(name):
        store, up = session
        edition = re.search(r"Edition (\d+) ", (store.path / "services" / name / SERVICES[name].file).read_text())
        taken.append(Service(name, store, up, until, int(edition[1]) if edition else 0))
        return taken[-1]

    yield take
    for one in taken:
        one.devcfg("run", one.name)
        one.until_told()
        assert one.how.port not in one.listening()
        assert len(one.generations()) == 1


@pytest.mark.parametrize("name", SERVICES)
def test_a_request_in_the_cluster_stops_at_a_local_line_and_again_in_what_is_saved_while_attached(name, service):
    one = service(name)
    one.debug()
    one.save()
    one.until_told()
    editor = one.attach()
    one.hit(editor)
    one.save()
    one.follow(editor)
    one.hit(editor)
    editor.drop()


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("name", SERVICES)
def test_editors_in_the_cluster_come_and_go_and_saves_between_them_are_what_is_debugged(name, rounds, service):
    one = service(name)
    one.debug()
    for _ in range(rounds):
        one.save()
        one.until_told()
        editor = one.attach()
        one.hit(editor)
        editor.leave()
        assert [one.is_told_in(one.answer()) for _ in range(2)] == [True] * 2


@pytest.mark.parametrize("name", SERVICES)
def test_an_editor_that_is_killed_at_a_breakpoint_leaves_nothing_standing_in_the_cluster(name, service):
    one = service(name)
    one.debug()
    editor = one.attach()
    asking = one.request().begin()
    editor.stand(one.how.name)
    editor.drop()
    assert one.is_told_in(asking.end())
    assert [one.is_told_in(one.answer()) for _ in range(2)] == [True] * 2
