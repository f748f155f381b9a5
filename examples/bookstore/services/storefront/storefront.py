"""The storefront: one page per book, put together from what the four other services answer."""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import ProxyHandler, build_opener

BACKENDS = {
    "details": os.environ.get("DETAILS_URL", "http://details:9080"),
    "authors": os.environ.get("AUTHORS_URL", "http://authors:9080"),
    "reviews": os.environ.get("REVIEWS_URL", "http://reviews:9080"),
    "ratings": os.environ.get("RATINGS_URL", "http://ratings:9080"),
}
VERSION = platform.python_version()
TIMEOUT = float(os.environ.get("BACKEND_TIMEOUT", "2"))  # seconds
VERBOSE = os.environ.get("LOG_LEVEL", "warning") == "debug"
PAGE = Path(__file__).with_name("page.html")  # read at every request: a change shows without a restart
BROWSER = build_opener(ProxyHandler({}))  # backends are neighbours: never through a proxy
POOL = ThreadPoolExecutor(max_workers=16)


def ask(name: str, book: str) -> dict[str, Any]:
    """Return what a backend knows about a book, or why it cannot be told."""
    try:
        with BROWSER.open(f"{BACKENDS[name]}/books/{book}", timeout=TIMEOUT) as answer:
            return {"state": "ok", **json.load(answer)}
    except (OSError, TypeError, ValueError) as error:
        return {"state": "down", "reason": f"{name} has no answer: {getattr(error, 'reason', error)}"}


def collect(book: str) -> dict[str, Any]:
    """Ask all backends at once; the storefront's own part comes first."""
    answers = dict(zip(BACKENDS, POOL.map(lambda name: ask(name, book), BACKENDS), strict=True))
    own = {
        "state": "ok",
        "from": {"service": "storefront", "runtime": f"Python {VERSION}", "host": socket.gethostname()},
        "shop": os.environ.get("SHOP_NAME", "Bookstore"),
        "notice": os.environ.get("SHOP_NOTICE", ""),
    }
    return {"book": book, "storefront": own, **answers}


def render(found: dict[str, Any]) -> str:
    """Fill the page. A part whose service is down says so in its place."""
    details = found["details"]
    bodies = {
        "storefront": lambda part: f"<p>{escape(part['notice'])}</p>",
        "details": lambda part: (
            f"<p>{part['year']}, {part['pages']} pages, {escape(part['subject'])}. "
            f"Look-ups so far: {part['asked']}.</p>"
        ),
        "authors": lambda part: "".join(
            f"<p><b>{escape(one['name'])}</b> {escape(one['life'])}</p>" for one in part["authors"]
        ),
        "reviews": lambda part: "".join(
            f"<blockquote>{escape(one['text'])} "
            f"<footer>{escape(one['by'])} {stars(part, one['by'])}</footer></blockquote>"
            for one in part["reviews"]
        ),
        "ratings": lambda part: f"<p>{part['average']} of 5, from {len(part['stars'])} readers</p>",
    }
    return Template(PAGE.read_text("utf-8")).safe_substitute(
        {name: section(name, found[name], body) for name, body in bodies.items()},
        shop=escape(found["storefront"]["shop"]),
        title=escape(details.get("title", f"Book {found['book']}")),
        shelf="".join(
            f'<li><a href="/?book={one["id"]}">{escape(one["title"])}</a></li>'
            for one in details.get("shelf", [])
        ),
    )


def stars(reviews: dict[str, Any], reader: str) -> str:
    """Return a reader's stars as reviews had them from ratings; nothing while ratings is down."""
    return "★" * reviews["ratings"]["stars"].get(reader, 0) if reviews["ratings"] else ""


def section(name: str, part: dict[str, Any], body: Callable[[dict[str, Any]], str]) -> str:
    """Return one part of the page, signed by the service that gave it."""
    if part["state"] == "ok":
        try:
            signature = escape(" · ".join(part["from"][key] for key in ("service", "runtime", "host")))
            return f'<section id="{name}" data-state="ok">{body(part)}<small>{signature}</small></section>'
        except (AttributeError, KeyError, TypeError) as error:
            part = {"reason": f"{name} gave an answer that makes no sense: {error!r}"}
    reason = escape(part["reason"])
    return f'<section id="{name}" data-state="down"><p class="down">{reason}</p></section>'


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        book = parse_qs(url.query).get("book", ["1"])[0]
        if url.path == "/healthz":
            self.answer(200, "text/plain", "ok\n")
        elif url.path not in ("/", "/api") or not (book.isascii() and book.isdecimal()):
            self.answer(404, "text/plain", "not found\n")
        elif url.path == "/api":
            self.answer(200, "application/json", json.dumps(collect(book), indent=2) + "\n")
        else:
            self.answer(200, "text/html", render(collect(book)))

    def answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        if VERBOSE and self.path != "/healthz":
            print(f"storefront: {format % args}", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    port = int(os.environ.get("PORT", "9080"))
    server = ThreadingHTTPServer(("", port), Handler)
    print(f"storefront: Python {VERSION}, listening on {port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
