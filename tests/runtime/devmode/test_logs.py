"""What `devcfg logs` prints of pods that no session here has: with the paths that are here, or `--raw`."""

import pytest

from devcfg.runtime.commands.logs import logs

SPACE = "shop"
PRINTED = (
    b'Traceback:\n  File "/src/app.py", line 2, in <module>\n  File "/src/gone.py", line 3, in load\n\x1b[31mred\n'
)


@pytest.fixture
def printed(shop, play, monkeypatch, capsys):
    """Return a function that runs `devcfg logs` where a pod has printed a traceback, and returns its lines."""
    one = shop()
    (one.root / "src" / "app.py").write_text("")

    async def go():
        await one.deploy()
        await one.enter()

    play(go())
    pod = next(each for each in one.world.all("Pod", SPACE) if "devcfg.dev/plan" in each["metadata"]["annotations"])
    one.world.logs[SPACE, pod["metadata"]["name"], "web"] = PRINTED

    def run(*, raw):
        async def opened(context=None):
            assert context is None
            return one.world.client("logs", namespace=SPACE)

        monkeypatch.setattr("devcfg.runtime.cluster.kube.open_cluster", opened)
        assert logs(None, (), follow=False, raw=raw) == 0
        return capsys.readouterr().out.splitlines()

    return run


def test_a_traceback_of_a_pod_leads_to_the_files_here(printed):
    assert printed(raw=False) == [
        "Traceback:",
        '  File "src/app.py", line 2, in <module>',
        '  File "/src/gone.py", line 3, in load',
        "red",
    ]


def test_raw_is_what_the_pod_printed(printed):
    assert printed(raw=True) == [*PRINTED.decode().splitlines()[:3], "\x1b[31mred\x1b[0m"]
