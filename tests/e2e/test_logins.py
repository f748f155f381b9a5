"""A login that ends while a session runs: the exec plugin of the kubeconfig is asked again, and no edit is lost."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from user import Up

pytestmark = pytest.mark.cluster

BASE = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "web", "image": "busybox:musl", "command": ["sleep", "100000"]}],
            },
        },
    },
}
SERVICE = {"command": {"run": ["sleep", "100000"]}, "sync": ["src:/src"]}
AGENTS = (
    "import os\n"
    "for name in os.listdir('/proc'):\n"
    "    if name.isdigit() and name != '1':\n"
    "        with open(f'/proc/{name}/cmdline', 'rb') as file:\n"
    "            if b'agent' in file.read().split(b'\\0'): os.kill(int(name), 9)\n"
)
PLUGIN = """\
#!/bin/sh
echo called >>"$0.calls"
token=$(cat "$0.token") || exit 1
echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "'"$token"'"}}'
"""


class Logins:
    """A kubeconfig whose user logs in by a plugin; each of its tokens can be ended."""

    def __init__(self, space, directory):
        self.space, self.plugin, self.file = space, directory / "plugin", directory / "kubeconfig"
        self.plugin.write_text(PLUGIN)
        self.plugin.chmod(0o755)
        words = ("kubectl", "config", "view", "--raw", "--flatten", "--minify", "-o", "json")
        config = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
        plugin = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(self.plugin),
            "interactiveMode": "Never",
        }
        config["users"] = [{"name": "plugged", "user": {"exec": plugin}}]
        config["contexts"][0]["context"]["user"] = "plugged"
        self.file.write_text(json.dumps(config))
        space.kubectl("create", "serviceaccount", "ann")
        space.kubectl("create", "rolebinding", "ann", "--clusterrole=admin", f"--serviceaccount={space.name}:ann")
        leases = ("--verb=get,create,update,delete", "--resource=leases.coordination.k8s.io")
        space.kubectl("create", "role", "leases", *leases)
        space.kubectl("create", "rolebinding", "leases", "--role=leases", f"--serviceaccount={space.name}:ann")

    def give(self, name):
        """Have the plugin give a token from now on that lives as long as a secret of this name."""
        self.space.kubectl("create", "secret", "generic", name)
        words = ("create", "token", "ann", "--bound-object-kind=Secret", f"--bound-object-name={name}")
        Path(f"{self.plugin}.token").write_text(self.space.kubectl(*words).stdout)

    def end(self, name, until):
        """End the token of a secret; the server believes in it for some seconds more."""
        token = Path(f"{self.plugin}.token").read_text()
        self.space.kubectl("delete", "secret", name)
        words = ("kubectl", "--kubeconfig=/dev/null", f"--token={token}", "--insecure-skip-tls-verify", "-s")
        server = json.loads(self.file.read_text())["clusters"][0]["cluster"]["server"]
        asked = (*words, server, "auth", "whoami")
        until(lambda: b"Unauthorized" in subprocess.run(asked, capture_output=True).stderr, "the end of a token")

    @property
    def calls(self):
        """How often the plugin was asked."""
        return len(Path(f"{self.plugin}.calls").read_text().splitlines())


@pytest.fixture
def logins(space_of, tmp_path):
    return Logins(space_of("logins"), tmp_path)


def test_a_token_that_ends_is_renewed_and_a_login_that_ends_is_waited_for(
    logins, project_of, until, tmp_path, monkeypatch
):
    space = logins.space
    config = {"version": 1, "base": "base.yaml", "namespace": space.name, "services": {"web": SERVICE}}
    files = {"base.yaml": json.dumps(BASE), "devcfg.yaml": json.dumps(config), "src/a": "a\n"}
    project = project_of(space, files)
    space.kubectl("apply", "-f", "base.yaml", cwd=project.path)
    before = space.specs()
    logins.give("first")
    with monkeypatch.context() as patch:
        patch.setenv("KUBECONFIG", str(logins.file))
        up = Up(project, until, tmp_path)
    try:
        up.wait_for("restarted", generation=1)
        pod = json.loads(up.devcfg("status", "-o", "json").stdout)["services"][0]["pod"]
        assert logins.calls == 1

        def there(name):
            return space.kubectl("exec", pod, "-c", "web", "--", "cat", f"/src/{name}", code=None).stdout

        def cut(name):
            space.kubectl("exec", pod, "-c", "devcfg-agent", "--", "python3", "-c", AGENTS)
            (project.path / "src" / name).write_text(f"{name}\n")

        # The token ends, the plugin has a new one.
        logins.end("first", until)
        logins.give("second")
        cut("b")
        until(lambda: there("b") == "b\n", "what was saved", lambda: up.err.read_text())
        assert logins.calls == 2

        # The token ends, and the plugin has none before somebody logs in again.
        logins.end("second", until)
        Path(f"{logins.plugin}.token").unlink()
        cut("c")
        until(lambda: "could not log in" in up.err.read_text(), "a sentence", lambda: up.err.read_text())
        logins.give("third")
        until(lambda: there("c") == "c\n", "what was saved", lambda: up.err.read_text())
        assert {one.name: one.read_text() for one in (project.path / "src").glob("[!.]*")} == {
            name: f"{name}\n" for name in "abc"
        }
        assert up.end() == 0, up.err.read_text()
        assert space.specs() == before
    finally:
        if up.process.poll() is None:
            up.process.kill()
            up.process.wait()
