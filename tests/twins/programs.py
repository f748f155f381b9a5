"""A small server in each language, how it is put under its debugger, and which editor attaches to it.

Each answers a request with the number behind the one that its variable `answer` has at the breakpoint.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass, field

import pytest
from delve import find_dlv
from editors import Debugpy, Delve, Rdbg
from inspector import Inspector
from jdwp import Jdwp

PYTHON = """\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        answer = 41
        body = str(answer + 1).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
NODE = """\
const http = require("http");
http.createServer((request, response) => {
  const answer = 41;
  response.end(String(answer + 1));
}).listen(Number(process.env.PORT), "127.0.0.1");
"""
GO = """\
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		answer := 41
		fmt.Fprint(writer, answer+1)
	})
	http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)
}
"""
JAVA = """\
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;

public class App {
    public static void main(String[] arguments) throws Exception {
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(System.getenv("PORT"))), 0);
        server.createContext("/", exchange -> {
            int answer = 41;
            var body = String.valueOf(answer + 1).getBytes();
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
    }
}
"""
RUBY = """\
require "socket"

server = TCPServer.new("127.0.0.1", Integer(ENV.fetch("PORT")))
loop do
  client = server.accept
  nil until client.gets.to_s.strip.empty?
  answer = 41
  body = (answer + 1).to_s
  client.write("HTTP/1.1 200 OK\\r\\nContent-Length: #{body.bytesize}\\r\\nConnection: close\\r\\n\\r\\n#{body}")
  client.close
end
"""


@dataclass(frozen=True)
class Program:
    """One language's server."""

    name: str
    file: str
    text: str
    line: int
    """Where `answer` has its value."""
    editor: type
    run: tuple
    build: tuple = ()
    beside: dict = field(default_factory=dict)
    """Further files."""
    exclude: tuple = ()
    needs: tuple = ()

    def version(self, answer):
        """Return the text with another answer."""
        assert self.text.count("41") == 1
        return self.text.replace("41", str(answer))

    def check(self):
        """Skip where this machine has not what the language needs."""
        for one in self.needs:
            if shutil.which(one) is None:
                pytest.skip(f"there is no {one} here")
        if self.name == "go":
            find_dlv()
        gem = ["ruby", "-rdebug/version", "-e", "1"]
        if self.name == "ruby" and subprocess.run(gem, capture_output=True).returncode:
            pytest.skip("there is no gem `debug` here")

    def service(self, port):
        """Return the service's command and debugger for the dev config; the debugger listens on `port`."""
        command = {"run": list(self.run), **({"build": list(self.build)} if self.build else {})}
        if self.name == "ruby":  # Debian's rdbg has another name
            own = ["RUBYOPT=-rdebug/open_nonstop", "RUBY_DEBUG_HOST=127.0.0.1", f"RUBY_DEBUG_PORT={port}"]
            command["debug"] = ["env", *own, *self.run]
        rule = {"path": "src", "target": "/app", **({"exclude": list(self.exclude)} if self.exclude else {})}
        return {"command": command, "debug": {"adapter": self.name, "port": port}, "sync": [rule]}


PROGRAMS = {
    one.name: one
    for one in (
        Program("python", "app.py", PYTHON, 7, Debugpy, (sys.executable, "app.py")),
        Program("node", "app.js", NODE, 4, Inspector, ("node", "app.js"), needs=("node",)),
        Program(
            "go",
            "main.go",
            GO,
            12,
            Delve,
            ("go", "run", "."),
            beside={"go.mod": "module app\n\ngo 1.21\n"},
            needs=("go", "dlv"),
        ),
        Program(
            "java",
            "App.java",
            JAVA,
            9,
            Jdwp,
            ("java", "-cp", "build", "App"),
            build=("javac", "-g", "-d", "build", "App.java"),
            exclude=("build/",),
            needs=("java", "javac"),
        ),
        Program("ruby", "app.rb", RUBY, 8, Rdbg, ("ruby", "app.rb"), needs=("ruby",)),
    )
}
