"""Logging in as kubectl would: files, contexts, plugins, proxies, and what is said where one of them is missing."""

import asyncio
import base64
import json
import os
import shutil
import stat
import subprocess

import pytest

from devcfg.runtime.cluster.errors import UnreachableError
from devcfg.runtime.cluster.kube import open_cluster

CONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "here", "cluster": {"server": "http://127.0.0.1:1/"}}],
    "users": [{"name": "me", "user": {"token": "secret"}}],
    "contexts": [
        {"name": "dev", "context": {"cluster": "here", "user": "me", "namespace": "shop"}},
        {"name": "plain", "context": {"cluster": "here", "user": "me"}},
    ],
    "current-context": "dev",
}


@pytest.fixture
def kubeconfig(tmp_path, monkeypatch):
    """Return a function that writes a kubeconfig and makes it the one that counts."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("KUBE"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))

    def write(config=CONFIG, **changes):
        path = tmp_path / "kubeconfig"
        path.write_text(config if isinstance(config, str) else json.dumps({**config, **changes}))
        monkeypatch.setenv("KUBECONFIG", str(path))
        return path

    return write


def opened(context=None):
    """Return whom a context leads to, and the headers that would be sent."""

    async def look():
        cluster = await open_cluster(context)
        login = cluster._transport._login
        await cluster.close()
        return cluster.identity, dict(login.headers), login

    return asyncio.run(look())


def refused(context=None):
    with pytest.raises(UnreachableError) as raised:
        opened(context)
    assert raised.value.exit_code == 6
    return raised.value


def test_the_current_context_says_who_and_where(kubeconfig):
    kubeconfig()
    identity, headers, _ = opened()

    assert (identity.context, identity.server, identity.namespace, identity.user) == (
        "dev",
        "http://127.0.0.1:1",
        "shop",
        "me",
    )
    assert headers == {"Authorization": "Bearer secret"}


def test_another_context_may_be_named_even_without_a_current_one(kubeconfig):
    kubeconfig({key: value for key, value in CONFIG.items() if key != "current-context"})

    assert opened("plain")[0].namespace == "default"
    assert "dev, plain" in refused().hint


def test_a_context_that_is_not_there_is_told_with_those_that_are(kubeconfig):
    kubeconfig()
    error = refused("prod")

    assert "no context `prod`" in error.message
    assert error.hint == "it has: dev, plain"


def test_without_a_kubeconfig_the_next_step_is_told(kubeconfig, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    error = refused()

    assert "nowhere" in error.message
    assert "KUBECONFIG" in error.hint


@pytest.mark.parametrize("text", ["", "[]", "{", "contexts: 3", "a: b", "contexts: [{}]\ncurrent-context: x"])
def test_a_file_that_is_no_kubeconfig_is_an_error_with_a_sentence(kubeconfig, text):
    kubeconfig(text)

    assert "kubeconfig" in refused().message


def test_several_files_are_read_as_one(kubeconfig, monkeypatch, tmp_path):
    first = kubeconfig()
    second = tmp_path / "second"
    more = {
        **CONFIG,
        "current-context": "dev",
        "contexts": [{"name": "more", "context": {"cluster": "here", "user": "me"}}],
    }
    second.write_text(json.dumps(more))
    monkeypatch.setenv("KUBECONFIG", f"{first}{os.pathsep}{second}{os.pathsep}{tmp_path / 'missing'}")

    assert opened("more")[0].context == "more"
    assert opened("dev")[0].namespace == "shop"


def test_modules_of_the_repository_are_not_imported(kubeconfig, tmp_path, monkeypatch):
    kubeconfig()
    (tmp_path / "kubernetes.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)

    assert opened()[0].context == "dev"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_a_certificate_within_the_kubeconfig_is_used_and_stays_in_no_file(kubeconfig, tmp_path, monkeypatch):
    subject = ("-subj", "/CN=me", "-days", "1", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "crt"))
    words = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", *subject)
    made = subprocess.run(["openssl", "req", *words], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    data = {name: base64.b64encode((tmp_path / name).read_bytes()).decode() for name in ("key", "crt")}
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    kubeconfig(
        clusters=[
            {"name": "here", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority-data": data["crt"]}}
        ],
        users=[{"name": "me", "user": {"client-certificate-data": data["crt"], "client-key-data": data["key"]}}],
    )
    tls = opened()[2].tls

    assert [one["subject"] for one in tls.get_ca_certs()] == [((("commonName", "me"),),)]
    assert list(temporary.iterdir()) == []


def plugin(tmp_path, script):
    path = tmp_path / "login"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path), "interactiveMode": "Never"}
    return [{"name": "me", "user": {"exec": run}}]


def test_a_plugin_gives_the_token(kubeconfig, tmp_path):
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "fresh"},
    }
    kubeconfig(users=plugin(tmp_path, f"echo '{json.dumps(credential)}'"))

    assert opened()[1] == {"Authorization": "Bearer fresh"}


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo 'session expired, run sso login' >&2; exit 1", "session expired"), ("echo nonsense", "decode")],
)
def test_a_plugin_that_fails_is_told_in_its_own_words(kubeconfig, tmp_path, script, said):
    kubeconfig(users=plugin(tmp_path, script))
    error = refused()

    assert "user `me` of the kubeconfig could not log in" in error.message
    assert said in error.message


def test_a_proxy_of_the_context_or_the_environment_is_used_and_no_proxy_holds(kubeconfig, monkeypatch):
    inner = {"server": "https://api.example.test:6443", "proxy-url": "http://proxy.test:3128"}
    kubeconfig(clusters=[{"name": "here", "cluster": inner}])
    assert opened()[2].proxy == "http://proxy.test:3128"

    kubeconfig(clusters=[{"name": "here", "cluster": {"server": "https://api.example.test:6443"}}])
    monkeypatch.setenv("HTTPS_PROXY", "http://other.test:8080")
    assert opened()[2].proxy == "http://other.test:8080"

    monkeypatch.setenv("NO_PROXY", "localhost,.example.test")
    assert opened()[2].proxy is None


def test_a_proxy_that_cannot_be_used_is_told_of(kubeconfig):
    inner = {"server": "https://api.example.test:6443", "proxy-url": "socks5://proxy.test:1080"}
    kubeconfig(clusters=[{"name": "here", "cluster": inner}])

    assert "socks5://proxy.test:1080" in refused().message


def test_certificates_that_are_missing_are_told_of(kubeconfig):
    inner = {"server": "https://127.0.0.1:1", "certificate-authority": "/nowhere/ca.crt"}
    kubeconfig(clusters=[{"name": "here", "cluster": inner}])

    assert "/nowhere/ca.crt" in refused().message


def test_trust_is_only_given_up_where_the_kubeconfig_says_so(kubeconfig):
    import ssl

    kubeconfig(clusters=[{"name": "here", "cluster": {"server": "https://127.0.0.1:1"}}])
    assert opened()[2].tls.verify_mode is ssl.CERT_REQUIRED

    loose = {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True, "tls-server-name": "api.test"}
    kubeconfig(clusters=[{"name": "here", "cluster": loose}])
    login = opened()[2]
    assert (login.tls.verify_mode, login.name) == (ssl.CERT_NONE, "api.test")
