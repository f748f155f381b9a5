"""An agent that does not start, in a cluster in memory: said once, in its own last words, by session and status."""

import asyncio
import os
import sys
from pathlib import Path

from cluster import Process, World

from devcfg.runtime.cluster.errors import ClusterError
from devcfg.runtime.devmode.place import PodPlace
from devcfg.runtime.session.answers import Answers
from devcfg.runtime.session.container import Environment
from devcfg.runtime.session.debugging import Debugging
from devcfg.runtime.session.events import Happening
from devcfg.runtime.session.pod import PodSite
from devcfg.runtime.session.service import Running
from devcfg.runtime.session.sites import LocalSites
from devcfg.runtime.session.syncing import rules_of
from devcfg.runtime.session.wanted import Brief, Wanted
from devcfg.schemas.config import Service

SOURCE = Path(__file__).resolve().parents[3] / "runtime" / "pod"
NONE = Environment({}, frozenset(), ())
PLAN = "v1-00"
ANNOTATIONS = {"devcfg.dev/plan": PLAN, "devcfg.dev/container.web": "web"}
CONTAINERS = [{"name": "web", "image": "w:1"}, {"name": "devcfg-agent", "image": "p:3"}]
TEMPLATE = {"metadata": {"labels": {"app": "web"}, "annotations": ANNOTATIONS}, "spec": {"containers": CONTAINERS}}
SPEC = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}


class Heard:
    """Hears what a service tells."""

    def __init__(self):
        self.events, self.more = [], asyncio.Event()

    def event(self, event):
        self.events.append(event)
        self.more.set()

    def log(self, service, line):
        """Take no notice."""

    def words(self, service, text):
        """Take no notice."""

    def refresh(self):
        """Take no notice."""

    async def until(self, what):
        while not (found := [one for one in self.events if one.what is what]):
            self.more.clear()
            await self.more.wait()
        return found[-1]


def agent(folder, source=SOURCE):
    """Return what starts an agent of this source, and how often it was asked for."""
    asked = []

    async def start(pod, container, argv, **given):
        asked.append(argv)
        env = {"PYTHONPATH": str(source), "PATH": os.environ["PATH"]}
        return await Process.start([sys.executable, *argv[1:-1], str(folder)], stdin=True, env=env)

    return start, asked


async def refused(pod, container, argv, **given):
    raise ClusterError("exec into this pod is refused by a policy")


class Asked:
    """Only what an answer about the status needs of a session."""

    def __init__(self, running):
        wanted = Wanted("web", running.spec, "deployment/web", NONE, None)
        self.brief = Brief("", ("", ""), (wanted,), ())
        self.running = {"web": running}
        self.sites = LocalSites("")


def live(tmp_path, monkeypatch, check, silent=0.0, *, synced=True):
    """Run a service in a pod of a world in memory, and a check beside it."""
    monkeypatch.setattr("devcfg.runtime.session.service.SILENT", silent)

    async def go():
        world, heard = World("shop"), Heard()
        cluster = world.client()
        deployments = await cluster.find("deployment")
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": SPEC}
        made = await cluster.create(deployments, "shop", body)
        await world.settle()
        place = PodPlace("web", "shop", deployments, "web", made["metadata"]["uid"], "web", PLAN)
        (tmp_path / "src").mkdir()
        spec = Service.validate({"sync": [f"src:{tmp_path}/far"]} if synced else {})
        site = PodSite(cluster, place, spec, str(tmp_path), say=print, fresh=True)
        rules = rules_of(str(tmp_path), "web", spec, site.place)
        running = Running("web", spec, site, rules, None, Debugging(str(tmp_path), "web", spec, site, print), heard)
        answers = Answers(Asked(running))

        async def status():
            return [line async for line in answers({"verb": "status"})]

        living = asyncio.create_task(running.run(None))
        try:
            async with asyncio.timeout(60):
                return await check(world, heard, status)
        finally:
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)

    return asyncio.run(go())


async def only_row(status):
    """Return the one row of an answer."""
    lines = await status()
    assert not any("words" in line for line in lines)
    (row,) = lines[0]["json"]["services"]
    return row


def test_an_agent_that_does_not_start_is_waited_for_with_its_last_words(tmp_path, monkeypatch):
    broken = tmp_path / "broken"
    (broken / "agent").mkdir(parents=True)
    (broken / "agent" / "__main__.py").write_text("def serve(:\n")

    async def check(world, heard, status):
        world.processes, asked = agent(tmp_path / "files", broken)
        said = await heard.until(Happening.DEGRADED)
        row = await only_row(status)
        while len(asked) < 4:
            await asyncio.sleep(0.01)
        times = sum(one.what is Happening.DEGRADED for one in heard.events)
        world.processes, _ = agent(tmp_path / "files")
        await heard.until(Happening.CONNECTED)
        return said.members["reason"], row, times, await only_row(status)

    reason, row, times, after = live(tmp_path, monkeypatch, check)

    assert reason.startswith("waits for its agent, and tries again: the agent has ended (")
    assert "SyntaxError: invalid syntax" in reason
    assert (row["sync"][0]["degraded"], row["state"]) == (reason, "starting")
    assert (times, after["sync"][0]["degraded"]) == (1, None)


def test_an_agent_that_may_not_be_started_is_waited_for_with_the_clusters_words(tmp_path, monkeypatch):
    async def check(world, heard, status):
        world.processes = refused
        return (await heard.until(Happening.DEGRADED)).members["reason"], await status()

    reason, (_, said, _) = live(tmp_path, monkeypatch, check, synced=False)

    assert said == {"words": f"web: {reason}"}
    assert reason == "waits for its agent, and tries again: exec into this pod is refused by a policy"


def test_an_agent_that_needs_a_moment_is_no_word_worth(tmp_path, monkeypatch):
    async def check(world, heard, status):
        world.processes = refused
        while not any(rule["degraded"] for rule in (await only_row(status))["sync"]):
            await asyncio.sleep(0.01)
        world.processes, _ = agent(tmp_path / "files")
        await heard.until(Happening.CONNECTED)
        return [one.what for one in heard.events]

    assert Happening.DEGRADED not in live(tmp_path, monkeypatch, check, silent=3600)
