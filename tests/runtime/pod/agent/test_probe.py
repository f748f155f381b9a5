"""Probes against real servers on loopback: what a kubelet would say."""

import http.server
import socket
import threading

import pytest

from devcfg.runtime.pod.agent.probe import ProbeError, probe


class Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        kind, _, rest = self.path.partition("?")[0].strip("/").partition("/")
        self.send_response(int(kind))
        if rest:
            self.send_header("Location", rest if rest.startswith("http") else "/" + rest)
        self.end_headers()
        self.wfile.write(b"x" * 50_000)

    def log_message(self, *_):
        return


@pytest.fixture
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    made.seen = []
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def ask(server, **members):
    return probe({"http": {"port": server.server_port, **members}, "timeout": 20})


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("/200", "success"),
        ("/204", "success"),
        ("/399", "success"),
        ("/400", "failure"),
        ("/503", "failure"),
        ("/302/200", "success"),
        ("/302/503", "failure"),
        ("/302/http://elsewhere.invalid/503", "success"),
        ("200?ready=1", "success"),
    ],
)
def test_an_http_probe_succeeds_from_200_to_399_and_follows_within_the_host(server, path, result):
    assert ask(server, path=path)["result"] == result


def test_redirects_have_an_end(server, monkeypatch):
    loop = "302/" * 30 + "200"
    assert ask(server, path="/" + loop)["message"] == "more than 10 redirects"
    assert len(server.seen) == 11


def test_headers_are_sent_as_they_are(server):
    ask(server, path="/200", headers=[["Host", "shop.example"], ["X-Token", "a b"], ["User-Agent", "mine"]])
    headers = server.seen[0][1]
    assert (headers["Host"], headers["X-Token"], headers["User-Agent"]) == ("shop.example", "a b", "mine")


def test_without_headers_it_says_what_it_is(server):
    ask(server, path="/200")
    assert server.seen[0][1]["User-Agent"] == "kube-probe/devcfg"


def test_https_is_asked_without_a_look_at_the_certificate_and_needs_tls(server):
    assert ask(server, path="/200", scheme="HTTPS")["result"] == "failure"


def test_a_tcp_probe_succeeds_where_somebody_listens(server):
    assert probe({"tcp": {"port": server.server_port}})["result"] == "success"


@pytest.mark.parametrize("kind", ["tcp", "http"])
def test_a_closed_port_is_a_failure_in_the_systems_words(kind):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening
        found = probe({kind: {"port": taken.getsockname()[1]}})
    assert found["result"] == "failure"
    assert "refused" in found["message"]


def test_a_server_that_never_answers_is_a_failure():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert probe({"http": {"port": silent.getsockname()[1]}, "timeout": 0.1})["result"] == "failure"


@pytest.mark.parametrize("kind", ["exec", "grpc"])
def test_what_only_the_container_can_ask_is_unsupported(kind):
    assert probe({kind: {}})["result"] == "unsupported"


def test_a_header_that_would_be_two_is_a_failure(server):
    assert ask(server, path="/200", headers=[["A", "b\r\nC: d"]])["result"] == "failure"
    assert server.seen == []


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"http": {"port": 1}, "tcp": {"port": 1}},
        {"tcp": 80},
        {"tcp": {"port": 0}},
        {"tcp": {"port": True}},
        {"tcp": {"port": "80"}},
        {"tcp": {"port": 80, "host": 7}},
        {"http": {"port": 80, "scheme": "ftp"}},
        {"http": {"port": 80, "headers": [["a"]]}},
        {"http": {"port": 80, "path": 1}},
        {"tcp": {"port": 80}, "timeout": 0},
        {"tcp": {"port": 80}, "timeout": "1"},
    ],
)
def test_a_probe_that_is_none_says_so(members):
    with pytest.raises(ProbeError):
        probe(members)
